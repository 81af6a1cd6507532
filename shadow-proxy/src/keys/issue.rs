//! New keys, and the end of old ones.

use anyhow::{Context as _, bail, ensure};
use auth_component::api_key::{ApiKey, RANDOM_BYTES, Record, RecordDefect};
use auth_component::{LAST_S, is_scope};

use super::peppers::random;
use super::{Peppers, Records};

/// As long as the id of a successor.
const LONGEST_NAME: &str = "0000000000000000";

/// For whom a key is, and what it allows.
pub struct Rights {
    pub user_id: String,
    pub scopes: Vec<String>,
    pub aud: Vec<String>,
    pub email: Option<String>,
    pub groups: Vec<String>,
    pub begins: Option<u64>,
    pub ends: Option<u64>,
}

/// A key that nobody has seen yet. Not printed by accident: there is no `Debug`.
pub struct Issued {
    pub key: String,
    pub id: String,
}

pub fn add(records: &mut Records, peppers: &Peppers, prefix: &str, rights: Rights, now: u64) -> anyhow::Result<Issued> {
    let Rights { user_id, scopes, aud, email, groups, begins, ends } = rights;
    ensure!(
        scopes.iter().all(|scope| is_scope(scope)),
        "a scope is empty or has other characters than RFC 6749 §3.3 allows; give each with a --scope of its own"
    );
    let texts = aud.iter().chain(&groups).chain(&email);
    ensure!(
        texts.map(String::as_str).all(is_text),
        "an audience, a group or the email is empty or too long; correct it"
    );
    ensure!(ends.is_none_or(|ends| ends > begins.unwrap_or(now)), "the key would never be good; let it end later");
    let (key, id) = generate(records, prefix)?;
    let pepper = peppers.newest();
    let mut record = Record::new(&id, key.as_bytes(), &pepper.name, &pepper.secret, &user_id, now);
    (record.scopes, record.aud) = (scopes, aud);
    (record.email, record.groups) = (email, groups);
    (record.nbf, record.exp) = (begins, ends);
    sound(&record)?;
    records.insert(id.clone(), record);
    Ok(Issued { key, id })
}

/// A new key for the owner of an old one, with its rights; the old one is good until `grace_until`.
pub fn rotate(
    records: &mut Records,
    peppers: &Peppers,
    id: &str,
    (prefix, ends): (&str, Option<u64>),
    grace_until: u64,
    now: u64,
) -> anyhow::Result<Issued> {
    let old = records.get(id).with_context(unknown)?.clone();
    if let Some(successor) = &old.replaced_by {
        bail!("{id} was replaced by {successor} already; rotate that one");
    }
    ensure!(old.revoked.is_none(), "{id} was revoked; give its owner another key with `shadow-proxy keys add`");
    let ends = ends.or(old.exp);
    ensure!(
        ends.is_none_or(|ends| ends > now),
        "{id} has ended, and the new key would too; say with --expires until when"
    );
    let rights = Rights {
        user_id: old.user_id,
        scopes: old.scopes,
        aud: old.aud,
        email: old.email,
        groups: old.groups,
        begins: old.nbf,
        ends,
    };
    let issued = add(records, peppers, prefix, rights, now)?;
    let old = records.get_mut(id).with_context(unknown)?;
    old.replace(&issued.id, grace_until);
    Ok(issued)
}

/// Since when the key is refused, or will be: an earlier revocation stands.
pub fn revoke(records: &mut Records, id: &str, at: u64) -> anyhow::Result<u64> {
    let record = records.get_mut(id).with_context(unknown)?;
    record.revoke(at);
    Ok(record.revoked.unwrap_or(at))
}

/// Without what was given for an id: it may be a whole key.
fn unknown() -> String {
    "there is no key of this id; `shadow-proxy keys list` has them all (of a key with four parts, the id is the second)"
        .to_owned()
}

fn generate(records: &Records, prefix: &str) -> anyhow::Result<(String, String)> {
    loop {
        let mut bytes = [0; RANDOM_BYTES];
        random(&mut bytes)?;
        let key = ApiKey::generate(&bytes, prefix);
        let key = key.context("a prefix has 2 to 16 lower-case letters and digits; give such a --prefix")?;
        let id = ApiKey::parse(key.as_bytes()).map_or("", |key| key.id()).to_owned();
        if !records.contains_key(&id) {
            return Ok((key, id));
        }
    }
}

/// Whether the record can be read back, also after it was revoked and replaced.
pub fn sound(record: &Record) -> anyhow::Result<()> {
    let mut longest = record.clone();
    longest.revoke(LAST_S);
    longest.replace(LONGEST_NAME, LAST_S);
    match Record::parse(longest.to_json().as_bytes(), &record.id) {
        Ok(_) => Ok(()),
        Err(RecordDefect::User) => bail!("the user is empty or has control characters; give another"),
        Err(RecordDefect::TooLong) => bail!("there are too many scopes, audiences or groups for one key; give fewer"),
        Err(defect) => {
            bail!("the record could not be read back ({defect:?}); this is a defect of shadow-proxy, report it")
        }
    }
}

pub fn is_text(text: &str) -> bool {
    const BYTES_MAX: usize = 1_024;
    (1..=BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}
