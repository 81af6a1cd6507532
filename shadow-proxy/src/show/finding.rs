//! A finding in plain words, with what it is taken for, how it grows, and a command line that shows it.

mod trend;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::exchange::{Kind, Severity};
use crate::shadow::class::Class;
use crate::shadow::noise::{Place, Status, Suspect, statuses};
use crate::shadow::record::{HOUR_MS, Sample, Samples, Shown, Store, StoredFinding};
use crate::shadow::redact::{ShownDifference, curl};
use crate::shadow::rules::review::{Hidden, Reviewed, review};
use crate::shadow::rules::{Day, Rules};
use crate::shift::evidence::{ALPHA, upper_bound};

pub use self::trend::Trend;
use self::trend::{last_hours, trend};

/// One element of `GET /api/diffs`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    pub id: i64,
    pub endpoint: String,
    pub path: String,
    pub kind: Kind,
    pub status: Status,
    pub severity: Severity,
    /// Exchanges that show it, of the compared ones of its endpoint.
    pub count: u64,
    pub pairs: u64,
    pub rate: f64,
    /// Which the true rate is below, at whatever time one looks, with 95 % confidence.
    pub upper_bound: f64,
    pub first_seen_ms: u64,
    pub last_seen_ms: u64,
    pub trend: Trend,
    /// How often in each of the last hours, the present one last.
    pub hours: Vec<u64>,
    pub classes: Classes,
    pub sentence: String,
    /// Of the first sighting.
    pub legacy: Option<String>,
    pub candidate: Option<String>,
    pub rule: Option<String>,
    /// Repeats the call of one exchange that showed it; its secrets are variables to fill in.
    pub curl: Option<String>,
    /// Only in `GET /api/diffs/{id}` and with `?samples=all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<Vec<ShownSample>>,
}

/// What the two values are.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Classes {
    pub legacy: Option<Class>,
    pub candidate: Option<Class>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownSample {
    pub at_ms: u64,
    #[serde(flatten)]
    pub shown: Shown,
    /// All of the exchange, those of other findings too.
    #[serde(default)]
    pub differences: Vec<ShownDifference>,
}

/// Those that ask for something to be done first, then the worst and most frequent.
///
/// `base` is where the curl lines point to.
pub fn findings(store: &Store, samples: Samples, base: &str, now_ms: u64) -> anyhow::Result<Vec<Finding>> {
    let stored = store.findings(samples)?;
    let statuses = known(store, &stored)?;
    let shown = stored.into_iter().zip(statuses).map(|(stored, status)| finding_of(stored, status, base, now_ms));
    let mut findings: Vec<Finding> = match samples {
        Samples::None | Samples::One => shown.map(|finding| Finding { samples: None, ..finding }).collect(),
        Samples::All => shown.collect(),
    };
    // A stable sort: the store has them by severity and count.
    findings.sort_by_key(|finding| urgency(finding.status));
    Ok(findings)
}

/// One finding with all its samples.
pub fn finding(store: &Store, id: i64, base: &str, now_ms: u64) -> anyhow::Result<Option<Finding>> {
    let Some(stored) = store.finding(id)? else { return Ok(None) };
    let status = known(store, std::slice::from_ref(&stored))?.pop();
    Ok(status.map(|status| finding_of(stored, status, base, now_ms)))
}

/// What each rule has hidden, and what there is to say against it.
pub fn rules(store: &Store, rules: &Rules, now_ms: u64) -> anyhow::Result<Vec<Reviewed>> {
    let mut hidden: BTreeMap<String, Vec<Hidden>> = BTreeMap::new();
    for stored in store.findings(Samples::One)? {
        let StoredFinding { place, severity, rule: Some(rule), count, pairs, last_seen_ms, .. } = stored else {
            continue;
        };
        let Place { endpoint, path, kind, .. } = place;
        hidden.entry(rule).or_default().push(Hidden { endpoint, path, kind, severity, count, pairs, last_seen_ms });
    }
    let pairs = store.endpoints()?.into_iter().map(|count| (count.endpoint, count.pairs)).collect();
    Ok(review(rules, &hidden, &pairs, Day::of_ms(now_ms)))
}

fn shown_sample(Sample { at_ms, shown, differences }: Sample) -> ShownSample {
    ShownSample { at_ms, shown, differences }
}

