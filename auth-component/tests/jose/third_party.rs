//! Wycheproof's own JWS and JWK sets, which no crate carries. Clone github.com/C2SP/wycheproof and name its folder
//! `testvectors_v1` in `WYCHEPROOF_VECTORS`; without it these tests say so and pass.
//!
//! A bad token that is accepted fails, always. A good one that is refused must stand in [`REFUSED`] with its reason.

use auth_component::jose::{Algorithm, Jwks, Origin, Policy, Refusal, verify_jws};
use serde_json::{Value, json};

use crate::issuer::merged;

/// Tokens labelled `valid` that are refused all the same: the vector's id, the refusal, and why that is right.
const REFUSED: [(u64, Refusal, &str); 6] = [
    (346, Refusal::AlgorithmNotAllowed, "the key says PS256, the token PS384: the key is pinned (RFC 7515 §10.7)"),
    (347, Refusal::AlgorithmUnknown, "ES512: P-521 is not supported, and the key's alg is a misprint, ES521"),
    (350, Refusal::AlgorithmNotAllowed, "as 346"),
    (351, Refusal::AlgorithmUnknown, "as 347"),
    (372, Refusal::Encoding, "the label is wrong: the header has a character that base64url does not have"),
    (373, Refusal::Encoding, "the label is wrong: the payload has a character that base64url does not have"),
];

/// Tokens labelled `invalid` that are byte for byte the good token 357, so that no verifier can tell them apart: the padding
/// their names speak of is not in the file.
const THE_SAME_AS_357: [u64; 2] = [367, 370];

#[test]
fn json_web_signature() {
    let Some(groups) = groups("json_web_signature_test.json") else { return };
    let (mut tests, mut accepted, mut refused) = (0, 0, Vec::new());
    let mut good_357 = Value::Null;
    for group in groups {
        let key = group.get("public").unwrap_or(&group["private"]);
        for test in group["tests"].as_array().expect("a list") {
            let id = test["tcId"].as_u64().expect("a number");
            let verified = judge(std::slice::from_ref(key), test);
            tests += 1;
            if id == 357 {
                good_357 = test["jws"].clone();
            }
            match (test["result"].as_str(), verified) {
                (_, Ok(_)) if THE_SAME_AS_357.contains(&id) => assert_eq!(test["jws"], good_357),
                (Some("valid"), Ok(_)) => accepted += 1,
                (Some("valid"), Err(refusal)) => refused.push((id, refusal)),
                (_, Ok(_)) => panic!("{id} is accepted: {test}"),
                (_, Err(_)) => {}
            }
        }
    }
    println!("JWS: {tests} vectors, {accepted} good ones accepted, {} refused", refused.len());
    assert_eq!(refused, REFUSED.map(|(id, refusal, _)| (id, refusal)));
}

#[test]
fn json_web_key() {
    let Some(groups) = groups("json_web_key_test.json") else { return };
    let mut tests = 0;
    for group in groups {
        let set = group.get("public").unwrap_or(&group["private"]);
        let keys = set["keys"].as_array().expect("a list");
        for test in group["tests"].as_array().expect("a list") {
            let verified = judge(keys, test);
            assert_eq!(verified.is_ok(), test["result"] == "valid", "{verified:?}: {test}");
            tests += 1;
        }
    }
    println!("JWK: {tests} vectors, all as labelled");
}

fn groups(file: &str) -> Option<Vec<Value>> {
    let Some(folder) = std::env::var_os("WYCHEPROOF_VECTORS") else {
        println!("{file} is not tested: WYCHEPROOF_VECTORS does not name the folder testvectors_v1");
        return None;
    };
    let text = std::fs::read(std::path::Path::new(&folder).join(file)).expect("WYCHEPROOF_VECTORS names the folder");
    let mut value: Value = serde_json::from_slice(&text).expect("the file is JSON");
    match value["testGroups"].take() {
        Value::Array(groups) => Some(groups),
        other => panic!("testGroups is {other}"),
    }
}

/// As an operator would configure it: the algorithm of the key, or where the key names none that is known, the token's
/// family.
fn judge(keys: &[Value], test: &Value) -> Result<Vec<u8>, Refusal> {
    let named = keys.iter().filter_map(|key| key["alg"].as_str()).find_map(Algorithm::named);
    let algorithm = named.unwrap_or(match keys[0]["kty"].as_str() {
        Some("EC") => Algorithm::Es256,
        Some("oct") => Algorithm::Hs256,
        _ => Algorithm::Rs256,
    });
    let policy = Policy { type_required: false, ..Policy::strict("nobody", "nobody", &[algorithm]) };
    let public: Vec<Value> = keys.iter().map(|key| merged(key.clone(), json!({"d": null}))).collect();
    let text = json!({"keys": public}).to_string();
    let Ok(set) = Jwks::parse(text.as_bytes(), Origin::Operator) else { return Err(Refusal::KeyUnknown) };
    // A few vectors are the JSON serialisation.
    let token = match &test["jws"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    verify_jws(token.as_bytes(), &set, &policy)
}
