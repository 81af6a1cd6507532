//! `Set-Cookie` as a browser takes it (RFC 6265bis §5.6): a set of cookies, told apart by name, domain and path.

use std::collections::{BTreeMap, BTreeSet};

use super::cookie_date;
use super::found::Found;
use crate::shadow::path;

/// Each side's header lines, and its clock in seconds since the Unix epoch where it told the time.
pub(super) struct Jar<'a> {
    pub lines: Vec<&'a str>,
    pub date: Option<u64>,
}

/// False where a line holds no cookie.
pub(super) fn compare(root: &str, legacy: &Jar, candidate: &Jar, found: &mut Found) -> bool {
    let (Some(before), Some(after)) = (cookies(legacy), cookies(candidate)) else { return false };
    let mut names: BTreeMap<&str, (Vec<&Cookie>, Vec<&Cookie>)> = BTreeMap::new();
    for cookie in &before {
        names.entry(cookie.name).or_default().0.push(cookie);
    }
    for cookie in &after {
        names.entry(cookie.name).or_default().1.push(cookie);
    }
    for (name, (before, after)) in names {
        let mut at = root.to_owned();
        path::push_key(&mut at, name);
        of_one_name(&at, before, after, found);
    }
    true
}

struct Cookie<'a> {
    text: &'a str,
    name: &'a str,
    value: &'a str,
    /// All but the two that say how long it lives, by name in lower case, as they take effect: of several the last, none
    /// that a browser ignores. A flag's value is its name.
    attributes: BTreeMap<String, String>,
    max_age_s: Option<u64>,
    expires: Option<Expiry<'a>>,
}

struct Expiry<'a> {
    text: &'a str,
    /// In seconds since the Unix epoch, and from the answer's date on where it has one.
    at: u64,
    lifetime_s: Option<u64>,
}

impl<'a> Cookie<'a> {
    fn parse(text: &'a str, date: Option<u64>) -> Option<Cookie<'a>> {
        let mut parts = text.split(';').map(|part| part.trim_matches([' ', '\t']));
        let pair = parts.next().unwrap_or_default();
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let (name, value) = (name.trim_end_matches([' ', '\t']), value.trim_start_matches([' ', '\t']));
        if name.is_empty() && value.is_empty() {
            return None;
        }
        let mut cookie = Cookie { text, name, value, attributes: BTreeMap::new(), max_age_s: None, expires: None };
        for part in parts.filter(|part| !part.is_empty()) {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            cookie.take(attribute.trim_end_matches([' ', '\t']), value.trim_start_matches([' ', '\t']), date);
        }
        Some(cookie)
    }

    fn take(&mut self, attribute: &str, value: &'a str, date: Option<u64>) {
        let attribute = attribute.to_ascii_lowercase();
        let effective = match attribute.as_str() {
            "max-age" => {
                self.max_age_s = seconds(value).or(self.max_age_s);
                return;
            }
            "expires" => {
                if let Some(at) = cookie_date::parse(value) {
                    let lifetime_s = date.map(|date| at.saturating_sub(date));
                    self.expires = Some(Expiry { text: value, at, lifetime_s });
                }
                return;
            }
            // Whatever value they are given.
            "httponly" | "secure" | "partitioned" => attribute.clone(),
            "samesite" => value.to_ascii_lowercase(),
            "domain" => value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase(),
            _ => value.to_owned(),
        };
        let is_ignored = attribute == "domain" && effective.is_empty();
        // A path that is none stands for the request's own.
        let is_default = attribute == "path" && !effective.starts_with('/');
        if is_default || is_ignored {
            self.attributes.remove(&attribute);
        } else {
            self.attributes.insert(attribute, effective);
        }
    }

    /// With the name, what makes a browser replace one cookie by another.
    fn place(&self) -> (Option<&String>, Option<&String>) {
        (self.attributes.get("domain"), self.attributes.get("path"))
    }
}

fn cookies<'a>(jar: &Jar<'a>) -> Option<Vec<Cookie<'a>>> {
    jar.lines.iter().map(|line| Cookie::parse(line, jar.date)).collect()
}

