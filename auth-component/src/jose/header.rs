//! The protected header (RFC 7515 §4). `jku`, `jwk`, `x5u` and `x5c` are never looked at: they let the sender name the key.

use super::json::{Object, parse_object_of};
use super::{Algorithm, Json, Policy, Refusal};

pub(crate) const KEY_ID_BYTES_MAX: usize = 256;
const VALUES_MAX: usize = 64;

pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
}

/// Each changes how the rest is to be read, and none is understood.
const REFUSED_MEMBERS: [(&str, Refusal); 4] = [
    ("crit", Refusal::CriticalExtension),
    ("b64", Refusal::UnencodedPayload),
    ("zip", Refusal::Compressed),
    ("enc", Refusal::Encrypted),
];

impl Header {
    pub(crate) fn parse(text: &[u8], policy: &Policy) -> Result<Header, Refusal> {
        let mut members = parse_object_of(text, VALUES_MAX)?;
        if let Some((_, refusal)) = REFUSED_MEMBERS.iter().find(|(name, _)| members.has(name)) {
            return Err(*refusal);
        }
        let algorithm = algorithm(&members, policy)?;
        check_type(&members, policy)?;
        let key_id = match members.take("kid") {
            None if policy.key_id_required => return Err(Refusal::KeyIdMissing),
            None => None,
            Some(Json::String(id)) if (1..=KEY_ID_BYTES_MAX).contains(&id.len()) => Some(id),
            Some(_) => return Err(Refusal::KeyIdShape),
        };
        Ok(Header { algorithm, key_id })
    }
}

fn algorithm(members: &Object, policy: &Policy) -> Result<Algorithm, Refusal> {
    let name = members.get("alg").ok_or(Refusal::AlgorithmMissing)?;
    let algorithm = name.as_str().and_then(Algorithm::named).ok_or(Refusal::AlgorithmUnknown)?;
    if policy.algorithms.contains(&algorithm) { Ok(algorithm) } else { Err(Refusal::AlgorithmNotAllowed) }
}

/// A token of another kind is not taken for an access token (RFC 8725 §3.11). A media type: case does not count, and
/// `application/` may be left out (RFC 7515 §4.1.9).
fn check_type(members: &Object, policy: &Policy) -> Result<(), Refusal> {
    let Some(member) = members.get("typ") else {
        return if policy.type_required { Err(Refusal::TypeMissing) } else { Ok(()) };
    };
    let name = member.as_str().ok_or(Refusal::TypeNotAllowed)?;
    let name = match name.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => name,
    };
    if policy.types.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)) {
        Ok(())
    } else {
        Err(Refusal::TypeNotAllowed)
    }
}
