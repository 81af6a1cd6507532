//! What a store keeps of a key, and whether the key is good now.
//!
//! One JSON object per key, under the key's id. An old key without one has `old-<pepper>-<digest in hex>` for an id:
//!
//! ```json
//! {"v":1, "id":"…16 characters…", "alg":"hs256", "pepper":"p1", "hash":"…64 hex digits…",
//!  "user_id":"user_123", "scopes":["read"], "aud":["orders"], "email":null, "groups":[],
//!  "created":1700000000, "nbf":null, "exp":1900000000, "revoked":null,
//!  "replaced_by":null, "grace_until":null, "weak":false}
//! ```
//!
//! `scopes` to `weak` may be absent. Times are seconds since the Unix epoch and begin or end something at that very
//! second. `hash` is HMAC-SHA-256 under the pepper named `pepper`, of the whole key: in another record it is worthless.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::digest_hex;
use crate::grant::LAST_S;
use crate::scope::is_scope;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    v: u32,
    pub id: String,
    alg: String,
    /// Which pepper, not the pepper itself.
    pub pepper: String,
    hash: String,
    pub user_id: String,
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub aud: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    pub created: u64,
    #[serde(default)]
    pub nbf: Option<u64>,
    #[serde(default)]
    pub exp: Option<u64>,
    #[serde(default)]
    pub revoked: Option<u64>,
    /// The id of the key that takes this one's place; this one then ends at `grace_until`.
    #[serde(default)]
    pub replaced_by: Option<String>,
    #[serde(default)]
    pub grace_until: Option<u64>,
    /// An imported key with few random bits, to be replaced soon.
    #[serde(default)]
    pub weak: bool,
}

/// The peppers by name, from wherever secrets come from; never from the store of records.
pub trait Peppers {
    fn pepper(&self, name: &str) -> Option<&[u8]>;
}

/// The reason for the audit log; the client gets 401 `invalid_token` for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Unknown,
    WrongSecret,
    Revoked,
    NotYetValid,
    Expired,
    /// Replaced, and the time of overlap is over.
    Replaced,
}

/// The key can be neither accepted nor refused: 503, and nothing is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    Record(RecordDefect),
    PepperUnknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordDefect {
    /// More than 16 KiB.
    TooLong,
    /// Not the JSON object documented here: unknown or doubled members count.
    Shape,
    /// `v` or `alg` is newer than this program.
    Version,
    /// `hash` is not 64 lower-case hex digits.
    Hash,
    /// No user, or one with control characters.
    User,
    /// A scope that is none (RFC 6749 §3.3): what is written as one text could be taken for several.
    Scope,
    /// A time beyond the year 9999: milliseconds, most likely.
    Time,
    /// The record is another key's, or an old one's and not named by its own pepper and hash.
    OtherId,
    /// `replaced_by` without `grace_until`, or the other way round.
    Rotation,
}

const VERSION: u32 = 1;
const ALGORITHM: &str = "hs256";
/// Of the text of a record.
pub const RECORD_BYTES_MAX: usize = 16_384;
const OLD: &str = "old-";
/// What a key is compared with where there is no record.
const NO_PEPPER: &[u8] = b"a pepper of thirty-two bytes, no";
const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Whether the holder of `key` (the whole key) is in at `now`. `record` is what the store has under the key's name, `None`
/// when it has nothing: then the same work is done, so that the time does not tell which ids exist.
pub fn check(
    key: &[u8],
    record: Option<&Record>,
    peppers: &dyn Peppers,
    now: u64,
) -> Result<Result<(), Refusal>, Unavailable> {
    let (pepper, hash) = match record {
        Some(record) => (peppers.pepper(&record.pepper).ok_or(Unavailable::PepperUnknown)?, record.hash.as_str()),
        None => (NO_PEPPER, NO_HASH),
    };
    let matches = is_hash_of(key, pepper, hash);
    Ok(match record {
        None => Err(Refusal::Unknown),
        Some(_) if !matches => Err(Refusal::WrongSecret),
        Some(record) => record.standing(now),
    })
}

/// In constant time for digests of the same length; hex digits are compared, so that nothing is decoded before.
fn is_hash_of(key: &[u8], pepper: &[u8], hash: &str) -> bool {
    digest_hex(pepper, key).as_bytes().ct_eq(hash.as_bytes()).into()
}

/// The name of the record of a key without an id, so that no key is a part of a name.
pub fn old_name(pepper_name: &str, digest_hex: &str) -> String {
    format!("{OLD}{pepper_name}-{digest_hex}")
}

