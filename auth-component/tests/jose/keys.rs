//! Key sets: what is used, what is ignored and why, what is refused whole, and what of it is published.

use auth_component::jose::{Algorithm, Jwks, KeyDefect, Origin, Refusal, SetDefect};
use serde_json::{Value, json};

use crate::issuer::{Issuer, RSA_N, SECRET, decode, encode, merged, parse_keys, public_jwk};

#[test]
fn every_weak_or_misused_key_is_ignored_for_its_reason() {
    for (key, defect) in bad_keys() {
        let set = parse_keys(std::slice::from_ref(&key));
        assert_eq!((set.len(), set.ignored()), (0, [(0, defect)].as_slice()), "{key:.200}");
    }
}

fn jwk(algorithm: &str) -> Value {
    public_jwk(Algorithm::named(algorithm).expect("a known one"))
}

fn bad_keys() -> Vec<(Value, KeyDefect)> {
    [general(), secrets(), rsa(), curves()].into_iter().flatten().collect()
}

fn general() -> Vec<(Value, KeyDefect)> {
    let with = |members, defect| (merged(jwk("ES256"), members), defect);
    let mut keys = vec![
        (json!("a key"), KeyDefect::NotAnObject),
        (json!([]), KeyDefect::NotAnObject),
        (json!({}), KeyDefect::KeyType),
        with(json!({"kty": null}), KeyDefect::KeyType),
        with(json!({"kty": 1}), KeyDefect::KeyType),
        with(json!({"kty": "ec"}), KeyDefect::KeyType),
        with(json!({"kty": "RSA"}), KeyDefect::Material),
        with(json!({"kty": "AKP"}), KeyDefect::KeyType),
        with(json!({"use": "enc"}), KeyDefect::Use),
        with(json!({"use": ""}), KeyDefect::Use),
        with(json!({"use": ["sig"]}), KeyDefect::Use),
        with(json!({"key_ops": ["encrypt"]}), KeyDefect::Operations),
        with(json!({"key_ops": ["sign"]}), KeyDefect::Operations),
        with(json!({"key_ops": []}), KeyDefect::Operations),
        with(json!({"key_ops": "verify"}), KeyDefect::Operations),
        with(json!({"key_ops": ["verify", "verify"]}), KeyDefect::Operations),
        with(json!({"key_ops": ["verify", "encrypt"]}), KeyDefect::Operations),
        with(json!({"key_ops": ["verify", 1]}), KeyDefect::Operations),
        with(json!({"use": "sig", "key_ops": ["deriveKey"]}), KeyDefect::Operations),
        with(json!({"kid": 1}), KeyDefect::KeyId),
        with(json!({"kid": ""}), KeyDefect::KeyId),
        with(json!({"kid": "k".repeat(257)}), KeyDefect::KeyId),
        with(json!({"d": "AA"}), KeyDefect::Private),
        with(json!({"d": 1}), KeyDefect::Private),
        with(json!({"alg": "none"}), KeyDefect::Algorithm),
        with(json!({"alg": 1}), KeyDefect::Algorithm),
        with(json!({"alg": "ES521"}), KeyDefect::Algorithm),
        with(json!({"alg": "ECDH-ES"}), KeyDefect::Algorithm),
    ];
    for other in ["HS256", "RS256", "PS512", "ES384", "EdDSA"] {
        keys.push(with(json!({"alg": other}), KeyDefect::Algorithm));
    }
    keys
}

fn secrets() -> Vec<(Value, KeyDefect)> {
    let secret = |bytes: &[u8], alg: Value, defect| {
        (merged(json!({"kty": "oct", "k": encode(bytes)}), json!({"alg": alg})), defect)
    };
    vec![
        secret(b"", json!("HS256"), KeyDefect::SecretTooShort),
        secret(&[1], json!("HS256"), KeyDefect::SecretTooShort),
        secret(&[1; 31], json!("HS256"), KeyDefect::SecretTooShort),
        secret(&[1; 31], Value::Null, KeyDefect::SecretTooShort),
        secret(&[1; 47], json!("HS384"), KeyDefect::SecretTooShort),
        secret(&[1; 63], json!("HS512"), KeyDefect::SecretTooShort),
        secret(&[1; 1_025], json!("HS256"), KeyDefect::Material),
        secret(&[1; 32], json!("A256GCM"), KeyDefect::Algorithm),
        secret(&[1; 32], json!("A256KW"), KeyDefect::Algorithm),
        secret(&[1; 32], json!("RS256"), KeyDefect::Algorithm),
        (json!({"kty": "oct"}), KeyDefect::Material),
        (json!({"kty": "oct", "k": 1}), KeyDefect::Material),
        (json!({"kty": "oct", "k": format!("{}=", encode(&[1; 32]))}), KeyDefect::Material),
        (json!({"kty": "oct", "k": "a secret that is no base64url text"}), KeyDefect::Material),
    ]
}

