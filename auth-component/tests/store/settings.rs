//! The document `settings`, by a table: what is good, and which defect anything else has.

use auth_component::StoreUnavailable;
use auth_component::store::{Bucket, ISSUERS_MAX, PEPPERS_MAX, Settings};
use serde_json::{Value, json};

use crate::case::text;
use crate::held::{Store, own_key, record};

const TABLE: &str = include_str!("settings.json");

/// What each row changes: by merge patch (RFC 7396) of `document`, or of `issuer` as the only issuer; or the whole `text`;
/// `spaces` are put behind.
fn document(table: &Value, row: &Value) -> Vec<u8> {
    let mut text_of = match row.get("text") {
        Some(whole) => text(whole).to_owned(),
        None => {
            let mut document = table["document"].clone();
            if let Some(patch) = row.get("issuer") {
                let mut issuer = table["issuer"].clone();
                merge(&mut issuer, patch);
                document["tokens"] = json!([issuer]);
            }
            if let Some(count) = row.get("issuers") {
                let count = count.as_u64().expect("a number") as usize;
                document["tokens"] = vec![table["issuer"].clone(); count].into();
            }
            if let Some(patch) = row.get("patch") {
                merge(&mut document, patch);
            }
            document.to_string()
        }
    };
    let spaces = row.get("spaces").and_then(Value::as_u64).unwrap_or(0) as usize;
    text_of.push_str(&" ".repeat(spaces));
    text_of.into_bytes()
}

fn merge(target: &mut Value, patch: &Value) {
    for (name, value) in patch.as_object().expect("a patch is an object") {
        match value {
            Value::Null => drop(target.as_object_mut().expect("an object").remove(name)),
            _ => target[name] = value.clone(),
        }
    }
}

#[test]
fn every_row_of_the_table_has_its_verdict() {
    let table: Value = serde_json::from_str(TABLE).expect("the table is JSON");
    let rows = table["rows"].as_array().expect("a list");
    let mut seen = std::collections::BTreeSet::new();
    for row in rows {
        let verdict = match Settings::parse(&document(&table, row)) {
            Ok(_) => "good".to_owned(),
            Err(defect) => format!("{defect:?}"),
        };
        assert_eq!(verdict, text(&row["verdict"]), "{}", row["name"]);
        seen.insert(verdict);
    }
    let wanted = ["Introspection", "Parity", "Peppers", "Shape", "Tokens", "TooLong", "Version", "good"];
    assert!(seen.iter().eq(wanted.iter()), "every defect has a row: {seen:?}");
    assert_eq!((PEPPERS_MAX, ISSUERS_MAX), (4, 4), "as the table and STORE.md say");
}

#[test]
fn the_longest_settings_are_read_and_one_byte_more_are_not() {
    let table: Value = serde_json::from_str(TABLE).expect("the table is JSON");
    let bare = document(&table, &json!({})).len();
    for (length, is_good) in [(65_536, true), (65_537, false)] {
        let padded = document(&table, &json!({"spaces": length - bare}));
        assert_eq!((padded.len(), Settings::parse(&padded).is_ok()), (length, is_good));
    }
}

/// With settings that are not understood no key can be told good or bad, of whatever kind the defect.
#[test]
fn with_any_defect_no_key_is_good_or_bad() {
    let table: Value = serde_json::from_str(TABLE).expect("the table is JSON");
    let key = own_key(1);
    for row in table["rows"].as_array().expect("a list") {
        let mut store = Store::with_peppers(&["p1"]);
        store.put(record(&key, "p1", "user_123"));
        store.settings.insert("settings".to_owned(), document(&table, row));
        let answers = [&*key, "key_nobody"].map(|key| store.validate(key));
        let wanted = if row["verdict"] == "good" { [200, 401] } else { [503, 503] };
        assert_eq!(answers, wanted, "{}", row["name"]);
    }
}

struct Nothing;

impl Bucket for Nothing {
    fn get(&self, _: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(None)
    }
}

#[test]
fn a_bucket_without_settings_is_no_store() {
    assert_eq!(Settings::read(&Nothing).err(), Some(StoreUnavailable));
}
