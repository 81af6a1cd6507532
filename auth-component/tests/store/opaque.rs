//! Opaque tokens: when their issuer is asked, what is kept of its answer and for how long, and what a bad answer does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use auth_component::store::{Bucket, Cache, KEYS, Outbound, Outside, Question, Reply, SETTINGS, handle_asking};
use auth_component::{Request, Response, StoreUnavailable};
use serde_json::{Value, json};

use crate::case::{NOW, Whole, cases, lines, repository};
use crate::held::{Store, own_key, record};

const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

/// An issuer, and a place for its answers.
struct World {
    store: Store,
    /// What it says; nothing where it cannot be reached.
    says: RefCell<Option<(u16, String)>>,
    asked: RefCell<Vec<String>>,
    kept: RefCell<BTreeMap<String, Vec<u8>>>,
    keeps: Cell<bool>,
}

impl World {
    fn saying(says: Value) -> World {
        let mut store = Store::development();
        store.change_settings(|settings| {
            settings["introspection"] = json!({
                "url": "https://issuer.example/oauth2/introspect", "client_id": "gateway", "client_secret": "5ec2et",
                "issuer": "https://issuer.example", "audiences": ["https://api.example"],
            });
        });
        World {
            store,
            says: RefCell::new(Some((200, says.to_string()))),
            asked: RefCell::default(),
            kept: RefCell::default(),
            keeps: Cell::new(true),
        }
    }

    fn change(mut self, change: impl FnOnce(&mut Value)) -> World {
        self.store.change_settings(|settings| change(&mut settings["introspection"]));
        self
    }

    fn says(&self, status: u16, body: &str) {
        *self.says.borrow_mut() = Some((status, body.to_owned()));
    }

    fn ask(&self, target: &str, credential: &str, now: u64) -> Response {
        let headers = lines(&[("authorization", &format!("Bearer {credential}"))]);
        let method = if target.starts_with("/auth/nginx") { "GET" } else { "POST" };
        let request = Request { method, target, headers: &headers, body: &Whole(Vec::new()) };
        let outside = Outside { outbound: self, cache: self };
        let (settings, keys) = (In(&self.store.settings), In(&self.store.keys));
        handle_asking(&request, &settings, &keys, outside, now)
    }

    /// The status, and how many questions there were so far.
    fn validate(&self, credential: &str, now: u64) -> (u16, usize) {
        let status = self.ask("/auth/validate", credential, now).status;
        (status, self.asked.borrow().len())
    }
}

struct In<'a>(&'a BTreeMap<String, Vec<u8>>);

impl Bucket for In<'_> {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(self.0.get(name).cloned())
    }
}

impl Outbound for World {
    fn ask(&self, question: &Question, _: usize) -> Result<Reply, StoreUnavailable> {
        self.asked.borrow_mut().push(question.body.clone());
        let (status, body) = self.says.borrow().clone().ok_or(StoreUnavailable)?;
        let content_types = vec![b"application/json".to_vec()];
        Ok(Reply { status, content_types, body: body.into_bytes() })
    }
}

impl Cache for World {
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.kept.borrow().get(name).cloned()
    }

    fn set(&self, name: &str, value: &[u8]) {
        if self.keeps.get() {
            self.kept.borrow_mut().insert(name.to_owned(), value.to_vec());
        }
    }
}

fn active(more: Value) -> Value {
    let mut active = json!({
        "active": true, "sub": "user_7", "scope": "read write", "aud": "https://api.example",
        "iss": "https://issuer.example",
    });
    active.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    active
}

