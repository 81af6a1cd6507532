//! A finding in plain words, with its severity and a command line that shows it.

use serde::Serialize;

use crate::shadow::record::{Shown, StoredFinding};
use crate::shadow::redact::curl;

/// The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The candidate lets in whom legacy refuses.
    Breach,
    /// The candidate refuses whom legacy lets in.
    Lockout,
    /// Another status, or a field or body that is gone or of another type.
    High,
    Low,
}

/// One element of `GET /api/diffs`.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub id: i64,
    pub endpoint: String,
    pub path: String,
    pub kind: String,
    /// `finding`, or `explained` by `rule`.
    pub status: &'static str,
    pub severity: Severity,
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

/// All findings: unexplained before explained, then the worst and most frequent first.
///
/// `base` is where the curl lines point to.
pub fn findings(stored: Vec<StoredFinding>, base: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = stored.into_iter().map(|stored| Finding { exchange: None, ..finding(stored, base) }).collect();
    findings.sort_by(|a, b| {
        (a.rule.is_some(), a.severity, b.count, a.id).cmp(&(b.rule.is_some(), b.severity, a.count, b.id))
    });
    findings
}

pub fn finding(stored: StoredFinding, base: &str) -> Finding {
    let StoredFinding { id, endpoint, path, kind, rule, count, pairs, first_seen_ms, last_seen_ms, legacy, candidate, shown } = stored;
    Finding {
        severity: severity(&path, &kind, legacy.as_deref()),
        status: if rule.is_some() { "explained" } else { "finding" },
        rate: if pairs == 0 { 0.0 } else { count as f64 / pairs as f64 },
        sentence: sentence(&path, &kind, legacy.as_deref(), candidate.as_deref()),
        curl: shown.as_ref().map(|shown| curl(&shown.call, base)),
        exchange: shown,
        id,
        endpoint,
        path,
        kind,
        count,
        pairs,
        legacy,
        candidate,
        rule,
        first_seen_ms,
        last_seen_ms,
    }
}

fn severity(path: &str, kind: &str, legacy: Option<&str>) -> Severity {
    match (path, kind) {
        ("decision", _) if legacy == Some("deny") => Severity::Breach,
        ("decision", _) if legacy == Some("allow") => Severity::Lockout,
        ("status", _) => Severity::High,
        (_, "missing" | "type") if path.starts_with("body") => Severity::High,
        _ => Severity::Low,
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

    fn stored(path: &str, kind: &str, legacy: Option<&str>, candidate: Option<&str>) -> StoredFinding {
        StoredFinding {
            id: 1,
            endpoint: "POST /auth/validate".to_owned(),
            path: path.to_owned(),
            kind: kind.to_owned(),
            rule: None,
            count: 5,
            pairs: 20,
            first_seen_ms: 1,
            last_seen_ms: 2,
            legacy: legacy.map(str::to_owned),
            candidate: candidate.map(str::to_owned),
            shown: None,
        }
    }

    #[test]
    fn says_what_differs_and_how_bad_it_is() {
        let cases = [
            (stored("decision", "value", Some("deny"), Some("allow")), Severity::Breach, "legacy decides deny, the candidate allow"),
            (stored("decision", "value", Some("allow"), Some("deny")), Severity::Lockout, "legacy decides allow, the candidate deny"),
            (stored("decision", "value", Some("neither"), Some("deny")), Severity::Low, "legacy decides neither, the candidate deny"),
            (stored("status", "value", Some("404"), Some("405")), Severity::High, "legacy answers 404, the candidate 405"),
            (stored("header.etag", "missing", Some("‹text 9 1f›"), None), Severity::Low, "only legacy sends header `etag` (‹text 9 1f›)"),
            (stored("header.allow", "added", None, Some("POST")), Severity::Low, "only the candidate sends header `allow` (POST)"),
            (stored("body.a[]", "type", Some("true"), Some("null")), Severity::High, "body field `body.a[]` has another type: legacy true, the candidate null"),
            (stored("body", "value", Some(&"x".repeat(99)), Some("y")), Severity::Low,
             "the body differs: legacy xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…, the candidate y"),
        ];
        for (stored, severity, sentence) in cases {
            let finding = finding(stored, "http://h");
            assert_eq!((finding.severity, finding.sentence.as_str()), (severity, sentence));
            assert!((finding.rate - 0.25).abs() < 1e-9);
        }
    }
}
