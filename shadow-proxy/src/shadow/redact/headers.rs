//! Header values: which part of which is made for secrets, and which for words.

use super::{Redactor, body};

impl Redactor {
    /// `name` in lower case.
    pub(crate) fn header_value(&self, name: &str, value: &[u8]) -> String {
        let Ok(text) = std::str::from_utf8(value) else { return self.stand_ins.of(value) };
        match name {
            "authorization" | "proxy-authorization" => self.credentials(text),
            "cookie" => body::pairs_by(text, "; ", |text| self.stand_in(text)),
            "set-cookie" => self.set_cookie(text),
            // The sender's own HTTP stack refuses a length that is not the body's, so it has no room for a secret.
            "content-length" if text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) => text.to_owned(),
            _ if BY_VOCABULARY.contains(&name) => self.text(text),
            _ => self.stand_in(text),
        }
    }

    /// The scheme in the sender's own case, for that is what parsers disagree about.
    fn credentials(&self, text: &str) -> String {
        let (scheme, separator, credential) = match text.find([' ', '\t']) {
            Some(end) => (&text[..end], &text[end..end + 1], &text[end + 1..]),
            None => (text, "", ""),
        };
        if SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            format!("{scheme}{separator}{}", self.stand_in(credential))
        } else {
            self.stand_in(text)
        }
    }

    /// Name and value of the cookie are hidden, its attributes are what people compare.
    fn set_cookie(&self, text: &str) -> String {
        let (cookie, attributes) = text.split_once(';').unwrap_or((text, ""));
        let mut shown = body::pairs_by(cookie, "; ", |text| self.stand_in(text));
        for attribute in attributes.split(';').map(str::trim).filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let shown_attribute = if !COOKIE_ATTRIBUTES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                self.stand_in(attribute)
            } else if !attribute.contains('=') {
                name.to_owned()
            } else if self.vocabulary.knows(value) {
                format!("{name}={value}")
            } else {
                format!("{name}={}", self.stand_in(value))
            };
            shown.push_str("; ");
            shown.push_str(&shown_attribute);
        }
        shown
    }
}

pub(crate) const SCHEMES: [&str; 12] = [
    "aws4-hmac-sha256",
    "basic",
    "bearer",
    "digest",
    "dpop",
    "gnap",
    "hoba",
    "mutual",
    "negotiate",
    "ntlm",
    "oauth",
    "token",
];

pub(crate) const COOKIE_ATTRIBUTES: [&str; 9] =
    ["domain", "expires", "httponly", "max-age", "partitioned", "path", "priority", "samesite", "secure"];

/// Headers that are made of words. All others are hidden whole.
pub(crate) const BY_VOCABULARY: [&str; 42] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-request-headers",
    "access-control-request-method",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "expect",
    "keep-alive",
    "origin-agent-cluster",
    "pragma",
    "proxy-authenticate",
    "referrer-policy",
    "retry-after",
    "server",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
    "x-powered-by",
];
