//! Takes over a list of keys in plaintext, as the services have it that are replaced. Nothing here may show a key: an
//! error names an entry by its place.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use auth_component::api_key::{ApiKey, FormatDefect, Record, Refusal, check};
use auth_component::{can_be_key, is_scope};
use serde_json::Value;

use super::issue::{is_text, sound};
use super::peppers::Pepper;
use super::{Peppers, Records, moment};

/// One entry of a list. Not printed: there is no `Debug`.
pub struct Entry {
    key: String,
    user_id: String,
    begins: Option<u64>,
    ends: Option<u64>,
    revoked: Option<u64>,
    scopes: Vec<String>,
    aud: Vec<String>,
    email: Option<String>,
    groups: Vec<String>,
}

/// What became of the entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub new: usize,
    /// Of the new ones.
    pub weak: usize,
    /// The key file has them just so.
    pub equal: usize,
    /// The key file has them otherwise, and its word stands: somebody may have revoked them since.
    pub kept: Vec<usize>,
    /// No client can send them as a key, by their places.
    pub unusable: Vec<usize>,
}

pub const LIST_BYTES_MAX: u64 = 64 << 20;
const ERRORS_SHOWN_MAX: usize = 20;
const BITS_MIN: f64 = 128.0;
const DISTINCT_MIN: usize = 8;

/// A JSON list of entries, or lines of key and user.
pub fn parse(list: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let Ok(text) = std::str::from_utf8(list) else { bail!("the list is not UTF-8; convert it first") };
    let entries: Vec<Result<Entry, &str>> = if text.trim_start().starts_with(['[', '{']) {
        read_json(text)?.iter().map(read_entry).collect()
    } else {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(read_line).collect()
    };
    let defects =
        (1..).zip(&entries).filter_map(|(place, entry)| Some(format!("entry {place} {}", entry.as_ref().err()?)));
    refuse(defects.collect())?;
    Ok(entries.into_iter().filter_map(Result::ok).collect())
}

/// All of them or none.
pub fn import(entries: &[Entry], records: &mut Records, peppers: &Peppers, now: u64) -> anyhow::Result<Imported> {
    let mut imported = Imported::default();
    let mut defects = Vec::new();
    // By the name under which it was put there in this very run.
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (place, entry) in (1..).zip(entries) {
        let Some(names) = names(entry.key.as_bytes(), peppers) else {
            imported.unusable.push(place);
            continue;
        };
        let found = names.iter().find_map(|name| records.get(name));
        let pepper = found.map_or(Some(peppers.newest()), |record| peppers.named(&record.pepper));
        let Some(pepper) = pepper else {
            defects.push(format!(
                "entry {place} is there already, under a pepper that the pepper file does not have; restore it"
            ));
            continue;
        };
        let name = found.map_or(&names[0], |record| &record.id);
        let record = entry.record(name, pepper, found.map_or(now, |record| record.created));
        match (found, places.get(name)) {
            (Some(there), _) if is_others(&entry.key, there, peppers, now) => {
                defects
                    .push(format!("entry {place} has the id of another key; give its owner a new one and take it out"));
            }
            (Some(there), _) if *there == record => imported.equal += 1,
            (Some(_), Some(earlier)) => {
                defects
                    .push(format!("entry {place} is the key of entry {earlier} and says otherwise; keep one of them"));
            }
            (Some(_), None) => imported.kept.push(place),
            (None, _) => match sound(&record) {
                Err(why) => defects.push(format!("entry {place}: {why}")),
                Ok(()) => {
                    imported.new += 1;
                    imported.weak += usize::from(record.weak);
                    places.insert(name.clone(), place);
                    records.insert(name.clone(), record);
                }
            },
        }
    }
    refuse(defects)?;
    Ok(imported)
}

impl Entry {
    fn record(&self, name: &str, pepper: &Pepper, now: u64) -> Record {
        let mut record = Record::new(name, self.key.as_bytes(), &pepper.name, &pepper.secret, &self.user_id, now);
        record.scopes.clone_from(&self.scopes);
        record.aud.clone_from(&self.aud);
        record.email.clone_from(&self.email);
        record.groups.clone_from(&self.groups);
        record.nbf = self.begins;
        record.exp = self.ends;
        record.revoked = self.revoked;
        record.weak = is_weak(&self.key);
        record
    }
}

