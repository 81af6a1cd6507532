//! A store in memory, its faults, and what it was asked.

use std::cell::RefCell;
use std::collections::BTreeMap;

use auth_component::api_key::{ApiKey, FormatDefect, RANDOM_BYTES, Record, digest_hex, old_name};
use auth_component::store::{Bucket, KEYS, Opened, SETTINGS, handle};
use auth_component::{Request, Response, StoreUnavailable};
use serde_json::{Value, json};

use crate::case::{self, NOW, Whole, lines, repository, text};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const GARBAGE: &[u8] = b"{\"v\":1,\"\xff";

/// The contents of both buckets.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) keys: BTreeMap<String, Vec<u8>>,
    pub(crate) settings: BTreeMap<String, Vec<u8>>,
}

pub(crate) fn pepper(name: &str) -> [u8; 32] {
    let mut pepper = [0xa5; 32];
    pepper[..name.len()].copy_from_slice(name.as_bytes());
    pepper
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An issuer as strict as the development set, but for what the contract's tokens need.
pub(crate) fn issuer(jwks: &str, algorithms: &[&str]) -> Value {
    json!({
        "jwks": jwks, "issuer": ISSUER, "audiences": ["https://api.example"], "algorithms": algorithms,
        "types": ["JWT", "at+jwt"], "issued_ahead_s": 60, "lifetime_s_max": u64::MAX,
    })
}

pub(crate) const SECRET_ALGORITHMS: [&str; 3] = ["HS256", "HS384", "HS512"];
pub(crate) const PUBLIC_ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

impl Store {
    /// Empty but for peppers of these names.
    pub(crate) fn with_peppers(names: &[&str]) -> Store {
        let peppers: Vec<Value> =
            names.iter().map(|name| json!({"name": name, "secret": hex(&pepper(name))})).collect();
        let mut store = Store { keys: BTreeMap::new(), settings: BTreeMap::new() };
        store.set_settings(&json!({"v": 1, "peppers": peppers}));
        store
    }

    /// What the development set knows: the keys of legacy-stub/keys.json as they are imported, and the sets of
    /// legacy-stub/contract/keys, shared secrets apart from public keys.
    pub(crate) fn development() -> Store {
        let mut store = Store::with_peppers(&["p1"]);
        let list = std::fs::read(repository("legacy-stub/keys.json")).expect("the list is there");
        let list: Vec<Value> = serde_json::from_slice(&list).expect("the list is JSON");
        for entry in &list {
            store.put(entry_record(entry, "p1"));
        }
        let set = std::fs::read(repository("legacy-stub/contract/keys/verification.json")).expect("it is there");
        let set: Value = serde_json::from_slice(&set).expect("the set is JSON");
        let keys = set["keys"].as_array().expect("a set").clone();
        let (secret, public): (Vec<Value>, Vec<Value>) = keys.into_iter().partition(|key| key["kty"] == "oct");
        store.settings.insert("jwks-1".to_owned(), json!({"keys": secret}).to_string().into_bytes());
        store.settings.insert("jwks-2".to_owned(), json!({"keys": public}).to_string().into_bytes());
        store.change_settings(|settings| {
            settings["tokens"] = json!([issuer("jwks-1", &SECRET_ALGORITHMS), issuer("jwks-2", &PUBLIC_ALGORITHMS)]);
        });
        store
    }

    pub(crate) fn put(&mut self, record: Record) {
        self.keys.insert(record.id.clone(), record.to_json().into_bytes());
    }

    pub(crate) fn set_settings(&mut self, settings: &Value) {
        self.settings.insert("settings".to_owned(), settings.to_string().into_bytes());
    }

    pub(crate) fn change_settings(&mut self, change: impl FnOnce(&mut Value)) {
        let mut settings: Value = serde_json::from_slice(&self.settings["settings"]).expect("JSON");
        change(&mut settings);
        self.set_settings(&settings);
    }

    /// The answer to a case of the contract.
    pub(crate) fn answer(&self, request: &Value) -> Response {
        Asked::of(self).answer(request)
    }

    /// The status of `POST /auth/validate` with this credential, which must be one of those that it can be.
    pub(crate) fn validate(&self, credential: &str) -> u16 {
        Asked::of(self).validate(credential).status
    }
}

/// A key as an import keeps it: under its id, or under its digest where it has none.
pub(crate) fn record(key: &str, pepper_name: &str, user_id: &str) -> Record {
    let pepper = pepper(pepper_name);
    let id = match ApiKey::parse(key.as_bytes()) {
        Ok(own) => own.id().to_owned(),
        Err(FormatDefect::Shape) => old_name(pepper_name, &digest_hex(&pepper, key.as_bytes())),
        Err(FormatDefect::Checksum) => panic!("{key} can never be good"),
    };
    Record::new(&id, key.as_bytes(), pepper_name, &pepper, user_id, NOW)
}

fn entry_record(entry: &Value, pepper_name: &str) -> Record {
    let date = |member: &str| {
        entry.get(member).map(|date| {
            let date = humantime::parse_rfc3339(text(date)).expect("a date");
            date.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()
        })
    };
    let texts = |member: &str| match entry.get(member) {
        None => Vec::new(),
        Some(Value::Array(texts)) => texts.iter().map(|one| text(one).to_owned()).collect(),
        Some(one) => vec![text(one).to_owned()],
    };
    let mut record = record(text(&entry["key"]), pepper_name, text(&entry["user_id"]));
    record.scopes = texts("scopes");
    record.aud = texts("aud");
    record.email = texts("email").pop();
    record.groups = texts("groups");
    record.nbf = date("not_before");
    record.exp = date("expires_at");
    record.revoked = date("revoked_at");
    if let Some(grace_until) = date("grace_until") {
        record.replace("mD8ArZUn4FifhC2a", grace_until);
    }
    record
}

/// An own key, another for each number.
pub(crate) fn own_key(number: u8) -> String {
    ApiKey::generate(&[number; RANDOM_BYTES], "acme").expect("a good prefix")
}

/// One call to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Open(&'static str),
    Get(&'static str, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The store does not say.
    Fails,
    /// It says there is something, and nobody can read it.
    Garbage,
}

/// A store that counts, and that has a fault at one call or from one on.
pub(crate) struct Asked<'a> {
    store: &'a Store,
    fault: Option<(Fault, usize)>,
    calls: RefCell<Vec<Call>>,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(store: &'a Store) -> Asked<'a> {
        Asked { store, fault: None, calls: RefCell::default() }
    }

    /// The first call is 0; opening cannot give garbage.
    pub(crate) fn with_fault(store: &'a Store, fault: Fault, at: usize) -> Asked<'a> {
        Asked { fault: Some((fault, at)), ..Asked::of(store) }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    pub(crate) fn handle(&self, request: &Request, now: u64) -> Response {
        let bucket = |name| Opened::by(move || self.call(Call::Open(name)).map(|_| Side { asked: self, name }));
        handle(request, &bucket(SETTINGS), &bucket(KEYS), now)
    }

    pub(crate) fn answer(&self, request: &Value) -> Response {
        let headers = case::headers(request);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (method, target) = (text(&request["method"]), text(&request["path"]));
        let (headers, body) = (lines(&headers), Whole(case::body(request)));
        self.handle(&Request { method, target, headers: &headers, body: &body }, NOW)
    }

    pub(crate) fn validate(&self, credential: &str) -> Response {
        self.validate_at(credential, NOW)
    }

    pub(crate) fn validate_at(&self, credential: &str, now: u64) -> Response {
        let headers = lines(&[("authorization", &format!("Bearer {credential}"))]);
        let body = Whole(Vec::new());
        self.handle(&Request { method: "POST", target: "/auth/validate", headers: &headers, body: &body }, now)
    }

    /// Whether it succeeds, and with garbage.
    fn call(&self, call: Call) -> Result<bool, StoreUnavailable> {
        let mut calls = self.calls.borrow_mut();
        let at = calls.len();
        let is_get = matches!(call, Call::Get(..));
        calls.push(call);
        match self.fault {
            Some((Fault::Fails, faulty)) if faulty == at => Err(StoreUnavailable),
            Some((Fault::Garbage, faulty)) if faulty == at => Ok(is_get),
            _ => Ok(false),
        }
    }
}

struct Side<'a> {
    asked: &'a Asked<'a>,
    name: &'static str,
}

impl Bucket for Side<'_> {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        if self.asked.call(Call::Get(self.name, name.to_owned()))? {
            return Ok(Some(GARBAGE.to_vec()));
        }
        let bucket = if self.name == KEYS { &self.asked.store.keys } else { &self.asked.store.settings };
        Ok(bucket.get(name).cloned())
    }
}
