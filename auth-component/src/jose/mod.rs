//! JSON Web Tokens in the strict profile: JWS compact (RFC 7515), JWK sets (RFC 7517), claims (RFC 7519), and the
//! advice of RFC 8725.
//!
//! The way of one token is [`verify`]: length, shape, header, claims, key, signature, permission. What costs little
//! refuses first, so that a stream of bad tokens does not buy public-key operations; nothing is accepted, and no claim
//! handed out, before the signature holds. A [`Refusal`] has one reason for the audit log and next to none for the
//! client.

mod algorithm;
mod claims;
mod compact;
mod header;
mod json;
mod jwk;
mod jwks;
mod policy;
#[cfg(test)]
mod primitives;
mod publish;
mod refusal;
mod roca;
mod signature;

pub use algorithm::Algorithm;
pub use claims::Claims;
pub use json::{Json, Number, Object, parse_object};
pub use jwk::KeyDefect;
pub use jwks::{Jwks, Origin, SetDefect};
pub use policy::Policy;
pub use refusal::{Answer, Refusal};

use std::borrow::Borrow;

use compact::Compact;
use header::Header;

/// The claims of a token that is good at `now` (seconds since the Unix epoch), or why it is not.
pub fn verify(token: &[u8], keys: &Jwks, policy: &Policy, now: u64) -> Result<Claims, Refusal> {
    verify_by(token, |_| keys, policy, now)
}

/// The same where the keys are read only for a token whose claims would do; `keys_for` gives all that may be pinned to its
/// algorithm.
pub fn verify_by<K: Borrow<Jwks>>(
    token: &[u8],
    keys_for: impl FnOnce(Algorithm) -> K,
    policy: &Policy,
    now: u64,
) -> Result<Claims, Refusal> {
    let compact = Compact::parse(token)?;
    let header = Header::parse(&compact.header, policy)?;
    let claims = Claims::parse(&compact.payload)?;
    claims.check_time(policy, now)?;
    claims.check_identity(policy)?;
    let keys = keys_for(header.algorithm);
    let key = keys.borrow().pick(&header, policy)?;
    signature::check(key, header.algorithm, compact.signed, &compact.signature)?;
    claims.check_permission(policy)?;
    Ok(claims)
}

/// The payload of a signed text that need not be claims; of `policy`, what concerns the header counts.
pub fn verify_jws(token: &[u8], keys: &Jwks, policy: &Policy) -> Result<Vec<u8>, Refusal> {
    let compact = Compact::parse(token)?;
    let header = Header::parse(&compact.header, policy)?;
    let key = keys.pick(&header, policy)?;
    signature::check(key, header.algorithm, compact.signed, &compact.signature)?;
    Ok(compact.payload)
}
