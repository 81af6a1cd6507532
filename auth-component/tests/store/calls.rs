//! How often a store is asked, and by which names.

use auth_component::store::{KEYS, SETTINGS};
use serde_json::json;

use crate::case::cases;
use crate::held::{Asked, Call, Store, own_key, record};

fn calls(store: &Store, credential: &str) -> (u16, Vec<Call>) {
    let asked = Asked::of(store);
    let status = asked.validate(credential).status;
    (status, asked.calls())
}

fn settings_read() -> Vec<Call> {
    vec![Call::Open(SETTINGS), Call::Get(SETTINGS, "settings".to_owned())]
}

/// Each is a call to the host, of which a request may cost few.
#[test]
fn an_own_key_costs_four_calls_whether_it_is_good_or_not() {
    let mut store = Store::with_peppers(&["p1", "p2", "p3", "p4"]);
    let key = own_key(1);
    store.put(record(&key, "p2", "user_123"));
    let known_id = &key[5..21];
    let (status, good) = calls(&store, &key);
    let mut wanted = settings_read();
    wanted.extend([Call::Open(KEYS), Call::Get(KEYS, known_id.to_owned())]);
    assert_eq!((status, good), (200, wanted.clone()));

    // Of the same id, with another secret: what the store holds for it is the hash of another key.
    let mut other = store.clone();
    let mut wrong = record("another key", "p2", "user_123");
    wrong.id = known_id.to_owned();
    other.put(wrong);
    assert_eq!(calls(&other, &key), (401, wanted));
    let (status, unknown) = calls(&store, &own_key(2));
    assert_eq!((status, unknown.len()), (401, 4));
}

#[test]
fn an_old_key_is_looked_for_under_every_pepper_whether_it_is_there_or_not() {
    let mut store = Store::with_peppers(&["p1", "p2", "p3", "p4"]);
    store.put(record("key_first", "p1", "user_123"));
    store.put(record("key_last", "p4", "user_123"));
    for (key, wanted) in [("key_first", 200), ("key_last", 200), ("key_nobody", 401)] {
        let (status, calls) = calls(&store, key);
        assert_eq!((status, calls.len()), (wanted, 3 + 4), "{key}");
    }
}

#[test]
fn a_token_costs_the_settings_and_the_sets_that_may_hold_its_key() {
    let store = Store::development();
    let case = |name: &str| cases().into_iter().find(|case| case.name == name).expect("a case").request;
    // A key that is not in the set is not looked for elsewhere, however often somebody asks for it.
    for (name, sets) in [
        ("jwt-es256", vec!["jwks-2"]),
        ("jwt-hs256", vec!["jwks-1"]),
        ("jwt-kid-unknown", vec!["jwks-1"]),
        ("jwt-kid-unknown", vec!["jwks-1"]),
        ("jwt-jku-of-attacker", vec!["jwks-2"]),
        ("jwt-exp-past", vec![]),
    ] {
        let asked = Asked::of(&store);
        asked.answer(&case(name));
        let mut wanted = settings_read();
        wanted.extend(sets.into_iter().map(|set| Call::Get(SETTINGS, set.to_owned())));
        assert_eq!(asked.calls(), wanted, "{name}");
    }
}

/// A name could be a path, a pattern or a subject where the store is.
#[test]
fn no_name_is_made_of_what_the_client_sent_but_an_id() {
    let store = Store::with_peppers(&["p1", "p2"]);
    let hostile = [
        "/",
        "//etc/passwd",
        "a/b",
        "..",
        "../..",
        "*",
        ">",
        "a.*",
        "a.>",
        "auth-settings/settings",
        "settings",
        "old-p1-0000000000000000000000000000000000000000000000000000000000000000",
        "mD8ArZUn4FifhC2a",
        "a%00b",
        "a\0b",
        "a\nb",
        "$JS.API",
        "~",
        "acme_../../etc/passwd_0000000000000000000000000000000000000000000_000000",
        "__proto__",
    ];
    for credential in hostile.into_iter().map(str::to_owned).chain(["k".repeat(512), "k".repeat(513)]) {
        let asked = Asked::of(&store);
        assert_eq!(asked.validate(&credential).status, 401, "{credential}");
        for call in asked.calls() {
            let Call::Get(bucket, name) = call else { continue };
            let digest = ["old-p1-", "old-p2-"].iter().find_map(|start| name.strip_prefix(start));
            let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
            let is_ours = match bucket {
                SETTINGS => name == "settings",
                _ => digest.is_some_and(is_digest) && !credential.contains(&name),
            };
            assert!(is_ours, "{credential}: {bucket} {name}");
        }
    }
}

/// What can be refused without the store is.
#[test]
fn nobody_is_looked_up_who_cannot_be_there() {
    let mut store = Store::with_peppers(&["p1"]);
    let key = own_key(1);
    store.put(record(&key, "p1", "user_123"));
    let last = if key.ends_with('0') { '1' } else { '0' };
    let wrong_checksum = format!("{}{last}", &key[..key.len() - 1]);
    let long = [513, 16 << 10, 64 << 10, 1 << 20].map(|bytes| "k".repeat(bytes));
    let short = [wrong_checksum.as_str(), "a b", "k=y", "", "a.b", "a.b.c", "..."];
    for credential in short.into_iter().chain(long.iter().map(String::as_str)) {
        assert_eq!(calls(&store, credential), (401, settings_read()), "{credential:.80}");
    }
    for path in ["/healthz", "/version", "/else"] {
        let asked = Asked::of(&store);
        asked.answer(&json!({"method": "GET", "path": path, "headers": []}));
        assert_eq!(asked.calls(), settings_read(), "{path}");
    }
}
