//! Records through the life of a key, and records that nobody should have written.

use std::cell::Cell;

use auth_component::StoreUnavailable;
use auth_component::api_key::{ApiKey, RANDOM_BYTES, Record};
use auth_component::store::{Bucket, handle};
use serde_json::{Value, json};

use crate::case::{NOW, Whole, lines, text};
use crate::held::{Asked, Store, hex, own_key, pepper, record};

const DAY_S: u64 = 86_400;

fn status_at(store: &Store, key: &str, now: u64) -> u16 {
    Asked::of(store).validate_at(key, now).status
}

#[test]
fn a_replaced_key_is_good_until_its_grace_ends_and_its_successor_from_the_start() {
    let (old, new) = (own_key(1), own_key(2));
    let mut store = Store::with_peppers(&["p1"]);
    let mut replaced = record(&old, "p1", "user_123");
    let successor = record(&new, "p1", "user_123");
    replaced.exp = Some(NOW + 90 * DAY_S);
    replaced.replace(&successor.id, NOW + 30 * DAY_S);
    store.put(replaced.clone());
    store.put(successor);
    for (now, old_wanted) in [(NOW, 200), (NOW + 30 * DAY_S - 1, 200), (NOW + 30 * DAY_S, 401), (NOW + 31 * DAY_S, 401)]
    {
        assert_eq!((status_at(&store, &old, now), status_at(&store, &new, now)), (old_wanted, 200), "at {now}");
    }
    let body: Value = serde_json::from_slice(&Asked::of(&store).validate(&old).body).expect("JSON");
    assert_eq!(body["expires_at"], "2026-07-21T00:00:00.000Z", "the end of its grace, not its own");
    replaced.revoke(NOW + DAY_S);
    store.put(replaced);
    assert_eq!([NOW + DAY_S - 1, NOW + DAY_S].map(|now| status_at(&store, &old, now)), [200, 401]);
}

/// Nothing is kept of an earlier answer.
#[test]
fn a_revocation_is_in_force_with_the_next_request() {
    let mut store = Store::with_peppers(&["p1"]);
    for key in [own_key(1), "key_123".to_owned()] {
        let mut held = record(&key, "p1", "user_123");
        store.put(held.clone());
        assert_eq!(store.validate(&key), 200);
        held.revoke(NOW);
        store.put(held.clone());
        assert_eq!(store.validate(&key), 401);
        store.keys.clear();
        assert_eq!(store.validate(&key), 401);
        store.put(record(&key, "p1", "user_123"));
        assert_eq!(store.validate(&key), 200);
    }
}

#[test]
fn peppers_change_while_keys_of_both_are_good() {
    let (first, second) = (own_key(1), own_key(2));
    let mut store = Store::with_peppers(&["p1"]);
    store.put(record(&first, "p1", "user_123"));
    store.put(record("key_first", "p1", "user_123"));
    let all = |store: &Store| [&*first, "key_first", &*second, "key_second"].map(|key| store.validate(key));
    assert_eq!(all(&store), [200, 200, 401, 401]);
    let settings = |names: &[&str]| Store::with_peppers(names).settings;
    store.settings = settings(&["p1", "p2"]);
    store.put(record(&second, "p2", "user_123"));
    store.put(record("key_second", "p2", "user_123"));
    assert_eq!(all(&store), [200; 4]);
    store.settings = settings(&["p2", "p1"]);
    assert_eq!(all(&store), [200; 4]);
    // Too early: a record that needs it is found by its id, so nobody can say whether the key is good. An old key's cannot
    // even be found.
    store.settings = settings(&["p2"]);
    assert_eq!(all(&store), [503, 401, 200, 200]);
    // Another secret under the same name is a mistake that looks like wrong keys.
    store.change_settings(|settings| settings["peppers"][0]["secret"] = hex(&pepper("p3")).into());
    assert_eq!(all(&store), [503, 401, 401, 401]);
}

#[test]
fn of_a_key_kept_under_two_peppers_every_record_must_be_in_force() {
    for (at, revoked) in [(0, "p1"), (1, "p2")] {
        let mut store = Store::with_peppers(&["p1", "p2"]);
        for pepper in ["p1", "p2"] {
            store.put(record("key_123", pepper, "user_123"));
        }
        assert_eq!(store.validate("key_123"), 200);
        let mut held = record("key_123", revoked, "user_123");
        held.revoke(NOW);
        store.put(held);
        assert_eq!(store.validate("key_123"), 401, "{at}");
    }
}

