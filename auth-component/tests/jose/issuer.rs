//! An issuer of tokens for tests, good and bad: `Issuer::new("ES256").header(..).payload(..).token()`.

use auth_component::jose::{Algorithm, Jwks, Origin, Policy};
use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use p256::ecdsa::signature::Signer;
use rsa::{BoxedUint, Pkcs1v15Sign, Pss, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};

pub const NOW: u64 = 1_800_000_000;
pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "orders";

/// The secret of the HS algorithms: as long as the longest hash.
pub const SECRET: [u8; 64] = *b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The key of RFC 7515 A.2, which is public with all its parts.
pub const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const RSA_Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const RSA_D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";

/// The private scalars and seeds of the other keys, in plain sight.
const P256_SCALAR: [u8; 32] = [0x11; 32];
const P384_SCALAR: [u8; 48] = [0x22; 48];
const ED25519_SEED: [u8; 32] = [0x33; 32];

/// A token in the making. What is not set is as a good token has it.
#[derive(Clone)]
pub struct Issuer {
    algorithm: Algorithm,
    header: String,
    payload: Vec<u8>,
}

impl Issuer {
    pub fn new(algorithm: &str) -> Issuer {
        let known = Algorithm::named(algorithm).expect("a test names a known algorithm");
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": "k1"});
        Issuer { algorithm: known, header: header.to_string(), payload: claims().to_string().into_bytes() }
    }

    pub fn header(mut self, text: &str) -> Issuer {
        self.header = text.to_owned();
        self
    }

    /// The good header with members added or replaced.
    pub fn header_with(self, members: Value) -> Issuer {
        let header = merged(serde_json::from_str(&self.header).expect("a good header"), members).to_string();
        self.header(&header)
    }

    pub fn payload(mut self, text: impl AsRef<[u8]>) -> Issuer {
        self.payload = text.as_ref().to_vec();
        self
    }

    /// The good claims with members added or replaced; `null` removes.
    pub fn claims_with(self, members: Value) -> Issuer {
        let payload = merged(claims(), members).to_string();
        self.payload(payload)
    }

    /// The text that is signed.
    pub fn signed(&self) -> String {
        format!("{}.{}", encode(self.header.as_bytes()), encode(&self.payload))
    }

    pub fn token(&self) -> String {
        self.token_over(&self.signed())
    }

    /// Signs a text that may be no good header and payload at all.
    pub fn token_over(&self, signed: &str) -> String {
        format!("{signed}.{}", encode(&sign(self.algorithm, signed.as_bytes())))
    }

    pub fn signature(&self) -> Vec<u8> {
        sign(self.algorithm, self.signed().as_bytes())
    }

    pub fn token_with_signature(&self, signature: &[u8]) -> String {
        format!("{}.{}", self.signed(), encode(signature))
    }

    pub fn policy(&self) -> Policy {
        Policy::strict(ISSUER, AUDIENCE, &[self.algorithm])
    }

    /// A set with the one key, pinned to the algorithm.
    pub fn keys(&self) -> Jwks {
        self.keys_with(json!({}))
    }

    pub fn keys_with(&self, members: Value) -> Jwks {
        parse_keys(&[merged(self.jwk(), members)])
    }

    pub fn jwk(&self) -> Value {
        merged(public_jwk(self.algorithm), json!({"kid": "k1", "alg": self.algorithm.name()}))
    }
}

pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "user_123", "aud": AUDIENCE, "exp": NOW + 600, "nbf": NOW - 10, "iat": NOW - 10,
        "jti": "token-1", "scope": "read write",
    })
}

pub fn parse_keys(keys: &[Value]) -> Jwks {
    Jwks::parse(json!({"keys": keys}).to_string().as_bytes(), Origin::Operator).expect("the set is well-formed")
}

/// `null` removes a member.
pub fn merged(mut base: Value, members: Value) -> Value {
    let target = base.as_object_mut().expect("an object");
    let Value::Object(members) = members else { panic!("an object") };
    for (name, value) in members {
        if value.is_null() {
            target.remove(&name);
        } else {
            target.insert(name, value);
        }
    }
    base
}

