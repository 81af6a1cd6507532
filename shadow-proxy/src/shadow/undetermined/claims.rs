//! What the signed tokens of a call claim about their time. Nothing of it is believed: it says when to look again.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;

use crate::exchange::Call;

/// From or until when a token is good, in milliseconds since the Unix epoch (RFC 7519, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// `exp`
    End(u64),
    /// `nbf` and `iat`
    Beginning(u64),
}

impl Moment {
    pub(super) fn at_ms(self) -> u64 {
        match self {
            Moment::End(at_ms) | Moment::Beginning(at_ms) => at_ms,
        }
    }
}

/// Of all tokens in headers, query and body.
pub(super) fn moments(call: &Call) -> Vec<Moment> {
    let body = &call.body[..call.body.len().min(BODY_BYTES_MAX)];
    let query = call.uri.query().unwrap_or_default().as_bytes();
    let texts = call.headers.values().map(|value| value.as_bytes()).chain([query, body]);
    let tokens = texts.flat_map(|text| text.split(|byte| !is_of_token(*byte))).filter_map(claims);
    tokens.take(TOKENS_MAX).flat_map(|claims| moments_of(&claims)).collect()
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

fn moments_of(claims: &Value) -> Vec<Moment> {
    let at_ms = |name: &str| {
        let seconds = claims.get(name)?.as_f64().filter(|seconds| (0.0..SECONDS_MAX).contains(seconds))?;
        Some((seconds * 1_000.0) as u64)
    };
    let beginnings = ["nbf", "iat"].into_iter().filter_map(at_ms).map(Moment::Beginning);
    beginnings.chain(at_ms("exp").map(Moment::End)).collect()
}

const TOKENS_MAX: usize = 8;
const TOKEN_BYTES_MAX: usize = 16 << 10;
const BODY_BYTES_MAX: usize = 256 << 10;
/// The year 9999.
const SECONDS_MAX: f64 = 253_402_300_800.0;
