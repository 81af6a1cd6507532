//! One key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2), checked once when it is read: kind, strength, purpose.

use std::fmt;

use super::algorithm::Family;
use super::compact::decode;
use super::header::KEY_ID_BYTES_MAX;
use super::json::Object;
use super::{Algorithm, Json, Origin, Policy, roca};

/// Why a key is not used; the others of its set are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDefect {
    NotAnObject,
    /// `kty` (or `crv`) is missing, or not one that signs here.
    KeyType,
    /// A member that the type needs is missing, not exact base64url, or not of the length it must have.
    Material,
    /// It holds the private half; whoever may see this set could sign.
    Private,
    /// A shared secret in a set that was fetched.
    SecretInFetchedSet,
    /// Shorter than the hash of its algorithm.
    SecretTooShort,
    /// RSA with fewer than 2048 or more than 8192 bits, or an even modulus.
    Modulus,
    /// RSA modulus of the ROCA kind (CVE-2017-15361): its factors can be found.
    Roca,
    /// RSA exponent even, less than 65537, or more than 33 bits.
    Exponent,
    /// Not a point of the curve.
    Point,
    /// `alg` is not a signature that is known, or not one for this type and curve.
    Algorithm,
    /// `use` is not `sig`.
    Use,
    /// `key_ops` is not about verifying (or is not a list of distinct texts).
    Operations,
    /// `kid` is not a text of 1 to 256 bytes.
    KeyId,
    /// Another key of the set has the same `kid`.
    DuplicateKeyId,
}

pub(crate) struct Key {
    pub(crate) id: Option<String>,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) material: Material,
}

pub(crate) enum Material {
    Secret(Vec<u8>),
    /// Big-endian, without leading zeros. Turned into a key only when used: that costs as much as verifying.
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
}

const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];
const RSA_BITS: std::ops::RangeInclusive<u32> = 2_048..=8_192;
const SECRET_BYTES_MIN: usize = 32;
const SECRET_BYTES_MAX: usize = 1_024;

impl Key {
    pub(crate) fn parse(members: &Object, origin: Origin) -> Result<Key, KeyDefect> {
        if PRIVATE_MEMBERS.iter().any(|name| members.has(name)) {
            return Err(KeyDefect::Private);
        }
        check_purpose(members)?;
        let id = match members.get("kid") {
            None => None,
            Some(Json::String(id)) if (1..=KEY_ID_BYTES_MAX).contains(&id.len()) => Some(id.clone()),
            Some(_) => return Err(KeyDefect::KeyId),
        };
        let material = material(members, origin)?;
        let algorithm = match members.get("alg") {
            None => None,
            Some(name) => Some(name.as_str().and_then(Algorithm::named).ok_or(KeyDefect::Algorithm)?),
        };
        match algorithm.map(Algorithm::family) {
            Some(Family::Secret { .. }) if matches!(material, Material::Secret(_)) && !material.fits(algorithm) => {
                Err(KeyDefect::SecretTooShort)
            }
            Some(_) if !material.fits(algorithm) => Err(KeyDefect::Algorithm),
            _ => Ok(Key { id, algorithm, material }),
        }
    }

    /// Whether the key is for `algorithm` alone: by its own `alg`, else because the policy allows it no other. A key that
    /// might be used with two algorithms is used with none (RFC 8725 §3.1).
    pub(crate) fn is_pinned_to(&self, algorithm: Algorithm, policy: &Policy) -> bool {
        if let Some(own) = self.algorithm {
            return own == algorithm;
        }
        let mut possible = policy.algorithms.iter().filter(|allowed| self.material.fits(Some(**allowed)));
        possible.next() == Some(&algorithm) && possible.all(|again| *again == algorithm)
    }
}

impl Material {
    fn fits(&self, algorithm: Option<Algorithm>) -> bool {
        match (self, algorithm.map(Algorithm::family)) {
            (Material::Secret(secret), Some(Family::Secret { bytes_min })) => secret.len() >= bytes_min,
            (Material::Rsa { .. }, Some(Family::Rsa)) => true,
            (Material::P256(_), Some(Family::P256)) => true,
            (Material::P384(_), Some(Family::P384)) => true,
            (Material::Ed25519(_), Some(Family::Ed25519)) => true,
            _ => false,
        }
    }
}