fn rsa() -> Vec<(Value, KeyDefect)> {
    let with = |members, defect| (merged(jwk("RS256"), members), defect);
    let number = |bytes: usize, first: u8, last: u8| {
        let mut number = vec![0x5a; bytes];
        number[0] = first;
        number[bytes - 1] = last;
        json!({"n": encode(&number)})
    };
    let mut keys = vec![
        with(number(128, 0x80, 1), KeyDefect::Modulus),
        with(number(255, 0xff, 1), KeyDefect::Modulus),
        with(number(256, 0x7f, 1), KeyDefect::Modulus),
        with(number(256, 0x80, 2), KeyDefect::Modulus),
        with(number(1_025, 1, 1), KeyDefect::Modulus),
        with(number(2_048, 0x80, 1), KeyDefect::Modulus),
        with(json!({"n": ""}), KeyDefect::Material),
        with(json!({"n": "AA"}), KeyDefect::Material),
        with(json!({"n": encode(&[&[0], decode(RSA_N).as_slice()].concat())}), KeyDefect::Material),
        with(json!({"n": null}), KeyDefect::Material),
        with(json!({"e": null}), KeyDefect::Material),
        with(json!({"e": 65_537}), KeyDefect::Material),
        with(json!({"e": "AQAC"}), KeyDefect::Exponent),
        with(json!({"e": "AQAB="}), KeyDefect::Material),
        with(json!({"e": "AAEAAQ"}), KeyDefect::Material),
        with(json!({"oth": []}), KeyDefect::Private),
    ];
    // 1, 2, 3, 17, 257, 65535; then 34 bits, 64 bits and as long as the modulus.
    for exponent in ["AQ", "Ag", "Aw", "EQ", "AQE", "__8", "AgAAAAE", "__________8", RSA_N] {
        keys.push(with(json!({"e": exponent}), KeyDefect::Exponent));
    }
    for private in ["d", "p", "q", "dp", "dq", "qi"] {
        keys.push(with(json!({private: "AQAB"}), KeyDefect::Private));
    }
    // A power of 65537 modulo every small prime, like the moduli of CVE-2017-15361.
    let mut power = [0; 256];
    (power[0], power[255]) = (0x80, 1);
    keys.push(with(json!({"n": encode(&roca_like(power))}), KeyDefect::Roca));
    keys
}

/// The next number after `number` that is 1 modulo the product of the primes of the fingerprint.
fn roca_like(mut number: [u8; 256]) -> [u8; 256] {
    let product: u128 = [2, 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157].iter().product();
    let remainder = number.iter().fold(0, |rest: u128, &byte| (rest * 256 + u128::from(byte)) % product);
    let mut carry = product + 1 - remainder;
    for byte in number.iter_mut().rev() {
        let sum = u128::from(*byte) + (carry & 0xff);
        *byte = (sum & 0xff) as u8;
        carry = (carry >> 8) + (sum >> 8);
    }
    number
}

