//! `Location` and `Content-Location`: URLs by their parts (RFC 3986, appendix B).
//!
//! Nothing is resolved: `/login` and `https://auth.example.com/login` lead to the same page through one proxy and not
//! through another, so the parts that only one of them spells out are differences.

use super::form;
use super::found::Found;

pub(super) fn compare(root: &str, legacy: &str, candidate: &str, found: &mut Found) {
    let (legacy, candidate) = (Url::parse(legacy), Url::parse(candidate));
    let at = |part: &str| format!("{root}.{part}");
    for (part, legacy, candidate) in [
        ("scheme", legacy.scheme.as_deref(), candidate.scheme.as_deref()),
        ("userinfo", legacy.userinfo, candidate.userinfo),
        ("host", legacy.host.as_deref(), candidate.host.as_deref()),
        ("port", legacy.port, candidate.port),
        ("path", Some(legacy.path), Some(candidate.path)),
    ] {
        found.pair(at(part), legacy, candidate);
    }
    match (legacy.query, candidate.query) {
        (Some(legacy), Some(candidate)) if form::compare(&at("query"), legacy, candidate, found) => {}
        (legacy, candidate) => found.pair(at("query"), legacy, candidate),
    }
    match (legacy.fragment, candidate.fragment) {
        // Where an authorization server puts a token for a page's script (RFC 6749 §4.2.2).
        (Some(legacy), Some(candidate))
            if legacy.contains('=')
                && candidate.contains('=')
                && form::compare(&at("fragment"), legacy, candidate, found) => {}
        (legacy, candidate) => found.pair(at("fragment"), legacy, candidate),
    }
}

struct Url<'a> {
    /// In lower case, as the host.
    scheme: Option<String>,
    userinfo: Option<&'a str>,
    host: Option<String>,
    port: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// Every text is one.
    fn parse(text: &'a str) -> Url<'a> {
        let (rest, fragment) = cut(text, '#');
        let (rest, query) = cut(rest, '?');
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme.to_ascii_lowercase()), rest),
            _ => (None, rest),
        };
        let Some(rest) = rest.strip_prefix("//") else {
            return Url { scheme, userinfo: None, host: None, port: None, path: rest, query, fragment };
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (userinfo, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
            _ => (host, None),
        };
        Url { scheme, userinfo, host: Some(host.to_ascii_lowercase()), port, path, query, fragment }
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}
