mod properties;
mod size;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::document::{BYTES_MAX, DEPTH_MAX, NODES_MAX, NotJson, VALUE_BYTES_MAX};
use super::walk::{DIFFERENCES_MAX, LEVELS_MAX, PATH_BYTES_MAX};
use super::*;
use crate::exchange::Kind;
use crate::shadow::path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    legacy: String,
    candidate: String,
    /// Path, kind, legacy, candidate.
    differences: Vec<Told>,
    #[serde(flatten)]
    known: Known,
}

type Told = (String, Kind, Option<String>, Option<String>);

/// What a case says about places.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Known {
    unordered: Vec<String>,
    keyed_by: Vec<(String, String)>,
    renamed: Vec<(String, String)>,
    /// Strings that begin with `in ` can be looked into.
    inside: bool,
}

impl Places for Known {
    fn pairing(&self, path: &str) -> Pairing<'_> {
        match self.keyed_by.iter().find(|(place, _)| place == path) {
            Some((_, name)) => Pairing::KeyedBy(name),
            None if self.unordered.iter().any(|place| place == path) => Pairing::Unordered,
            None => Pairing::ByPosition,
        }
    }

    fn renamed(&self, path: &str) -> Option<&str> {
        self.renamed.iter().find(|(place, _)| place == path).map(|(_, name)| name.as_str())
    }

    fn inside(&self, path: &str, legacy: &str, candidate: &str, found: &mut Vec<Difference>) -> bool {
        let (Some(legacy), Some(candidate)) = (legacy.strip_prefix("in "), candidate.strip_prefix("in ")) else {
            return false;
        };
        if legacy.trim() == candidate.trim() {
            return self.inside;
        }
        let mut path = path.to_owned();
        path::push_token(&mut path);
        path::push_key(&mut path, "claims");
        let value = |text: &str| self.inside.then(|| text.to_owned());
        found.push(Difference {
            path,
            kind: Kind::Value,
            legacy: value(legacy),
            candidate: value(candidate),
            rule: None,
        });
        self.inside
    }
}

#[test]
fn cases() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../cases/json.json")).unwrap();
    for case in cases {
        let (legacy, candidate) = (document(&case.legacy), document(&case.candidate));
        assert_eq!(told(differences(&legacy, &candidate, &case.known)), case.differences, "{}", case.name);
    }
}

#[test]
fn what_is_not_json_is_refused_by_name() {
    let large = format!("\"{}\"", "a".repeat(BYTES_MAX));
    let many = format!("[{}0]", "0,".repeat(NODES_MAX));
    let deep = "[".repeat(DEPTH_MAX + 1);
    for (body, name) in [
        ("", "syntax"),
        (" ", "syntax"),
        ("{", "syntax"),
        ("[1,]", "syntax"),
        ("{\"a\":1,}", "syntax"),
        ("{\"a\":1}x", "syntax"),
        ("{}{}", "syntax"),
        ("]", "syntax"),
        ("[}", "syntax"),
        ("{a:1}", "syntax"),
        ("{\"a\" 1}", "syntax"),
        ("NaN", "syntax"),
        ("Infinity", "syntax"),
        ("01", "syntax"),
        ("+1", "syntax"),
        ("1.", "syntax"),
        (".5", "syntax"),
        ("'a'", "syntax"),
        ("\"a", "syntax"),
        ("\"\t\"", "syntax"),
        ("\"\\x\"", "syntax"),
        ("\"\\ud800\"", "syntax"),
        ("\"\\udc00\"", "syntax"),
        ("\"\\ud800\\u0041\"", "syntax"),
        ("\u{feff}{}", "BOM"),
        (&large, "too large"),
        (&many, "too large"),
        (&deep, "too deep"),
        (&"[".repeat(1_000_000), "too deep"),
        (&"{\"a\":".repeat(1_000_000), "too deep"),
    ] {
        let begin = &body[..body.len().min(20)];
        assert_eq!(Document::parse(body.as_bytes()).err().map(|why| why.to_string()).as_deref(), Some(name), "{begin}");
    }
    for body in [b"\"\xff\"".as_slice(), b"\xff{}", b"{\"\xc3\x28\":1}", b"[\"\xed\xa0\x80\"]"] {
        assert_eq!(Document::parse(body).err(), Some(NotJson::NotUtf8));
    }
}

