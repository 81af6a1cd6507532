//! The examples of RFC 7515, 7517, 7519, 7520 and 8037, each with the answer it must get and where it is from.

use std::collections::BTreeMap;

use auth_component::jose::{Algorithm, Policy, verify_jws};
use serde::Deserialize;
use serde_json::Value;

use crate::issuer::parse_keys;

const FILES: [(&str, &str); 5] = [
    ("rfc7515.json", include_str!("../data/rfc7515.json")),
    ("rfc7517.json", include_str!("../data/rfc7517.json")),
    ("rfc7519.json", include_str!("../data/rfc7519.json")),
    ("rfc7520.json", include_str!("../data/rfc7520.json")),
    ("rfc8037.json", include_str!("../data/rfc8037.json")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields, untagged)]
enum Example {
    Good {
        source: String,
        keys: Vec<Value>,
        algorithms: Vec<String>,
        token: String,
        payload: String,
    },
    Refused {
        source: String,
        keys: Vec<Value>,
        algorithms: Vec<String>,
        token: String,
        refused: String,
    },
    /// `ignored` are the places of the keys that are not used, with the defect; the others are.
    Keys {
        source: String,
        keys: Vec<Value>,
        ignored: BTreeMap<String, String>,
    },
}

#[test]
fn every_example_gets_its_answer() {
    let mut examples = 0;
    for (file, text) in FILES {
        for example in serde_json::from_str::<Vec<Example>>(text).unwrap_or_else(|e| panic!("{file}: {e}")) {
            check(example);
            examples += 1;
        }
    }
    assert_eq!(examples, 31);
}

fn check(example: Example) {
    match example {
        Example::Good { source, keys, algorithms, token, payload } => {
            let verified = verify_jws(token.as_bytes(), &parse_keys(&keys), &untyped(&algorithms));
            assert_eq!(verified.as_deref(), Ok(payload.as_bytes()), "{source}");
        }
        Example::Refused { source, keys, algorithms, token, refused } => {
            let refusal = verify_jws(token.as_bytes(), &parse_keys(&keys), &untyped(&algorithms)).expect_err(&source);
            assert_eq!(refusal.reason(), refused, "{source}");
        }
        Example::Keys { source, keys, ignored } => {
            let set = parse_keys(&keys);
            let found: Vec<(String, String)> =
                set.ignored().iter().map(|(at, why)| (at.to_string(), format!("{why:?}"))).collect();
            assert_eq!(found, ignored.into_iter().collect::<Vec<_>>(), "{source}");
            assert_eq!(set.len() + found.len(), keys.len(), "{source}");
        }
    }
}

/// The examples were written before `typ` was asked for, and have no `alg` in their keys.
fn untyped(algorithms: &[String]) -> Policy {
    let named: Vec<Algorithm> = algorithms.iter().map(|name| Algorithm::named(name).expect("a known one")).collect();
    Policy { type_required: false, ..Policy::strict("joe", "nobody", &named) }
}
