//! STORE.md shows what works, and names everything there is.

use serde_json::Value;

use crate::case::repository;
use crate::held::Store;

const KEY: &str = "dev_mD8ArZUn4FifhC2a_0qJhTgfPh0HX3vXLMEhluGQCc674MIY8k5HGQH6D9iZ_1GT8eQ";

fn document() -> String {
    std::fs::read_to_string(repository("auth-component/STORE.md")).expect("the page is there")
}

/// The record and the settings that the page shows.
fn examples(document: &str) -> [Value; 2] {
    let blocks = document.split("```json\n").skip(1).map(|rest| rest.split("```").next().expect("a part"));
    let values: Vec<Value> = blocks.map(|block| serde_json::from_str(block).expect("JSON")).collect();
    values.try_into().expect("a record and the settings")
}

#[test]
fn the_examples_work() {
    let [record, settings] = examples(&document());
    let mut store = Store::development();
    store.keys.clear();
    store.set_settings(&settings);
    store.keys.insert("mD8ArZUn4FifhC2a".to_owned(), record.to_string().into_bytes());
    assert_eq!(store.validate(KEY), 200);
}

#[test]
fn every_member_is_described() {
    let document = document();
    let [record, settings] = examples(&document);
    let held = crate::held::record(KEY, "p1", "user_123");
    let written: Value = serde_json::from_str(&held.to_json()).expect("JSON");
    let members = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let all = [&record, &written, &settings, &settings["tokens"][0], &settings["peppers"][0]].map(members).concat();
    assert!(all.len() > 40, "{all:?}");
    for member in all {
        assert!(document.contains(&format!("`{member}`")), "{member}");
    }
    for limit in ["16,384", "65,536", "262,144", "253402300799"] {
        assert!(document.contains(limit), "{limit}");
    }
}
