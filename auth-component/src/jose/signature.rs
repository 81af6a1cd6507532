//! Whether a signature holds. Each primitive comes from its crate; what is decided here is which, and how strictly.

use ed25519_dalek::Signature as Ed25519Signature;
use hmac::digest::{FixedOutputReset, KeyInit};
use hmac::{Hmac, Mac};
use rsa::traits::SignatureScheme;
use rsa::{BoxedUint, Pkcs1v15Sign, Pss, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::jwk::{Key, Material};
use super::{Algorithm, Refusal};

/// `signed` is the text as sent, `header.payload`.
pub(crate) fn check(key: &Key, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Result<(), Refusal> {
    let holds = match &key.material {
        Material::Secret(secret) => holds_mac(secret, algorithm, signed, signature),
        Material::Rsa { modulus, exponent } => holds_rsa(modulus, exponent, algorithm, signed, signature),
        Material::P256(key) if algorithm == Algorithm::Es256 => holds_p256(key, signed, signature),
        Material::P384(key) if algorithm == Algorithm::Es384 => holds_p384(key, signed, signature),
        // Strict: no small-order points, no second encoding of the same signature.
        Material::Ed25519(key) if algorithm == Algorithm::Ed25519 => {
            Ed25519Signature::from_slice(signature).is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok())
        }
        _ => false,
    };
    if holds { Ok(()) } else { Err(Refusal::SignatureWrong) }
}

fn holds_mac(secret: &[u8], algorithm: Algorithm, signed: &[u8], tag: &[u8]) -> bool {
    match algorithm {
        Algorithm::Hs256 => has_tag::<Hmac<Sha256>>(secret, signed, tag),
        Algorithm::Hs384 => has_tag::<Hmac<Sha384>>(secret, signed, tag),
        Algorithm::Hs512 => has_tag::<Hmac<Sha512>>(secret, signed, tag),
        _ => false,
    }
}

/// Compares the whole tag (a shortened one never holds) in constant time.
fn has_tag<M: Mac + KeyInit>(secret: &[u8], signed: &[u8], tag: &[u8]) -> bool {
    <M as KeyInit>::new_from_slice(secret).is_ok_and(|mac| mac.chain_update(signed).verify_slice(tag).is_ok())
}

fn holds_rsa(modulus: &[u8], exponent: &[u8], algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
    // A signature is exactly as long as the modulus (RFC 8017 §8.2.2); refused here, it costs no exponentiation.
    if signature.len() != modulus.len() {
        return false;
    }
    let number = BoxedUint::from_be_slice_vartime;
    let Ok(key) = RsaPublicKey::new(number(modulus), number(exponent)) else { return false };
    match algorithm {
        Algorithm::Rs256 => holds_scheme::<Sha256>(&key, Pkcs1v15Sign::new::<Sha256>(), signed, signature),
        Algorithm::Rs384 => holds_scheme::<Sha384>(&key, Pkcs1v15Sign::new::<Sha384>(), signed, signature),
        Algorithm::Rs512 => holds_scheme::<Sha512>(&key, Pkcs1v15Sign::new::<Sha512>(), signed, signature),
        Algorithm::Ps256 => holds_scheme::<Sha256>(&key, pss::<Sha256>(), signed, signature),
        Algorithm::Ps384 => holds_scheme::<Sha384>(&key, pss::<Sha384>(), signed, signature),
        Algorithm::Ps512 => holds_scheme::<Sha512>(&key, pss::<Sha512>(), signed, signature),
        _ => false,
    }
}

fn holds_scheme<D: Digest>(key: &RsaPublicKey, scheme: impl SignatureScheme, signed: &[u8], signature: &[u8]) -> bool {
    key.verify(scheme, &D::digest(signed), signature).is_ok()
}

/// The salt is as long as the hash, no other length is detected (RFC 7518 §3.5).
fn pss<D: Digest + FixedOutputReset>() -> Pss<D> {
    Pss::new_with_salt(<D as Digest>::output_size())
}

/// Fixed length, r and s in 1..n. The twin with n-s holds as well: JWS does not ask for the lower one.
fn holds_p256(key: &p256::ecdsa::VerifyingKey, signed: &[u8], signature: &[u8]) -> bool {
    use p256::ecdsa::{Signature, signature::Verifier};
    Signature::from_slice(signature).is_ok_and(|signature| key.verify(signed, &signature).is_ok())
}

fn holds_p384(key: &p384::ecdsa::VerifyingKey, signed: &[u8], signature: &[u8]) -> bool {
    use p384::ecdsa::{Signature, signature::Verifier};
    Signature::from_slice(signature).is_ok_and(|signature| key.verify(signed, &signature).is_ok())
}
