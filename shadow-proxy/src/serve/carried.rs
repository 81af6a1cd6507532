//! The values by which a call belongs to somebody: its credential, its cookies, tokens in a query, a form or JSON object.
//!
//! Only keyed hashes of them leave this file.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher as _;
use std::ops::ControlFlow;

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use percent_encoding::percent_decode;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use siphasher::sip::SipHasher24;

use crate::exchange::Call;
use crate::random;
use crate::shadow::session::is_token_name;

use super::identity::{X_API_KEY, after_scheme, cookies};

/// Finds the values of calls, under a key of this process: who knew it could send values that collide.
pub struct Values {
    key: [u8; 16],
    /// Headers beside the usual ones in which clients carry what they were issued.
    headers: Vec<HeaderName>,
}

impl Values {
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(headers: Vec<HeaderName>) -> std::io::Result<Values> {
        Ok(Values { key: random::key()?, headers })
    }

    /// The hashes of the values that a call carries, the credential first.
    pub fn carried<T>(&self, call: &Call, visit: &mut dyn FnMut(u64) -> ControlFlow<T>) -> ControlFlow<T> {
        let mut visit = |value: &[u8]| {
            if VALUE_BYTES.contains(&value.len()) { visit(self.hash(value)) } else { ControlFlow::Continue(()) }
        };
        if let Some(value) = call.headers.get(AUTHORIZATION) {
            visit(after_scheme(value.as_bytes()))?;
        }
        for name in self.headers.iter().chain([&X_API_KEY]) {
            if let Some(value) = call.headers.get(name) {
                visit(after_scheme(value.as_bytes()))?;
            }
        }
        for (_, value) in cookies(&call.headers) {
            visit(value)?;
        }
        members(call, &mut visit)?;
        // Codes and links that are good once come as a query.
        call.uri.query().map_or(ControlFlow::Continue(()), |query| form(query.as_bytes(), &mut visit))
    }

    /// The first of them.
    pub fn first(&self, call: &Call) -> Option<u64> {
        self.carried(call, &mut ControlFlow::Break).break_value()
    }

    /// The value of the cookie of a name.
    pub fn cookie(&self, call: &Call, name: &[u8]) -> Option<u64> {
        cookies(&call.headers).find(|(known, _)| *known == name).map(|(_, value)| self.hash(value))
    }

    pub fn hash(&self, value: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        match (value.first_chunk::<ENDS_BYTES>(), value.last_chunk::<ENDS_BYTES>()) {
            // A long one is signed or random: its ends are its own, and a kilobyte of claims between them takes time.
            (Some(first), Some(last)) if value.len() > 2 * ENDS_BYTES => {
                hasher.write(&value.len().to_le_bytes());
                hasher.write(first);
                hasher.write(last);
            }
            _ => hasher.write(value),
        }
        hasher.finish()
    }
}

/// Tokens in a small form or JSON object.
fn members<T>(call: &Call, visit: &mut dyn FnMut(&[u8]) -> ControlFlow<T>) -> ControlFlow<T> {
    let is_read = (VALUE_BYTES.start..=CALL_BYTES_MAX).contains(&call.body.len());
    if !is_read || call.headers.contains_key(CONTENT_ENCODING) {
        return ControlFlow::Continue(());
    }
    if call.headers.get(CONTENT_TYPE).is_some_and(|value| contains(value, b"form-urlencoded")) {
        return form(&call.body, visit);
    }
    if !call.body.trim_ascii_start().starts_with(b"{") {
        return ControlFlow::Continue(());
    }
    let mut found = ControlFlow::Continue(());
    let object = Object { visit, found: &mut found };
    // What is no JSON has no members; what was found before that shows counts.
    let _ = serde_json::Deserializer::from_slice(&call.body).deserialize_map(object);
    found
}

fn form<T>(body: &[u8], visit: &mut dyn FnMut(&[u8]) -> ControlFlow<T>) -> ControlFlow<T> {
    for pair in body.split(|&byte| byte == b'&') {
        let Some(at) = pair.iter().position(|&byte| byte == b'=') else { continue };
        let (name, value) = (&pair[..at], &pair[at + 1..]);
        // Spaces, which a `+` would be, are in no token.
        if value.len() >= VALUE_BYTES.start && std::str::from_utf8(name).is_ok_and(is_token_name) {
            visit(&Cow::from(percent_decode(value)))?;
        }
    }
    ControlFlow::Continue(())
}

/// A JSON object whose tokens are visited, until one is the last that is wanted.
struct Object<'a, T> {
    visit: &'a mut dyn FnMut(&[u8]) -> ControlFlow<T>,
    found: &'a mut ControlFlow<T>,
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, T> Visitor<'de> for Object<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = members.next_key()? {
            if self.found.is_break() || !is_token_name(&name) {
                members.next_value::<IgnoredAny>()?;
            } else if let Text(Some(value)) = members.next_value()? {
                *self.found = (self.visit)(value.as_bytes());
            }
        }
        Ok(())
    }
}

/// What is a text, and nothing else.
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

pub(super) fn contains(value: &HeaderValue, lower: &[u8]) -> bool {
    value.as_bytes().windows(lower.len()).any(|window| window.eq_ignore_ascii_case(lower))
}

/// Of values that are known, as `shadow/session.rs` has them: shorter ones cannot be told apart between sessions.
const VALUE_BYTES: std::ops::Range<usize> = 16..8 << 10;
/// Of bodies that are looked into.
const CALL_BYTES_MAX: usize = 8 << 10;
const ENDS_BYTES: usize = 64;
