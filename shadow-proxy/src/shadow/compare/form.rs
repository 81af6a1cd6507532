//! `application/x-www-form-urlencoded`: bodies, and the query of a URL, as a multimap of names.

use super::field::{Pair, paired};
use super::found::Found;
use crate::shadow::path;

/// False where one of the two names more than anybody reads.
pub(super) fn compare(root: &str, legacy: &str, candidate: &str, found: &mut Found) -> bool {
    let (Some(legacy), Some(candidate)) = (pairs(legacy), pairs(candidate)) else { return false };
    for (name, pair) in paired(&legacy, &candidate) {
        let mut at = root.to_owned();
        path::push_key(&mut at, name);
        match pair {
            Pair::Both(legacy, candidate) => found.texts(at, legacy, candidate),
            Pair::Missing(value) => found.pair(at, Some(value), None),
            Pair::Added(value) => found.pair(at, None, Some(value)),
            Pair::Repeated(legacy, candidate) => found.repeated(at, legacy, candidate),
        }
    }
    true
}

fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs: Vec<(String, String)> = pairs
        .take(PAIRS_MAX + 1)
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect();
    (pairs.len() <= PAIRS_MAX).then_some(pairs)
}

/// As the WHATWG URL standard reads it: a `%` that begins no escape is one itself.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let escaped = match after {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        bytes.push(match (first, escaped) {
            (_, Some((high, low))) => {
                rest = &after[2..];
                high << 4 | low
            }
            (b'+', None) => b' ',
            (byte, None) => *byte,
        });
    }
    // Two texts that are no UTF-8 must not become one, so these stay as they were sent, marked as such.
    String::from_utf8(bytes).unwrap_or_else(|_| format!("\u{fffd}{text}"))
}

fn digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

const PAIRS_MAX: usize = 1024;
