//! What kind of thing a text is, without a word of what it says.
//!
//! Findings are told apart by it, so what one generator makes has to get one class nearly always. Where a value could be
//! two things, the one that fewer generators stray into wins; how often a random one strays stands at the limits below.

use serde::{Deserialize, Serialize};

use super::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Class {
    Text,
    Number,
    Uuid,
    Hex,
    Base64,
    Jwt,
    DateTime,
    /// No text, or one with control characters.
    Bytes,
    Empty,
    // JSON alone knows these.
    Null,
    Bool,
    Array,
    Object,
}

impl Class {
    pub(crate) const ALL: [Class; 13] = [
        Class::Text,
        Class::Number,
        Class::Uuid,
        Class::Hex,
        Class::Base64,
        Class::Jwt,
        Class::DateTime,
        Class::Bytes,
        Class::Empty,
        Class::Null,
        Class::Bool,
        Class::Array,
        Class::Object,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Class::Text => "text",
            Class::Number => "number",
            Class::Uuid => "uuid",
            Class::Hex => "hex",
            Class::Base64 => "base64",
            Class::Jwt => "jwt",
            Class::DateTime => "date-time",
            Class::Bytes => "bytes",
            Class::Empty => "empty",
            Class::Null => "null",
            Class::Bool => "bool",
            Class::Array => "array",
            Class::Object => "object",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Of plain text.
    pub(crate) fn of(content: &[u8]) -> Class {
        let Ok(text) = std::str::from_utf8(content) else { return Class::Bytes };
        if text.is_empty() {
            Class::Empty
        } else if text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) {
            Class::Bytes
        } else if is_number(text) {
            Class::Number
        } else if is_uuid(text) {
            Class::Uuid
        } else if is_jwt(text) {
            Class::Jwt
        } else if is_date_time(text) {
            Class::DateTime
        } else if is_hex(text) {
            Class::Hex
        } else if is_base64(text) {
            Class::Base64
        } else {
            Class::Text
        }
    }

    /// Of a difference's value at this place: JSON text in a body or a token, plain text elsewhere.
    pub(crate) fn at(place: &Path, value: &str) -> Class {
        if place.is_json() { Class::of_json(value) } else { Class::of(value.as_bytes()) }
    }

    /// Of JSON text, or of plain text when it is none.
    fn of_json(text: &str) -> Class {
        let first = text.as_bytes().first().copied().unwrap_or_default();
        match (first, text.as_bytes().last().copied().unwrap_or_default()) {
            (b'"', b'"') => match serde_json::from_str::<String>(text) {
                Ok(content) => Class::of(content.as_bytes()),
                Err(_) => Class::of(text.as_bytes()),
            },
            (b'{', b'}') => Class::Object,
            (b'[', b']') => Class::Array,
            _ if text == "null" => Class::Null,
            _ if text == "true" || text == "false" => Class::Bool,
            _ => Class::of(text.as_bytes()),
        }
    }
}

/// Not `12345e67`: that is a hexadecimal id more often than a number.
fn is_number(text: &str) -> bool {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits
        || text.bytes().any(|byte| byte.is_ascii_digit())
            && !is_hex(text)
            && serde_json::from_str::<f64>(text.trim()).is_ok()
}

fn is_hex(text: &str) -> bool {
    text.len() >= HEX_BYTES_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Three parts of base64url, of which the first is the beginning of a JSON object.
fn is_jwt(text: &str) -> bool {
    let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    text.starts_with("eyJ") && text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// RFC 3339 (`2025-01-31T…`), or the date of HTTP (`Fri, 31 Jan 2025 …`).
fn is_date_time(text: &str) -> bool {
    let begins_as = |shape: &str| {
        text.len() >= shape.len()
            && text.bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                b'a' => byte.is_ascii_alphabetic(),
                literal => byte == literal,
            })
    };
    let parts = "0123456789:-+.TZ, ";
    let is_rfc3339 = begins_as("0000-00-00") && text.chars().all(|c| parts.contains(c));
    is_rfc3339 || (begins_as("aaa, 00 aaa 0000 00:00:00") && text.len() <= 32)
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let has = |is: fn(&u8) -> bool| digits.bytes().any(|byte| is(&byte));
    text.len() >= BASE64_BYTES_MIN
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte))
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
}

