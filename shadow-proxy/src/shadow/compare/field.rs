//! The grammar that header fields share (RFC 9110 §5.6): lists, parameters, quoted strings.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName};

/// Every value of a header as text; none where one is not UTF-8.
pub(super) fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Vec<&'a str>> {
    headers.get_all(name).iter().map(|value| std::str::from_utf8(value.as_bytes()).ok()).collect()
}

/// The elements of a list, trimmed, without empty ones. A separator within quotes separates nothing.
pub(super) fn elements(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        let is_escape = quoted && !escaped && c == '\\';
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = is_escape;
        !quoted && c == char::from(separator)
    })
    .map(trimmed)
    .filter(|element| !element.is_empty())
}

/// `name=value`, the name in lower case and the value without its quotes; without `=` the value is empty.
pub(super) fn parameter(text: &str) -> (String, Cow<'_, str>) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (trimmed(name).to_ascii_lowercase(), unquoted(trimmed(value)))
}

pub(super) fn unquoted(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return text.into() };
    if !inner.contains('\\') {
        return inner.into();
    }
    let (mut plain, mut chars) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    plain.into()
}

pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// What one name has on both sides. Equal names are paired in their order.
pub(super) enum Pair<'a, T> {
    Both(&'a T, &'a T),
    Missing(&'a T),
    Added(&'a T),
    /// How many times each side names it.
    Repeated(usize, usize),
}

/// Two lists as multimaps: the order of names means nothing, the order of equal names does. By name.
pub(super) fn paired<'a, T>(
    legacy: &'a [(String, T)],
    candidate: &'a [(String, T)],
) -> impl Iterator<Item = (&'a str, Pair<'a, T>)> {
    let mut names: BTreeMap<&str, (Vec<&T>, Vec<&T>)> = BTreeMap::new();
    for (name, value) in legacy {
        names.entry(name).or_default().0.push(value);
    }
    for (name, value) in candidate {
        names.entry(name).or_default().1.push(value);
    }
    names.into_iter().flat_map(|(name, (legacy, candidate))| {
        let uneven = match (legacy.as_slice(), candidate.as_slice()) {
            ([first, ..], []) => Some(Pair::Missing(*first)),
            ([], [first, ..]) => Some(Pair::Added(*first)),
            (legacy, candidate) if legacy.len() == candidate.len() => None,
            (legacy, candidate) => Some(Pair::Repeated(legacy.len(), candidate.len())),
        };
        let both = legacy.into_iter().zip(candidate).map(|(legacy, candidate)| Pair::Both(legacy, candidate));
        both.chain(uneven).map(move |pair| (name, pair))
    })
}