/// Under which names the component may look for a key, the one for a new record first; none where it never looks.
fn names(key: &[u8], peppers: &Peppers) -> Option<Vec<String>> {
    match ApiKey::parse(key) {
        Ok(key) => Some(vec![key.id().to_owned()]),
        Err(FormatDefect::Shape) if can_be_key(key) => Some(peppers.names_of(key).collect()),
        // With a wrong checksum it is refused before anybody looks for it.
        Err(FormatDefect::Shape | FormatDefect::Checksum) => None,
    }
}

fn is_others(key: &str, record: &Record, peppers: &Peppers, now: u64) -> bool {
    matches!(check(key.as_bytes(), Some(record), peppers, now), Ok(Err(Refusal::WrongSecret)))
}

/// Whether it could be found by trying, going by its length and the kinds of characters in it; what stands before it like
/// `key_` and `sk_live_` does not count.
fn is_weak(key: &str) -> bool {
    if ApiKey::parse(key.as_bytes()).is_ok() {
        return false;
    }
    let mut secret = key;
    while let Some((label, rest)) = secret.split_once('_')
        && label.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        secret = rest;
    }
    let characters: Vec<u8> = secret.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let all = |is: fn(&u8) -> bool| characters.iter().all(is);
    let alphabet = if all(u8::is_ascii_digit) {
        10.0
    } else if all(u8::is_ascii_hexdigit) {
        16.0
    } else if all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
        || all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    {
        36.0
    } else {
        62.0
    };
    let distinct: std::collections::BTreeSet<&u8> = characters.iter().collect();
    characters.len() as f64 * f64::log2(alphabet) < BITS_MIN || distinct.len() < DISTINCT_MIN
}

fn read_json(text: &str) -> anyhow::Result<Vec<Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Array(entries)) => Ok(entries),
        Ok(_) => bail!("the list is no JSON list; write [{{\"key\": …, \"user_id\": …, \"expires_at\": …}}, …]"),
        // Not serde's own words, which may quote the list.
        Err(error) => bail!(
            "the list is not JSON: line {}, column {}; correct it there, or export it again",
            error.line(),
            error.column()
        ),
    }
}

const MEMBERS: [&str; 10] =
    ["key", "user_id", "expires_at", "not_before", "revoked_at", "grace_until", "scopes", "aud", "email", "groups"];

/// An entry of the legacy list, as legacy-stub/README.md has it.
fn read_entry(entry: &Value) -> Result<Entry, &'static str> {
    let entry = entry.as_object().ok_or("is no object; write {\"key\": …, \"user_id\": …, \"expires_at\": …}")?;
    if entry.keys().any(|member| !MEMBERS.contains(&member.as_str())) {
        return Err(
            "has a member besides key, user_id, expires_at, not_before, revoked_at, grace_until, scopes, aud, \
                    email and groups; take it out if no decision depends on it",
        );
    }
    let text = |member: &str| entry.get(member).and_then(Value::as_str).filter(|text| is_text(text)).map(str::to_owned);
    let key = text("key").ok_or("has no text key; give it one, or take it out")?;
    let user_id = text("user_id").ok_or("has no text user_id; give it one, or take it out")?;
    let moment = |member: &str| match entry.get(member) {
        None => Ok(None),
        Some(value) => value.as_str().and_then(moment::parse).map(Some).ok_or(()),
    };
    const DATES: &str = "has a date that is not RFC 3339; write it like 2030-01-01T00:00:00Z";
    let (begins, revoked) = (moment("not_before").or(Err(DATES))?, moment("revoked_at").or(Err(DATES))?);
    let ends = moment("expires_at").or(Err(DATES))?.ok_or("has no expires_at; say when the key ends")?;
    let grace = moment("grace_until").or(Err(DATES))?;
    let texts = |member: &str, is_good: fn(&str) -> bool| match entry.get(member) {
        None => Some(Vec::new()),
        Some(Value::Array(texts)) => {
            texts.iter().map(|text| text.as_str().filter(|text| is_good(text)).map(str::to_owned)).collect()
        }
        Some(_) => None,
    };
    let aud = match text("aud") {
        Some(one) => Some(vec![one]),
        None => texts("aud", is_text),
    };
    let email = match entry.get("email") {
        None => None,
        Some(_) => Some(text("email").ok_or("has an email that is no text; correct it, or take it out")?),
    };
    Ok(Entry {
        key,
        user_id,
        // Whole seconds, never longer than the list says.
        begins: begins.map(|begins| begins.seconds + u64::from(begins.has_fraction)),
        // A list does not say by which key this one was replaced, so the end of its grace is its end.
        ends: Some(grace.map_or(ends.seconds, |grace| grace.seconds.min(ends.seconds))),
        revoked: revoked.map(|revoked| revoked.seconds),
        scopes: texts("scopes", is_scope)
            .ok_or("has scopes that are no list of scopes (RFC 6749 §3.3); correct them")?,
        aud: aud.ok_or("has an aud that is neither a text nor a list of texts; correct it")?,
        email,
        groups: texts("groups", is_text).ok_or("has groups that are no list of texts; correct them")?,
    })
}