#[test]
fn what_the_decision_asks_for() {
    let answer = document(r#"{"valid":false,"n":1e400,"t":"\u0061b","x":null,"a":[{"n":1}],"o":{},"\u0076alid":true}"#);
    assert!(answer.is_object());
    assert_eq!(answer.member("valid"), Some(Member::Bool(true)), "the last, as in JSON.parse");
    assert_eq!(answer.member("n"), Some(Member::Number("1e400")));
    assert_eq!(answer.member("t"), Some(Member::Text("ab".into())));
    assert_eq!(answer.member("x"), Some(Member::Null));
    assert_eq!(answer.member("a"), Some(Member::Array));
    assert_eq!(answer.member("o"), Some(Member::Object));
    assert_eq!(answer.member("y"), None);
    let array = document("[{\"valid\":false}]");
    assert!(!array.is_object() && array.member("valid").is_none());
    assert_eq!(format!("{answer:?} {:?}", answer.member("t").unwrap()), "Document(87 bytes, 18 nodes) Member(text)");
}

#[test]
fn numbers_are_equal_by_value_alone() {
    let long = |digit: &str| format!("0.{}{digit}", "0".repeat(10_000));
    let nines = "9".repeat(40);
    for equal in [
        vec!["1", "1.0", "1e0", "10e-1", "0.1e1", "1E+0", "100.00e-2", "0.001e+03", "1e000"],
        vec!["0", "-0", "0.0", "0e5", "-0.000e-7", "0e99999999999999999999999999999999999999999"],
        vec!["-1.5", "-15e-1", "-0.15e1"],
        vec!["1e400", "10e399", "0.1e401"],
        vec!["100", "1e2", "1.00E2"],
        vec![&long("1"), "1e-10001"],
        vec![&format!("1e{nines}"), &format!("1.0e+0{nines}")],
    ] {
        for (a, b) in equal.iter().flat_map(|a| equal.iter().map(move |b| (a, b))) {
            assert!(are_equal(a, b), "{a} {b}");
        }
    }
    for (a, b) in [
        ("9007199254740993", "9007199254740992"),
        ("9007199254740993", "9007199254740992.0"),
        ("1e400", "1e401"),
        ("1", "-1"),
        ("1", "10"),
        ("0.1", "0.01"),
        ("12", "1.2"),
        ("101", "11"),
        ("1e-400", "0"),
        (&long("1"), &long("2")),
        (&format!("1e{nines}"), &format!("1e-{nines}")),
        (&format!("1e{nines}"), &format!("1e{nines}0")),
        ("1e170141183460469231731687303715884105727", "1e0"),
    ] {
        assert!(!are_equal(a, b), "{a} {b}");
    }
}

#[test]
fn deep_documents_are_compared_whole_below_the_last_place() {
    let nested = |levels: usize, open: &str, inner: &str, close: &str| {
        document(&(open.repeat(levels) + inner + &close.repeat(levels)))
    };
    for levels in [LEVELS_MAX, 10_000, DEPTH_MAX - 2] {
        let found = told(differences(&nested(levels, "[", "[1]", "]"), &nested(levels, "[", "[ 2]", "]"), &()));
        let [(path, Kind::Value, Some(_), Some(_))] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(*path, format!("body{}", "[]".repeat(LEVELS_MAX)));
        assert!(path::Path::parse(path).is_ok());

        let objects = |inner| nested(levels, "{\"a\":", inner, "}");
        assert_eq!(differences(&objects("{}"), &objects("[]"), &()).len(), 1);
        assert_eq!(differences(&objects("[{}, 1.0]"), &objects("[{},1]"), &()), []);
    }
    let found =
        told(differences(&nested(LEVELS_MAX - 1, "[", "[1]", "]"), &nested(LEVELS_MAX - 1, "[", "[2]", "]"), &()));
    assert_eq!(found, [(format!("body{}", "[]".repeat(LEVELS_MAX)), Kind::Value, Some("1".into()), Some("2".into()))]);
}

#[test]
fn a_name_too_long_for_a_path_is_told_by_its_object() {
    let long = "k".repeat(PATH_BYTES_MAX);
    let object = |value: &str| format!("{{\"a\":{{\"{long}\":{value},\"b\":0}}}}");
    let found = told(differences(&document(&object("[1]")), &document(&object("[2]")), &()));
    let of = |value: &str| Some(format!("{{\"{long}\":{value},\"b\":0}}"));
    assert_eq!(found, [("body.a".to_owned(), Kind::Value, of("[1]"), of("[2]"))]);
    let missing = told(differences(&document(&object("1")), &document("{\"a\":{\"b\":0}}"), &()));
    assert_eq!(missing, [("body.a".to_owned(), Kind::Value, of("1"), Some("{\"b\":0}".to_owned()))]);
}

#[test]
fn what_is_not_listed_is_still_told() {
    let object = |value: u32| {
        let members: Vec<String> = (0..1000).map(|n| format!("\"k{n}\":{value}")).collect();
        document(&format!("{{{}}}", members.join(",")))
    };
    let found = told(differences_at("body.t(jwt).claims", &object(1), &object(2), &()));
    assert_eq!(found.len(), DIFFERENCES_MAX + 1);
    assert_eq!(found[1], ("body.t(jwt).claims.k1".to_owned(), Kind::Value, Some("1".into()), Some("2".into())));
    assert_eq!(found[DIFFERENCES_MAX], ("body.t(jwt).claims".to_owned(), Kind::Value, None, None));
    let exactly = |value: u32| format!("[{}]", vec![value.to_string(); 1000].join(","));
    assert_eq!(differences(&document(&exactly(1)), &document(&exactly(2)), &()).len(), 1);
}

#[test]
fn of_a_long_value_the_beginning_is_kept_as_json() {
    let text = format!("\"{}\"", "\\u00e9\\\\".repeat(VALUE_BYTES_MAX));
    let number = "1".repeat(VALUE_BYTES_MAX + 1);
    let many = format!("[{}[{{}}]]", "{\"secret\" : [1, {\"a\":\"]\"}]},".repeat(VALUE_BYTES_MAX / 10));
    let whole = format!("[1,2,{text}]");
    for (value, begin) in [
        (&text, "\"\\u00e9\\\\\\u00e9"),
        (&number, "1111"),
        (&many, "[{\"secret\" : [1, {\"a\":\"]\"}]},{"),
        (&whole, "[1,2]"),
        (&format!("{{\"a\":1,\"b\":{text}}}"), "{\"a\":1}"),
        (&format!("{{\"a\":{text}}}"), "{}"),
    ] {
        let found = told(differences(&document(value), &document("null"), &()));
        let shown = found[0].2.as_ref().unwrap();
        assert!(shown.starts_with(begin), "{}", &shown[..40]);
        assert!(shown.len() <= VALUE_BYTES_MAX + 200, "{}", shown.len());
        assert!(
            begin.len() < 8 || shown.len() > VALUE_BYTES_MAX - 200 || begin.ends_with(['}', ']']),
            "{}",
            shown.len()
        );
        serde_json::from_str::<serde::de::IgnoredAny>(shown).unwrap();
    }
}

#[test]
fn values_of_any_kind_have_hashes_of_their_own() {
    let mut texts: Vec<String> =
        ["null", "true", "false", "\"\"", "\"null\"", "[]", "{}", "[[]]", "[{}]", "[[],[]]", "[null]", "{\"\":null}"]
            .map(str::to_owned)
            .into();
    for n in 0..5_000 {
        texts.push(format!("{n}.5"));
        texts.push(format!("\"{n}.5\""));
        texts.push(format!("[{n}]"));
        texts.push(format!("[[{n}]]"));
        texts.push(format!("[{n},{}]", n + 1));
        texts.push(format!("[{},{n}]", n + 1));
        texts.push(format!("{{\"a\":{n}}}"));
        texts.push(format!("{{\"{n}\":0}}"));
        texts.push(format!("{{\"a\":{n},\"b\":1}}"));
        texts.push(format!("{{\"a\":1,\"b\":{n},\"c\":1}}"));
        texts.push(format!("{{\"a\":1,\"a\":{}}}", n + 2));
        texts.push(format!("{{\"a\":{},\"a\":1}}", n + 2));
    }
    let hashes: Vec<u128> = texts.iter().map(|text| document(text).hash(0)).collect();
    // Also each half: one of them alone is what elements are sorted by.
    for half in [0, 64] {
        let halves: BTreeSet<u64> = hashes.iter().map(|hash| (hash >> half) as u64).collect();
        assert_eq!(halves.len(), texts.len());
    }
    // Asked alone, or after the array it is in.
    for text in ["1.5", "\"a\"", "null", "{}"] {
        let array = document(&format!("[{text}]"));
        assert!(array.hash(0) != array.hash(1) && array.hash(1) == document(text).hash(0));
    }
    let ones = hashes.iter().map(|hash| hash.count_ones()).sum::<u32>() as f64 / hashes.len() as f64;
    assert!((ones - 64.0).abs() < 0.5, "{ones} of 128 bits");
}

/// By comparison and by hash.
fn are_equal(a: &str, b: &str) -> bool {
    let (a, b) = (document(a), document(b));
    let equal = differences(&a, &b, &()).is_empty();
    assert_eq!(equal, a.hash(0) == b.hash(0));
    equal
}

fn document(text: &str) -> Document {
    Document::parse(text.as_bytes()).unwrap_or_else(|reason| panic!("{reason:?}: {}", &text[..text.len().min(100)]))
}

fn told(differences: Vec<Difference>) -> Vec<Told> {
    differences.into_iter().map(|d| (d.path, d.kind, d.legacy, d.candidate)).collect()
}
