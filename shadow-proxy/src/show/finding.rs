//! A finding in plain words, with its severity and a command line that shows it.

use serde::Serialize;

use crate::shadow::record::{Shown, StoredFinding};
use crate::shadow::redact::curl;

/// One element of `GET /api/diffs`.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub id: i64,
    pub endpoint: String,
    pub path: String,
    pub kind: String,
    /// `finding`, or `explained` by `rule`.
    pub status: &'static str,
    pub severity: String,
    pub count: u64,
    pub pairs: u64,
    pub rate: f64,
    pub sentence: String,
    pub legacy: Option<String>,
    pub candidate: Option<String>,
    pub rule: Option<String>,
    pub first_seen_ms: u64,
    pub last_seen_ms: u64,
    /// Repeats the call of one exchange that showed it; its secrets are variables to fill in.
    pub curl: Option<String>,
    /// Only in `GET /api/diffs/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Shown>,
}

/// In the store's order: unexplained before explained, then the worst and most frequent first.
///
/// `base` is where the curl lines point to.
pub fn findings(stored: Vec<StoredFinding>, base: &str) -> Vec<Finding> {
    stored.into_iter().map(|stored| Finding { exchange: None, ..finding(stored, base) }).collect()
}

pub fn finding(stored: StoredFinding, base: &str) -> Finding {
    let StoredFinding { id, endpoint, path, kind, severity, rule, count, pairs, legacy, candidate, shown, .. } = stored;
    let StoredFinding { first_seen_ms, last_seen_ms, .. } = stored;
    Finding {
        status: if rule.is_some() { "explained" } else { "finding" },
        rate: if pairs == 0 { 0.0 } else { count as f64 / pairs as f64 },
        sentence: sentence(&path, &kind, legacy.as_deref(), candidate.as_deref()),
        curl: shown.as_ref().map(|shown| curl(&shown.call, base)),
        exchange: shown,
        id,
        endpoint,
        path,
        kind,
        severity,
        count,
        pairs,
        legacy,
        candidate,
        rule,
        first_seen_ms,
        last_seen_ms,
    }
}

fn sentence(path: &str, kind: &str, legacy: Option<&str>, candidate: Option<&str>) -> String {
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
        (_, "missing") => format!("only legacy sends {what} ({legacy})"),
        (_, "added") => format!("only the candidate sends {what} ({candidate})"),
        (_, "type") => format!("{what} has another type: legacy {legacy}, the candidate {candidate}"),
        _ => format!("{what} differs: legacy {legacy}, the candidate {candidate}"),
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
            ("decision", "value", Some("deny"), Some("allow"), "legacy decides deny, the candidate allow"),
            ("status", "value", Some("404"), Some("405"), "legacy answers 404, the candidate 405"),
            ("header.etag", "missing", Some("‹text 9 1f›"), None, "only legacy sends header `etag` (‹text 9 1f›)"),
            ("header.allow", "added", None, Some("POST"), "only the candidate sends header `allow` (POST)"),
            (
                "body.a[]",
                "type",
                Some("1"),
                Some("null"),
                "body field `body.a[]` has another type: legacy 1, the candidate null",
            ),
            ("body", "missing", Some("a\nb"), None, "only legacy sends the body (a b)"),
        ] {
            assert_eq!(sentence(path, kind, legacy, candidate), expected);
        }
        let cut = sentence("body", "value", Some(&long), Some("y"));
        assert_eq!(cut, format!("the body differs: legacy {}…, the candidate y", &long[..60]));
    }
}