/// Never the material: it may be a secret.
impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn check_purpose(members: &Object) -> Result<(), KeyDefect> {
    if members.get("use").is_some_and(|purpose| purpose.as_str() != Some("sig")) {
        return Err(KeyDefect::Use);
    }
    let operations = match members.get("key_ops") {
        None => return Ok(()),
        Some(Json::Array(operations)) => operations,
        Some(_) => return Err(KeyDefect::Operations),
    };
    let count = |name: &str| operations.iter().filter(|operation| operation.as_str() == Some(name)).count();
    let (verify, sign) = (count("verify"), count("sign"));
    // Each at most once, and nothing unrelated beside them (RFC 7517 §4.3).
    if verify == 1 && sign <= 1 && verify + sign == operations.len() { Ok(()) } else { Err(KeyDefect::Operations) }
}

fn material(members: &Object, origin: Origin) -> Result<Material, KeyDefect> {
    let text = |name: &str| members.get(name).and_then(Json::as_str);
    match (text("kty"), text("crv")) {
        (Some("oct"), _) => match origin {
            Origin::Fetched => Err(KeyDefect::SecretInFetchedSet),
            Origin::Operator => secret(bytes(members, "k")?),
        },
        (Some("RSA"), _) => rsa(bytes(members, "n")?, bytes(members, "e")?),
        (Some("EC"), Some("P-256")) => {
            let point = sec1(&bytes(members, "x")?, &bytes(members, "y")?, 32)?;
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| KeyDefect::Point)?;
            Ok(Material::P256(Box::new(key)))
        }
        (Some("EC"), Some("P-384")) => {
            let point = sec1(&bytes(members, "x")?, &bytes(members, "y")?, 48)?;
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| KeyDefect::Point)?;
            Ok(Material::P384(Box::new(key)))
        }
        (Some("OKP"), Some("Ed25519")) => {
            let point = bytes(members, "x")?.try_into().map_err(|_| KeyDefect::Material)?;
            let key = ed25519_dalek::VerifyingKey::from_bytes(&point).map_err(|_| KeyDefect::Point)?;
            // With a small-order key some signatures hold for any message.
            if key.is_weak() { Err(KeyDefect::Point) } else { Ok(Material::Ed25519(Box::new(key))) }
        }
        _ => Err(KeyDefect::KeyType),
    }
}

fn bytes(members: &Object, name: &str) -> Result<Vec<u8>, KeyDefect> {
    let text = members.get(name).and_then(Json::as_str).ok_or(KeyDefect::Material)?;
    decode(text.as_bytes()).map_err(|_| KeyDefect::Material)
}

fn secret(secret: Vec<u8>) -> Result<Material, KeyDefect> {
    match secret.len() {
        ..SECRET_BYTES_MIN => Err(KeyDefect::SecretTooShort),
        SECRET_BYTES_MIN..=SECRET_BYTES_MAX => Ok(Material::Secret(secret)),
        _ => Err(KeyDefect::Material),
    }
}

fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Result<Material, KeyDefect> {
    let starts_with_zero = |number: &[u8]| number.first().is_none_or(|&byte| byte == 0);
    if starts_with_zero(&modulus) || starts_with_zero(&exponent) {
        return Err(KeyDefect::Material);
    }
    let is_even = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 0);
    if !RSA_BITS.contains(&bits(&modulus)) || is_even(&modulus) {
        return Err(KeyDefect::Modulus);
    }
    let value = exponent.iter().take(5).fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    if bits(&exponent) > 33 || is_even(&exponent) || value < 65_537 {
        return Err(KeyDefect::Exponent);
    }
    if roca::is_weak(&modulus) { Err(KeyDefect::Roca) } else { Ok(Material::Rsa { modulus, exponent }) }
}

/// Of a number without leading zero bytes.
fn bits(number: &[u8]) -> u32 {
    let first = number.first().map_or(8, |byte| byte.leading_zeros());
    u32::try_from(number.len()).map_or(u32::MAX, |bytes| bytes.saturating_mul(8) - first)
}

/// The uncompressed form of SEC 1 §2.3.3; `from_sec1_bytes` then checks that the point is on the curve.
fn sec1(x: &[u8], y: &[u8], coordinate_bytes: usize) -> Result<Vec<u8>, KeyDefect> {
    if x.len() != coordinate_bytes || y.len() != coordinate_bytes {
        return Err(KeyDefect::Material);
    }
    Ok([&[4], x, y].concat())
}
