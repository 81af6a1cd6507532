//! A store that does not say, or says what nobody can read: neither a yes nor a no, for whoever needed it.

use std::collections::BTreeMap;

use auth_component::{Response, Switch};
use serde_json::{Value, json};

use crate::case::{Case, cases, header};
use crate::held::{Asked, Call, Fault, Store};

const OWN_KEY: &str = "dev_mD8ArZUn4FifhC2a_0qJhTgfPh0HX3vXLMEhluGQCc674MIY8k5HGQH6D9iZ_1GT8eQ";

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name}"))
}

fn request(method: &str, path: &str, credential: &str) -> Value {
    let headers = json!([["Authorization", format!("Bearer {credential}")], ["X-Forwarded-Method", "GET"]]);
    json!({"method": method, "path": path, "headers": headers})
}

/// Each succeeds with a sound store, and by nothing but what the store says.
fn requests() -> Vec<(&'static str, Value)> {
    vec![
        ("validate, own key", request("POST", "/auth/validate", OWN_KEY)),
        ("validate, old key", request("POST", "/auth/validate", "key_123")),
        ("validate, shared secret", case("jwt-hs256").request),
        ("validate, public key", case("jwt-es256").request),
        ("forward", request("GET", "/auth/forward", OWN_KEY)),
        ("nginx", request("GET", "/auth/nginx", "key_123")),
        ("envoy", request("GET", "/auth/envoy/a", OWN_KEY)),
        ("envoy, token", case("envoy-jwt").request),
        ("introspect, key", introspect("key_456")),
        ("introspect, nobody's key", introspect("key_nobody")),
        ("jwks", json!({"method": "GET", "path": "/.well-known/jwks.json", "headers": []})),
        ("readyz", json!({"method": "GET", "path": "/readyz", "headers": []})),
    ]
}

fn introspect(token: &str) -> Value {
    let headers = [["Authorization", "Bearer key_789"], ["Content-Type", "application/x-www-form-urlencoded"]];
    json!({"method": "POST", "path": "/oauth2/introspect", "headers": headers, "body": format!("token={token}")})
}

fn two_peppers() -> Store {
    let mut store = Store::development();
    let secret = crate::held::hex(&crate::held::pepper("p2"));
    store.change_settings(|settings| {
        settings["peppers"].as_array_mut().expect("a list").push(json!({"name": "p2", "secret": secret}));
    });
    store
}

#[test]
fn whichever_call_fails_the_answer_is_neither_a_yes_nor_a_no() {
    let store = two_peppers();
    for (what, request) in requests() {
        let sound = Asked::of(&store);
        assert_eq!(sound.answer(&request).status, 200, "{what}");
        let calls = sound.calls();
        assert!(calls.len() >= 3, "{what}: {calls:?}");
        for (at, call) in calls.iter().enumerate() {
            for fault in [Fault::Fails, Fault::Garbage] {
                if fault == Fault::Garbage && matches!(call, Call::Open(_)) {
                    continue;
                }
                let answer = Asked::with_fault(&store, fault, at).answer(&request);
                assert_unavailable(&answer, &request, &format!("{what}: {fault:?} at {at}, {call:?}"));
            }
        }
    }
}

#[test]
fn a_credential_that_is_not_good_is_not_refused_before_the_store_has_said_so() {
    let store = two_peppers();
    let unknown = OWN_KEY.replace("dev_", "acme_");
    let own_unknown = crate::held::own_key(9);
    for credential in ["key_nobody", "key_expired", &own_unknown] {
        let request = request("POST", "/auth/validate", credential);
        let sound = Asked::of(&store);
        assert_eq!(sound.answer(&request).status, 401, "{credential}");
        for at in 0..sound.calls().len() {
            let answer = Asked::with_fault(&store, Fault::Fails, at).answer(&request);
            assert_unavailable(&answer, &request, &format!("{credential}, call {at}"));
        }
    }
    assert_eq!(store.validate(&unknown), 401, "with another prefix the checksum is wrong");
}