impl Record {
    /// The record of a new key. The caller sets scopes, times and the rest.
    pub fn new(id: &str, key: &[u8], pepper_name: &str, pepper: &[u8], user_id: &str, now: u64) -> Record {
        Record {
            v: VERSION,
            id: id.to_owned(),
            alg: ALGORITHM.to_owned(),
            pepper: pepper_name.to_owned(),
            hash: digest_hex(pepper, key),
            user_id: user_id.to_owned(),
            scopes: Vec::new(),
            aud: Vec::new(),
            email: None,
            groups: Vec::new(),
            created: now,
            nbf: None,
            exp: None,
            revoked: None,
            replaced_by: None,
            grace_until: None,
            weak: false,
        }
    }

    /// `id` is the name it was found under.
    pub fn parse(text: &[u8], id: &str) -> Result<Record, RecordDefect> {
        if text.len() > RECORD_BYTES_MAX {
            return Err(RecordDefect::TooLong);
        }
        // serde would take an array for the structure.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(RecordDefect::Shape);
        }
        let record: Record = serde_json::from_slice(text).map_err(|_| RecordDefect::Shape)?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_own_name = !id.starts_with(OLD) || id == old_name(&record.pepper, &record.hash);
        let times = [Some(record.created), record.nbf, record.exp, record.revoked, record.grace_until];
        let checks = [
            (record.v != VERSION || record.alg != ALGORITHM, RecordDefect::Version),
            (record.hash.len() != 64 || !record.hash.bytes().all(is_hex), RecordDefect::Hash),
            (record.user_id.is_empty() || record.user_id.chars().any(char::is_control), RecordDefect::User),
            (!record.scopes.iter().all(|scope| is_scope(scope)), RecordDefect::Scope),
            (times.into_iter().flatten().any(|time| time > LAST_S), RecordDefect::Time),
            (record.id != id || !is_own_name, RecordDefect::OtherId),
            (record.replaced_by.is_some() != record.grace_until.is_some(), RecordDefect::Rotation),
        ];
        match checks.into_iter().find(|(found, _)| *found) {
            Some((_, defect)) => Err(defect),
            None => Ok(record),
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("our own type has string keys and no failing serializer")
    }

    /// From `now` on the key is refused, also in its time of overlap. An earlier revocation stands.
    pub fn revoke(&mut self, now: u64) {
        self.revoked = Some(self.revoked.map_or(now, |earlier| earlier.min(now)));
    }

    /// Both keys are good until `grace_until`, this one no longer than it would have been.
    pub fn replace(&mut self, successor_id: &str, grace_until: u64) {
        self.replaced_by = Some(successor_id.to_owned());
        self.grace_until = Some(grace_until);
    }

