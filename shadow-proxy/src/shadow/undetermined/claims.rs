//! What the signed tokens of a call claim about their time. Nothing of it is believed: it says when to look again.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;

use crate::exchange::Call;

/// From or until when a token is good, in milliseconds since the Unix epoch (RFC 7519, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Number of the token within its call.
    token: usize,
    pub(super) claim: Claim,
    pub(super) at_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// `nbf`
    NotBefore,
    /// `iat`
    Issued,
    /// `exp`
    End,
}

impl Moment {
    /// Whether it is the same claim of the same token, in this call or in the one that was mirrored.
    pub(super) fn is_of(&self, other: &Moment) -> bool {
        (self.token, self.claim) == (other.token, other.claim)
    }
}

/// Of all tokens in headers, query and body.
pub(super) fn moments(call: &Call) -> Vec<Moment> {
    let body = &call.body[..call.body.len().min(BODY_BYTES_MAX)];
    let query = call.uri.query().unwrap_or_default().as_bytes();
    let texts = call.headers.values().map(|value| value.as_bytes()).chain([query, body]);
    let tokens = texts.flat_map(|text| text.split(|byte| !is_of_token(*byte))).filter_map(claims);
    tokens.take(TOKENS_MAX).enumerate().flat_map(|(token, claims)| moments_of(token, &claims)).collect()
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// The middle one of three parts, where it is JSON.
fn claims(text: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= TOKEN_BYTES_MAX)?;
    let (header, rest) = text.split_once('.')?;
    let (claims, _signature) = rest.split_once('.').filter(|_| header.starts_with("eyJ"))?;
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(claims).ok()?).ok()
}

fn moments_of(token: usize, claims: &Value) -> Vec<Moment> {
    let moment = |(name, claim): (&str, Claim)| {
        let seconds = claims.get(name)?.as_f64().filter(|seconds| (0.0..SECONDS_MAX).contains(seconds))?;
        Some(Moment { token, claim, at_ms: (seconds * 1_000.0) as u64 })
    };
    [("nbf", Claim::NotBefore), ("iat", Claim::Issued), ("exp", Claim::End)].into_iter().filter_map(moment).collect()
}

const TOKENS_MAX: usize = 8;
const TOKEN_BYTES_MAX: usize = 16 << 10;
const BODY_BYTES_MAX: usize = 256 << 10;
/// The year 9999.
const SECONDS_MAX: f64 = 253_402_300_800.0;