/// Each part is asked for itself, also by the name of nobody's key.
#[test]
fn readiness_says_which_part_is_not() {
    let store = Store::development();
    let request = json!({"method": "GET", "path": "/readyz", "headers": []});
    let sound = Asked::of(&store);
    sound.answer(&request);
    let mut failed = Vec::new();
    for at in 0..sound.calls().len() {
        let answer = Asked::with_fault(&store, Fault::Fails, at).answer(&request);
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let is_failed = |part: &str| body["checks"][part] == "failed";
        failed.push((is_failed("keys"), is_failed("jwks")));
    }
    let (settings, keys, sets) = ([(true, true); 2], [(true, false); 2], [(false, true); 2]);
    assert_eq!(failed, [settings, keys, sets].concat(), "{:?}", sound.calls());
}

fn assert_unavailable(answer: &Response, request: &Value, what: &str) {
    let path = request["path"].as_str().expect("a path");
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!((answer.status, header(answer, "cache-control").as_deref()), (503, Some("no-store")), "{what}");
    assert_eq!(header(answer, "www-authenticate"), None, "{what}");
    if path == "/readyz" {
        assert!(body["status"] == "unavailable" && body["checks"].to_string().contains("\"failed\""), "{what}");
        return;
    }
    assert_eq!(header(answer, "retry-after").as_deref(), Some("1"), "{what}");
    assert_eq!(body["error"], "temporarily_unavailable", "{what}");
    let is_problem = ["/auth/forward", "/auth/nginx", "/auth/envoy"].iter().any(|proxy| path.starts_with(proxy));
    let kind = if is_problem { "application/problem+json" } else { "application/json" };
    assert_eq!(header(answer, "content-type").as_deref(), Some(kind), "{what}");
    let nginx = (path == "/auth/nginx").then_some("503");
    assert_eq!(header(answer, "x-error-status").as_deref(), nginx, "{what}");
}

/// Nobody is let in, and nobody refused whom a sound store lets in.
#[test]
fn in_every_case_of_the_contract_a_fault_gives_503_or_the_usual_refusal() {
    let store = Store::development();
    let mut unavailable = 0;
    for case in cases() {
        let sound = Asked::of(&store);
        let usual = sound.answer(&case.request);
        for at in 0..sound.calls().len() {
            for fault in [Fault::Fails, Fault::Garbage] {
                let answer = Asked::with_fault(&store, fault, at).answer(&case.request);
                if answer.status == 503 {
                    unavailable += 1;
                } else {
                    assert_eq!(answer, usual, "{}: {fault:?} at {at}", case.name);
                }
            }
        }
    }
    assert!(unavailable > 500, "{unavailable}");
}

#[test]
fn who_needs_no_store_is_answered_without_one() {
    let without_settings = Store { settings: BTreeMap::new(), ..Store::development() };
    let mut asked = vec![
        json!({"method": "POST", "path": "/auth/validate", "headers": []}),
        json!({"method": "POST", "path": "/auth/validate", "headers": [["Authorization", "Basic a2V5"]]}),
        json!({"method": "GET", "path": "/auth/envoy/a", "headers": []}),
        json!({"method": "POST", "path": "/oauth2/introspect", "headers": []}),
        request("POST", "/auth/validate", &OWN_KEY.replace("_1GT8eQ", "_1GT8eR")),
        request("POST", "/auth/validate", "two words"),
        request("POST", "/auth/validate?access_token=a", OWN_KEY),
        request("GET", "/auth/validate", OWN_KEY),
    ];
    for path in ["/healthz", "/version", "/else", "/auth/validate"] {
        asked.push(json!({"method": "GET", "path": path, "headers": []}));
        asked.push(json!({"method": "HEAD", "path": path, "headers": []}));
    }
    for request in asked {
        let usual = Store::development().answer(&request);
        assert!(usual.status < 500);
        assert_eq!(without_settings.answer(&request), usual, "{request}");
    }
}

/// Which switches are on is not known without the settings: nothing is copied then, and nobody let in.
#[test]
fn without_settings_parity_mode_is_strict() {
    let mut store = Store::development();
    store.change_settings(|settings| settings["parity"] = Switch::ALL.map(Switch::name).into());
    for (what, request) in requests() {
        let answer = Asked::with_fault(&store, Fault::Fails, 1).answer(&request);
        assert_unavailable(&answer, &request, what);
    }
    // With the settings and without the keys it is still dressed like the service that is replaced.
    for (what, request) in requests() {
        let sound = Asked::of(&store);
        let usual = sound.answer(&request);
        let last = sound.calls().len() - 1;
        let answer = Asked::with_fault(&store, Fault::Fails, last).answer(&request);
        assert_eq!((usual.status, answer.status), (200, 503), "{what}");
    }
}
