//! Which credentials may be good, told from the contract's own files and by other readers than those under test.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::UNIX_EPOCH;

use serde_json::Value;

use crate::{Input, Signed};

/// A key of legacy-stub/keys.json.
pub struct Key {
    pub key: String,
    pub user_id: String,
    scopes: Vec<String>,
    /// In seconds since the Unix epoch; before the first and from the second on it is not good.
    begin: u64,
    end: u64,
}

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";
/// The end of the year 9999.
const DATE_MAX: f64 = 253_402_300_799.0;

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let keys: Value = serde_json::from_str(include_str!("../../../legacy-stub/keys.json")).expect("the keys are JSON");
    keys.as_array().expect("a list of keys").iter().map(Key::read).collect()
});

/// Good and bad ones: what else a token of this set is, the contract's own cases tell.
static CONTRACT_TOKENS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let tokens: Value = serde_json::from_str(include_str!("../../../legacy-stub/contract/keys/tokens.json"))
        .expect("the tokens are JSON");
    let tokens = tokens.as_object().expect("tokens by the name of their case");
    tokens.values().map(|token| token.as_str().expect("a text").to_owned()).collect()
});

impl Key {
    /// The key that is good at `now`.
    pub fn good(key: &[u8], now: u64) -> Option<&'static Key> {
        KEYS.iter().find(|known| known.key.as_bytes() == key && (known.begin..known.end).contains(&now))
    }

    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }

    fn read(key: &Value) -> Key {
        let text = |name: &str| key[name].as_str().map(str::to_owned);
        let seconds = |name: &str| {
            let time = humantime::parse_rfc3339(key[name].as_str()?).expect("a time of RFC 3339");
            Some(time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
        };
        let scopes = key["scopes"].as_array().expect("a list of scopes");
        let ends = ["expires_at", "grace_until", "revoked_at"].into_iter().filter_map(seconds);
        Key {
            key: text("key").expect("a key"),
            user_id: text("user_id").expect("a user"),
            scopes: scopes.iter().map(|scope| scope.as_str().expect("a text").to_owned()).collect(),
            begin: seconds("not_before").unwrap_or(0),
            end: ends.min().expect("every key expires"),
        }
    }
}

/// Whether a token may be good: the contract has it, or this input had it signed and it says what it must.
pub fn may_be_good_token(token: &[u8], input: &Input) -> bool {
    let Ok(token) = str::from_utf8(token) else { return false };
    CONTRACT_TOKENS.contains(token)
        || input.signed.iter().any(|signed| signed.token == token && signed.says_what_it_must(input.now))
}

pub fn may_be_good(credential: &[u8], input: &Input) -> bool {
    Key::good(credential, input.now).is_some() || may_be_good_token(credential, input)
}

impl Signed {
    /// What must hold of every good token; more must, but that is for the contract.
    fn says_what_it_must(&self, now: u64) -> bool {
        let parse = |text| serde_json::from_slice::<Value>(text).unwrap_or(Value::Null);
        let (header, claims) = (parse(&self.header), parse(&self.payload));
        let unreadable = ["crit", "b64", "zip", "enc"].iter().any(|name| header.get(name).is_some());
        let for_us = match &claims["aud"] {
            Value::Array(several) => several.iter().any(|audience| audience == AUDIENCE),
            one => one == AUDIENCE,
        };
        let subject = claims["sub"].as_str().unwrap_or_default();
        let end = claims["exp"].as_f64().unwrap_or(0.0);
        let begin = claims["nbf"].as_f64().unwrap_or(0.0);
        let issued = claims["iat"].as_f64().unwrap_or(0.0);
        header["alg"] == "HS256"
            && (header.get("kid").is_none() || header["kid"] == "hs256")
            && !unreadable
            && claims["iss"] == ISSUER
            && for_us
            && (1..=256).contains(&subject.len())
            && !subject.contains(|c: char| c.is_ascii_control())
            && (now as f64) < end
            && end <= DATE_MAX
            && begin <= now as f64
            && issued <= now as f64 + 60.0
    }
}
