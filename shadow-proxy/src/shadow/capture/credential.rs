//! Stand-ins for credentials that have a form of their own: API keys with a checksum, and signed tokens.

use std::collections::BTreeMap;

use auth_component::api_key::{ApiKey, FormatDefect, RANDOM_BYTES};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::Signer as _;
use hmac::Hmac;
use rsa::{Pkcs1v15Sign, Pss, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::form::{Keyed, Stream};

/// A well-formed key becomes another of the same prefix, one with a wrong checksum another with a wrong one. None for
/// what is written otherwise.
pub(super) fn api_key(keyed: &Keyed, text: &str) -> Option<String> {
    let is_good = match ApiKey::parse(text.as_bytes()) {
        Ok(_) => true,
        Err(FormatDefect::Checksum) => false,
        Err(FormatDefect::Shape) => return None,
    };
    let (prefix, _) = text.split_once('_')?;
    let random: [u8; RANDOM_BYTES] = keyed.stream("api key", text.as_bytes()).array();
    let mut key = ApiKey::generate(&random, prefix)?;
    if !is_good {
        let last = if key.pop() == Some('0') { '1' } else { '0' };
        key.push(last);
    }
    Some(key)
}

/// A token of three parts, of which the first two are JSON.
pub(super) struct Jwt<'a> {
    pub(super) header: String,
    pub(super) claims: String,
    signature: &'a str,
}

impl<'a> Jwt<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Jwt<'a>> {
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let json = |part| {
            let bytes = Base64UrlUnpadded::decode_vec(part).ok()?;
            String::from_utf8(bytes).ok().filter(|text| text.trim_start().starts_with('{'))
        };
        let jwt = Jwt { header: json(header)?, claims: json(claims)?, signature };
        jwt.header.contains("\"alg\"").then_some(jwt)
    }
}

/// Whether a stand-in may be as good as what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    /// Refused, which a signature that fits might change.
    Refused,
}

/// A signing key for each algorithm and key id that were seen.
#[derive(Default)]
pub(super) struct Signers(BTreeMap<(String, String), Signer>);

struct Signer {
    secret: Secret,
    /// What verifies it.
    jwk: Value,
}

enum Secret {
    Shared(Vec<u8>),
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl Signers {
    /// The token with other header and claims. Its signature fits where the old one did, as far as anybody knows.
    pub(super) fn token(&mut self, keyed: &Keyed, old: &Jwt, header: &str, claims: &str, standing: Standing) -> String {
        let signed = format!(
            "{}.{}",
            Base64UrlUnpadded::encode_string(header.as_bytes()),
            Base64UrlUnpadded::encode_string(claims.as_bytes())
        );
        let signature = match standing {
            Standing::Good => self.sign(keyed, header, &signed),
            Standing::Refused => None,
        };
        let signature = signature.map_or_else(
            || match Base64UrlUnpadded::decode_vec(old.signature) {
                Ok(bytes) if !bytes.is_empty() => {
                    let mut other = vec![0; bytes.len()];
                    keyed.stream("signature", &bytes).fill(&mut other);
                    Base64UrlUnpadded::encode_string(&other)
                }
                _ => keyed.text(old.signature),
            },
            |signature| Base64UrlUnpadded::encode_string(&signature),
        );
        format!("{signed}.{signature}")
    }

    /// By the header of the stand-in. None for an algorithm that nobody verifies.
    fn sign(&mut self, keyed: &Keyed, header: &str, signed: &str) -> Option<Vec<u8>> {
        let header: Value = serde_json::from_str(header).ok()?;
        let algorithm = header["alg"].as_str()?.to_owned();
        let key_id = header["kid"].as_str().map_or_else(|| format!("stand-in-{algorithm}"), str::to_owned);
        let name = (algorithm.clone(), key_id.clone());
        if !self.0.contains_key(&name) {
            if self.0.len() >= SIGNERS_MAX {
                return None;
            }
            let random = keyed.stream("signing key", format!("{algorithm} {key_id}").as_bytes());
            let mut signer = Signer::new(&algorithm, random)?;
            signer.jwk["kid"] = key_id.into();
            signer.jwk["alg"] = algorithm.clone().into();
            self.0.insert(name.clone(), signer);
        }
        let random = keyed.stream("salt", signed.as_bytes());
        self.0.get(&name)?.secret.sign(&algorithm, signed.as_bytes(), random)
    }

    /// JWKs of what signs with a shared secret, or of what does not.
    pub(super) fn jwks(&self, shared: bool) -> Vec<&Value> {
        self.0.values().map(|signer| &signer.jwk).filter(|jwk| (jwk["kty"] == "oct") == shared).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Signer {
    fn new(algorithm: &str, mut random: Stream) -> Option<Signer> {
        use p256::elliptic_curve::sec1::ToSec1Point as _;
        let encode = Base64UrlUnpadded::encode_string;
        let (secret, jwk) = match algorithm {
            "HS256" | "HS384" | "HS512" => {
                let secret = random.array::<64>().to_vec();
                let jwk = json!({"kty": "oct", "k": encode(&secret)});
                (Secret::Shared(secret), jwk)
            }
            "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => {
                use rsa::traits::PublicKeyParts as _;
                let key = RsaPrivateKey::new(&mut random, RSA_BITS).ok()?;
                let jwk = json!({"kty": "RSA", "n": encode(&key.n_bytes()), "e": encode(&key.e_bytes())});
                (Secret::Rsa(Box::new(key)), jwk)
            }
            "ES256" => {
                let key = p256::ecdsa::SigningKey::from_slice(&below_order(random.array::<32>())).ok()?;
                let point = key.verifying_key().as_affine().to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(32);
                let jwk = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
                (Secret::P256(key), jwk)
            }
            "ES384" => {
                let key = p384::ecdsa::SigningKey::from_slice(&below_order(random.array::<48>())).ok()?;
                let point = key.verifying_key().as_affine().to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(48);
                let jwk = json!({"kty": "EC", "crv": "P-384", "x": encode(x), "y": encode(y)});
                (Secret::P384(key), jwk)
            }
            "EdDSA" | "Ed25519" => {
                let key = ed25519_dalek::SigningKey::from_bytes(&random.array());
                let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key.verifying_key().as_bytes())});
                (Secret::Ed25519(key), jwk)
            }
            _ => return None,
        };
        Some(Signer { secret, jwk })
    }
}