fn curves() -> Vec<(Value, KeyDefect)> {
    let p256 = jwk("ES256");
    let x = p256["x"].as_str().expect("a text");
    let with = |algorithm, members, defect| (merged(jwk(algorithm), members), defect);
    let mut off_curve = decode(p256["y"].as_str().expect("a text"));
    off_curve[31] ^= 1;
    vec![
        with("ES256", json!({"y": encode(&off_curve)}), KeyDefect::Point),
        with("ES256", json!({"x": encode(&[0; 32]), "y": encode(&[0; 32])}), KeyDefect::Point),
        with("ES256", json!({"x": encode(&[0xff; 32])}), KeyDefect::Point),
        with("ES256", json!({"y": x}), KeyDefect::Point),
        with("ES256", json!({"x": null}), KeyDefect::Material),
        with("ES256", json!({"y": null}), KeyDefect::Material),
        with("ES256", json!({"x": encode(&[1; 31])}), KeyDefect::Material),
        with("ES256", json!({"x": encode(&[&[0], decode(x).as_slice()].concat())}), KeyDefect::Material),
        with("ES256", json!({"x": format!("{x}=")}), KeyDefect::Material),
        with("ES256", json!({"crv": "P-384"}), KeyDefect::Material),
        with("ES256", json!({"crv": "P-521"}), KeyDefect::KeyType),
        with("ES256", json!({"crv": "secp256k1"}), KeyDefect::KeyType),
        with("ES256", json!({"crv": null}), KeyDefect::KeyType),
        with("ES384", json!({"crv": "P-256"}), KeyDefect::Material),
        with("EdDSA", json!({"crv": "X25519"}), KeyDefect::KeyType),
        with("EdDSA", json!({"crv": "Ed448"}), KeyDefect::KeyType),
        with("EdDSA", json!({"kty": "EC"}), KeyDefect::KeyType),
        with("EdDSA", json!({"x": encode(&[1; 31])}), KeyDefect::Material),
        with("EdDSA", json!({"x": encode(&[1; 33])}), KeyDefect::Material),
        // The neutral element, and a point of order 4: some signatures hold for every message.
        with("EdDSA", json!({"x": encode(&[&[1], [0; 31].as_slice()].concat())}), KeyDefect::Point),
        with("EdDSA", json!({"x": encode(&[0; 32])}), KeyDefect::Point),
        with("EdDSA", json!({"x": encode(&[&[2], [0; 31].as_slice()].concat())}), KeyDefect::Point),
    ]
}

#[test]
fn good_keys_are_used() {
    for algorithm in ["HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"] {
        for members in [
            json!({}),
            json!({"alg": algorithm, "use": "sig", "kid": "k"}),
            json!({"key_ops": ["verify"]}),
            json!({"key_ops": ["sign", "verify"], "use": "sig"}),
            json!({"x5c": ["…"], "x5t": 1, "ext": true, "iat": 1}),
        ] {
            let key = merged(jwk(algorithm), members);
            assert_eq!(parse_keys(std::slice::from_ref(&key)).len(), 1, "{key:.300}");
        }
    }
    let long_exponent = merged(jwk("RS256"), json!({"e": "AQAAAAE"}));
    assert_eq!(parse_keys(&[long_exponent]).len(), 1, "33 bits");
}

#[test]
fn one_bad_key_does_not_take_the_others_with_it() {
    let set = parse_keys(&[json!(1), Issuer::new("ES256").jwk(), json!({"kty": "new"}), jwk("EdDSA")]);
    assert_eq!(set.len(), 2);
    assert_eq!(set.ignored(), [(0, KeyDefect::NotAnObject), (2, KeyDefect::KeyType)]);
    assert!(set.knows("k1") && !set.knows("k") && !set.is_empty());
}

#[test]
fn twins_are_both_ignored() {
    let twin = merged(jwk("EdDSA"), json!({"kid": "k1"}));
    let set = parse_keys(&[Issuer::new("ES256").jwk(), jwk("RS256"), jwk("ES384"), twin]);
    assert_eq!((set.len(), set.knows("k1")), (2, false), "keys without kid are no twins");
    assert_eq!(set.ignored(), [(0, KeyDefect::DuplicateKeyId), (3, KeyDefect::DuplicateKeyId)]);
    let bad_twin = merged(jwk("EdDSA"), json!({"kid": "k1", "x": "AA"}));
    assert!(parse_keys(&[Issuer::new("ES256").jwk(), bad_twin]).is_empty());
    let for_encryption = merged(jwk("RS256"), json!({"kid": "k1", "use": "enc"}));
    let set = parse_keys(&[Issuer::new("ES256").jwk(), for_encryption]);
    assert_eq!((set.len(), set.ignored()), (1, [(1, KeyDefect::Use)].as_slice()));
}