#[test]
fn only_the_key_itself_is_good_for_its_record() {
    let key = own_key(1);
    let mut store = Store::with_peppers(&["p1"]);
    store.put(record(&key, "p1", "user_123"));
    let mut random = [1; RANDOM_BYTES];
    random[RANDOM_BYTES - 1] ^= 1;
    let same_id = ApiKey::generate(&random, "acme").expect("a good prefix");
    let same_id_and_secret = ApiKey::generate(&[1; RANDOM_BYTES], "acm").expect("a good prefix");
    assert!(same_id[..21] == key[..21] && same_id_and_secret.split('_').nth(1) == key.split('_').nth(1));
    let held = &store.keys.keys().next().expect("one").clone();
    let hash = text(&serde_json::from_slice::<Value>(&store.keys[held]).expect("JSON")["hash"]).to_owned();
    for wrong in [&same_id, &same_id_and_secret, held, &hash, &format!("old-p1-{hash}")] {
        assert_eq!(store.validate(wrong), 401, "{wrong}");
    }
    assert_eq!(store.validate(&key), 200);
}

/// Two keys whose ids differ in letter case alone, of which the first is known.
fn keys_of_ids_that_differ_in_case() -> (String, String) {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let key = |id: &str| {
        let place = |digit: u8| DIGITS.iter().position(|known| *known == digit).expect("base62") as u128;
        let number = id.bytes().fold(0_u128, |number, digit| number * 62 + place(digit));
        let mut random = [7; RANDOM_BYTES];
        random[..11].copy_from_slice(&number.to_be_bytes()[5..]);
        let key = ApiKey::generate(&random, "acme").expect("a good prefix");
        assert_eq!(&key[5..21], id);
        key
    };
    (key("00abcdefghijklmn"), key("00ABCDefghijklmn"))
}

#[test]
fn ids_that_differ_in_case_are_two() {
    let (lower, upper) = keys_of_ids_that_differ_in_case();
    let mut store = Store::with_peppers(&["p1"]);
    store.put(record(&lower, "p1", "user_lower"));
    assert_eq!([&lower, &upper].map(|key| store.validate(key)), [200, 401]);
    store.put(record(&upper, "p1", "user_upper"));
    for (key, user) in [(&lower, "user_lower"), (&upper, "user_upper")] {
        let body: Value = serde_json::from_slice(&Asked::of(&store).validate(key).body).expect("JSON");
        assert_eq!(body["user_id"], user);
    }
}

/// Like a table or a file system that folds letter case.
struct Folding<'a>(&'a Store, Cell<usize>);

impl Bucket for Folding<'_> {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.1.set(self.1.get() + 1);
        Ok(self.0.keys.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone()))
    }
}

/// What it gives for another id says nothing about this one.
#[test]
fn a_store_that_folds_letter_case_is_noticed() {
    let (lower, upper) = keys_of_ids_that_differ_in_case();
    let mut store = Store::with_peppers(&["p1"]);
    store.put(record(&lower, "p1", "user_lower"));
    let settings = Plain(&store);
    for (key, wanted) in [(&lower, 200), (&upper, 503)] {
        let keys = Folding(&store, Cell::new(0));
        let headers = lines(&[("authorization", &format!("Bearer {key}"))]);
        let body = Whole(Vec::new());
        let request =
            auth_component::Request { method: "POST", target: "/auth/validate", headers: &headers, body: &body };
        assert_eq!((handle(&request, &settings, &keys, NOW).status, keys.1.get()), (wanted, 1));
    }
}

struct Plain<'a>(&'a Store);

impl Bucket for Plain<'_> {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(self.0.settings.get(name).cloned())
    }
}

