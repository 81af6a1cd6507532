//! What clients were issued, and the ids of the calls that got it: a session's login, refresh and logout go to one side
//! although its credential changes on the way.
//!
//! Kept are keyed hashes of the values, in memory alone.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, SET_COOKIE};
use http::{HeaderValue, Method};
use lru::LruCache;
use percent_encoding::percent_decode;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use siphasher::sip::SipHasher24;

use crate::exchange::Call;
use crate::metrics::Metrics;
use crate::random;
use crate::shadow::session::{is_token_name, issued_values};

use super::identity::{Id, X_API_KEY, after_scheme, cookies};

pub struct Families {
    /// Another for each process: who knew it could send values that collide.
    key: [u8; 16],
    /// Several, so that threads rarely meet at a lock.
    shards: Box<[Mutex<LruCache<u64, Family>>]>,
    shard_entries_max: usize,
    /// Of all shards.
    entries: AtomicUsize,
    /// Headers beside the usual ones in which clients carry what they were issued.
    headers: Vec<HeaderName>,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Copy, PartialEq)]
enum Family {
    Of(Id),
    /// Issued to clients of several ids, as a constant is: it tells nobody apart.
    Shared,
}

impl Families {
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(entries_max: usize, headers: Vec<HeaderName>, metrics: Arc<Metrics>) -> std::io::Result<Families> {
        let key = random::key()?;
        let shards = (entries_max / SHARD_ENTRIES_MIN).clamp(1, SHARDS_MAX);
        Ok(Families {
            key,
            shards: (0..shards).map(|_| Mutex::new(LruCache::unbounded())).collect(),
            shard_entries_max: entries_max.div_ceil(shards),
            entries: AtomicUsize::new(0),
            headers,
            metrics,
        })
    }

    /// The id of the family that the call belongs to, by the first known value that it carries.
    pub fn find(&self, call: &Call) -> Option<Id> {
        if self.entries.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut left = LOOKUPS_MAX;
        let found = self.carried(call, &mut |value| {
            let hash = self.hash(value);
            left -= 1;
            match self.shard(hash).get(&hash) {
                Some(Family::Of(id)) => ControlFlow::Break(Some(*id)),
                Some(Family::Shared) | None if left == 0 => ControlFlow::Break(None),
                Some(Family::Shared) | None => ControlFlow::Continue(()),
            }
        });
        found.break_value().flatten()
    }

    /// Takes what an answer issued into the family of the call that got it.
    ///
    /// What the call had already is left out: a constant that all clients have would otherwise gather them.
    pub fn learn(&self, id: Id, call: &Call, headers: &HeaderMap, body: &Bytes) {
        let Some(body) = read_of(call, headers, body) else { return };
        let issued = issued_values(headers, &body);
        if issued.is_empty() {
            return;
        }
        let mut carried = Vec::new();
        let _: ControlFlow<()> = self.carried(call, &mut |value| {
            carried.push(self.hash(value));
            if carried.len() < LOOKUPS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        for value in issued {
            let hash = self.hash(value.as_bytes());
            if !carried.contains(&hash) {
                self.put(hash, id);
            }
        }
        self.metrics.sticky_values.set(self.entries.load(Ordering::Relaxed) as i64);
    }

    fn put(&self, hash: u64, id: Id) {
        let mut shard = self.shard(hash);
        if let Some(known) = shard.get_mut(&hash) {
            if *known != Family::Of(id) {
                *known = Family::Shared;
            }
            return;
        }
        if shard.len() >= self.shard_entries_max {
            shard.pop_lru();
            self.metrics.sticky_values_evicted.inc();
        } else {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
        shard.put(hash, Family::Of(id));
    }

    /// The values that a call carries, the credential first.
    fn carried<T>(&self, call: &Call, visit: &mut dyn FnMut(&[u8]) -> ControlFlow<T>) -> ControlFlow<T> {
        let mut visit = |value: &[u8]| {
            if VALUE_BYTES.contains(&value.len()) { visit(value) } else { ControlFlow::Continue(()) }
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
        members(call, &mut visit)
    }

    fn hash(&self, value: &[u8]) -> u64 {
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

    fn shard(&self, hash: u64) -> MutexGuard<'_, LruCache<u64, Family>> {
        let shard = &self.shards[(hash >> 32) as usize % self.shards.len()];
        shard.lock().expect("nothing panics while it holds the values")
    }
}

/// What of an answer's body is looked into; none where nothing of the answer is.
fn read_of(call: &Call, headers: &HeaderMap, body: &Bytes) -> Option<Bytes> {
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|value| contains(value, b"json"));
    // What can be asked for again and again issues nothing, but for cookies.
    let is_issuing = !matches!(call.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if is_issuing && is_json && body.len() <= ANSWER_BYTES_MAX {
        return Some(body.clone());
    }
    (headers.contains_key(SET_COOKIE) || headers.contains_key(LOCATION)).then(Bytes::new)
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

fn contains(value: &HeaderValue, lower: &[u8]) -> bool {
    value.as_bytes().windows(lower.len()).any(|window| window.eq_ignore_ascii_case(lower))
}

/// Of values that are known, as `shadow/session.rs` has them: shorter ones cannot be told apart between sessions.
const VALUE_BYTES: std::ops::Range<usize> = 16..8 << 10;
/// Of bodies that are looked into.
const CALL_BYTES_MAX: usize = 8 << 10;
const ANSWER_BYTES_MAX: usize = 64 << 10;
const ENDS_BYTES: usize = 64;
/// For one call.
const LOOKUPS_MAX: usize = 32;
const SHARDS_MAX: usize = 16;
const SHARD_ENTRIES_MIN: usize = 1_024;
