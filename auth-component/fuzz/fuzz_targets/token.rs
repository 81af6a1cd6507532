//! Tokens, some really signed: a yes only to what is signed, for us and in its time, and every grant has its limits.

#![no_main]

use auth_component::jose::{Json, Number};
use auth_component::{DevelopmentTokens, Expiry, Origin, Tokens};
use auth_component_fuzz::Input;
use auth_component_fuzz::credentials::may_be_good_token;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// The end of the year 9999.
const DATE_MS_MAX: u64 = 253_402_300_799_000;

fuzz_target!(|data: &[u8]| {
    let input = Input::read(data);
    let payload = input.signed.first().map(|signed| signed.payload.as_slice()).unwrap_or_default();
    let claims = serde_json::from_slice(payload).unwrap_or(Value::Null);
    input.at_its_moments(&claims, &["exp", "nbf", "iat"], check);
});

fn check(input: &Input) {
    let found = DevelopmentTokens.check(&input.text, input.now, Expiry::Required).expect("they are built in");
    let Some(grant) = found else { return };
    assert!(may_be_good_token(&input.text, input), "a yes at {} to {}", input.now, input.text.escape_ascii());
    let end = grant.expires_at_ms.expect("it was asked for");
    let Origin::Token(members) = &grant.origin else { panic!("it is a token") };
    let exact = match members.get("exp") {
        Some(Json::Number(Number::Unsigned(seconds))) => *seconds as f64,
        Some(Json::Number(Number::Fraction(seconds))) => *seconds,
        other => panic!("{other:?} is no end"),
    };
    // What is left may be less than a millisecond, which is cut off.
    assert!(exact > input.now as f64 && end == (exact * 1_000.0) as u64 && end <= DATE_MS_MAX, "{exact} {end}");
    assert!((1..=256).contains(&grant.user_id.len()), "{:?}", grant.user_id);
    assert!(grant.scopes.iter().all(|scope| !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic())));
}
