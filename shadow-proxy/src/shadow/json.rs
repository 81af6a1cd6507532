//! Two JSON bodies compared by path, with types.

use serde_json::{Number, Value};

use super::path;
use crate::exchange::{Difference, Kind};

/// Not JSON, larger than `PARSED_BYTES_MAX`, nested deeper than 128 levels, or with a number outside the range of a
/// double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

pub(crate) fn parsed(body: &[u8]) -> Result<Value, NotJson> {
    if body.len() > PARSED_BYTES_MAX {
        return Err(NotJson);
    }
    serde_json::from_slice(body).map_err(|_| NotJson)
}

/// Every place where the two differ, each path and kind once, with the values first seen there. Values are JSON text.
///
/// Elements of arrays are compared by position. After `DIFFERENCES_MAX` places comes one difference of the whole
/// `body` without values: what is not listed must not pass for explained.
pub(crate) fn differences(legacy: &Value, candidate: &Value) -> Vec<Difference> {
    let mut walk = Walk { path: "body".to_owned(), found: Vec::new(), full: false };
    walk.compare(legacy, candidate);
    if walk.full {
        walk.found.push(Difference {
            path: "body".to_owned(),
            kind: Kind::Value,
            legacy: None,
            candidate: None,
            rule: None,
        });
    }
    walk.found
}

struct Walk {
    path: String,
    found: Vec<Difference>,
    full: bool,
}

impl Walk {
    fn compare(&mut self, legacy: &Value, candidate: &Value) {
        match (legacy, candidate) {
            _ if self.full => {}
            (Value::Object(legacy_object), Value::Object(candidate_object)) => {
                for (key, value) in legacy_object {
                    self.pair_at(|path| path::push_key(path, key), Some(value), candidate_object.get(key));
                }
                for (key, value) in candidate_object.iter().filter(|(key, _)| !legacy_object.contains_key(*key)) {
                    self.pair_at(|path| path::push_key(path, key), None, Some(value));
                }
            }
            (Value::Array(legacy_array), Value::Array(candidate_array)) => {
                for index in 0..legacy_array.len().max(candidate_array.len()) {
                    self.pair_at(path::push_elements, legacy_array.get(index), candidate_array.get(index));
                }
            }
            (Value::Number(a), Value::Number(b)) if same_number(a, b) => {}
            _ if legacy == candidate => {}
            _ if type_of(legacy) == type_of(candidate) => self.found(Kind::Value, Some(legacy), Some(candidate)),
            _ => self.found(Kind::Type, Some(legacy), Some(candidate)),
        }
    }

    /// One level down, and back up.
    fn pair_at(&mut self, descend: impl FnOnce(&mut String), legacy: Option<&Value>, candidate: Option<&Value>) {
        let length = self.path.len();
        descend(&mut self.path);
        match (legacy, candidate) {
            (Some(legacy), Some(candidate)) => self.compare(legacy, candidate),
            (Some(_), None) => self.found(Kind::Missing, legacy, None),
            _ => self.found(Kind::Added, None, candidate),
        }
        self.path.truncate(length);
    }

    fn found(&mut self, kind: Kind, legacy: Option<&Value>, candidate: Option<&Value>) {
        if self.full || self.found.iter().any(|known| known.kind == kind && known.path == self.path) {
            return;
        }
        if self.found.len() == DIFFERENCES_MAX {
            self.full = true;
            return;
        }
        self.found.push(Difference {
            path: self.path.clone(),
            kind,
            legacy: legacy.map(Value::to_string),
            candidate: candidate.map(Value::to_string),
            rule: None,
        });
    }
}

/// By value: 1 is 1.0, but 9007199254740993 is not 9007199254740992.0, which a comparison as doubles would claim.
fn same_number(a: &Number, b: &Number) -> bool {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.as_f64() == b.as_f64(),
        (Some(integer), None) => b.as_f64().is_some_and(|float| is_integer(float, integer)),
        (None, Some(integer)) => a.as_f64().is_some_and(|float| is_integer(float, integer)),
    }
}

fn is_integer(float: f64, integer: i128) -> bool {
    // The cast truncates and saturates; integers of JSON are below 2^64, far from either end.
    float.fract() == 0.0 && float as i128 == integer
}

fn type_of(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// A tree of many small objects takes a hundred times the memory of its text, on both sides of each comparison.
const PARSED_BYTES_MAX: usize = 1 << 20;

/// Enough for a person to see the pattern; it also keeps the search for known places short.
const DIFFERENCES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        legacy: String,
        candidate: String,
        /// Path, kind, legacy, candidate.
        differences: Vec<(String, Kind, Option<String>, Option<String>)>,
    }

    #[test]
    fn cases() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("cases/json.json")).unwrap();
        for case in cases {
            let parsed = |body: &str| parsed(body.as_bytes()).unwrap_or_else(|_| panic!("{}: {body}", case.name));
            let found = differences(&parsed(&case.legacy), &parsed(&case.candidate));
            let found: Vec<_> = found.into_iter().map(|d| (d.path, d.kind, d.legacy, d.candidate)).collect();
            assert_eq!(found, case.differences, "{}", case.name);
        }
    }

    #[test]
    fn what_is_not_json_is_refused_without_a_crash() {
        let deep = "[".repeat(100_000);
        let large = format!("\"{}\"", "a".repeat(PARSED_BYTES_MAX));
        for body in ["", "{", "{\"a\":1}x", "1e400", "\"\\ud800\"", "\u{feff}{}", &deep, &large] {
            assert_eq!(parsed(body.as_bytes()).err(), Some(NotJson));
        }
        assert_eq!(parsed(b"\"\xff\"").err(), Some(NotJson));
    }

    #[test]
    fn what_is_not_listed_is_still_told() {
        let object = |value: u32| (0..1000).map(|n| (format!("k{n}"), json!(value))).collect::<Value>();
        let found = differences(&object(1), &object(2));
        assert_eq!(found.len(), DIFFERENCES_MAX + 1);
        assert_eq!((found[DIFFERENCES_MAX].path.as_str(), &found[DIFFERENCES_MAX].legacy), ("body", &None));
    }

    proptest! {
        #[test]
        fn differences_mirror_each_other(legacy in value(), candidate in value()) {
            prop_assert!(differences(&legacy, &legacy).is_empty());
            let swapped = |kind| match kind {
                Kind::Missing => Kind::Added,
                Kind::Added => Kind::Missing,
                same => same,
            };
            let there: std::collections::BTreeSet<_> =
                differences(&legacy, &candidate).into_iter().map(|d| (d.path, d.kind)).collect();
            let back: std::collections::BTreeSet<_> =
                differences(&candidate, &legacy).into_iter().map(|d| (d.path, swapped(d.kind))).collect();
            prop_assert_eq!(there, back);
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3).prop_map(Value::from),
            "[ab]{0,1}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[ab.]{1,2}", inner, 0..3).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }
}