impl Secret {
    fn sign(&self, algorithm: &str, signed: &[u8], mut random: Stream) -> Option<Vec<u8>> {
        match self {
            Secret::Shared(key) => Some(match algorithm {
                "HS256" => mac::<Hmac<Sha256>>(key, signed),
                "HS384" => mac::<Hmac<Sha384>>(key, signed),
                _ => mac::<Hmac<Sha512>>(key, signed),
            }),
            Secret::Rsa(key) => match algorithm {
                "RS256" => key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(signed)),
                "RS384" => key.sign(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(signed)),
                "RS512" => key.sign(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(signed)),
                "PS256" => key.sign_with_rng(&mut random, Pss::<Sha256>::new_with_salt(32), &Sha256::digest(signed)),
                "PS384" => key.sign_with_rng(&mut random, Pss::<Sha384>::new_with_salt(48), &Sha384::digest(signed)),
                _ => key.sign_with_rng(&mut random, Pss::<Sha512>::new_with_salt(64), &Sha512::digest(signed)),
            }
            .ok(),
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(key, signed);
                Some(signature.to_bytes().to_vec())
            }
            Secret::P384(key) => {
                let signature: p384::ecdsa::Signature = p384::ecdsa::signature::Signer::sign(key, signed);
                Some(signature.to_bytes().to_vec())
            }
            Secret::Ed25519(key) => Some(key.sign(signed).to_bytes().to_vec()),
        }
    }
}

fn mac<M: hmac::Mac + hmac::KeyInit>(key: &[u8], signed: &[u8]) -> Vec<u8> {
    let mac = <M as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update(signed).finalize().into_bytes().to_vec()
}

/// The orders of both curves begin with 32 ones, so that a smaller first byte is below either.
fn below_order<const N: usize>(mut scalar: [u8; N]) -> [u8; N] {
    scalar[0] = 0x7f & scalar[0] | 1;
    scalar
}

/// Each costs a third of a second when it is an RSA key.
const SIGNERS_MAX: usize = 64;
const RSA_BITS: usize = 2_048;

#[cfg(test)]
mod tests {
    use auth_component::jose::{Jwks, Origin, Policy, verify_jws};

    use super::*;

    #[test]
    fn a_key_stays_a_key_and_a_broken_one_broken() {
        const KEY: &str = "dev_mD8ArZUn4FifhC2a_0qJhTgfPh0HX3vXLMEhluGQCc674MIY8k5HGQH6D9iZ_1GT8eQ";
        let keyed = Keyed::with(&[7; 32]);
        let stand_in = api_key(&keyed, KEY).unwrap();
        let parsed = ApiKey::parse(stand_in.as_bytes()).unwrap();
        assert_eq!((parsed.prefix(), stand_in.len()), ("dev", KEY.len()));
        assert!(!stand_in.contains("mD8ArZUn4FifhC2a"));
        let broken = format!("{}R", &KEY[..KEY.len() - 1]);
        let stand_in = api_key(&keyed, &broken).unwrap();
        assert_eq!(ApiKey::parse(stand_in.as_bytes()).err(), Some(FormatDefect::Checksum));
        assert_eq!(api_key(&keyed, "key_123"), None);
    }

    #[test]
    fn a_token_that_was_good_is_good_under_the_stand_in_keys() {
        let keyed = Keyed::with(&[7; 32]);
        let mut signers = Signers::default();
        for algorithm in ["HS256", "HS384", "HS512", "RS256", "PS384", "ES256", "ES384", "EdDSA"] {
            // Of two keys with one name a verifier uses neither.
            let header = format!("{{\"alg\":\"{algorithm}\",\"kid\":\"k {algorithm}\"}}");
            let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
            let text = format!("{}.{}.c2lnbmF0dXJl", encode(&header), encode("{\"sub\":\"a\"}"));
            let jwt = Jwt::parse(&text).unwrap();
            let mut token = |standing| signers.token(&keyed, &jwt, &jwt.header, "{\"sub\":\"b\"}", standing);
            let (good, again, refused) = (token(Standing::Good), token(Standing::Good), token(Standing::Refused));
            assert_eq!(good, again);
            let jwks = json!({"keys": signers.jwks(algorithm.starts_with("HS"))}).to_string();
            let jwks = Jwks::parse(jwks.as_bytes(), Origin::Operator).unwrap();
            let name = if algorithm == "EdDSA" { "Ed25519" } else { algorithm };
            let policy = Policy::strict("i", "a", &[auth_component::jose::Algorithm::named(name).unwrap()]);
            let policy = Policy { type_required: false, ..policy };
            assert_eq!(verify_jws(good.as_bytes(), &jwks, &policy).unwrap(), b"{\"sub\":\"b\"}", "{algorithm}");
            assert!(verify_jws(refused.as_bytes(), &jwks, &policy).is_err());
            assert_eq!(refused.rsplit('.').next().map(str::len), Some(12));
        }
        for no_token in ["a.b.c", "", "..", "e30.e30.e30", "eyJhbGciOiJub25lIn0.e30"] {
            assert!(Jwt::parse(no_token).is_none(), "{no_token}");
        }
    }
}
