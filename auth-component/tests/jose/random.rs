//! Arbitrary and nearly good input: nothing panics, and nothing verifies that was not signed.

use auth_component::api_key::{ApiKey, Record};
use auth_component::jose::{Jwks, Origin, verify, verify_jws};
use proptest::prelude::*;

use crate::issuer::{Issuer, NOW, encode, parse_keys};

const ALGORITHMS: [&str; 8] = ["HS256", "HS512", "RS256", "PS256", "ES256", "ES384", "EdDSA", "RS512"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_never_verify(token in prop::collection::vec(any::<u8>(), 0..300), now: u64) {
        let issuer = Issuer::new("ES256");
        prop_assert!(verify(&token, &issuer.keys(), &issuer.policy(), now).is_err());
    }

    /// Three parts of base64url, the first a header that gets far.
    #[test]
    fn arbitrary_parts_never_verify(
        which in 0..ALGORITHMS.len(),
        payload in prop::collection::vec(any::<u8>(), 0..300),
        signature in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let issuer = Issuer::new(ALGORITHMS[which]).payload(payload);
        let token = issuer.token_with_signature(&signature);
        prop_assert!(verify(token.as_bytes(), &issuer.keys(), &issuer.policy(), NOW).is_err());
        prop_assert!(verify_jws(token.as_bytes(), &issuer.keys(), &issuer.policy()).is_err());
    }

    /// Headers and payloads like JSON, really signed: any answer will do, a panic will not.
    #[test]
    fn signed_nonsense_is_answered(header in json_like(), payload in json_like(), now: u64) {
        let issuer = Issuer::new("HS256");
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        let _ = verify(issuer.token_over(&signed).as_bytes(), &issuer.keys(), &issuer.policy(), now);
    }

    /// One byte of a good token changed, anywhere, to anything: never another good token.
    #[test]
    fn a_changed_token_never_verifies(which in 0..ALGORITHMS.len(), at: prop::sample::Index, byte: u8) {
        let issuer = Issuer::new(ALGORITHMS[which]);
        let good = issuer.token().into_bytes();
        let mut changed = good.clone();
        changed[at.index(good.len())] = byte;
        let verified = verify(&changed, &issuer.keys(), &issuer.policy(), NOW);
        prop_assert_eq!(verified.is_ok(), changed == good);
    }

    #[test]
    fn arbitrary_key_sets_are_answered(text in json_like(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for text in [text.as_bytes(), &bytes, format!("{{\"keys\":[{text}]}}").as_bytes()] {
            if let Ok(set) = Jwks::parse(text, Origin::Operator) {
                let published = set.public_json();
                prop_assert!(Jwks::parse(published.as_bytes(), Origin::Fetched).is_ok());
            }
        }
    }

    /// Keys with members of the right names and arbitrary values.
    #[test]
    fn arbitrary_keys_are_answered(
        kind in prop::sample::select(vec![("RSA", ""), ("EC", "P-256"), ("EC", "P-384"), ("OKP", "Ed25519"), ("oct", "")]),
        first in prop::collection::vec(any::<u8>(), 0..600),
        second in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let (first, second) = (encode(&first), encode(&second));
        let key = serde_json::json!({
            "kty": kind.0, "crv": kind.1, "n": first, "e": second, "x": first, "y": second, "k": first,
        });
        let set = parse_keys(&[key]);
        prop_assert_eq!(set.len() + set.ignored().len(), 1);
    }

    #[test]
    fn arbitrary_api_keys_and_records_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200), text in json_like()) {
        prop_assert!(ApiKey::parse(&bytes).is_err());
        prop_assert!(Record::parse(&bytes, "id").is_err());
        prop_assert!(Record::parse(text.as_bytes(), "id").is_err());
    }
}

/// Texts of the pieces that tokens, keys and records are made of.
fn json_like() -> impl Strategy<Value = String> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\"alg\":",
        "\"HS256\"",
        "\"typ\":\"JWT\"",
        "\"kid\":\"k1\"",
        "\"exp\":",
        "\"aud\":",
        "\"sub\":",
        "\"scope\":",
        "\"kty\":\"RSA\"",
        "\"n\":",
        "\"AQAB\"",
        "1800000600",
        "1e400",
        "-1",
        "1.5",
        "null",
        "true",
        "\\ud800",
        "\\u0061",
        "\u{feff}",
        "\u{0}",
        " ",
        "a",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        "\"v\":1",
        "\"crit\":[]",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}