pub fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

pub fn decode(text: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text).expect("a constant of this file")
}

pub fn public_jwk(algorithm: Algorithm) -> Value {
    use p256::elliptic_curve::sec1::ToSec1Point;
    match algorithm.name() {
        "HS256" | "HS384" | "HS512" => json!({"kty": "oct", "k": encode(&SECRET)}),
        "ES256" => {
            let point = p256_key().verifying_key().as_affine().to_sec1_point(false);
            let (x, y) = point.as_bytes()[1..].split_at(32);
            json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
        }
        "ES384" => {
            let point = p384_key().verifying_key().as_affine().to_sec1_point(false);
            let (x, y) = point.as_bytes()[1..].split_at(48);
            json!({"kty": "EC", "crv": "P-384", "x": encode(x), "y": encode(y)})
        }
        "Ed25519" => {
            json!({"kty": "OKP", "crv": "Ed25519", "x": encode(ed25519_key().verifying_key().as_bytes())})
        }
        _ => json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}),
    }
}

pub fn hs256(secret: &[u8], signed: &[u8]) -> Vec<u8> {
    mac::<Hmac<Sha256>>(secret, signed)
}

fn sign(algorithm: Algorithm, signed: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Hs256 => hs256(&SECRET, signed),
        Algorithm::Hs384 => mac::<Hmac<Sha384>>(&SECRET, signed),
        Algorithm::Hs512 => mac::<Hmac<Sha512>>(&SECRET, signed),
        Algorithm::Rs256 => rsa_key().sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(signed)).expect("it fits"),
        Algorithm::Rs384 => rsa_key().sign(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(signed)).expect("it fits"),
        Algorithm::Rs512 => rsa_key().sign(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(signed)).expect("it fits"),
        Algorithm::Ps256 => pss::<Sha256>(32, signed),
        Algorithm::Ps384 => pss::<Sha384>(48, signed),
        Algorithm::Ps512 => pss::<Sha512>(64, signed),
        Algorithm::Es256 => Signer::<p256::ecdsa::Signature>::sign(&p256_key(), signed).to_bytes().to_vec(),
        Algorithm::Es384 => Signer::<p384::ecdsa::Signature>::sign(&p384_key(), signed).to_bytes().to_vec(),
        Algorithm::Ed25519 => ed25519_dalek::Signer::sign(&ed25519_key(), signed).to_bytes().to_vec(),
    }
}

fn mac<M: Mac + KeyInit>(secret: &[u8], signed: &[u8]) -> Vec<u8> {
    let mac = <M as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.chain_update(signed).finalize().into_bytes().to_vec()
}

/// Of any salt length, for tokens that have the wrong one.
pub fn pss<D: Digest + hmac::digest::FixedOutputReset>(salt_bytes: usize, signed: &[u8]) -> Vec<u8> {
    rsa_key().sign_with_rng(&mut Constant, Pss::<D>::new_with_salt(salt_bytes), &D::digest(signed)).expect("it fits")
}

fn rsa_key() -> RsaPrivateKey {
    let number = |text: &str| BoxedUint::from_be_slice_vartime(&decode(text));
    let primes = vec![number(RSA_P), number(RSA_Q)];
    RsaPrivateKey::from_components(number(RSA_N), number("AQAB"), number(RSA_D), primes).expect("the key of the RFC")
}

fn p256_key() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&P256_SCALAR).expect("it is less than the order")
}

fn p384_key() -> p384::ecdsa::SigningKey {
    p384::ecdsa::SigningKey::from_slice(&P384_SCALAR).expect("it is less than the order")
}

fn ed25519_key() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&ED25519_SEED)
}

/// Salts need not be random for a test.
struct Constant;

impl rsa::rand_core::TryRng for Constant {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0x5a5a_5a5a)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0x5a5a_5a5a_5a5a_5a5a)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.fill(0x5a);
        Ok(())
    }
}

impl rsa::rand_core::TryCryptoRng for Constant {}
