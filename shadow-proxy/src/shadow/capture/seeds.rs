//! What both sides can be given so that a capture's stand-ins are known to them: beside the files, for people
//! (`seeds.json`) and ready to use (`keys.json`, `jwks.json`, `jwks-shared.json`).

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use http::HeaderValue;
use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::stand_ins::StandIns;
use crate::exchange::{Answer, Call, Decision};

/// A credential of one call, as its stand-in.
pub(crate) struct Seen {
    pub(crate) credential: String,
    pub(crate) is_token: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seed {
    pub(crate) credential: String,
    /// `key` or `token`.
    pub(crate) kind: String,
    /// What legacy said last: `allow`, `deny`, `error` or `neither`.
    pub(crate) decision: String,
    pub(crate) user_id: Option<String>,
    pub(crate) expires_at: Option<String>,
}

/// All of a folder, those of earlier runs too.
pub(crate) struct Seeds {
    known: BTreeMap<String, Seed>,
    /// Of earlier runs.
    jwks: Vec<Value>,
    jwks_shared: Vec<Value>,
    beyond: Beyond,
    is_written: bool,
    signers_written: usize,
}

impl Seeds {
    /// What earlier runs left in the folder; a file that is none is left behind.
    pub(crate) fn open(folder: &Path) -> Seeds {
        let read =
            |name: &str| -> Option<Value> { serde_json::from_slice(&std::fs::read(folder.join(name)).ok()?).ok() };
        let keys = |name: &str| read(name).and_then(|set| set["keys"].as_array().cloned()).unwrap_or_default();
        let seeds: Vec<Seed> = read("seeds.json")
            .and_then(|mut file| serde_json::from_value(file["credentials"].take()).ok())
            .unwrap_or_default();
        let known: BTreeMap<String, Seed> = seeds.into_iter().map(|seed| (seed.credential.clone(), seed)).collect();
        Seeds {
            is_written: false,
            signers_written: 0,
            known,
            jwks: keys("jwks.json"),
            jwks_shared: keys("jwks-shared.json"),
            beyond: Beyond::of(read("seeds.json")),
        }
    }

    /// Call and answer are those with stand-ins.
    pub(crate) fn learn(&mut self, seen: Vec<Seen>, call: &Call, decision: Decision, answer: Option<&Answer>) {
        if self.beyond.learn(&seen, call, decision, answer) {
            self.is_written = false;
        }
        let body: Option<Value> = answer.and_then(|answer| serde_json::from_slice(&answer.body).ok());
        let member =
            |names: &[&str]| names.iter().find_map(|name| body.as_ref()?.get(name)?.as_str().map(str::to_owned));
        let user =
            answer.and_then(|answer| answer.headers.get("x-auth-request-user")?.to_str().ok().map(str::to_owned));
        // With several credentials nobody can say which of them the answer is about.
        let owner = if seen.len() == 1 { member(&["user_id", "sub"]).or(user) } else { None };
        for Seen { credential, is_token } in seen {
            let known = self.known.get(&credential);
            let is_worth_less = known.is_some_and(|seed| seed.decision == "allow" && decision != Decision::Allow);
            if is_worth_less || known.is_none() && self.known.len() >= SEEDS_MAX {
                continue;
            }
            let seed = Seed {
                credential: credential.clone(),
                kind: if is_token { "token" } else { "key" }.to_owned(),
                decision: name(decision).to_owned(),
                user_id: owner.clone().or_else(|| known?.user_id.clone()),
                expires_at: member(&["expires_at"]).or_else(|| known?.expires_at.clone()),
            };
            if known != Some(&seed) {
                self.known.insert(credential, seed);
                self.is_written = false;
            }
        }
    }

