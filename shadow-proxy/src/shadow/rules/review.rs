//! What each rule has hidden, and what there is to say against it. A rule is written once and works for months; this is
//! where somebody looks at it again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::{Condition, Day, Rule, Rules};
use crate::exchange::{Kind, Severity};

/// Differences of one kind at one place that a rule explained, as counted by the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hidden {
    pub endpoint: String,
    pub path: String,
    pub kind: Kind,
    pub severity: Severity,
    pub count: u64,
    /// Compared at this endpoint.
    pub pairs: u64,
    pub last_seen_ms: u64,
}

/// One rule with what it has hidden.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reviewed {
    pub name: String,
    pub endpoint: Option<String>,
    pub path: String,
    pub reason: String,
    /// Built-in rules have no such day.
    pub expires: Option<String>,
    pub hidden: u64,
    /// Endpoints and paths.
    pub places: usize,
    /// Of the pairs of the endpoint where it hides most.
    pub share: f64,
    /// Where that is.
    pub example: Option<Hidden>,
    pub warnings: Vec<Warning>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub(crate) enum Warning {
    Expired {
        on: String,
    },
    Expiring {
        days: u32,
    },
    /// Nothing hidden in so many pairs.
    Dead {
        pairs: u64,
    },
    TooManyPlaces {
        places: usize,
        places_max: u32,
    },
    HidesHigh {
        path: String,
    },
    /// Everything it could explain is explained by this rule before it.
    Shadowed {
        by: String,
    },
}

/// In the order the rules are asked. `pairs` says how many pairs of each endpoint were compared.
pub(crate) fn review(
    rules: &Rules,
    hidden: &BTreeMap<String, Vec<Hidden>>,
    pairs: &BTreeMap<String, u64>,
    now: Day,
) -> Vec<Reviewed> {
    let all: Vec<&Rule> = rules.iter().collect();
    let review = |(at, rule): (usize, &&Rule)| {
        let hidden = hidden.get(&*rule.name).map_or(&[][..], Vec::as_slice);
        let places: BTreeSet<_> = hidden.iter().map(|hidden| (&hidden.endpoint, &hidden.path)).collect();
        let share = |hidden: &Hidden| hidden.count as f64 / hidden.pairs.max(1) as f64;
        let example = hidden.iter().max_by(|a, b| share(a).total_cmp(&share(b)));
        Reviewed {
            name: rule.name.to_string(),
            endpoint: rule.endpoint.clone(),
            path: rule.path.to_string(),
            reason: rule.reason.clone(),
            expires: rule.expires.map(|day| day.to_string()),
            hidden: hidden.iter().map(|hidden| hidden.count).sum(),
            places: places.len(),
            share: example.map_or(0.0, share),
            example: example.cloned(),
            // The starter set is for everybody: that some of it is not needed here says nothing.
            warnings: if rule.is_built_in() {
                Vec::new()
            } else {
                warnings(rule, &all[..at], hidden, places.len(), pairs, now)
            },
        }
    };
    all.iter().enumerate().map(review).collect()
}

/// Rules that did something or should be looked at, each with its warnings below it.
pub(crate) fn text(reviewed: &[Reviewed]) -> String {
    let mut text = String::new();
    let is_told = |rule: &&Reviewed| rule.expires.is_some() || rule.hidden > 0;
    for rule in reviewed.iter().filter(is_told) {
        write_rule(&mut text, rule).expect("writing to a String cannot fail");
    }
    let silent = reviewed.iter().filter(|rule| !is_told(rule)).count();
    if silent > 0 {
        text += &format!("{silent} built-in rules had nothing to explain\n");
    }
    text
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Expired { on } => {
                write!(f, "expired on {on}: look at it again, then delete it or write a later day")
            }
            Warning::Expiring { days } => {
                write!(f, "expires in {days} days: look at it again before its findings are back")
            }
            Warning::Dead { pairs } => write!(f, "dead: nothing to explain in {pairs} pairs; delete it"),
            Warning::TooManyPlaces { places, places_max } => {
                write!(f, "hides at {places} places and was written for {places_max}; make its path exact")
            }
            Warning::HidesHigh { path } => {
                write!(
                    f,
                    "hides differences of high severity at {path}; see them with `diffs list --all`, and narrow it"
                )
            }
            Warning::Shadowed { by } => write!(f, "never asked: {by} explains all of it first; delete one of them"),
        }
    }
}

fn write_rule(text: &mut String, rule: &Reviewed) -> fmt::Result {
    let Reviewed { name, endpoint, path, reason, expires, hidden, places, share, example, warnings } = rule;
    let until = expires.as_deref().map_or(String::new(), |day| format!(", until {day}"));
    writeln!(text, "{name}{until}: {reason}")?;
    match example {
        None => writeln!(text, "  {} {path}: nothing hidden", endpoint.as_deref().unwrap_or("all endpoints"))?,
        Some(example) => {
            let plural = if *places == 1 { "" } else { "s" };
            let (percent, at) = (share * 100.0, format!("{} {}", example.endpoint, example.path));
            writeln!(text, "  hid {hidden} at {places} place{plural}, up to {percent:.2} % of pairs: {at}")?;
        }
    }
    warnings.iter().try_for_each(|warning| writeln!(text, "  warning: {warning}"))
}