/// A record that is not what STORE.md describes decides nothing.
#[test]
fn a_record_that_cannot_be_read_is_neither_a_yes_nor_a_no() {
    type Change = fn(&mut Value);
    let changes: &[(&str, Change)] = &[
        ("newer", |record| record["v"] = json!(2)),
        ("older", |record| record["v"] = json!(0)),
        ("another digest", |record| record["alg"] = json!("hs512")),
        ("another member", |record| record["admin"] = json!(true)),
        ("no user", |record| drop(record.as_object_mut().expect("an object").remove("user_id"))),
        ("an empty user", |record| record["user_id"] = json!("")),
        ("a user with a line break", |record| record["user_id"] = json!("a\r\nX-Admin: 1")),
        ("a user that is a number", |record| record["user_id"] = json!(7)),
        ("no hash", |record| drop(record.as_object_mut().expect("an object").remove("hash"))),
        ("an empty hash", |record| record["hash"] = json!("")),
        ("a hash in upper case", |record| record["hash"] = json!(text(&record["hash"]).to_uppercase())),
        ("no pepper", |record| drop(record.as_object_mut().expect("an object").remove("pepper"))),
        ("a pepper that is gone", |record| record["pepper"] = json!("p9")),
        ("another's id", |record| record["id"] = json!("0123456789abcdef")),
        ("an end in milliseconds", |record| record["exp"] = json!(4_102_444_799_000_u64)),
        ("an end that never comes", |record| record["exp"] = json!(u64::MAX)),
        ("a grace in milliseconds", |record| {
            record["replaced_by"] = json!("0123456789abcdef");
            record["grace_until"] = json!(4_102_444_799_000_u64);
        }),
        ("a revocation in milliseconds", |record| record["revoked"] = json!(1_700_000_000_000_u64)),
        ("a beginning in milliseconds", |record| record["nbf"] = json!(1_700_000_000_000_u64)),
        ("an end before 1970", |record| record["exp"] = json!(-1)),
        ("an end that is a date", |record| record["exp"] = json!("2099-12-31T23:59:59Z")),
        ("replaced without an end", |record| record["replaced_by"] = json!("0123456789abcdef")),
        ("scopes in one text", |record| record["scopes"] = json!("read write")),
        ("a scope that is two", |record| record["scopes"] = json!(["read introspect"])),
        ("an empty scope", |record| record["scopes"] = json!([""])),
        ("too long", |record| record["groups"] = json!(["g".repeat(16_384)])),
    ];
    for key in [own_key(1), "key_123".to_owned()] {
        for (what, change) in changes {
            let mut store = Store::with_peppers(&["p1"]);
            let held = record(&key, "p1", "user_123");
            let mut value: Value = serde_json::from_str(&held.to_json()).expect("JSON");
            change(&mut value);
            store.keys.insert(held.id, value.to_string().into_bytes());
            assert_eq!(store.validate(&key), 503, "{key}: {what}");
        }
        for garbage in ["", "null", "[]", "{}", "\u{feff}{}", "a", "\"a\"", "{\"v\":1", "503"] {
            let mut store = Store::with_peppers(&["p1"]);
            store.keys.insert(record(&key, "p1", "user_123").id, garbage.as_bytes().to_vec());
            assert_eq!(store.validate(&key), 503, "{key}: {garbage}");
        }
    }
}

#[test]
fn an_old_key_is_held_against_the_name_it_was_found_under() {
    let mut store = Store::with_peppers(&["p1", "p2"]);
    let held = record("key_123", "p1", "user_123");
    let other = record("key_456", "p1", "user_456");
    let copied = other.to_json().replace(&other.id, &held.id);
    store.keys.insert(held.id.clone(), copied.into_bytes());
    assert_eq!(store.validate("key_123"), 503, "another key's record under this key's name");
    let of_p2 = Record::new(&held.id, b"key_123", "p2", &pepper("p2"), "user_123", NOW);
    store.put(of_p2);
    assert_eq!(store.validate("key_123"), 503, "the name says p1, the record p2");
    store.put(held);
    assert_eq!(store.validate("key_123"), 200);
}

/// The end is printed, up to the last second that a date can have.
#[test]
fn the_last_second_of_the_year_9999_is_an_end() {
    let key = own_key(1);
    let mut store = Store::with_peppers(&["p1"]);
    let mut held = record(&key, "p1", "user_123");
    held.exp = Some(253_402_300_799);
    store.put(held);
    let response = Asked::of(&store).validate(&key);
    let body: Value = serde_json::from_slice(&response.body).expect("JSON");
    assert_eq!((response.status, &body["expires_at"]), (200, &json!("9999-12-31T23:59:59.000Z")));
}
