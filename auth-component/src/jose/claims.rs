//! The claims of RFC 7519 §4.1 and `scope` (RFC 9068 §2.2.3): read strictly, then held against the policy.

use super::json::{Object, parse_object};
use super::{Json, Number, Policy, Refusal};
use crate::grant::LAST_S;
use crate::scope::is_scope;

/// What a verified token says, made by [`verify`](super::verify), or what an issuer said of one that only it can read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Claims {
    pub issuer: Option<String>,
    /// Without control characters, 1 to 256 bytes of UTF-8; may hold more than a header field can carry.
    pub subject: Option<String>,
    pub audiences: Vec<String>,
    /// In seconds since the Unix epoch, a fraction rounded up; over at this instant, as the issuer has it.
    pub expires_at: Option<u64>,
    pub not_before: Option<u64>,
    pub issued_at: Option<u64>,
    /// `jti`. Use it, with the issuer, to revoke one token; never the token's text, which an ECDSA twin changes.
    pub token_id: Option<String>,
    pub scopes: Vec<String>,
    /// All members, those above included.
    pub members: Object,
}

const TEXT_BYTES_MAX: usize = 256;
const AUDIENCES_MAX: usize = 100;
const SCOPES_MAX: usize = 256;

impl Claims {
    pub(crate) fn parse(payload: &[u8]) -> Result<Claims, Refusal> {
        Claims::of(parse_object(payload)?)
    }

    pub(crate) fn of(members: Object) -> Result<Claims, Refusal> {
        Ok(Claims {
            issuer: text(&members, "iss")?,
            subject: text(&members, "sub")?,
            audiences: audiences(&members)?,
            expires_at: date(&members, "exp")?,
            not_before: past(&members, "nbf")?,
            issued_at: past(&members, "iat")?,
            token_id: text(&members, "jti")?,
            scopes: scopes(&members)?,
            members,
        })
    }

    pub(crate) fn check_time(&self, policy: &Policy, now: u64) -> Result<(), Refusal> {
        match self.expires_at {
            None if policy.expiry_required => return Err(Refusal::ExpiryMissing),
            None => {}
            // On or after the instant is too late (RFC 7519 §4.1.4).
            Some(instant) if now >= instant.saturating_add(policy.skew_s) => return Err(Refusal::Expired),
            Some(instant) if instant > now.saturating_add(policy.lifetime_s_max) => {
                return Err(Refusal::LifetimeTooLong);
            }
            Some(_) => {}
        }
        let soon = now.saturating_add(policy.skew_s);
        if self.not_before.is_some_and(|instant| instant > soon) {
            return Err(Refusal::NotYetValid);
        }
        let issued_ahead = now.saturating_add(policy.skew_s.max(policy.issued_ahead_s));
        if self.issued_at.is_some_and(|instant| instant > issued_ahead) {
            return Err(Refusal::IssuedInTheFuture);
        }
        Ok(())
    }

    pub(crate) fn check_identity(&self, policy: &Policy) -> Result<(), Refusal> {
        if policy.issuer.is_some() && self.issuer != policy.issuer {
            return Err(Refusal::IssuerOther);
        }
        if policy.subject_required && self.subject.is_none() {
            return Err(Refusal::SubjectMissing);
        }
        let lacks = |name: &String| matches!(self.members.get(name), None | Some(Json::Null));
        if policy.claims_required.iter().any(lacks) { Err(Refusal::ClaimMissing) } else { Ok(()) }
    }

    /// Only after the signature, because the client learns of it.
    pub(crate) fn check_permission(&self, policy: &Policy) -> Result<(), Refusal> {
        let for_us = match (policy.audiences.as_slice(), self.members.has("aud")) {
            ([], named) => !named,
            (audiences, _) => self.audiences.iter().any(|audience| audiences.contains(audience)),
        };
        if !for_us {
            return Err(Refusal::AudienceOther);
        }
        if policy.scopes.iter().all(|scope| self.scopes.contains(scope)) { Ok(()) } else { Err(Refusal::ScopeMissing) }
    }
}

fn text(members: &Object, name: &str) -> Result<Option<String>, Refusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Json::String(text)) if is_plain(text) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::ClaimShape),
    }
}

/// Such a text ends in logs and header fields, where control characters do harm.
fn is_plain(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.bytes().any(|byte| byte.is_ascii_control())
}

fn audiences(members: &Object) -> Result<Vec<String>, Refusal> {
    let audiences = match members.get("aud") {
        None => return Ok(Vec::new()),
        Some(one @ Json::String(_)) => std::slice::from_ref(one),
        Some(Json::Array(several)) if several.len() <= AUDIENCES_MAX => several,
        Some(_) => return Err(Refusal::ClaimShape),
    };
    audiences.iter().map(|audience| audience.as_str().map(str::to_owned).ok_or(Refusal::ClaimShape)).collect()
}

/// A fraction is rounded up, after which comparing with whole seconds gives the same answers.
fn date(members: &Object, name: &str) -> Result<Option<u64>, Refusal> {
    let seconds = match members.get(name) {
        None => return Ok(None),
        Some(Json::Number(Number::Unsigned(seconds))) => *seconds,
        // LAST_S is less than 2^53, so neither conversion loses anything.
        Some(Json::Number(Number::Fraction(seconds))) if (0.0..=LAST_S as f64).contains(seconds) => {
            seconds.ceil() as u64
        }
        Some(_) => return Err(Refusal::DateShape),
    };
    if seconds <= LAST_S { Ok(Some(seconds)) } else { Err(Refusal::DateShape) }
}

/// The same for what only has to lie behind: before 1970 is as good as then.
fn past(members: &Object, name: &str) -> Result<Option<u64>, Refusal> {
    match members.get(name) {
        Some(Json::Number(Number::Negative(_))) => Ok(Some(0)),
        Some(Json::Number(Number::Fraction(seconds))) if *seconds < 0.0 => Ok(Some(0)),
        _ => date(members, name),
    }
}

/// `scope-token *( SP scope-token )` (RFC 6749 §3.3).
fn scopes(members: &Object) -> Result<Vec<String>, Refusal> {
    let list = match members.get("scope") {
        None => return Ok(Vec::new()),
        Some(Json::String(list)) if list.is_empty() => return Ok(Vec::new()),
        Some(Json::String(list)) => list,
        Some(_) => return Err(Refusal::ClaimShape),
    };
    let scopes: Vec<&str> = list.split(' ').take(SCOPES_MAX + 1).collect();
    if scopes.len() > SCOPES_MAX || !scopes.iter().all(|scope| is_scope(scope)) {
        return Err(Refusal::ClaimShape);
    }
    Ok(scopes.into_iter().map(str::to_owned).collect())
}
