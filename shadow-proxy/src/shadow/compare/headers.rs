//! Headers by name, each by what it means where that is known, else by its values in order.

use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW,
    CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE,
    DATE, LOCATION, PROXY_AUTHENTICATE, SET_COOKIE, TRAILER, UPGRADE, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::cookie::{self, Jar};
use super::found::Found;
use super::read::Read;
use super::{challenge, field, list, location, media_type};
use crate::shadow::path;

/// What is already known of the bodies, as far as `Content-Length` tells the same again.
pub(super) struct Bodies {
    pub differ: bool,
    /// Lengths stand for bodies that are not sent (HEAD, 304).
    pub unsent: bool,
}

pub(super) fn compare(legacy: &Read, candidate: &Read, bodies: &Bodies, found: &mut Found) {
    let (before, after) = (&legacy.answer.headers, &candidate.answer.headers);
    // Nearly all are equal, and nothing is allocated for those.
    let unequal = before.keys().filter(|name| !before.get_all(*name).iter().eq(after.get_all(*name)));
    let mut names: Vec<&HeaderName> = unequal.chain(after.keys().filter(|name| !before.contains_key(*name))).collect();
    names.sort_unstable_by_key(|name| name.as_str());
    for name in names {
        let mut root = "header".to_owned();
        path::push_key(&mut root, name.as_str());
        if *name == CONTENT_LENGTH {
            if is_length_news(legacy, candidate, bodies) {
                in_order(&root, before, after, name, found);
            }
        } else if !by_meaning(&root, before, after, name, found) {
            in_order(&root, before, after, name, found);
        }
    }
}

/// False where the header means no more than its text, or its text nothing.
fn by_meaning(root: &str, before: &HeaderMap, after: &HeaderMap, name: &HeaderName, found: &mut Found) -> bool {
    let (Some(legacy), Some(candidate)) = (field::texts(before, name), field::texts(after, name)) else { return false };
    if *name == SET_COOKIE {
        let [legacy, candidate] =
            [(legacy, before), (candidate, after)].map(|(lines, headers)| Jar { lines, date: date(headers) });
        return cookie::compare(root, &legacy, &candidate, found);
    }
    // A header that one side does not send at all is missing as a whole.
    if legacy.is_empty() || candidate.is_empty() {
        return false;
    }
    match *name {
        WWW_AUTHENTICATE | PROXY_AUTHENTICATE => return challenge::compare(root, &legacy, &candidate, found),
        CACHE_CONTROL => list::directives(root, &legacy, &candidate, found),
        ALLOW | ACCESS_CONTROL_ALLOW_METHODS => list::methods(root, &legacy, &candidate, found),
        VARY
        | ACCESS_CONTROL_ALLOW_HEADERS
        | ACCESS_CONTROL_EXPOSE_HEADERS
        | ACCEPT_RANGES
        | CONTENT_LANGUAGE
        | CONNECTION
        | TRAILER
        | UPGRADE => list::names(root, &legacy, &candidate, found),
        LOCATION | CONTENT_LOCATION => match (legacy.as_slice(), candidate.as_slice()) {
            ([legacy], [candidate]) => location::compare(root, legacy, candidate, found),
            _ => return false,
        },
        CONTENT_TYPE => {
            let is_same = |(legacy, candidate): (&&str, &&str)| media_type::same(legacy, candidate);
            return legacy.len() == candidate.len() && legacy.iter().zip(&candidate).all(is_same);
        }
        _ => return false,
    }
    true
}

fn date(headers: &HeaderMap) -> Option<u64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    date.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// Values in order, whole. What both lists begin and end with is set aside first, so that a dropped first value is one
/// missing value and not a change of all that follow.
fn in_order(root: &str, before: &HeaderMap, after: &HeaderMap, name: &HeaderName, found: &mut Found) {
    let [before, after] = [before, after].map(|headers| headers.get_all(name).iter().collect::<Vec<&HeaderValue>>());
    let start = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[start..], &after[start..]);
    let end = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[..before.len() - end], &after[..after.len() - end]);
    let text = |value: &&HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    for index in 0..before.len().max(after.len()) {
        let root = root.to_owned();
        match (before.get(index), after.get(index)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => found.unequal(root, &text(a), &text(b)),
            (a, b) => found.pair(root, a.map(text).as_deref(), b.map(text).as_deref()),
        }
    }
}

/// A length that differs because the bodies, their encodings or their white space do is told by those already.
fn is_length_news(legacy: &Read, candidate: &Read, bodies: &Bodies) -> bool {
    let encodings = |read: &Read| read.answer.headers.get_all(CONTENT_ENCODING).iter().cloned().collect::<Vec<_>>();
    let lengths = |read: &Read| read.answer.headers.get_all(CONTENT_LENGTH).iter().count();
    let same_length = legacy.answer.body.len() == candidate.answer.body.len();
    let is_sent_by_both = lengths(legacy) == lengths(candidate);
    encodings(legacy) == encodings(candidate) && (bodies.unsent || !bodies.differ && (same_length || !is_sent_by_both))
}
