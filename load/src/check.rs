//! Is this the answer the contract asks for? Pure.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use crate::contract::Expect;

/// A differing body names at most this many members.
const PATHS_MAX: usize = 5;

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// `status`, `header etag`, `json /user_id`.
    pub(crate) what: String,
    pub(crate) expected: String,
    pub(crate) got: String,
}

/// How the answer differs from the accepted one that it is closest to; nothing when it is right.
pub(crate) fn differences(accepted: &[Expect], answer: &Answer) -> Vec<Difference> {
    accepted.iter().map(|expect| against(expect, answer)).min_by_key(Vec::len).unwrap_or_default()
}

/// Answers found right before: one that equals them in everything that is checked is right without being read again,
/// so that checking does not slow the generator down.
#[derive(Debug, Default)]
pub(crate) struct Known(Option<Answer>);

impl Known {
    pub(crate) fn differences(&mut self, accepted: &[Expect], answer: Answer) -> Vec<Difference> {
        if self.0.as_ref().is_some_and(|known| is_same(known, &answer, accepted)) {
            return Vec::new();
        }
        let found = differences(accepted, &answer);
        if found.is_empty() {
            self.0 = Some(answer);
        }
        found
    }
}

fn is_same(known: &Answer, answer: &Answer, accepted: &[Expect]) -> bool {
    let same = |name: &str| known.headers.get_all(name).iter().eq(answer.headers.get_all(name).iter());
    known.status == answer.status
        && known.body == answer.body
        && same(CONTENT_TYPE.as_str())
        && accepted.iter().flat_map(|expect| expect.headers.keys()).all(|name| same(name))
}

fn against(expect: &Expect, answer: &Answer) -> Vec<Difference> {
    let Expect { status, content_type, headers, json, body_bytes } = expect;
    let mut found = Vec::new();
    if let Some(status) = status {
        compare(&mut found, "status", &status.to_string(), &answer.status.to_string());
    }
    if let Some(content_type) = content_type {
        let got = header(&answer.headers, CONTENT_TYPE.as_str());
        let got = got.map_or_else(|| ABSENT.to_owned(), |value| media_type(&value));
        compare(&mut found, "content-type", &media_type(content_type), &got);
    }
    for (name, expected) in headers {
        let got = header(&answer.headers, name);
        let what = format!("header {name}");
        compare(&mut found, &what, expected.as_deref().unwrap_or(ABSENT), got.as_deref().unwrap_or(ABSENT));
    }
    if let Some(expected) = json {
        match serde_json::from_slice(&answer.body) {
            Ok(got) => compare_json(&mut found, &mut String::new(), Some(expected), Some(&got)),
            Err(_) => {
                let got = format!("{} bytes that are no JSON", answer.body.len());
                compare(&mut found, "body", "JSON", &got);
            }
        }
    }
    if let Some(bytes) = body_bytes {
        compare(&mut found, "body bytes", &bytes.to_string(), &answer.body.len().to_string());
    }
    found
}

/// Stands in texts where a header or a member is not there; no header's value can look like it.
const ABSENT: &str = "(absent)";

fn compare(found: &mut Vec<Difference>, what: &str, expected: &str, got: &str) {
    if expected != got {
        found.push(Difference { what: what.to_owned(), expected: expected.to_owned(), got: got.to_owned() });
    }
}

/// Several values of one name are listed, never joined into one value that might equal the expected one.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let first = values.next()?.into_owned();
    Some(values.fold(first, |all, value| format!("{all} + {value}")))
}

fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// `path` is the JSON pointer (RFC 6901) of where the two stand; it is left as it was.
fn compare_json(found: &mut Vec<Difference>, path: &mut String, expected: Option<&Value>, got: Option<&Value>) {
    if expected == got || found.len() >= PATHS_MAX {
        return;
    }
    match (expected, got) {
        (Some(Value::Object(expected)), Some(Value::Object(got))) => {
            let added = got.keys().filter(|name| !expected.contains_key(*name));
            for name in expected.keys().chain(added) {
                let member = name.replace('~', "~0").replace('/', "~1");
                step(found, path, &member, expected.get(name), got.get(name));
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(got))) => {
            for index in 0..expected.len().max(got.len()) {
                step(found, path, &index.to_string(), expected.get(index), got.get(index));
            }
        }
        _ => {
            let show = |value: Option<&Value>| value.map_or_else(|| ABSENT.to_owned(), Value::to_string);
            compare(found, format!("json {path}").trim_end(), &show(expected), &show(got));
        }
    }
}

