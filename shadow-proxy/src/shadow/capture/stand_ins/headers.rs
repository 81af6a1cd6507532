//! Header values: which part of which is what.

use base64ct::{Base64, Encoding as _};
use http::{HeaderName, HeaderValue};

use super::{StandIns, is_date, is_number};
use crate::shadow::redact::headers::{BY_VOCABULARY, COOKIE_ATTRIBUTES, SCHEMES};

impl StandIns {
    pub(super) fn header(&self, name: &HeaderName, value: &HeaderValue) -> HeaderValue {
        let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
            let other = self.keyed.bytes(value.as_bytes());
            return HeaderValue::from_bytes(&other).unwrap_or_else(|_| HeaderValue::from_static(""));
        };
        let other = match name.as_str() {
            "authorization" | "proxy-authorization" => self.credentials(text),
            "x-api-key" => self.credential(text),
            "cookie" => self.cookies(text),
            "set-cookie" => self.set_cookie(text),
            "content-length" if text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 9 => text.to_owned(),
            "etag" | "if-none-match" | "if-match" => self.tags(text),
            name if is_date(text) && DATES.contains(&name) => text.to_owned(),
            name if ADDRESSES.contains(&name) => self.address(text),
            name if BY_VOCABULARY.contains(&name) || WORDS.contains(&name) => self.text(text),
            _ => self.secret(text),
        };
        HeaderValue::from_bytes(other.as_bytes()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The scheme in the sender's own case, and as many spaces.
    fn credentials(&self, text: &str) -> String {
        let end = text.find([' ', '\t']).unwrap_or(text.len());
        let (scheme, rest) = text.split_at(end);
        if !SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            return self.credential(text);
        }
        let credential = rest.trim_start_matches([' ', '\t']);
        let between = &rest[..rest.len() - credential.len()];
        let stand_in = match Base64::decode_vec(credential).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(plain) if scheme.eq_ignore_ascii_case("basic") && plain.contains(':') => {
                let plain: Vec<String> = plain.split(':').map(|part| self.secret(part)).collect();
                Base64::encode_string(plain.join(":").as_bytes())
            }
            _ => self.credential(credential),
        };
        format!("{scheme}{between}{stand_in}")
    }

    fn cookies(&self, text: &str) -> String {
        let cookie = |pair: &str| match pair.split_once('=') {
            Some((name, value)) => format!("{}={}", self.name(name.trim_start(), name), self.part(value)),
            None => self.secret(pair),
        };
        text.split(';').map(cookie).collect::<Vec<_>>().join(";")
    }

    fn set_cookie(&self, text: &str) -> String {
        let (cookie, attributes) = text.split_once(';').map_or((text, None), |(cookie, rest)| (cookie, Some(rest)));
        let mut stand_in = self.cookies(cookie);
        for attribute in attributes.into_iter().flat_map(|attributes| attributes.split(';')) {
            let (name, value) =
                attribute.split_once('=').map_or((attribute, None), |(name, value)| (name, Some(value)));
            stand_in.push(';');
            let known = COOKIE_ATTRIBUTES.iter().find(|known| known.eq_ignore_ascii_case(name.trim()));
            stand_in.push_str(&match (known, value) {
                (None, _) => self.secret(attribute),
                (Some(_), None) => name.to_owned(),
                (Some(&"path"), Some(path)) => format!("{name}={}", self.path(path)),
                (Some(&"expires"), Some(date)) if is_date(date.trim()) => attribute.to_owned(),
                (Some(&"max-age"), Some(age)) if is_number(age.trim()) => attribute.to_owned(),
                (Some(_), Some(value)) => format!("{name}={}", self.text(value)),
            });
        }
        stand_in
    }

    fn tags(&self, text: &str) -> String {
        let tag = |tag: &str| match tag.find("W/") {
            Some(at) => tag[..at + 2].to_owned() + &self.secret(&tag[at + 2..]),
            None => self.secret(tag),
        };
        text.split(',').map(tag).collect::<Vec<_>>().join(",")
    }

    /// A URL, a host, or a path.
    pub(super) fn address(&self, text: &str) -> String {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if ["http", "https"].contains(&scheme) => (format!("{scheme}://"), rest),
            _ => (String::new(), text),
        };
        let host_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, rest) = rest.split_at(host_end);
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let query = query.map(|query| format!("?{}", self.pairs(query))).unwrap_or_default();
        let host =
            if host == "localhost" || host.starts_with("localhost:") { host.to_owned() } else { self.secret(host) };
        scheme + &host + &self.path(path) + &query
    }
}

/// Hold a date of HTTP, which has no room for a secret.
const DATES: [&str; 7] =
    ["date", "expires", "if-modified-since", "if-unmodified-since", "last-modified", "retry-after", "sunset"];
const ADDRESSES: [&str; 9] = [
    "content-location",
    "host",
    "location",
    "origin",
    "referer",
    "x-forwarded-host",
    "x-forwarded-uri",
    "x-original-uri",
    "x-original-url",
];
const WORDS: [&str; 4] = ["x-forwarded-method", "x-forwarded-proto", "x-forwarded-port", "x-original-method"];
