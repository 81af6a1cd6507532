//! `WWW-Authenticate` and `Proxy-Authenticate` (RFC 9110 §11.6.1): several challenges in one line, each with parameters.

use std::borrow::Cow;

use super::field::{Pair, elements, is_token, paired, parameter, trimmed};
use super::found::Found;
use crate::shadow::path;

/// False where one of the two is not a list of challenges.
pub(super) fn compare(root: &str, legacy: &[&str], candidate: &[&str], found: &mut Found) -> bool {
    let (Some(legacy), Some(candidate)) = (parsed(legacy), parsed(candidate)) else { return false };
    for (scheme, pair) in paired(&legacy, &candidate) {
        let mut at = root.to_owned();
        path::push_key(&mut at, scheme);
        match pair {
            Pair::Both(legacy, candidate) => parameters(&at, legacy, candidate, found),
            Pair::Missing(challenge) => found.pair(at, Some(&challenge.text), None),
            Pair::Added(challenge) => found.pair(at, None, Some(&challenge.text)),
            Pair::Repeated(legacy, candidate) => found.repeated(at, legacy, candidate),
        }
    }
    true
}

struct Challenge<'a> {
    text: String,
    /// The one value of a challenge without names stands under `token68`.
    parameters: Vec<(String, Cow<'a, str>)>,
}

fn parameters(root: &str, legacy: &Challenge, candidate: &Challenge, found: &mut Found) {
    for (name, pair) in paired(&legacy.parameters, &candidate.parameters) {
        let mut at = root.to_owned();
        path::push_key(&mut at, name);
        match pair {
            Pair::Both(legacy, candidate) => found.texts(at, legacy, candidate),
            Pair::Missing(value) => found.pair(at, Some(value), None),
            Pair::Added(value) => found.pair(at, None, Some(value)),
            Pair::Repeated(legacy, candidate) => found.repeated(at, legacy, candidate),
        }
    }
}

/// Challenges by scheme. A comma ends a parameter or a challenge; which of them, only what follows it tells.
fn parsed<'a>(lines: &[&'a str]) -> Option<Vec<(String, Challenge<'a>)>> {
    let mut challenges: Vec<(String, Challenge)> = Vec::new();
    for element in lines.iter().flat_map(|line| elements(line, b',')) {
        if is_parameter(element) {
            let (_, challenge) = challenges.last_mut()?;
            challenge.text.push_str(", ");
            challenge.text.push_str(element);
            challenge.parameters.push(parameter(element));
            continue;
        }
        let (scheme, rest) = element.split_once([' ', '\t']).unwrap_or((element, ""));
        let rest = trimmed(rest);
        let parameters = match rest {
            "" => Vec::new(),
            _ if is_parameter(rest) => vec![parameter(rest)],
            _ if is_token68(rest) => vec![("token68".to_owned(), rest.into())],
            _ => return None,
        };
        if !is_token(scheme) {
            return None;
        }
        challenges.push((scheme.to_ascii_lowercase(), Challenge { text: element.to_owned(), parameters }));
    }
    Some(challenges)
}

/// `name=token` or `name="quoted string"`, also with white space around the sign.
fn is_parameter(text: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else { return false };
    let value = trimmed(value);
    let is_quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
    is_token(trimmed(name)) && (is_token(value) || is_quoted)
}

fn is_token68(text: &str) -> bool {
    let value = text.trim_end_matches('=');
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}
