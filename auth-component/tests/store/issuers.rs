//! Several issuers, and what one's set of keys means for another's tokens.

use serde_json::{Value, json};

use crate::case::{cases, header, text};
use crate::held::{Asked, GARBAGE, PUBLIC_ALGORITHMS, Store, issuer};

/// The credential of a case.
fn token(name: &str) -> String {
    let case = cases().into_iter().find(|case| case.name == name).expect("a case");
    let headers = crate::case::headers(&case.request);
    let line = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).expect("a credential");
    line.1.strip_prefix("Bearer ").expect("a bearer credential").to_owned()
}

/// With these before the issuers of the development set.
fn with_issuers_in_front(issuers: &[Value]) -> Store {
    let mut store = Store::development();
    store.change_settings(|settings| {
        let tokens = settings["tokens"].as_array_mut().expect("a list");
        tokens.splice(0..0, issuers.iter().cloned());
    });
    store
}

fn of_another_name(jwks: &str) -> Value {
    let mut issuer = issuer(jwks, &PUBLIC_ALGORITHMS);
    issuer["issuer"] = "https://other.example".into();
    issuer
}

#[test]
fn a_set_that_cannot_be_read_fails_only_tokens_that_need_it() {
    let good = token("jwt-es256");
    let forged = token("jwt-es256-zero");
    let expired = token("jwt-exp-past");
    let cases: [(&str, Value, u16, u16); 3] = [
        ("another issuer's", of_another_name("gone"), 200, 401),
        ("the same issuer's for another algorithm", issuer("gone", &["RS256"]), 200, 401),
        // What it holds might be the key of the token; where another has the key, nobody needs to know.
        ("the same issuer's", issuer("gone", &["ES256"]), 200, 503),
    ];
    for (whose, issuer, good_wanted, forged_wanted) in cases {
        for garbage in [None, Some(GARBAGE), Some(b"{}"), Some(b"[]"), Some(b"")] {
            let mut store = with_issuers_in_front(std::slice::from_ref(&issuer));
            if let Some(garbage) = garbage {
                store.settings.insert("gone".to_owned(), garbage.to_vec());
            }
            let got = [&good, &forged, &expired].map(|token| store.validate(token));
            assert_eq!(got, [good_wanted, forged_wanted, 401], "{whose} {garbage:?}");
        }
    }
}

#[test]
fn a_token_is_good_when_one_issuer_of_its_name_says_so() {
    let mut narrow = issuer("jwks-2", &["ES256"]);
    narrow["audiences"] = json!(["https://elsewhere.example"]);
    let mut old = issuer("old", &["ES256"]);
    old["types"] = json!(["at+jwt"]);
    let mut store = with_issuers_in_front(&[narrow, old]);
    store.settings.insert("old".to_owned(), br#"{"keys":[]}"#.to_vec());
    for (name, wanted) in [("jwt-es256", 200), ("jwt-es256-next", 200), ("jwt-es256-zero", 401), ("jwt-hs256", 200)] {
        assert_eq!(store.validate(&token(name)), wanted, "{name}");
    }
    // And by no other's keys.
    store.change_settings(|settings| {
        for issuer in settings["tokens"].as_array_mut().expect("a list") {
            if issuer["jwks"] != "old" {
                issuer["issuer"] = "https://other.example".into();
            }
        }
    });
    assert_eq!(store.validate(&token("jwt-es256")), 401);
}

/// Nothing is kept of a set: a new key is good, and one that was taken away is not, with the next request.
#[test]
fn a_change_of_the_set_is_in_force_with_the_next_request() {
    let mut store = Store::development();
    let whole = store.settings["jwks-2"].clone();
    let tokens = ["jwt-es256", "jwt-es256-next"].map(token);
    let statuses = |store: &Store| tokens.each_ref().map(|token| store.validate(token));
    for (without, wanted) in [("es256-next", [200, 401]), ("es256", [401, 200]), ("nothing", [200, 200])] {
        let mut set: Value = serde_json::from_slice(&whole).expect("JSON");
        set["keys"].as_array_mut().expect("a set").retain(|key| key["kid"] != without);
        store.settings.insert("jwks-2".to_owned(), set.to_string().into_bytes());
        assert_eq!(statuses(&store), wanted, "without {without}");
    }
}

#[test]
fn without_issuers_no_token_is_good_and_nothing_is_missing() {
    let mut store = Store::development();
    store.change_settings(|settings| drop(settings.as_object_mut().expect("an object").remove("tokens")));
    assert_eq!(store.validate(&token("jwt-es256")), 401);
    let get = |path: &str| store.answer(&json!({"method": "GET", "path": path, "headers": []}));
    assert_eq!(get("/.well-known/jwks.json").body, br#"{"keys":[]}"#);
    assert_eq!(get("/readyz").status, 200);
}

#[test]
fn published_are_the_public_keys_of_all_issuers_and_no_secret() {
    let mut store = with_issuers_in_front(&[of_another_name("other")]);
    let set: Value = serde_json::from_slice(&store.settings["jwks-2"]).expect("JSON");
    let mut first = set["keys"][0].clone();
    first["kid"] = "of-the-other".into();
    store.settings.insert("other".to_owned(), json!({"keys": [first]}).to_string().into_bytes());
    let asked = Asked::of(&store);
    let response = asked.answer(&json!({"method": "GET", "path": "/.well-known/jwks.json", "headers": []}));
    let published: Value = serde_json::from_slice(&response.body).expect("JSON");
    let ids: Vec<&str> = published["keys"].as_array().expect("a set").iter().map(|key| text(&key["kid"])).collect();
    assert_eq!((ids.len(), ids[0], header(&response, "cache-control").is_some()), (11, "of-the-other", true));
    assert!(!response.body.windows(5).any(|part| part == b"\"oct\"" || part == b"\"k\":\""));
}

/// An issuer without a key would have every token refused.
#[test]
fn readiness_needs_a_key_of_each_issuer() {
    for (set, wanted) in [(&br#"{"keys":[]}"#[..], 503), (b"[]", 503), (GARBAGE, 503)] {
        let mut store = with_issuers_in_front(&[of_another_name("other")]);
        store.settings.insert("other".to_owned(), set.to_vec());
        let response = store.answer(&json!({"method": "GET", "path": "/readyz", "headers": []}));
        let body: Value = serde_json::from_slice(&response.body).expect("JSON");
        assert_eq!((response.status, &body["checks"]), (wanted, &json!({"keys": "ok", "jwks": "failed"})));
    }
    let ready = Store::development().answer(&json!({"method": "GET", "path": "/readyz", "headers": []}));
    assert_eq!(ready.status, 200);
}