#[test]
fn a_token_is_good_as_long_as_its_issuer_says_and_no_longer_than_that_is_kept() {
    let world = World::saying(active(json!({})));
    let answer = world.ask("/auth/validate", TOKEN, NOW);
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!((answer.status, body), (200, json!({"valid": true, "user_id": "user_7", "expires_at": null})));
    assert_eq!(*world.asked.borrow(), [format!("token={TOKEN}&token_type_hint=access_token")]);
    world.says(200, r#"{"active":false}"#);
    assert_eq!(world.validate(TOKEN, NOW + 59), (200, 1), "what is kept is not asked for again");
    assert_eq!(world.validate(TOKEN, NOW + 60), (401, 2), "the whole of cache_s_max is over");
    world.says(200, &active(json!({})).to_string());
    assert_eq!(world.validate(TOKEN, NOW + 64), (401, 2), "a refusal is kept too");
    assert_eq!(world.validate(TOKEN, NOW + 65), (200, 3), "the whole of negative_s is over");
}

#[test]
fn a_token_that_ends_is_refused_from_that_second_on_although_it_is_kept() {
    let world = World::saying(active(json!({"exp": NOW + 10})));
    assert_eq!(world.validate(TOKEN, NOW), (200, 1));
    assert_eq!(world.validate(TOKEN, NOW + 9), (200, 1));
    assert_eq!(world.validate(TOKEN, NOW + 10), (401, 2), "by the clock, whatever the issuer says");
    assert_eq!(world.validate(TOKEN, NOW + 14), (401, 2));
    // One that is not yet good comes into force while it is kept.
    let world = World::saying(active(json!({"nbf": NOW + 30, "exp": NOW + 500})));
    assert_eq!(world.validate(TOKEN, NOW), (401, 1));
    assert_eq!(world.validate(TOKEN, NOW + 30), (200, 1));
    assert_eq!(world.validate(TOKEN, NOW + 60), (200, 2), "not until its end: the issuer may have revoked it");
}

#[test]
fn with_no_time_to_keep_the_issuer_is_asked_each_time() {
    let never = |world: World| world.change(|own| *own = merged(own, json!({"cache_s_max": 0, "negative_s": 0})));
    for says in [active(json!({})), json!({"active": false})] {
        let world = never(World::saying(says));
        let first = world.validate(TOKEN, NOW);
        assert_eq!((first.1, world.validate(TOKEN, NOW)), (1, (first.0, 2)));
        assert!(world.kept.borrow().is_empty());
    }
    let world = World::saying(active(json!({})));
    world.keeps.set(false);
    assert_eq!((world.validate(TOKEN, NOW), world.validate(TOKEN, NOW)), ((200, 1), (200, 2)), "a cache that fails");
}

fn merged(own: &Value, more: Value) -> Value {
    let mut own = own.clone();
    own.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    own
}

#[test]
fn a_clock_that_is_set_back_or_a_limit_that_is_lowered_ends_what_is_kept() {
    let world = World::saying(active(json!({})));
    assert_eq!(world.validate(TOKEN, NOW), (200, 1));
    assert_eq!(world.validate(TOKEN, NOW - 1), (200, 2), "it would be kept for 61 seconds");
    let world = World::saying(active(json!({})));
    assert_eq!(world.validate(TOKEN, NOW), (200, 1));
    let world = world.change(|own| own["cache_s_max"] = 30.into());
    assert_eq!(world.validate(TOKEN, NOW), (200, 2));
    assert_eq!(world.validate(TOKEN, NOW + 29), (200, 2));
}

#[test]
fn whatever_is_no_answer_is_503_and_is_not_kept() {
    let long = format!("{{\"active\":false,\"x\":\"{}\"}}", "x".repeat(8_192));
    let not_json = ["", "<html></html>", "{}", "true", r#"{"active":"true"}"#, r#"{"active":true,"sub":7}"#, &long];
    let statuses = [201, 204, 301, 400, 401, 403, 404, 429, 500, 503].map(|status| (status, r#"{"active":false}"#));
    for (status, body) in not_json.map(|body| (200, body)).into_iter().chain(statuses) {
        let world = World::saying(json!(null));
        world.says(status, body);
        let answer = world.ask("/auth/validate", TOKEN, NOW);
        let retry = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
        assert_eq!((answer.status, retry.map(|(_, value)| value.as_str())), (503, Some("1")), "{status} {body}");
        assert!(world.kept.borrow().is_empty(), "{status} {body}");
        world.says(200, &active(json!({})).to_string());
        assert_eq!(world.validate(TOKEN, NOW), (200, 2), "asked again at once");
    }
    let world = World::saying(json!(null));
    *world.says.borrow_mut() = None;
    assert_eq!(world.validate(TOKEN, NOW), (503, 1));
    assert_eq!(world.validate("key_123", NOW), (200, 1), "who needs no issuer is answered");
}

#[test]
fn what_was_kept_serves_while_the_issuer_is_away() {
    let world = World::saying(active(json!({})));
    assert_eq!(world.validate(TOKEN, NOW), (200, 1));
    *world.says.borrow_mut() = None;
    assert_eq!(world.validate(TOKEN, NOW + 59), (200, 1));
    assert_eq!(world.validate(TOKEN, NOW + 60), (503, 2), "never longer: it may have been revoked");
}

#[test]
fn what_is_kept_has_neither_token_nor_secret_and_is_nobody_elses() {
    let world = World::saying(active(json!({"email": "u@example.com", "username": "somebody", "private": "x"})));
    world.validate(TOKEN, NOW);
    let kept = world.kept.borrow().clone();
    let (name, value) = kept.first_key_value().expect("it is kept");
    let value = String::from_utf8(value.clone()).expect("text");
    for hidden in [TOKEN, "5ec2et", "somebody", "private"] {
        assert!(!name.contains(hidden) && !value.contains(hidden), "{hidden}: {name} {value}");
    }
    assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    for (member, other) in [("client_id", "other"), ("issuer", "https://other.example")] {
        let world = World::saying(json!({"active": false})).change(|own| own[member] = other.into());
        *world.kept.borrow_mut() = kept.clone();
        assert_eq!(world.validate(TOKEN, NOW), (401, 1), "{member}");
    }
    for garbage in
        ["", "{}", "[]", "{\"until\":\"x\"}", &value.replace("\"until\":", "\"until\":1e3,\"x\":"), &value[1..]]
    {
        let world = World::saying(json!({"active": false}));
        world.kept.borrow_mut().insert(name.clone(), garbage.as_bytes().to_vec());
        assert_eq!(world.validate(TOKEN, NOW), (401, 1), "{garbage}");
    }
}

#[test]
fn the_issuer_is_not_asked_about_what_is_known_here_or_cannot_be_its_token() {
    let mut world = World::saying(active(json!({})));
    let (own, unknown_own) = (own_key(1), own_key(2));
    let mut revoked = record("key_revoked_here", "p1", "user_1");
    revoked.revoked = Some(NOW - 1);
    world.store.put(record(&own, "p1", "user_1"));
    world.store.put(revoked);
    let of_case = |name: &str| {
        let case = cases().into_iter().find(|case| case.name == name).expect("a case").request;
        let header = case["headers"][0][1].as_str().expect("a header").to_owned();
        header.trim_start_matches("Bearer ").to_owned()
    };
    for (credential, status) in [
        (own.as_str(), 200),
        ("key_123", 200),
        ("key_revoked_here", 401),
        ("key_expired", 401),
        (&unknown_own, 401),
        (&of_case("jwt-es256"), 200),
        (&of_case("jwt-exp-past"), 401),
        ("not.a.jws", 401),
        (&"x".repeat(2_049), 401),
        ("t\u{f6}ken", 401),
    ] {
        assert_eq!(world.validate(credential, NOW), (status, 0), "{credential}");
    }
    for (number, opaque) in (1..).zip([TOKEN, "a.b", "a.b.c.d.e", &"x".repeat(2_048)]) {
        assert_eq!(world.validate(opaque, NOW), (200, number), "{opaque}");
    }
}

#[test]
fn whom_a_token_is_for_and_what_it_may_is_asked_of_it_as_of_any_other() {
    for (says, target, status) in [
        (active(json!({})), "/auth/nginx?scope=read", 200),
        (active(json!({})), "/auth/nginx?scope=read+write", 200),
        (active(json!({})), "/auth/nginx?scope=admin", 403),
        (active(json!({"scope": ""})), "/auth/nginx?scope=read", 403),
        (active(json!({"aud": "https://other.example"})), "/auth/validate", 401),
        (active(json!({"aud": null})), "/auth/validate", 503),
        (active(json!({"iss": "https://other.example"})), "/auth/validate", 401),
        (active(json!({"token_type": "DPoP"})), "/auth/validate", 401),
        (active(json!({"cnf": {"jkt": "x"}})), "/auth/validate", 401),
        (active(json!({"sub": ""})), "/auth/validate", 503),
    ] {
        let world = World::saying(says.clone());
        assert_eq!(world.ask(target, TOKEN, NOW).status, status, "{says} {target}");
    }
}

#[test]
fn without_an_issuer_in_the_settings_nobody_is_asked() {
    let mut world = World::saying(active(json!({})));
    world.store.change_settings(|settings| drop(settings.as_object_mut().expect("an object").remove("introspection")));
    assert_eq!(world.validate(TOKEN, NOW), (401, 0));
    assert_eq!(world.validate("key_123", NOW), (200, 0));
}

#[test]
fn the_example_of_the_page_works_and_all_its_members_are_described() {
    let page = std::fs::read_to_string(repository("auth-component/INTROSPECTION.md")).expect("the page is there");
    let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let example: Value = serde_json::from_str(&format!("{{{example}}}")).expect("a member of the settings");
    let own = example["introspection"].clone();
    let members: Vec<String> = own.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(members.len(), 7, "{members:?}");
    assert!(members.iter().all(|member| page.contains(&format!("`{member}`"))), "{members:?}");
    let world = World::saying(active(json!({}))).change(|settings| *settings = own);
    assert_eq!(world.validate(TOKEN, NOW), (200, 1));
    for name in [KEYS, SETTINGS, auth_component::store::CACHE] {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
