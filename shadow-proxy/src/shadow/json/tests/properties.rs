//! What holds for any two documents.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn differences_mirror_each_other(legacy in value(), candidate in value()) {
        let (legacy, candidate) = (document(&legacy.to_string()), document(&candidate.to_string()));
        for places in [&() as &dyn Places, &Unordered] {
            prop_assert_eq!(differences(&legacy, &legacy, places), []);
            let swapped = |kind| match kind {
                Kind::Missing => Kind::Added,
                Kind::Added => Kind::Missing,
                same => same,
            };
            let there: BTreeSet<_> = places_of(differences(&legacy, &candidate, places));
            let back: BTreeSet<_> = places_of(differences(&candidate, &legacy, places));
            prop_assert_eq!(there, back.into_iter().map(|(path, kind)| (path, swapped(kind))).collect());
        }
    }

    #[test]
    fn nothing_differs_only_where_values_are_equal(legacy in value(), candidate in value()) {
        let (left, right) = (document(&legacy.to_string()), document(&candidate.to_string()));
        let found = differences(&left, &right, &());
        prop_assert_eq!(found.is_empty(), legacy == candidate);
        prop_assert_eq!(left.hash(0) == right.hash(0), legacy == candidate);
    }

    #[test]
    fn any_text_is_json_here_where_it_is_for_serde(text in json_like()) {
        let ours = Document::parse(text.as_bytes()).map(|document| document.len());
        let theirs = serde_json::from_str::<Value>(&text);
        match &theirs {
            Err(error) if error.to_string().starts_with("number out of range") => {}
            _ => prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{} {:?}", text, theirs),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if Document::parse(&bytes).is_ok() {
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok());
        }
    }

    #[test]
    fn what_is_read_is_what_serde_reads(value in value()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let document = document(&pretty);
        prop_assert_eq!(differences(&document, &self::document(&value.to_string()), &()), []);
        if let Value::Object(object) = &value {
            for (name, value) in object {
                let is_same = match document.member(name).unwrap() {
                    Member::Null => value.is_null(),
                    Member::Bool(is) => *value == is,
                    Member::Number(text) => value.to_string().as_str() == text,
                    Member::Text(text) => *value == *text,
                    Member::Array => value.is_array(),
                    Member::Object => value.is_object(),
                };
                prop_assert!(is_same, "{} {:?}", pretty, name);
            }
        }
    }

    #[test]
    fn shuffled_members_are_equal((value, shuffled) in shuffled_members()) {
        prop_assert_eq!(differences(&document(&value), &document(&shuffled), &()), []);
    }

    #[test]
    fn shuffled_elements_are_another_order(
        (elements, shuffled) in prop::collection::vec(value(), 0..12)
            .prop_flat_map(|elements| (Just(elements.clone()), Just(elements).prop_shuffle()))
    ) {
        let expected: BTreeSet<_> = (elements != shuffled).then(|| ("body".to_owned(), Kind::Order)).into_iter().collect();
        let [left, right] = [elements, shuffled].map(|elements| document(&Value::from(elements).to_string()));
        for places in [&() as &dyn Places, &Unordered] {
            prop_assert_eq!(places_of(differences(&left, &right, places)), expected.clone());
        }
    }

    #[test]
    fn a_number_is_its_value(digits in "(-?[1-9][0-9]{0,30})", zeros in 0_usize..30, point in 0_usize..30, power in -500_i32..500) {
        let (sign, plain) = digits.strip_prefix('-').map_or(("", digits.as_str()), |plain| ("-", plain));
        let point = point.min(plain.len() - 1) + 1;
        let (before, after) = plain.split_at(point);
        let zeros = "0".repeat(zeros);
        let shifted = power + after.len() as i32;
        let moved = format!("{sign}{before}.{after}0{zeros}E{shifted:+}");
        let small = format!("{sign}0.{zeros}{plain}e{}", power + plain.len() as i32 + zeros.len() as i32);
        let written = format!("{digits}e{power}");
        prop_assert!(are_equal(&written, &moved), "{} {}", written, moved);
        prop_assert!(are_equal(&written, &small), "{} {}", written, small);
        let (longer, larger) = (format!("{digits}1e{power}"), format!("{digits}e{}", power + 1));
        prop_assert!(!are_equal(&written, &longer) && !are_equal(&written, &larger));
    }
}

fn places_of(differences: Vec<Difference>) -> BTreeSet<(String, Kind)> {
    differences.into_iter().map(|difference| (difference.path, difference.kind)).collect()
}

struct Unordered;

impl Places for Unordered {
    fn pairing(&self, _path: &str) -> Pairing<'_> {
        Pairing::Unordered
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        "[ab\"\\\\é]{0,1}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab.\n]{1,2}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// One value written twice, the members of its objects in different orders.
fn shuffled_members() -> impl Strategy<Value = (String, String)> {
    let leaf = prop_oneof!["[0-9]", "\"[ab]\"", "null"].prop_map(|text| (text.clone(), text));
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|elements| {
                let (left, right): (Vec<_>, Vec<_>) = elements.into_iter().unzip();
                (format!("[{}]", left.join(",")), format!("[{}]", right.join(", ")))
            }),
            prop::collection::btree_map("[a-f]{1,2}", inner, 0..5)
                .prop_flat_map(|members| {
                    let members: Vec<_> = members.into_iter().collect();
                    (Just(members.clone()), Just(members).prop_shuffle())
                })
                .prop_map(|(left, right)| {
                    let left: Vec<_> =
                        left.into_iter().map(|(name, value)| format!("\"{name}\":{}", value.0)).collect();
                    let right: Vec<_> =
                        right.into_iter().map(|(name, value)| format!("\"{name}\" : {}", value.1)).collect();
                    (format!("{{{}}}", left.join(",")), format!("{{{}}}", right.join(",")))
                }),
        ]
    })
}

/// JSON with a few characters put in or taken out.
fn json_like() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), prop::option::of("[\\[\\]{}\":,0-9.eE+\\-\\\\utfn /\\x00\\n\u{feff}é]"));
    (value(), any::<bool>(), prop::collection::vec(edit, 0..4)).prop_map(|(value, pretty, edits)| {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let mut chars: Vec<char> = text.unwrap().chars().collect();
        for (index, edit) in edits {
            let at = index.index(chars.len() + 1);
            match edit {
                Some(text) => chars.splice(at..at, text.chars()).for_each(drop),
                None => chars.drain(at..(at + 1).min(chars.len())).for_each(drop),
            }
        }
        chars.into_iter().collect()
    })
}