fn warnings(
    rule: &Rule,
    before: &[&Rule],
    hidden: &[Hidden],
    places: usize,
    pairs: &BTreeMap<String, u64>,
    now: Day,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    match rule.expires.map(|day| (day, now.days_until(day))) {
        Some((on, None | Some(0))) => warnings.push(Warning::Expired { on: on.to_string() }),
        Some((_, Some(days))) if days <= EXPIRING_DAYS => warnings.push(Warning::Expiring { days }),
        _ => {}
    }
    let asked: u64 = pairs.iter().filter(|(endpoint, _)| rule.is_for(endpoint)).map(|(_, pairs)| pairs).sum();
    if hidden.is_empty() && asked >= DEAD_PAIRS_MIN && rule.is_in_force(now) {
        warnings.push(Warning::Dead { pairs: asked });
    }
    if let Some(places_max) = rule.places_max.filter(|max| places > *max as usize) {
        warnings.push(Warning::TooManyPlaces { places, places_max });
    }
    if let Some(high) = hidden.iter().find(|hidden| hidden.severity <= Severity::High) {
        warnings.push(Warning::HidesHigh { path: high.path.clone() });
    }
    if let Some(by) = before.iter().find(|earlier| earlier.is_in_force(now) && is_within(rule, earlier)) {
        warnings.push(Warning::Shadowed { by: by.name.to_string() });
    }
    warnings
}

/// Whether everything that `rule` could explain is explained by `earlier`.
fn is_within(rule: &Rule, earlier: &Rule) -> bool {
    let any_values = match &earlier.condition {
        Condition::None => !matches!(rule.condition, Condition::Unordered | Condition::KeyedBy(_)),
        same => format!("{same:?}") == format!("{:?}", rule.condition),
    };
    any_values
        && (earlier.endpoint.is_none() || earlier.endpoint == rule.endpoint)
        && earlier.path.covers(&rule.path)
        && rule.explains.iter().all(|kind| earlier.explains.contains(kind))
}

const EXPIRING_DAYS: u32 = 14;
const DEAD_PAIRS_MIN: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::rules::RawRule;

    #[test]
    fn each_rule_says_what_it_hid_and_what_is_wrong_with_it() {
        let rules = [
            ("good", "GET /a", "header.x-a", "2027-06-30", 1),
            ("wide", "", "body.*.id", "2027-06-30", 1),
            ("within-wide", "GET /a", "body.user.id", "2027-06-30", 1),
            ("dead", "GET /a", "body.gone", "2027-01-12", 1),
            ("too-early-to-tell", "GET /b", "body.gone", "2027-06-30", 1),
            ("expired", "GET /a", "body.old", "2027-01-01", 1),
        ];
        let rules = rules.map(|(name, endpoint, path, expires, places_max)| RawRule {
            name: name.into(),
            endpoint: Some(endpoint.to_owned()).filter(|endpoint| !endpoint.is_empty()),
            path: path.into(),
            reason: "a test".into(),
            expires: expires.into(),
            places_max: Some(places_max),
            ..RawRule::default()
        });
        let hidden = |path: &str, kind, severity, count| Hidden {
            endpoint: "GET /a".into(),
            path: path.into(),
            kind,
            severity,
            count,
            pairs: 2_000,
            last_seen_ms: 0,
        };
        let hidden = BTreeMap::from([
            ("good".to_owned(), vec![hidden("header.x-a", Kind::Value, Severity::Low, 500)]),
            (
                "wide".to_owned(),
                vec![
                    hidden("body.user.id", Kind::Value, Severity::Low, 10),
                    hidden("body.group.id", Kind::Value, Severity::High, 20),
                ],
            ),
            ("starter:date".to_owned(), vec![hidden("header.date", Kind::Value, Severity::Low, 1)]),
        ]);
        let pairs = BTreeMap::from([("GET /a".to_owned(), 2_000), ("GET /b".to_owned(), 999)]);
        let rules = Rules::parse(rules.into()).unwrap();
        let reviewed = review(&rules, &hidden, &pairs, Day::parse("2027-01-01").unwrap());
        insta::assert_snapshot!(text(&reviewed), @r#"
        good, until 2027-06-30: a test
          hid 500 at 1 place, up to 25.00 % of pairs: GET /a header.x-a
        wide, until 2027-06-30: a test
          hid 30 at 2 places, up to 1.00 % of pairs: GET /a body.group.id
          warning: hides at 2 places and was written for 1; make its path exact
          warning: hides differences of high severity at body.group.id; see them with `diffs list --all`, and narrow it
        within-wide, until 2027-06-30: a test
          GET /a body.user.id: nothing hidden
          warning: dead: nothing to explain in 2000 pairs; delete it
          warning: never asked: wide explains all of it first; delete one of them
        dead, until 2027-01-12: a test
          GET /a body.gone: nothing hidden
          warning: expires in 11 days: look at it again before its findings are back
          warning: dead: nothing to explain in 2000 pairs; delete it
        too-early-to-tell, until 2027-06-30: a test
          GET /b body.gone: nothing hidden
        expired, until 2027-01-01: a test
          GET /a body.old: nothing hidden
          warning: expired on 2027-01-01: look at it again, then delete it or write a later day
        starter:date: differs between any two services, and says nothing about either
          hid 1 at 1 place, up to 0.05 % of pairs: GET /a header.date
        23 built-in rules had nothing to explain
        "#);
        let json = serde_json::to_value(&reviewed[1]).unwrap();
        assert_eq!(json["hidden"], 30);
        assert_eq!(json["warnings"][0]["warning"], "too_many_places");
    }
}
