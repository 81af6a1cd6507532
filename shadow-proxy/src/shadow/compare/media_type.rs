//! Media types (RFC 9110 §8.3.1) as they are meant: `application/JSON;charset=UTF-8` is `application/json; charset=utf-8`.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::field::{elements, parameter};

/// Whether two values mean the same: types and names without case, parameters in any order.
pub(super) fn same(legacy: &str, candidate: &str) -> bool {
    let parsed = |text: &str| {
        let mut elements = elements(text, b';');
        let essence = elements.next().unwrap_or_default().to_ascii_lowercase();
        let mut parameters: Vec<(String, String)> = elements.map(parameter).map(of_meaning).collect();
        parameters.sort_unstable();
        (essence, parameters)
    };
    parsed(legacy) == parsed(candidate)
}

fn of_meaning((name, value): (String, std::borrow::Cow<'_, str>)) -> (String, String) {
    let value = if name == "charset" { value.to_ascii_lowercase() } else { value.into_owned() };
    (name, value)
}

/// What the sender says the body is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    Nothing,
    Json,
    Form,
    Binary,
    Other,
}

pub(super) fn declared(headers: &HeaderMap) -> Declared {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return Declared::Nothing };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
    match (kind, subtype) {
        ("", _) => Declared::Nothing,
        ("application" | "text", "json") => Declared::Json,
        (_, subtype) if subtype.ends_with("+json") => Declared::Json,
        ("application", "x-www-form-urlencoded") => Declared::Form,
        ("application", "octet-stream" | "pdf" | "zip" | "gzip" | "wasm") => Declared::Binary,
        ("image", subtype) if subtype.ends_with("+xml") => Declared::Other,
        ("image" | "audio" | "video" | "font", _) => Declared::Binary,
        _ => Declared::Other,
    }
}
