//! Whether a token's signature holds under the keys of `compare.jwks`.

use std::path::Path;

use auth_component::jose::{Algorithm, Jwks, Origin, Policy, Refusal, verify_jws};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;

pub(crate) struct Signatures {
    keys: Jwks,
    digest: String,
}

pub(super) const VALID: &str = "valid";

impl Signatures {
    /// A JWK set (RFC 7517 §5): public keys, or shared secrets, but not both. The message ends with what to do.
    pub(crate) fn read(file: &Path) -> Result<Signatures, String> {
        let text = std::fs::read(file).map_err(|error| format!("cannot be read ({error}); name a file that can"))?;
        let keys = Jwks::parse(&text, Origin::Operator)
            .map_err(|defect| format!("is no JWK set ({defect:?}); write {{\"keys\": […]}} as RFC 7517 has it"))?;
        match keys.ignored().first() {
            Some((at, defect)) if keys.is_empty() => Err(format!(
                "has no key that can be used (number {at}: {defect:?}); write the public half of what the tokens are signed with"
            )),
            _ if keys.is_empty() => Err("has no keys; write those the tokens are signed with".to_owned()),
            _ => Ok(Signatures { keys, digest: super::hex_digest(&text) }),
        }
    }

    /// Of the file they were read from.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn holds(&self, token: &str) -> bool {
        self.verdict(token) == VALID
    }

    /// `valid`, `invalid`, `unknown_key`, or why it cannot be told.
    pub(super) fn verdict(&self, token: &str) -> &'static str {
        let Some(policy) = policy(token) else { return "unknown_algorithm" };
        match verify_jws(token.as_bytes(), &self.keys, &policy) {
            Ok(_) => VALID,
            Err(Refusal::SignatureWrong) => "invalid",
            Err(Refusal::KeyUnknown | Refusal::KeyAmbiguous | Refusal::KeyForOtherAlgorithm) => "unknown_key",
            Err(refusal) => refusal.reason(),
        }
    }
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    typ: Option<String>,
}

/// One that asks for nothing but the signature: the token's own algorithm and type. Its key is still bound to that
/// algorithm, or fits no other.
fn policy(token: &str) -> Option<Policy> {
    let header = Base64UrlUnpadded::decode_vec(token.split('.').next()?).ok()?;
    let head: Head = serde_json::from_slice(&header).ok()?;
    let algorithm = Algorithm::named(&head.alg)?;
    let types = head.typ.iter().map(|name| name.strip_prefix("application/").unwrap_or(name).to_owned()).collect();
    Some(Policy { types, type_required: false, ..Policy::strict("", "", &[algorithm]) })
}
