//! What a request carried is taken out of what is written about its answer: a service may repeat a credential in a
//! message, and a report must not.

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::base64;
use crate::request::Request;

const REDACTED: &str = "[redacted]";
const TEXT_CHARS_MAX: usize = 300;
/// Shorter pieces are words and numbers, and taking them out would leave nothing to read.
const PIECE_BYTES_MIN: usize = 4;
const BODY_PIECE_BYTES_MIN: usize = 6;
const BODY_BYTES_SEARCHED_MAX: usize = 1 << 16;

/// Headers whose values say nothing about who asks.
const HARMLESS: [&str; 13] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "origin",
    "user-agent",
];

/// `text` without anything that could be a credential of `request`, and not too long.
pub(crate) fn scrub(request: &Request, text: &str) -> String {
    let mut secrets = Vec::new();
    from_headers(&request.headers, &mut secrets);
    from_path(&request.path, &mut secrets);
    if let Some(body) = &request.body {
        let searched = &body[..body.len().min(BODY_BYTES_SEARCHED_MAX)];
        from_body(&String::from_utf8_lossy(searched), &mut secrets);
    }
    // The longest first: a piece of a secret must not be taken out of its middle, and leave the ends.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    let clean = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), REDACTED));
    match clean.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

fn from_headers(headers: &HeaderMap, secrets: &mut Vec<String>) {
    for (name, value) in headers {
        if HARMLESS.contains(&name.as_str()) {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        pieces(&value, PIECE_BYTES_MIN, secrets);
        // A Basic credential is also known by what it decodes to.
        for word in value.split_whitespace() {
            if let Some(decoded) = base64::decode(word) {
                pieces(&String::from_utf8_lossy(&decoded), PIECE_BYTES_MIN, secrets);
            }
        }
    }
}

/// Every value of the query, and segments with a digit in them: ids and keys, not words.
fn from_path(path: &str, secrets: &mut Vec<String>) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    for segment in path.split('/').filter(|segment| segment.contains(|letter: char| letter.is_ascii_digit())) {
        pieces(segment, PIECE_BYTES_MIN, secrets);
    }
    for pair in query.split('&') {
        pieces(pair.split_once('=').map_or(pair, |(_, value)| value), PIECE_BYTES_MIN, secrets);
    }
}

fn from_body(body: &str, secrets: &mut Vec<String>) {
    match serde_json::from_str(body) {
        Ok(json) => from_json(&json, secrets),
        Err(_) => pieces(body, BODY_PIECE_BYTES_MIN, secrets),
    }
}

fn from_json(json: &Value, secrets: &mut Vec<String>) {
    match json {
        Value::String(text) => pieces(text, BODY_PIECE_BYTES_MIN, secrets),
        Value::Array(items) => items.iter().for_each(|item| from_json(item, secrets)),
        Value::Object(members) => members.values().for_each(|member| from_json(member, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The whole text, and what stands between characters that no token has (RFC 6750's b64token, and cookies').
fn pieces(text: &str, bytes_min: usize, secrets: &mut Vec<String>) {
    let outside = |letter: char| !(letter.is_alphanumeric() || "-._~+/=%".contains(letter));
    let parts = text.split(outside).flat_map(|part| [part, part.trim_end_matches('='), after_equals(part)]);
    let long = std::iter::once(text.trim()).chain(parts).filter(|part| part.len() >= bytes_min);
    secrets.extend(long.map(str::to_owned));
}

fn after_equals(part: &str) -> &str {
    part.split_once('=').map_or(part, |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::Method;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn request(path: &str, headers: &[(&'static str, &'static str)], body: &'static str) -> Request {
        let headers = headers
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Request {
            method: Method::POST,
            path: path.to_owned(),
            headers,
            body: Some(Bytes::from_static(body.as_bytes())),
        }
    }

    #[test]
    fn credentials_are_taken_out_wherever_the_request_carried_them() {
        for (path, headers, body, said) in [
            ("/", &[("authorization", "Bearer canary-1")][..], "", "unknown key canary-1!"),
            ("/", &[("authorization", "Basic dXNlcjpjYW5hcnktMQ==")], "", "user:canary-1"),
            ("/", &[("authorization", "Basic dXNlcjpjYW5hcnktMQ==")], "", "dXNlcjpjYW5hcnktMQ"),
            ("/", &[("cookie", "a=1; sid=canary-1")], "", "session canary-1 is over"),
            ("/", &[("x-api-key", "canary-1")], "", "canary-1"),
            ("/?token=canary-1&b=2", &[], "", "no token=canary-1"),
            ("/keys/canary-1/use", &[], "", "Cannot GET /keys/canary-1/use"),
            ("/", &[], "user=a&password=canary-1", "canary-1 is not the password"),
            ("/", &[], r#"{"login": {"password": ["canary-1"]}}"#, "canary-1 is not the password"),
        ] {
            let clean = scrub(&request(path, headers, body), said);
            assert!(!clean.contains("canary-1") && !clean.contains("dXNl") && clean.contains(REDACTED), "{clean}");
        }
    }

    #[test]
    fn what_is_no_credential_stays() {
        let request = request("/auth/validate", &[("content-type", "application/json")], "{}");
        for said in ["application/json", "Cannot POST /auth/validate", "{\"valid\":false}"] {
            assert_eq!(scrub(&request, said), said);
        }
    }

    #[test]
    fn a_long_text_is_cut_after_it_was_cleaned() {
        let request = request("/", &[("authorization", "Bearer canary-1")], "");
        let clean = scrub(&request, &format!("{}canary-1", "x".repeat(TEXT_CHARS_MAX - 4)));
        assert!(clean.ends_with("x[red…"), "{clean}");
    }
}
