//! The set as others may see it: `GET /.well-known/jwks.json`.

use serde::Serialize;

use super::compact::encode;
use super::jwk::{Key, Material};
use super::{Algorithm, Jwks};

#[derive(Serialize)]
struct PublicSet<'a> {
    keys: Vec<PublicKey<'a>>,
}

/// In this order; what does not apply is absent. Built from what was checked, so nothing else of the input gets out.
#[derive(Serialize)]
struct PublicKey<'a> {
    kty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    r#use: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl Jwks {
    /// JSON with the public keys in use. Shared secrets are left out, always.
    pub fn public_json(&self) -> String {
        Jwks::public_json_of(std::slice::from_ref(self))
    }

    /// The same of several sets, in their order.
    pub fn public_json_of(sets: &[Jwks]) -> String {
        let set = PublicSet { keys: sets.iter().flat_map(|set| &set.keys).filter_map(public).collect() };
        serde_json::to_string(&set).expect("our own type has string keys and no failing serializer")
    }
}

fn public(key: &Key) -> Option<PublicKey<'_>> {
    let alg = key.algorithm.map(|algorithm| match algorithm {
        // Whoever knows the newer name knows this one too, the other way round not yet.
        Algorithm::Ed25519 => "EdDSA",
        _ => algorithm.name(),
    });
    let bare =
        PublicKey { kty: "", kid: key.id.as_deref(), r#use: "sig", alg, crv: None, n: None, e: None, x: None, y: None };
    match &key.material {
        Material::Secret(_) => None,
        Material::Rsa { modulus, exponent } => {
            Some(PublicKey { kty: "RSA", n: Some(encode(modulus)), e: Some(encode(exponent)), ..bare })
        }
        Material::P256(key) => Some(point(bare, "P-256", key.to_sec1_point(false).as_bytes())),
        Material::P384(key) => Some(point(bare, "P-384", key.to_sec1_point(false).as_bytes())),
        Material::Ed25519(key) => {
            Some(PublicKey { kty: "OKP", crv: Some("Ed25519"), x: Some(encode(key.as_bytes())), ..bare })
        }
    }
}

/// `sec1` is uncompressed: a byte 4, then x and y.
fn point<'a>(bare: PublicKey<'a>, curve: &'static str, sec1: &[u8]) -> PublicKey<'a> {
    let (x, y) = sec1[1..].split_at(sec1.len() / 2);
    PublicKey { kty: "EC", crv: Some(curve), x: Some(encode(x)), y: Some(encode(y)), ..bare }
}
