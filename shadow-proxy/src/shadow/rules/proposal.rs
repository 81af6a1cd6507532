//! From a finding to the narrowest rule that explains it and nothing else, or to why there is none.

use super::{Day, RawRule};
use crate::exchange::{Kind, Severity};
use crate::shadow::class::Class;
use crate::shadow::endpoint;
use crate::shadow::noise::Place;
use crate::shadow::path::{Path, Root, Segment};
use crate::shadow::redact::{CLOSE, OPEN};

/// A finding, and what is known of how legacy differs from itself there.
pub(crate) struct Drift<'a> {
    pub finding: u64,
    pub place: &'a Place,
    pub severity: Severity,
    /// Of how many pairs of two answers by legacy the field differed in how many.
    pub own_differences: u64,
    pub aa_pairs: u64,
    /// Why it does not matter, by whoever accepts it.
    pub why: Option<&'a str>,
    /// Whoever accepts it has said that presence or type is meant.
    pub structure_is_meant: bool,
}

/// Why no rule is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("a decision that flips is a breach or a lockout, which no rule explains; make the sides agree")]
    Decision,
    #[error("another status is no noise; make the sides agree, or write a rule with legacy and candidate")]
    Status,
    #[error("a rule for the whole body would hide everything in it; write a rule with both values or a pattern")]
    Whole,
    #[error("its name is hidden, and what stands for it is another one after a restart; add the name to compare.words")]
    Hidden,
    #[error("the endpoint stands for all that have no name; name its path in compare.endpoints")]
    Unnamed,
    #[error(
        "a member that is gone, new, retyped or repeated breaks clients; say that this is meant (`--structure-is-meant`), or mend the candidate"
    )]
    Structural,
    #[error("a rule said that it is renamed, and has expired; write a later day in that rule")]
    Renamed,
    #[error(
        "lists of different lengths are different lists; write a rule with keyed_by or unordered, or mend the candidate"
    )]
    ArrayLength,
    #[error(
        "the rule would also hide differences between values of other kinds, of which there were none so far; write a narrower one by hand, with a pattern or both values"
    )]
    OverBroad,
    #[error(
        "legacy never differed from itself there, so this is no noise; mend the candidate, or say why it is agreed"
    )]
    NotNoise,
    #[error("the path cannot be read, which is a mistake of ours; write a rule by hand")]
    Unreadable,
}

impl Refusal {
    /// For machines.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Refusal::Decision => "DECISION",
            Refusal::Status => "STATUS",
            Refusal::Whole => "ROOT_VALUE",
            Refusal::Hidden => "UNREPRESENTABLE",
            Refusal::Unnamed => "UNNAMED_ENDPOINT",
            Refusal::Structural => "STRUCTURAL",
            Refusal::Renamed => "RENAMED",
            Refusal::ArrayLength => "ARRAY_LENGTH",
            Refusal::OverBroad => "OVER_BROAD",
            Refusal::NotNoise => "NOT_NOISE",
            Refusal::Unreadable => "UNREADABLE",
        }
    }
}

/// `steady` are the places known to which legacy never did this when it was asked twice.
pub(crate) fn proposal(drift: &Drift, steady: &[Place], today: Day) -> Result<RawRule, Refusal> {
    let Place { endpoint, path, kind, classes } = drift.place;
    check(drift)?;
    let class = match (kind, classes) {
        // A class of which there are two values, so that two can differ.
        (Kind::Value, (Some(legacy), Some(candidate))) if legacy == candidate => {
            Some(*legacy).filter(|class| !matches!(class, Class::Null | Class::Empty))
        }
        _ => None,
    };
    let is_covered = |other: &&Place| {
        (&other.endpoint, &other.path, other.kind) == (endpoint, path, *kind)
            && other.classes != *classes
            && class.is_none_or(|class| other.classes == (Some(class), Some(class)))
    };
    if steady.iter().any(|other| is_covered(&other)) {
        return Err(Refusal::OverBroad);
    }
    Ok(RawRule {
        name: format!("accepted:{}", drift.finding),
        endpoint: Some(endpoint.clone()),
        path: path.clone(),
        explains: Some(vec![kind.name().to_owned()]),
        class: class.map(|class| class.name().to_owned()),
        reason: reason(drift),
        expires: today.after(EXPIRES_DAYS).to_string(),
        places_max: Some(1),
        finding: Some(drift.finding),
        ..RawRule::default()
    })
}