/// Those for one place are one cookie, the others are paired as they come.
fn of_one_name(at: &str, before: Vec<&Cookie>, after: Vec<&Cookie>, found: &mut Found) {
    let (mut unpaired, mut after) = (Vec::new(), after);
    let times = |cookies: &[&Cookie], place| cookies.iter().filter(|cookie| cookie.place() == place).count();
    let (all_before, all_after) = (before.clone(), after.clone());
    for cookie in before {
        match after.iter().position(|other| other.place() == cookie.place()) {
            Some(other) => of_one_cookie(at, cookie, after.remove(other), found),
            None => unpaired.push(cookie),
        }
    }
    let pairs = unpaired.len().min(after.len());
    for (before, after) in unpaired.drain(..pairs).zip(after.drain(..pairs)) {
        of_one_cookie(at, before, after, found);
    }
    for cookie in unpaired.into_iter().chain(after) {
        let (before, after) = (times(&all_before, cookie.place()), times(&all_after, cookie.place()));
        match (before, after) {
            (_, 0) => found.pair(at.to_owned(), Some(cookie.text), None),
            (0, _) => found.pair(at.to_owned(), None, Some(cookie.text)),
            _ => found.repeated(at.to_owned(), before, after),
        }
    }
}

fn of_one_cookie(at: &str, before: &Cookie, after: &Cookie, found: &mut Found) {
    found.texts(format!("{at}.value"), before.value, after.value);
    let names: BTreeSet<&String> = before.attributes.keys().chain(after.attributes.keys()).collect();
    for name in names {
        let mut place = at.to_owned();
        path::push_key(&mut place, name);
        let [before, after] = [before, after].map(|cookie| cookie.attributes.get(name).map(String::as_str));
        found.pair(place, before, after);
    }
    lifetimes(at, before, after, found);
}

/// `Max-Age` wins over `Expires` where a cookie has both, so what it has beside it does not matter.
fn lifetimes(at: &str, before: &Cookie, after: &Cookie, found: &mut Found) {
    let alike = |before: Option<u64>, after: Option<u64>| {
        before
            .zip(after)
            .is_some_and(|(before, after)| before.abs_diff(after) <= found.known.comparer.cookie_tolerance_s)
    };
    let lifetime =
        |cookie: &Cookie| cookie.max_age_s.or(cookie.expires.as_ref().and_then(|expires| expires.lifetime_s));
    let (lasts_before, lasts_after) = (lifetime(before), lifetime(after));
    let max_ages = [before, after].map(|cookie| cookie.max_age_s.map(|seconds| seconds.to_string()));
    let [max_age_before, max_age_after] = max_ages.each_ref().map(Option::as_deref);
    let expires = |cookie: &Cookie| cookie.expires.as_ref().map(|expires| (expires.at, expires.text.to_owned()));
    match (max_age_before, max_age_after) {
        (None, None) => {
            let (before, after) = (expires(before), expires(after));
            let same_instant = before.as_ref().map(|(at, _)| at) == after.as_ref().map(|(at, _)| at);
            if !same_instant && !alike(lasts_before, lasts_after) {
                let [before, after] = [&before, &after].map(|side| side.as_ref().map(|(_, text)| text.as_str()));
                found.pair(format!("{at}.expires"), before, after);
            }
        }
        (Some(_), None) | (None, Some(_)) if alike(lasts_before, lasts_after) => {}
        (Some(_), None) | (None, Some(_)) if lasts_before.is_some() && lasts_after.is_some() => {
            let [before, after] = [lasts_before, lasts_after].map(|seconds| seconds.unwrap_or_default().to_string());
            found.pair(format!("{at}.lifetime_s"), Some(&before), Some(&after));
        }
        (before, after) => found.pair(format!("{at}.max-age"), before, after),
    }
}

/// A negative number of seconds ends the cookie as 0 does; what is no number is ignored.
fn seconds(text: &str) -> Option<u64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(if negative { 0 } else { digits.parse().unwrap_or(u64::MAX) })
}
