//! What is shown in place of content: `‹CLASS LENGTH HASH›`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// No text that is shown contains these two characters otherwise, so stand-ins can be found in it again.
pub(crate) const OPEN: char = '‹';
pub(crate) const CLOSE: char = '›';

pub(crate) struct StandIns {
    /// Keyed once; each stand-in starts from a copy.
    mac: Hmac<Sha256>,
}

impl StandIns {
    pub(crate) fn new(key: &[u8; 32]) -> StandIns {
        StandIns { mac: Hmac::new_from_slice(key).expect("HMAC takes keys of any length") }
    }

    /// Nothing stands for nothing: that a value is empty is no secret, and people look for it.
    pub(crate) fn of(&self, content: &[u8]) -> String {
        if content.is_empty() {
            return String::new();
        }
        let hash = self.mac.clone().chain_update(content).finalize().into_bytes();
        let hash = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        format!("{OPEN}{} {} {hash:08x}{CLOSE}", class(content), content.len())
    }
}

/// What a person needs to see what kind of thing is hidden, and no more.
fn class(content: &[u8]) -> &'static str {
    let Ok(text) = std::str::from_utf8(content) else { return "bytes" };
    if text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) {
        "bytes"
    } else if is_number(text) {
        "number"
    } else if is_uuid(text) {
        "uuid"
    } else if is_jwt(text) {
        "jwt"
    } else if is_date_time(text) {
        "date-time"
    } else if text.len() >= HEX_BYTES_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "hex"
    } else if is_base64(text) {
        "base64"
    } else {
        "text"
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
        && (text.bytes().all(|byte| byte.is_ascii_digit()) || serde_json::from_str::<f64>(text.trim()).is_ok())
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

const HEX_BYTES_MIN: usize = 8;
const BASE64_BYTES_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        for (content, expected) in [
            ("hello", "text"),
            ("grüß dich", "text"),
            ("two\nlines", "text"),
            ("1700000000", "number"),
            ("-1.5e3", "number"),
            ("007", "number"),
            ("123e4567-e89b-12d3-a456-426614174000", "uuid"),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", "jwt"),
            ("2025-01-31T10:00:00.123Z", "date-time"),
            ("2025-01-31", "date-time"),
            ("Fri, 31 Jan 2025 10:00:00 GMT", "date-time"),
            ("9f2c1ab4", "hex"),
            ("deadbee", "text"),
            ("dXNlcjpwYXNzd29yZA==", "base64"),
            ("application-json", "text"),
            ("a\u{0}b", "bytes"),
        ] {
            assert_eq!(class(content.as_bytes()), expected, "{content}");
        }
        assert_eq!(class(b"\xff\xfe"), "bytes");
    }

    #[test]
    fn equal_content_has_equal_stand_ins_under_one_key_only() {
        let (one, other) = (StandIns::new(&[1; 32]), StandIns::new(&[2; 32]));
        assert_eq!(one.of(b"secret"), one.of(b"secret"));
        assert_ne!(one.of(b"secret"), one.of(b"secreT"));
        assert_ne!(one.of(b"secret"), other.of(b"secret"));
        assert_eq!(one.of(b""), "");
    }
}