    fn standing(&self, now: u64) -> Result<(), Refusal> {
        if self.revoked.is_some_and(|instant| now >= instant) {
            return Err(Refusal::Revoked);
        }
        if self.nbf.is_some_and(|instant| now < instant) {
            return Err(Refusal::NotYetValid);
        }
        if self.exp.is_some_and(|instant| now >= instant) {
            return Err(Refusal::Expired);
        }
        if self.replaced_by.is_some() && self.grace_until.is_some_and(|instant| now >= instant) {
            return Err(Refusal::Replaced);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ApiKey, RANDOM_BYTES};
    use super::*;

    struct One;

    impl Peppers for One {
        fn pepper(&self, name: &str) -> Option<&[u8]> {
            (name == "p1").then_some(b"a pepper that is not with the records")
        }
    }

    const NOW: u64 = 1_000_000;

    fn issue() -> (String, Record) {
        let key = ApiKey::generate(&[7; RANDOM_BYTES], "acme").expect("a good prefix");
        let id = ApiKey::parse(key.as_bytes()).expect("it was generated").id().to_owned();
        let pepper = One.pepper("p1").expect("it is there");
        let record = Record::new(&id, key.as_bytes(), "p1", pepper, "user_123", NOW);
        (key, record)
    }

    fn at(key: &str, record: &Record, now: u64) -> Result<(), Refusal> {
        check(key.as_bytes(), Some(record), &One, now).expect("the pepper is known")
    }

    #[test]
    fn times_begin_and_end_to_the_second() {
        let (key, fresh) = issue();
        type Change = fn(&mut Record);
        let cases: &[(Change, u64, Result<(), Refusal>)] = &[
            (|_| {}, NOW, Ok(())),
            (|_| {}, 0, Ok(())),
            (|_| {}, u64::MAX, Ok(())),
            (|r| r.exp = Some(NOW), NOW - 1, Ok(())),
            (|r| r.exp = Some(NOW), NOW, Err(Refusal::Expired)),
            (|r| r.nbf = Some(NOW), NOW - 1, Err(Refusal::NotYetValid)),
            (|r| r.nbf = Some(NOW), NOW, Ok(())),
            (|r| r.revoke(NOW), NOW - 1, Ok(())),
            (|r| r.revoke(NOW), NOW, Err(Refusal::Revoked)),
            (|r| r.replace("next", NOW), NOW - 1, Ok(())),
            (|r| r.replace("next", NOW), NOW, Err(Refusal::Replaced)),
            (|r| (r.replace("next", NOW + 9), r.revoke(NOW)).0, NOW, Err(Refusal::Revoked)),
            (|r| (r.replace("next", NOW + 9), r.exp = Some(NOW)).0, NOW, Err(Refusal::Expired)),
        ];
        for (case, (change, now, expected)) in cases.iter().enumerate() {
            let mut record = fresh.clone();
            change(&mut record);
            assert_eq!(at(&key, &record, *now), *expected, "case {case}");
        }
    }

    #[test]
    fn a_revocation_is_not_moved_later() {
        let (_, mut record) = issue();
        record.revoke(NOW);
        record.revoke(NOW + 5);
        assert_eq!(record.revoked, Some(NOW));
    }

    #[test]
    fn only_the_key_itself_matches_and_its_state_is_told_to_nobody_else() {
        let (key, mut record) = issue();
        record.revoke(NOW);
        for wrong in ["", "key_123", &key[1..], &format!("{key} "), &key.to_uppercase()] {
            assert_eq!(at(wrong, &record, NOW), Err(Refusal::WrongSecret), "{wrong}");
        }
        assert_eq!(check(key.as_bytes(), None, &One, NOW), Ok(Err(Refusal::Unknown)));
        let other = ApiKey::generate(&[8; RANDOM_BYTES], "acme").expect("a good prefix");
        assert_eq!(at(&other, &record, NOW), Err(Refusal::WrongSecret), "a hash copied into another record");
        record.pepper = "p2".to_owned();
        assert_eq!(check(key.as_bytes(), Some(&record), &One, NOW), Err(Unavailable::PepperUnknown));
    }

    #[test]
    fn a_record_is_read_back_and_anything_else_is_a_defect() {
        let (_, mut record) = issue();
        record.replace("next", NOW);
        let json = record.to_json();
        assert_eq!(Record::parse(json.as_bytes(), &record.id), Ok(record.clone()));
        assert_eq!(Record::parse(json.as_bytes(), "other"), Err(RecordDefect::OtherId));
        let hash = format!("\"hash\":\"{}\"", record.hash);
        let cases: &[(String, RecordDefect)] = &[
            (String::new(), RecordDefect::Shape),
            ("[]".to_owned(), RecordDefect::Shape),
            ("null".to_owned(), RecordDefect::Shape),
            (format!("[{json}]"), RecordDefect::Shape),
            (json.replace("\"v\":1", "\"v\":1,\"v\":1"), RecordDefect::Shape),
            (json.replace("\"v\":1", "\"v\":1,\"admin\":true"), RecordDefect::Shape),
            (json.replace("\"weak\":false", "\"weak\":0"), RecordDefect::Shape),
            (json.replace("\"exp\":null", "\"exp\":-1"), RecordDefect::Shape),
            (json.replace("\"exp\":null", "\"exp\":1.5"), RecordDefect::Shape),
            (json.replace("\"v\":1", "\"v\":2"), RecordDefect::Version),
            (json.replace("hs256", "plain"), RecordDefect::Version),
            (json.replace(&hash, "\"hash\":\"\""), RecordDefect::Hash),
            (json.replace(&hash, &hash.to_uppercase().replace("HASH", "hash")), RecordDefect::Hash),
            (json.replace("user_123", ""), RecordDefect::User),
            (json.replace("user_123", "a\\r\\nb"), RecordDefect::User),
            (json.replace("\"replaced_by\":\"next\"", "\"replaced_by\":null"), RecordDefect::Rotation),
            (json.replace("\"exp\":null", "\"exp\":253402300800"), RecordDefect::Time),
            (
                json.replace(&format!("\"grace_until\":{NOW}"), "\"grace_until\":18446744073709551615"),
                RecordDefect::Time,
            ),
            (format!("{json}{}", " ".repeat(RECORD_BYTES_MAX)), RecordDefect::TooLong),
        ];
        for (text, defect) in cases {
            assert_eq!(Record::parse(text.as_bytes(), &record.id), Err(*defect), "{text:.200}");
        }
        let array = format!("[1,\"{}\",\"hs256\",\"p1\",\"{}\",\"u\",[],[],1]", record.id, record.hash);
        assert_eq!(Record::parse(array.as_bytes(), &record.id), Err(RecordDefect::Shape), "serde would take it");
    }
}