fn step(found: &mut Vec<Difference>, path: &mut String, member: &str, expected: Option<&Value>, got: Option<&Value>) {
    let length = path.len();
    path.push('/');
    path.push_str(member);
    compare_json(found, path, expected, got);
    path.truncate(length);
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};
    use serde_json::json;

    use super::*;

    fn answer() -> Answer {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "Application/JSON; charset=utf-8"),
            ("www-authenticate", "Bearer"),
            ("vary", "origin"),
            ("vary", "accept"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let body = json!({"valid": false, "user_id": null, "scopes": ["a", "b"]}).to_string().into();
        Answer { status: 401, headers, body }
    }

    fn expect(value: Value) -> Expect {
        serde_json::from_value(value).expect("an expectation")
    }

    #[test]
    fn each_member_is_compared() {
        for (expected, differing) in [
            (json!({}), &[][..]),
            (json!({"status": 401}), &[]),
            (json!({"status": 200}), &["status: 200 -> 401"]),
            (json!({"content_type": "application/json"}), &[]),
            (json!({"content_type": "text/html"}), &["content-type: text/html -> application/json"]),
            (json!({"headers": {"WWW-Authenticate": "Bearer", "etag": null}}), &[]),
            (json!({"headers": {"www-authenticate": null}}), &["header www-authenticate: (absent) -> Bearer"]),
            (json!({"headers": {"etag": "x"}}), &["header etag: x -> (absent)"]),
            (json!({"headers": {"vary": "origin, accept"}}), &["header vary: origin, accept -> origin + accept"]),
            (json!({"json": {"user_id": null, "scopes": ["a", "b"], "valid": false}}), &[]),
            (
                json!({"json": {"valid": true, "scopes": ["a", "c", "d"], "a/b": 1}}),
                &[
                    "json /a~1b: 1 -> (absent)",
                    "json /scopes/1: \"c\" -> \"b\"",
                    "json /scopes/2: \"d\" -> (absent)",
                    "json /valid: true -> false",
                    "json /user_id: (absent) -> null",
                ],
            ),
            (json!({"json": []}), &["json: [] -> {\"scopes\":[\"a\",\"b\"],\"user_id\":null,\"valid\":false}"]),
            (json!({"body_bytes": 0}), &["body bytes: 0 -> 49"]),
        ] {
            let found: Vec<String> = differences(&[expect(expected.clone())], &answer())
                .into_iter()
                .map(|Difference { what, expected, got }| format!("{what}: {expected} -> {got}"))
                .collect();
            assert_eq!(found, differing, "{expected}");
        }
    }

    #[test]
    fn one_accepted_answer_is_enough_and_else_the_closest_is_told() {
        let right = expect(json!({"status": 401}));
        let near = expect(json!({"status": 403, "content_type": "application/json"}));
        let far = expect(json!({"status": 200, "content_type": "text/html"}));
        assert_eq!(differences(&[far.clone(), right], &answer()), []);
        let found = differences(&[far, near], &answer());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].expected, "403");
    }

    #[test]
    fn a_known_answer_hides_no_other_that_differs_in_what_is_checked() {
        let accepted = [expect(json!({"status": 401, "headers": {"vary": null}})), expect(json!({"status": 401}))];
        let strict = [expect(json!({"status": 401, "headers": {"www-authenticate": "Bearer"}}))];
        let mut known = Known::default();
        assert_eq!(known.differences(&accepted, answer()), []);
        assert_eq!(known.differences(&accepted, answer()), []);
        let mut other = answer();
        other.status = 200;
        assert_eq!(known.differences(&accepted, other).len(), 1);
        let mut known = Known::default();
        assert_eq!(known.differences(&strict, answer()), []);
        let mut other = answer();
        other.headers.append("www-authenticate", HeaderValue::from_static("Basic"));
        assert_eq!(known.differences(&strict, other).len(), 1);
        let mut other = answer();
        other.headers.insert("date", HeaderValue::from_static("later"));
        assert_eq!(known.differences(&strict, other), [], "what is not checked may differ");
    }

    #[test]
    fn a_body_that_is_no_json_and_an_absent_content_type_differ() {
        let plain = Answer { status: 200, headers: HeaderMap::new(), body: "<html>".into() };
        let found = differences(&[expect(json!({"content_type": "text/html", "json": {}}))], &plain);
        let got: Vec<&str> = found.iter().map(|difference| difference.got.as_str()).collect();
        assert_eq!(got, ["(absent)", "6 bytes that are no JSON"]);
    }
}
