//! What an answer gives a client to carry in later calls.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, LOCATION, SET_COOKIE};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{BODY_BYTES_MAX, VALUE_BYTES_MAX, VALUE_BYTES_MIN};
use crate::exchange::Answer;
use crate::shadow::class::Class;
use crate::shadow::decode::decoded;

/// A value at a place of an answer, by which the two sides' values are paired.
pub(super) struct Issued {
    pub place: String,
    /// A cookie of this name: known together with it, and so of any length.
    pub cookie: Option<String>,
    pub value: String,
}

/// At most [`ISSUED_MAX`], those of the headers first.
pub(super) fn issued(answer: &Answer) -> Vec<Issued> {
    found(&answer.headers, &answer.body).0
}

/// Those that are of one client alone, as far as one can see.
pub(crate) fn issued_values(headers: &HeaderMap, body: &Bytes) -> Vec<String> {
    let found = found(headers, body).0;
    // A cookie of any length is known by its name; where it is a token, it stands there once more without.
    found.into_iter().filter(|issued| issued.cookie.is_none()).map(|issued| issued.value).collect()
}

fn found(headers: &HeaderMap, answer_body: &Bytes) -> Found {
    let mut found = Found(Vec::new());
    cookies(headers, &mut found);
    location(headers, &mut found);
    for (name, value) in headers {
        if name.as_str().starts_with("x-") && is_token_name(name.as_str()) {
            found.value(|| format!("header {name}"), value.to_str().unwrap_or_default());
        }
    }
    body(headers, answer_body, &mut found);
    found
}

struct Found(Vec<Issued>);

impl Found {
    fn add(&mut self, place: String, cookie: Option<&str>, value: &str) {
        if self.0.len() < ISSUED_MAX && (1..=VALUE_BYTES_MAX).contains(&value.len()) {
            self.0.push(Issued { place, cookie: cookie.map(str::to_owned), value: value.to_owned() });
        }
    }

    fn value(&mut self, place: impl Fn() -> String, value: &str) {
        if is_token(value) {
            self.add(place(), None, value);
        }
    }
}

fn cookies(headers: &HeaderMap, found: &mut Found) {
    for cookie in headers.get_all(SET_COOKIE) {
        let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim());
        found.add(format!("cookie {name}"), Some(name), value);
        // As a header or a form repeats it (double submit), where libraries decode what others encoded.
        found.value(|| format!("value of {name}"), value);
        let plain = percent_decode_str(value).decode_utf8_lossy();
        if plain != value {
            found.value(|| format!("plain value of {name}"), &plain);
        }
    }
}

/// Codes and states that an answer sends along with the client to another address.
fn location(headers: &HeaderMap, found: &mut Found) {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((_, parameters)) = location.split_once(['?', '#']) else { return };
    for (name, value) in parameters.split(['&', '#']).filter_map(|pair| pair.split_once('=')) {
        if is_token_name(name) {
            let value = percent_decode_str(value).decode_utf8_lossy();
            found.value(|| format!("location {name}"), &value);
        }
    }
}

fn body(headers: &HeaderMap, body: &Bytes, found: &mut Found) {
    let is_plain = !headers.contains_key(CONTENT_ENCODING);
    if body.len() > BODY_BYTES_MAX || is_plain && !NAMES.is_match(&**body) {
        return;
    }
    let Ok(body) = decoded(headers, body, BODY_BYTES_MAX) else { return };
    if !body.trim_ascii_start().starts_with(b"{") || !NAMES.is_match(&*body) {
        return;
    }
    if let Ok(document) = serde_json::from_slice(&body) {
        json(&document, &mut "body".to_owned(), false, found);
    }
}

/// No deeper than `serde_json` reads. What stands below a name like `tokens` is issued too.
fn json(value: &Value, place: &mut String, is_issued: bool, found: &mut Found) {
    let length = place.len();
    match value {
        Value::String(text) if is_issued => found.value(|| place.clone(), text),
        Value::Object(members) => {
            for (name, member) in members {
                place.push('/');
                place.push_str(name);
                json(member, place, is_issued || is_token_name(name), found);
                place.truncate(length);
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                place.push_str(&format!("/{index}"));
                json(element, place, is_issued, found);
                place.truncate(length);
            }
        }
        _ => {}
    }
}

/// Fewer than are secrets: a difference under a name like `key` or `auth` is more than another token.
pub(crate) fn is_token_name(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    PARTS.iter().any(|part| letters.contains(part)) || WHOLE.contains(&letters.as_str())
}

/// Long, in one piece, and neither an address, a date nor a number, which may stand under such a name as well.
fn is_token(value: &str) -> bool {
    let is_piece = value.len() >= VALUE_BYTES_MIN && value.bytes().all(|byte| byte.is_ascii_graphic());
    is_piece && !value.contains("://") && !matches!(Class::of(value.as_bytes()), Class::DateTime | Class::Number)
}

/// Of names, lower case, without separators.
const PARTS: [&str; 6] = ["token", "csrf", "xsrf", "session", "nonce", "jwt"];
const WHOLE: [&str; 7] = ["code", "sid", "state", "ticket", "assertion", "authcode", "devicecode"];

static NAMES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let names = PARTS.iter().chain(&WHOLE);
    AhoCorasick::builder().ascii_case_insensitive(true).build(names).expect("a dozen words make an automaton")
});

/// Of one answer.
const ISSUED_MAX: usize = 32;