/// Of random ones of 8 digits, 2 in 100 have no letter and pass for a number; of 16, 5 in 10,000; of 32, 3 in 10 million.
const HEX_BYTES_MIN: usize = 8;
/// Of random ones of 16 bytes, 2 in 1,000 lack one case of letters; of 32, none in a million.
const BASE64_BYTES_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (content, expected) in [
            ("hello", "text"),
            ("grüß dich", "text"),
            ("two\nlines", "text"),
            ("1700000000", "number"),
            ("-1.5e3", "number"),
            ("1e5", "number"),
            ("1234567.5e3", "number"),
            ("12345e67", "hex"),
            ("007", "number"),
            ("", "empty"),
            ("123e4567-e89b-12d3-a456-426614174000", "uuid"),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", "jwt"),
            ("2025-01-31T10:00:00.123Z", "date-time"),
            ("2025-01-31", "date-time"),
            ("Fri, 31 Jan 2025 10:00:00 GMT", "date-time"),
            ("9f2c1ab4", "hex"),
            ("deadbee", "text"),
            ("dXNlcjpwYXNzd29yZA==", "base64"),
            ("application-json", "text"),
            ("null", "text"),
            ("a\u{0}b", "bytes"),
        ] {
            assert_eq!(Class::of(content.as_bytes()).name(), expected, "{content}");
        }
        assert_eq!(Class::of(b"\xff\xfe"), Class::Bytes);
    }

    #[test]
    fn values_of_differences() {
        for (path, value, expected) in [
            ("body.id", r#""123e4567-e89b-12d3-a456-426614174000""#, "uuid"),
            ("body.id", r#""12""#, "number"),
            ("body.id", "12", "number"),
            ("body.id", r#""""#, "empty"),
            ("body.id", r#""a\u0000b""#, "bytes"),
            ("body.id", "null", "null"),
            ("body.id", r#""null""#, "text"),
            ("body.id", "false", "bool"),
            ("body.ids[]", "[1]", "array"),
            ("body", "{}", "object"),
            ("body", "plain text", "text"),
            ("body", "\"half", "text"),
            ("body.token(jwt).claims.sub", r#""9f2c1ab4""#, "hex"),
            ("header.authorization(jwt).claims.aud", r#"["a"]"#, "array"),
            ("header.set-cookie.sid.value", "\"12\"", "text"),
            ("header.etag", "null", "text"),
            ("header.x-groups", "[]", "text"),
            ("header.age", "12", "number"),
            ("header.x-error-code", "", "empty"),
            ("status", "200", "number"),
        ] {
            assert_eq!(Class::at(&Path::parse(path).unwrap(), value).name(), expected, "{path} {value}");
        }
    }

    #[test]
    fn a_class_is_called_the_same_everywhere() {
        for class in Class::ALL {
            assert_eq!(Class::named(class.name()), Some(class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
        assert_eq!(Class::named("json"), None);
    }

    /// Of what one generator makes, few may stray into another class, or one field would have two findings.
    #[test]
    fn generators_keep_their_class() {
        const ROUNDS: u64 = 20_000;
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state ^ (state >> 29)
        };
        for (alphabet, length, class, strays_max) in [
            (HEX, 8, Class::Hex, ROUNDS / 30),
            (HEX, 16, Class::Hex, ROUNDS / 1_000),
            (HEX, 32, Class::Hex, 0),
            (&BASE64[..10], 18, Class::Number, 0),
            (BASE64, 16, Class::Base64, ROUNDS / 200),
            (BASE64, 22, Class::Base64, ROUNDS / 1_000),
            (&BASE64[..36], 24, Class::Text, 0),
            (BASE64, 12, Class::Text, 0),
        ] {
            let mut one = || -> String {
                (0..length).map(|_| char::from(alphabet[(random() >> 33) as usize % alphabet.len()])).collect()
            };
            let strays = (0..ROUNDS).filter(|_| Class::of(one().as_bytes()) != class).count() as u64;
            assert!(strays <= strays_max, "{strays} of {ROUNDS} with {length} digits are no {}", class.name());
        }
    }

    const HEX: &[u8] = b"0123456789abcdef";
    const BASE64: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
}
