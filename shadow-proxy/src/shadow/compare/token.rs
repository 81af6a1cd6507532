//! Two signed tokens (RFC 7519): headers and claims by path, how long each is good, and what the signatures are worth.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde_json::Number;

use super::known::Known;
use crate::exchange::{Difference, Kind};
use crate::shadow::json::{Document, differences_at};
use crate::shadow::path;

/// None where one of the two is no token. Both may follow the same scheme, as in `Bearer eyJ…`.
pub(super) fn differences(path: &str, legacy: &str, candidate: &str, known: Known) -> Option<Vec<Difference>> {
    // What most texts are not is told soonest by this.
    if ![legacy, candidate].iter().all(|text| text.as_bytes().contains(&b'.')) {
        return None;
    }
    let (legacy_scheme, legacy) = legacy.rsplit_once(' ').unwrap_or(("", legacy));
    let (candidate_scheme, candidate) = candidate.rsplit_once(' ').unwrap_or(("", candidate));
    if legacy_scheme != candidate_scheme {
        return None;
    }
    let (legacy, candidate) = (Token::parse(legacy)?, Token::parse(candidate)?);
    let mut root = path.to_owned();
    path::push_token(&mut root);
    let mut found = differences_at(&format!("{root}.header"), &legacy.header, &candidate.header, &known);
    found.extend(differences_at(&format!("{root}.claims"), &legacy.claims, &candidate.claims, &known));
    if let (Some(before), Some(after)) = (legacy.lifetime(), candidate.lifetime())
        && before != after
    {
        found.push(value(format!("{root}.lifetime_s"), before, after));
    }
    if let Some((before, after)) = signatures(&legacy, &candidate, known) {
        found.push(value(format!("{root}.signature"), before, after));
    }
    Some(found)
}

/// Taken apart, and nothing of it believed.
struct Token<'a> {
    text: &'a str,
    signed: &'a str,
    signature: &'a str,
    head: Head,
    times: Times,
    header: Document,
    claims: Document,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
}

#[derive(Default, Deserialize)]
struct Times {
    exp: Option<Number>,
    iat: Option<Number>,
}

impl<'a> Token<'a> {
    fn parse(text: &'a str) -> Option<Token<'a>> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let [header, claims] = [header, claims].map(Base64UrlUnpadded::decode_vec);
        let (header, claims) = (header.ok()?, claims.ok()?);
        let head = serde_json::from_slice(&header).ok()?;
        let times = serde_json::from_slice(&claims).unwrap_or_default();
        let (header, claims) = (Document::read(header.into()).ok()?, Document::read(claims.into()).ok()?);
        claims.is_object().then_some(Token { text, signed, signature, head, times, header, claims })
    }

    fn lifetime(&self) -> Option<String> {
        let (exp, iat) = (self.times.exp.as_ref()?, self.times.iat.as_ref()?);
        match (exp.as_i64(), iat.as_i64()) {
            (Some(exp), Some(iat)) => exp.checked_sub(iat).map(|seconds| seconds.to_string()),
            _ => Some((exp.as_f64()? - iat.as_f64()?).to_string()),
        }
    }

    /// Whether its signer would write the same signature below the same text again.
    fn is_deterministic(&self) -> bool {
        ["HS", "RS", "Ed"].iter().any(|start| self.head.alg.starts_with(start))
    }
}

/// What is said of each side's signature where that differs.
fn signatures(legacy: &Token, candidate: &Token, known: Known) -> Option<(String, String)> {
    let told = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
    match (legacy.signature.is_empty(), candidate.signature.is_empty()) {
        (true, true) => return None,
        (true, false) => return told("empty", "present"),
        (false, true) => return told("present", "empty"),
        (false, false) => {}
    }
    if let Some(keys) = &known.comparer.signatures {
        let (before, after) = (keys.verdict(legacy.text), keys.verdict(candidate.text));
        if before != after {
            return told(before, after);
        }
        // Both good: how each is written is its signer's affair.
        if before == super::signature::VALID {
            return None;
        }
    }
    let must_be_equal = legacy.signed == candidate.signed && legacy.is_deterministic();
    if must_be_equal && legacy.signature != candidate.signature {
        return told(legacy.signature, candidate.signature);
    }
    None
}

fn value(path: String, legacy: String, candidate: String) -> Difference {
    Difference { path, kind: Kind::Value, legacy: Some(legacy), candidate: Some(candidate), rule: None }
}

/// Longer than any header may be.
const TOKEN_BYTES_MAX: usize = 64 << 10;
