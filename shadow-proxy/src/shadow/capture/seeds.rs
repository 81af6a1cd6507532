//! What both sides can be given so that a capture's stand-ins are known to them: beside the files, for people
//! (`seeds.json`) and ready to use (`keys.json`, `jwks.json`, `jwks-shared.json`).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::stand_ins::StandIns;
use crate::exchange::{Answer, Decision};

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
        }
    }

    /// `answer` is legacy's, with stand-ins.
    pub(crate) fn learn(&mut self, seen: Vec<Seen>, decision: Decision, answer: Option<&Answer>) {
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
        let seeds = json!({"format": FORMAT, "v": 1, "key_ids": key_ids, "credentials": credentials});
        replace(folder, "seeds.json", &seeds)?;
        replace(folder, "keys.json", &self.keys())?;
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
            seeds.learn(seen, decision, Some(&answer(body)));
            seeds.write(folder.path(), &stand_ins).unwrap();
            let keys: Value = serde_json::from_slice(&std::fs::read(folder.path().join("keys.json")).unwrap()).unwrap();
            keys
        };
        assert_eq!(learned(Decision::Deny, "{}"), json!([]));
        let key = json!([{"key": "dev_1", "user_id": "u", "expires_at": "2099-12-31T23:59:59Z"}]);
        assert_eq!(learned(Decision::Allow, r#"{"user_id":"u"}"#), key);
        assert_eq!(learned(Decision::Deny, "{}"), key);
    }
}