fn read_line(line: &str) -> Result<Entry, &'static str> {
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(key), Some(user_id), None) = (words.next(), words.next(), words.next()) else {
        return Err("is not a key, a space and a user; correct it, or write a JSON list");
    };
    let (scopes, aud, groups) = (Vec::new(), Vec::new(), Vec::new());
    Ok(Entry { key, user_id, begins: None, ends: None, revoked: None, scopes, aud, email: None, groups })
}

fn refuse(mut defects: Vec<String>) -> anyhow::Result<()> {
    let more = defects.len().saturating_sub(ERRORS_SHOWN_MAX);
    defects.truncate(ERRORS_SHOWN_MAX);
    if more > 0 {
        defects.push(format!("and {more} more"));
    }
    ensure!(defects.is_empty(), "nothing was imported\n{}", defects.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn peppers() -> (tempfile::TempDir, Peppers) {
        let folder = tempfile::tempdir().expect("a folder");
        let peppers = Peppers::read_or_create(&folder.path().join("peppers.json")).expect("it can be made");
        (folder, peppers)
    }

    /// What an import into these records gives, or says.
    fn imported(list: &str, records: &mut Records, peppers: &Peppers) -> Result<Imported, String> {
        let entries = parse(list.as_bytes()).map_err(|error| format!("{error:#}"))?;
        import(&entries, records, peppers, NOW).map_err(|error| format!("{error:#}"))
    }

    fn entry(members: &str) -> String {
        format!("[{{\"key\":\"key_123\",\"user_id\":\"u\",\"expires_at\":\"2099-12-31T23:59:59Z\"{members}}}]")
    }

    #[test]
    fn dates_are_never_later_than_the_list_says() {
        let (_folder, peppers) = peppers();
        for (members, begins, ends, revoked) in [
            ("", None, 4_102_444_799, None),
            (",\"grace_until\":\"2099-06-30T00:00:00Z\"", None, 4_086_460_800, None),
            (",\"grace_until\":\"2100-06-30T00:00:00Z\"", None, 4_102_444_799, None),
            (",\"not_before\":\"2020-01-01T00:00:00.001Z\"", Some(1_577_836_801), 4_102_444_799, None),
            (",\"revoked_at\":\"2020-01-01T00:00:00.999Z\"", None, 4_102_444_799, Some(1_577_836_800)),
        ] {
            let mut records = Records::new();
            imported(&entry(members), &mut records, &peppers).expect(members);
            let record = records.values().next().expect("one");
            assert_eq!((record.nbf, record.exp, record.revoked), (begins, Some(ends), revoked), "{members}");
            assert_eq!((record.replaced_by.as_ref(), record.grace_until), (None, None));
        }
    }

    #[test]
    fn a_second_import_changes_nothing_and_what_was_done_since_stands() {
        let (_folder, peppers) = peppers();
        let list = include_str!("../../../legacy-stub/keys.json");
        let mut records = Records::new();
        let first = imported(list, &mut records, &peppers).expect("the list is good");
        assert_eq!(first, Imported { new: 10, weak: 4, ..Imported::default() });
        let before = records.clone();
        let second = imported(list, &mut records, &peppers).expect("the list is good");
        assert_eq!((second, &records), (Imported { equal: 10, ..Imported::default() }, &before));
        records.get_mut("mD8ArZUn4FifhC2a").expect("it was imported").revoke(NOW);
        let third = imported(list, &mut records, &peppers).expect("the list is good");
        assert_eq!(third, Imported { equal: 9, kept: vec![6], ..Imported::default() });
        assert_eq!(records["mD8ArZUn4FifhC2a"].revoked, Some(NOW));
    }

    #[test]
    fn what_could_be_found_by_trying_is_weak() {
        for (key, weak) in [
            ("key_123", true),
            ("password", true),
            ("sk_live_51H8xTqLmN0pQrStUvWxYz2A", false),
            ("sk_live_51H8xTqLmN0pQrStUv", true),
            ("550e8400-e29b-41d4-a716-446655440000", false),
            ("5f4dcc3b5aa765d61d8327deb882cf9", true),
            ("5f4dcc3b5aa765d61d8327deb882cf99", false),
            ("5F4DCC3B5AA765D61D8327DEB882CF99", false),
            ("00000000000000000000000000000000000000000000", true),
            ("123456789012345678901234567890123456789", false),
            ("dev_mD8ArZUn4FifhC2a_0qJhTgfPh0HX3vXLMEhluGQCc674MIY8k5HGQH6D9iZ_1GT8eQ", false),
        ] {
            assert_eq!(is_weak(key), weak, "{key}");
        }
    }

    #[test]
    fn what_no_client_could_use_is_left_out_and_named_by_its_place() {
        let (_folder, peppers) = peppers();
        let long = "x".repeat(513);
        let list = format!(
            "# old keys\n\ngood_1 alice\nwith.dot bob\nwith%percent carl\n== dora\n{long} emil\n\
             dev_mD8ArZUn4FifhC2a_0qJhTgfPh0HX3vXLMEhluGQCc674MIY8k5HGQH6D9iZ_1GT8eR fay\ngood+/== gina\n"
        );
        let mut records = Records::new();
        let imported = imported(&list, &mut records, &peppers).expect("the list is good");
        assert_eq!((imported.new, imported.unusable), (2, vec![2, 3, 4, 5, 6]));
        assert_eq!(records.values().map(|record| &record.user_id).filter(|user| *user == "gina").count(), 1);
    }

    #[test]
    fn an_error_names_the_place_and_no_content() {
        const KEY: &str = "s3cr3tKey";
        let with = |members: &str| entry(members).replace("key_123", KEY);
        let twice = |second: &str| {
            let one = with("");
            format!("{},{}", one.trim_end_matches(']'), &with(second)[1..])
        };
        for (list, said) in [
            (format!("[{{\"key\": {KEY}}}]"), "line 1, column"),
            (format!("{{\"{KEY}\": 1}}"), "no JSON list"),
            (format!("[\"{KEY}\"]"), "entry 1 is no object"),
            (format!("[{{\"{KEY}\": \"u\"}}]"), "entry 1 has a member besides"),
            (with(&format!(",\"expires_at\":\"{KEY}\"")), "entry 1 has a date"),
            (with(&format!(",\"scopes\":\"{KEY}\"")), "entry 1 has scopes"),
            (with(&format!(",\"scopes\":[\"{KEY} x\"]")), "entry 1 has scopes"),
            (with(&format!(",\"groups\":{{\"{KEY}\":1}}")), "entry 1 has groups"),
            (with(&format!(",\"aud\":[\"{KEY}\",1]")), "entry 1 has an aud"),
            (with(",\"email\":null"), "entry 1 has an email"),
            (with("").replace("\"u\"", "7"), "entry 1 has no text user_id"),
            (with("").replace("2099-12-31T23:59:59Z", "2099-12-31"), "entry 1 has a date"),
            (with("").replace("expires_at", "not_before"), "entry 1 has no expires_at"),
            (KEY.to_owned(), "entry 1 is not a key, a space and a user"),
            (format!("{KEY} user and more"), "entry 1 is not a key, a space and a user"),
            (twice(",\"scopes\":[\"read\"]"), "entry 2 is the key of entry 1"),
            (twice(",\"email\":7"), "entry 2 has an email"),
        ] {
            let (_folder, peppers) = peppers();
            let mut records = Records::new();
            let error = imported(&list, &mut records, &peppers).expect_err(said);
            assert!(error.contains(said) && error.contains("; ") && !error.contains(KEY), "{said}: {error}");
        }
    }

    #[test]
    fn another_key_of_the_same_id_is_refused() {
        let (_folder, peppers) = peppers();
        let mut random = [7; auth_component::api_key::RANDOM_BYTES];
        let one = ApiKey::generate(&random, "acme").expect("a good prefix");
        random[40] = 0;
        let other = ApiKey::generate(&random, "acme").expect("a good prefix");
        let mut records = Records::new();
        imported(&format!("{one} alice"), &mut records, &peppers).expect("it is new");
        let error = imported(&format!("{other} alice"), &mut records, &peppers).expect_err("another secret");
        assert!(error.contains("entry 1 has the id of another key"), "{error}");
    }
}
