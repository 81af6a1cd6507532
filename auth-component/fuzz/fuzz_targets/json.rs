//! The strict JSON reader beside serde_json: it takes no text that the other refuses, reads the same in what both take,
//! and refuses more only for the reasons it documents.

#![no_main]

use auth_component::jose::{Json, Number, Refusal, parse_object};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let lax = serde_json::from_slice::<Value>(data);
    match parse_object(data) {
        Ok(object) => {
            let strict = Json::Object(object);
            assert!(is_same(&strict, &lax.expect("ours takes what serde_json refuses")), "read differently");
            check_written(&strict);
        }
        Err(Refusal::NotJson) => assert!(lax.is_err(), "ours takes for no JSON what serde_json reads"),
        Err(Refusal::NotAnObject) => assert!(!lax.expect("JSON, if no object").is_object()),
        Err(Refusal::DuplicateMember | Refusal::TooDeep | Refusal::TooManyValues) => {}
        Err(other) => panic!("{other:?} is no reason to refuse a text"),
    }
});

/// What is written of it is strict JSON too, and stays what it is.
fn check_written(json: &Json) {
    let written = serde_json::to_vec(json).expect("names are texts");
    let again = parse_object(&written).expect("what ours writes it reads");
    assert_eq!(serde_json::to_vec(&Json::Object(again)).expect("names are texts"), written);
}

fn is_same(strict: &Json, lax: &Value) -> bool {
    match (strict, lax) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(own), Value::Bool(other)) => own == other,
        (Json::String(own), Value::String(other)) => own == other,
        (Json::Number(Number::Unsigned(own)), Value::Number(other)) => other.as_u64() == Some(*own),
        (Json::Number(Number::Negative(own)), Value::Number(other)) => *own < 0 && other.as_i64() == Some(*own),
        (Json::Number(Number::Fraction(own)), Value::Number(other)) => {
            own.is_finite() && other.is_f64() && other.as_f64() == Some(*own)
        }
        (Json::Array(own), Value::Array(other)) => {
            own.len() == other.len() && own.iter().zip(other).all(|(own, other)| is_same(own, other))
        }
        (Json::Object(own), Value::Object(other)) => {
            own.iter().len() == other.len()
                && own.iter().all(|(name, own)| other.get(name).is_some_and(|other| is_same(own, other)))
        }
        _ => false,
    }
}