fn known(store: &Store, stored: &[StoredFinding]) -> anyhow::Result<Vec<Status>> {
    let suspects: Vec<Suspect> = stored
        .iter()
        .map(|stored| Suspect { place: &stored.place, severity: stored.severity, is_explained: stored.rule.is_some() })
        .collect();
    Ok(statuses(&suspects, &store.fields()?, &store.endpoints()?))
}

fn finding_of(stored: StoredFinding, status: Status, base: &str, now_ms: u64) -> Finding {
    let StoredFinding { id, place, severity, rule, count, pairs, legacy, candidate, hours, samples, .. } = stored;
    let StoredFinding { first_seen_ms, last_seen_ms, .. } = stored;
    let Place { endpoint, path, kind, classes } = place;
    let now = now_ms / HOUR_MS;
    Finding {
        status,
        rate: if pairs == 0 { 0.0 } else { count as f64 / pairs as f64 },
        upper_bound: upper_bound(count, pairs, ALPHA),
        trend: trend(&hours, first_seen_ms / HOUR_MS, now),
        hours: last_hours(&hours, now),
        sentence: sentence(&path, kind, legacy.as_deref(), candidate.as_deref()),
        curl: samples.first().map(|sample| curl(&sample.shown.call, base)),
        samples: Some(samples.into_iter().map(shown_sample).collect()),
        classes: Classes { legacy: classes.0, candidate: classes.1 },
        id,
        endpoint,
        path,
        kind,
        severity,
        count,
        pairs,
        first_seen_ms,
        last_seen_ms,
        legacy,
        candidate,
        rule,
    }
}

fn urgency(status: Status) -> u8 {
    match status {
        Status::Finding => 0,
        Status::Undecided => 1,
        Status::Noise => 2,
        Status::Explained => 3,
    }
}

fn sentence(path: &str, kind: Kind, legacy: Option<&str>, candidate: Option<&str>) -> String {
    let what = match path.split_once('.') {
        Some(("header", name)) => format!("header `{name}`"),
        _ if path == "body" => "the body".to_owned(),
        _ if path.starts_with("body") => format!("body field `{path}`"),
        _ => format!("the {path}"),
    };
    let (legacy, candidate) = (quoted(legacy), quoted(candidate));
    match (path, kind) {
        ("decision", _) => format!("legacy decides {legacy}, the candidate {candidate}"),
        ("status", _) => format!("legacy answers {legacy}, the candidate {candidate}"),
        (_, Kind::Missing) => format!("only legacy sends {what} ({legacy})"),
        (_, Kind::Added) => format!("only the candidate sends {what} ({candidate})"),
        (_, Kind::Type) => format!("{what} has another type: legacy {legacy}, the candidate {candidate}"),
        (_, Kind::Order) => format!("{what} has the same elements in another order"),
        (_, Kind::Repeated) => {
            format!("one side names {what} more often than the other: legacy {legacy}, the candidate {candidate}")
        }
        (_, Kind::Renamed) => format!("the candidate has another name for {what}"),
        (_, Kind::Value) => format!("{what} differs: legacy {legacy}, the candidate {candidate}"),
    }
}

/// Short enough for a line; the whole value is in `legacy` and `candidate`.
fn quoted(value: Option<&str>) -> String {
    const CHARACTERS_MAX: usize = 60;
    let value = value.unwrap_or("nothing").replace('\n', " ");
    match value.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_differs_in_plain_words() {
        let long = "x".repeat(99);
        for (path, kind, legacy, candidate, expected) in [
            ("decision", Kind::Value, Some("deny"), Some("allow"), "legacy decides deny, the candidate allow"),
            ("status", Kind::Value, Some("404"), Some("405"), "legacy answers 404, the candidate 405"),
            ("header.etag", Kind::Missing, Some("‹text 9 1f›"), None, "only legacy sends header `etag` (‹text 9 1f›)"),
            ("header.allow", Kind::Added, None, Some("POST"), "only the candidate sends header `allow` (POST)"),
            (
                "body.a[]",
                Kind::Type,
                Some("1"),
                Some("null"),
                "body field `body.a[]` has another type: legacy 1, the candidate null",
            ),
            ("body", Kind::Missing, Some("a\nb"), None, "only legacy sends the body (a b)"),
        ] {
            assert_eq!(sentence(path, kind, legacy, candidate), expected);
        }
        let cut = sentence("body", Kind::Value, Some(&long), Some("y"));
        assert_eq!(cut, format!("the body differs: legacy {}…, the candidate y", &long[..60]));
    }
}