    /// Replaces the files when there is something new.
    pub(crate) fn write(&mut self, folder: &Path, stand_ins: &StandIns) -> std::io::Result<()> {
        let signers = stand_ins.signers();
        if self.is_written && self.signers_written == signers {
            return Ok(());
        }
        let credentials: Vec<&Seed> = self.known.values().collect();
        let all = |earlier: &[Value], shared| [earlier.to_vec(), stand_ins.jwks(shared)].concat();
        let (public, shared) = (all(&self.jwks, false), all(&self.jwks_shared, true));
        let key_ids: Vec<&Value> = public.iter().chain(&shared).map(|jwk| &jwk["kid"]).collect();
        let keys = self.keys();
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        let good = self.known.values().filter(|seed| seed.kind == "key" && seed.decision == "allow").count();
        let mut install = vec![json!({
            "file": "keys.json",
            "what": "API keys that legacy let in",
            "count": count(&keys),
            "how": "KEYS_FILE of the legacy service; `shadow-proxy keys import --from keys.json` for the candidate",
        })];
        for (name, keys) in [("jwks.json", &public), ("jwks-shared.json", &shared)] {
            let how = "JWKS_FILE of the legacy service; [[auth.issuers]] jwks for the candidate";
            let what = "keys that verify the stand-in tokens";
            install.extend(
                (!keys.is_empty()).then(|| json!({"file": name, "what": what, "count": keys.len(), "how": how})),
            );
        }
        let cannot = self.beyond.told(good - count(&keys));
        let seeds = json!({
            "format": FORMAT, "v": 1, "install": install, "cannot_be_installed": cannot, "key_ids": key_ids,
            "credentials": credentials,
        });
        replace(folder, "seeds.json", &seeds)?;
        replace(folder, "keys.json", &keys)?;
        for (name, keys) in [("jwks.json", public), ("jwks-shared.json", shared)] {
            if !keys.is_empty() {
                replace(folder, name, &json!({ "keys": keys }))?;
            }
        }
        (self.is_written, self.signers_written) = (true, signers);
        Ok(())
    }

    /// The list that `keys import` and the legacy service of this repository read: whom legacy let in.
    fn keys(&self) -> Value {
        let good = self.known.values().filter(|seed| seed.kind == "key" && seed.decision == "allow");
        good.filter_map(|seed| {
            let expires_at = seed.expires_at.as_deref().unwrap_or("2099-12-31T23:59:59Z");
            Some(json!({"key": seed.credential, "user_id": seed.user_id.as_ref()?, "expires_at": expires_at}))
        })
        .collect()
    }
}

/// Calls that legacy let in by what no file can give to a side.
#[derive(Default)]
struct Beyond {
    passwords: u64,
    sessions: u64,
    /// Digests of cookies that answers of this capture set: a replay has them from the sides themselves.
    issued: HashSet<u64>,
}

impl Beyond {
    /// What an earlier run counted.
    fn of(seeds: Option<Value>) -> Beyond {
        let entries = seeds.and_then(|seeds| seeds["cannot_be_installed"].as_array().cloned()).unwrap_or_default();
        let calls = |what: &str| entries.iter().find(|entry| entry["what"] == what)?["calls"].as_u64();
        let calls = |what| calls(what).unwrap_or(0);
        Beyond { passwords: calls(PASSWORDS), sessions: calls(SESSIONS), issued: HashSet::new() }
    }

    /// Whether there is something new.
    fn learn(&mut self, seen: &[Seen], call: &Call, decision: Decision, answer: Option<&Answer>) -> bool {
        let digest = |cookie: &str| {
            let digest = Sha256::digest(cookie.trim());
            u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
        };
        for set in answer.iter().flat_map(|answer| answer.headers.get_all(SET_COOKIE)) {
            let cookie = set.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if self.issued.len() < SEEDS_MAX {
                self.issued.insert(digest(cookie));
            }
        }
        if decision != Decision::Allow {
            return false;
        }
        let text =
            |name| call.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        let is_basic = text(AUTHORIZATION).get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "));
        if is_basic || has_password(&call.body) {
            self.passwords += 1;
            return true;
        }
        let mut cookies = text(COOKIE).split(';').filter(|cookie| !cookie.trim().is_empty()).peekable();
        let is_foreign =
            seen.is_empty() && cookies.peek().is_some() && !cookies.any(|cookie| self.issued.contains(&digest(cookie)));
        self.sessions += u64::from(is_foreign);
        is_foreign
    }

    fn told(&self, keys_without_owner: usize) -> Vec<Value> {
        let told = [
            (
                PASSWORDS,
                self.passwords,
                "a stand-in has no entry among the users of a side: add test users, or capture with secrets",
            ),
            (
                SESSIONS,
                self.sessions,
                "only the side that began a session knows it: capture from the sign-in on, or let both sides share their sessions",
            ),
            (
                "keys whose owner no answer named",
                keys_without_owner as u64,
                "they stand under `credentials` with the decision `allow`: add them to keys.json with an owner",
            ),
        ];
        let told = told.into_iter().filter(|(_, count, _)| *count > 0);
        told.map(|(what, count, why)| json!({"what": what, "calls": count, "why": why})).collect()
    }
}

/// A member of a form or of JSON that is named so and has a value.
fn has_password(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let is_named = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.contains("passw") || ["pass", "pwd", "client_secret"].contains(&&*name)
    };
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(members)) => members.iter().any(|(name, value)| is_named(name) && value.is_string()),
        _ => text.split('&').any(|pair| pair.split_once('=').is_some_and(|(name, _)| is_named(name))),
    }
}