#[test]
fn sets_that_are_refused_whole() {
    let parse = |text: &[u8]| Jwks::parse(text, Origin::Operator).map(|set| set.len());
    let es256 = jwk("ES256").to_string();
    let many = format!("{{\"keys\":[{}]}}", vec!["{}"; 101].join(","));
    let values = format!("{{\"keys\":[],\"x\":[{}]}}", vec!["0"; 2_047].join(","));
    let mixed = format!("{{\"keys\":[{es256},{}]}}", jwk("HS256"));
    let long = format!("{{\"keys\":[]}}{}", " ".repeat(262_144));
    let cases: &[(&str, SetDefect)] = &[
        ("", SetDefect::NotJson(Refusal::NotJson)),
        ("<html>", SetDefect::NotJson(Refusal::NotJson)),
        ("[]", SetDefect::NotJson(Refusal::NotAnObject)),
        ("{\"keys\":[],\"keys\":[]}", SetDefect::NotJson(Refusal::DuplicateMember)),
        ("{\"keys\":[{\"kty\":\"EC\",\"kty\":\"EC\"}]}", SetDefect::NotJson(Refusal::DuplicateMember)),
        ("{}", SetDefect::NotASet),
        ("{\"keys\":{}}", SetDefect::NotASet),
        ("{\"keys\":null}", SetDefect::NotASet),
        (&es256, SetDefect::NotASet),
        (&many, SetDefect::TooManyKeys),
        (&values, SetDefect::NotJson(Refusal::TooManyValues)),
        (&mixed, SetDefect::Mixed),
        (&long, SetDefect::TooLong),
    ];
    for (text, defect) in cases {
        assert_eq!(parse(text.as_bytes()), Err(*defect), "{text:.80}");
    }
    assert_eq!(parse(b"{\"keys\":[]}"), Ok(0));
    assert_eq!(parse(format!("{{\"keys\":[{}]}}", vec![es256; 100].join(",")).as_bytes()), Ok(100));
}

#[test]
fn a_fetched_set_holds_no_secrets() {
    let text = json!({"keys": [jwk("HS256")]}).to_string();
    let set = Jwks::parse(text.as_bytes(), Origin::Fetched).expect("it is a set");
    assert_eq!((set.len(), set.ignored()), (0, [(0, KeyDefect::SecretInFetchedSet)].as_slice()));
    let text = json!({"keys": [jwk("ES256")]}).to_string();
    assert_eq!(Jwks::parse(text.as_bytes(), Origin::Fetched).map(|set| set.len()), Ok(1));
}

/// What is published is exactly what was checked, and can be read back.
#[test]
fn only_public_keys_are_published() {
    let keys: Vec<Value> = ["RS256", "ES256", "ES384", "EdDSA"]
        .iter()
        .map(|name| merged(jwk(name), json!({"kid": name, "alg": name, "x5c": ["…"], "secret note": "…"})))
        .collect();
    let published = parse_keys(&keys).public_json();
    let value: Value = serde_json::from_str(&published).expect("it is JSON");
    let expected: Vec<Value> =
        keys.into_iter().map(|key| merged(key, json!({"use": "sig", "x5c": null, "secret note": null}))).collect();
    assert_eq!(value, json!({"keys": expected}));
    let again = Jwks::parse(published.as_bytes(), Origin::Fetched).expect("a set");
    assert_eq!((again.len(), again.public_json()), (4, published));
    let bare = parse_keys(&[jwk("EdDSA")]).public_json();
    assert_eq!(
        bare,
        format!("{{\"keys\":[{{\"kty\":\"OKP\",\"use\":\"sig\",\"crv\":\"Ed25519\",\"x\":{}}}]}}", jwk("EdDSA")["x"])
    );
}

#[test]
fn a_secret_is_neither_published_nor_printed() {
    let set = parse_keys(&[Issuer::new("HS256").jwk()]);
    assert_eq!(set.public_json(), "{\"keys\":[]}");
    let printed = format!("{set:?}");
    let secret = String::from_utf8_lossy(&SECRET).into_owned();
    let bytes = format!("{:?}", &SECRET[..4]);
    for trace in [secret.as_str(), &encode(&SECRET), bytes.trim_matches(['[', ']'])] {
        assert!(!printed.contains(trace), "{printed}");
    }
}