fn check(drift: &Drift) -> Result<(), Refusal> {
    let Place { endpoint, path, kind, .. } = drift.place;
    let place = Path::parse(path).map_err(|_| Refusal::Unreadable)?;
    let is_hidden = |segment: &Segment| matches!(segment, Segment::Key(key) if key.contains([OPEN, CLOSE]));
    let is_structural = matches!(kind, Kind::Missing | Kind::Added | Kind::Type | Kind::Repeated);
    match (place.root, place.segments.last()) {
        (Root::Decision, _) => Err(Refusal::Decision),
        _ if matches!(drift.severity, Severity::Breach | Severity::Lockout) => Err(Refusal::Decision),
        (Root::Status, _) => Err(Refusal::Status),
        (_, None) => Err(Refusal::Whole),
        _ if place.segments.iter().any(is_hidden) => Err(Refusal::Hidden),
        _ if endpoint.ends_with(endpoint::UNNAMED) || endpoint.contains([OPEN, CLOSE]) => Err(Refusal::Unnamed),
        (_, Some(Segment::Elements)) if matches!(kind, Kind::Missing | Kind::Added) => Err(Refusal::ArrayLength),
        _ if *kind == Kind::Renamed => Err(Refusal::Renamed),
        _ if is_structural && !drift.structure_is_meant => Err(Refusal::Structural),
        _ if drift.own_differences == 0 && drift.why.is_none_or(|why| why.trim().is_empty()) => Err(Refusal::NotNoise),
        _ => Ok(()),
    }
}

fn reason(drift: &Drift) -> String {
    let Drift { own_differences, aa_pairs, .. } = drift;
    let seen = match (own_differences, aa_pairs) {
        (_, 0) => "legacy was never asked twice".to_owned(),
        (0, pairs) => format!("legacy never differed from itself in {pairs} pairs"),
        (own, pairs) => format!("legacy differs from itself in {own} of {pairs} pairs"),
    };
    match drift.why.map(str::trim).filter(|why| !why.is_empty()) {
        Some(why) => format!("{why} ({seen})"),
        None => seen,
    }
}