const PASSWORDS: &str = "passwords";
const SESSIONS: &str = "sessions that began before the capture";

fn name(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
        Decision::Error => "error",
        Decision::Neither => "neither",
    }
}

/// Whole or not at all.
fn replace(folder: &Path, name: &str, value: &Value) -> std::io::Result<()> {
    let unfinished = folder.join(format!("{name}.new"));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(format!("{value:#}\n").as_bytes())?;
    std::fs::rename(unfinished, folder.join(name))
}

const FORMAT: &str = "shadow-proxy seeds";
/// More stand-ins than this are used, but not listed.
const SEEDS_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::capture::form::Keyed;
    use crate::shadow::endpoint::Endpoints;

    #[test]
    fn what_is_learned_later_is_written_too_and_a_refusal_takes_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        let stand_ins = StandIns::new(Keyed::with(&[7; 32]), &[], &Endpoints::default(), None);
        let mut seeds = Seeds::open(folder.path());
        let answer = |body: &'static str| Answer {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: body.into(),
        };
        let mut learned = |decision, body| {
            let seen = vec![Seen { credential: "dev_1".to_owned(), is_token: false }];
            seeds.learn(seen, &call("", "", ""), decision, Some(&answer(body)));
            seeds.write(folder.path(), &stand_ins).unwrap();
            let keys: Value = serde_json::from_slice(&std::fs::read(folder.path().join("keys.json")).unwrap()).unwrap();
            keys
        };
        assert_eq!(learned(Decision::Deny, "{}"), json!([]));
        let key = json!([{"key": "dev_1", "user_id": "u", "expires_at": "2099-12-31T23:59:59Z"}]);
        assert_eq!(learned(Decision::Allow, r#"{"user_id":"u"}"#), key);
        assert_eq!(learned(Decision::Deny, "{}"), key);
    }

    #[test]
    fn what_no_file_can_install_is_counted_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let stand_ins = StandIns::new(Keyed::with(&[7; 32]), &[], &Endpoints::default(), None);
        let set = Answer {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_static("sid=issued; Path=/"))]),
            body: "{}".into(),
        };
        let plain = Answer { headers: http::HeaderMap::new(), ..set.clone() };
        let key = || Seen { credential: "opaque".to_owned(), is_token: false };
        let mut seeds = Seeds::open(folder.path());
        for (seen, call, decision, answer) in [
            (vec![], call("", "", r#"{"email":"a","password":"b"}"#), Decision::Allow, &set),
            (vec![], call("", "", "user=a&password=b"), Decision::Deny, &plain),
            (vec![], call("Basic YTpi", "", ""), Decision::Allow, &plain),
            (vec![], call("", "theme=dark; sid=issued", ""), Decision::Allow, &plain),
            (vec![], call("", "sid=older", ""), Decision::Allow, &plain),
            (vec![key()], call("Bearer opaque", "sid=older", ""), Decision::Allow, &plain),
        ] {
            seeds.learn(seen, &call, decision, Some(answer));
        }
        seeds.write(folder.path(), &stand_ins).unwrap();
        let written = |folder: &Path| -> Value {
            serde_json::from_slice(&std::fs::read(folder.join("seeds.json")).unwrap()).unwrap()
        };
        let file = written(folder.path());
        let told: Vec<(&str, u64)> = file["cannot_be_installed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (entry["what"].as_str().unwrap(), entry["calls"].as_u64().unwrap()))
            .collect();
        assert_eq!(told, [(PASSWORDS, 2), (SESSIONS, 1), ("keys whose owner no answer named", 1)]);
        assert_eq!((&file["install"][0]["file"], &file["install"][0]["count"]), (&"keys.json".into(), &0.into()));
        let mut later = Seeds::open(folder.path());
        later.learn(vec![], &call("", "sid=older", ""), Decision::Allow, Some(&plain));
        later.write(folder.path(), &stand_ins).unwrap();
        assert_eq!(written(folder.path())["cannot_be_installed"][1]["calls"], 2);
    }

    fn call(authorization: &'static str, cookie: &'static str, body: &'static str) -> Call {
        let headers =
            [(AUTHORIZATION, authorization), (COOKIE, cookie)].into_iter().filter(|(_, text)| !text.is_empty());
        Call {
            method: http::Method::POST,
            uri: "/".parse().unwrap(),
            headers: headers.map(|(name, text)| (name, HeaderValue::from_static(text))).collect(),
            body: body.into(),
        }
    }
}