const EXPIRES_DAYS: u32 = 90;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::rules::Rules;

    #[test]
    fn a_proposal_explains_its_finding_alone_and_ends() {
        let place = place("header.x-trace", Kind::Value, Class::Hex);
        let rule = proposal(&drift(&place, Severity::Low), &[], today()).unwrap();
        insta::assert_snapshot!(toml::to_string(&rule).unwrap(), @r#"
        name = "accepted:17"
        endpoint = "GET /a"
        path = "header.x-trace"
        explains = ["value"]
        reason = "legacy differs from itself in 212 of 500 pairs"
        expires = "2027-04-01"
        places_max = 1
        class = "hex"
        finding = 17
        "#);
        Rules::parse(vec![RawRule { name: "as written".into(), ..rule }]).unwrap();
    }

    #[test]
    fn what_is_agreed_says_why() {
        let place = place("body.note", Kind::Missing, Class::Text);
        let mut drift = drift(&place, Severity::High);
        drift.own_differences = 0;
        drift.structure_is_meant = true;
        assert_eq!(proposal(&drift, &[], today()), Err(Refusal::NotNoise));
        drift.why = Some("nobody reads it");
        let rule = proposal(&drift, &[], today()).unwrap();
        assert_eq!(rule.reason, "nobody reads it (legacy never differed from itself in 500 pairs)");
        assert_eq!((rule.explains, rule.class), (Some(vec!["missing".to_owned()]), None));
        drift.aa_pairs = 0;
        assert_eq!(proposal(&drift, &[], today()).unwrap().reason, "nobody reads it (legacy was never asked twice)");
    }

    #[test]
    fn what_is_too_broad_is_refused_with_a_reason() {
        let refused = |path: &str, kind, severity| {
            let place = place(path, kind, Class::Text);
            proposal(&drift(&place, severity), &[], today()).map(|rule| rule.path)
        };
        for (path, kind, severity, refusal) in [
            ("decision", Kind::Value, Severity::Lockout, Refusal::Decision),
            ("body.valid", Kind::Value, Severity::Breach, Refusal::Decision),
            ("status", Kind::Value, Severity::High, Refusal::Status),
            ("body", Kind::Value, Severity::Low, Refusal::Whole),
            ("header", Kind::Value, Severity::Low, Refusal::Whole),
            ("body.user", Kind::Missing, Severity::High, Refusal::Structural),
            ("header.etag", Kind::Added, Severity::Low, Refusal::Structural),
            ("body.user", Kind::Type, Severity::High, Refusal::Structural),
            ("body.user", Kind::Repeated, Severity::Low, Refusal::Structural),
            ("body.items[]", Kind::Missing, Severity::High, Refusal::ArrayLength),
            ("body.items[]", Kind::Added, Severity::Low, Refusal::ArrayLength),
            ("body.user", Kind::Renamed, Severity::Low, Refusal::Renamed),
            ("body[\"‹text 6 d0628a5d›\"]", Kind::Value, Severity::Low, Refusal::Hidden),
            ("body[\"‹text 6 d0628a5d›\"].id", Kind::Value, Severity::Low, Refusal::Hidden),
            ("‹text 6 d0628a5d›", Kind::Value, Severity::Low, Refusal::Unreadable),
        ] {
            assert_eq!(refused(path, kind, severity), Err(refusal), "{path} {kind:?}");
            let text = refusal.to_string();
            assert!(text.contains("; "), "{text}");
            assert!(refusal.code().bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{}", refusal.code());
        }
        assert_eq!(refused("body.groups", Kind::Order, Severity::Low).as_deref(), Ok("body.groups"));

        let mut place = place("body.id", Kind::Value, Class::Text);
        place.endpoint = "POST (unnamed)".to_owned();
        assert_eq!(proposal(&drift(&place, Severity::Low), &[], today()), Err(Refusal::Unnamed));
    }

    #[test]
    fn a_rule_that_covers_what_did_not_drift_is_too_broad() {
        let of = |legacy, candidate| Place {
            classes: (Some(legacy), Some(candidate)),
            ..place("body.id", Kind::Value, Class::Uuid)
        };
        let proposed = |finding: &Place, steady: &[Place]| proposal(&drift(finding, Severity::Low), steady, today());
        let steady = [of(Class::Uuid, Class::Text), place("body.other", Kind::Value, Class::Text)];
        let rule = proposed(&of(Class::Uuid, Class::Uuid), &steady).unwrap();
        assert_eq!(rule.class.as_deref(), Some("uuid"), "the class leaves the steady one alone");
        let changed = of(Class::Hex, Class::Text);
        assert_eq!(proposed(&changed, &steady), Err(Refusal::OverBroad));
        assert_eq!(proposed(&changed, &steady[1..]).unwrap().class, None);
        assert!(proposed(&changed, std::slice::from_ref(&changed)).is_ok(), "itself is no other");
    }

    fn place(path: &str, kind: Kind, class: Class) -> Place {
        Place { endpoint: "GET /a".into(), path: path.into(), kind, classes: (Some(class), Some(class)) }
    }

    fn drift(place: &Place, severity: Severity) -> Drift<'_> {
        let (finding, own_differences, aa_pairs) = (17, 212, 500);
        Drift { finding, place, severity, own_differences, aa_pairs, why: None, structure_is_meant: false }
    }

    fn today() -> Day {
        Day::parse("2027-01-01").unwrap()
    }
}
