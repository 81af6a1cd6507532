use std::collections::BTreeSet;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::document::{BYTES_MAX, DEPTH_MAX, NODES_MAX, VALUE_BYTES_MAX};
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
        ("", "not_json"),
        (" ", "not_json"),
        ("{", "not_json"),
        ("[1,]", "not_json"),
        ("{\"a\":1,}", "not_json"),
        ("{\"a\":1}x", "not_json"),
        ("{}{}", "not_json"),
        ("]", "not_json"),
        ("[}", "not_json"),
        ("{a:1}", "not_json"),
        ("{\"a\" 1}", "not_json"),
        ("NaN", "not_json"),
        ("Infinity", "not_json"),
        ("01", "not_json"),
        ("+1", "not_json"),
        ("1.", "not_json"),
        (".5", "not_json"),
        ("'a'", "not_json"),
        ("\"a", "not_json"),
        ("\"\t\"", "not_json"),
        ("\"\\x\"", "not_json"),
        ("\"\\ud800\"", "not_json"),
        ("\"\\udc00\"", "not_json"),
        ("\"\\ud800\\u0041\"", "not_json"),
        ("\u{feff}{}", "byte_order_mark"),
        (&large, "too_large"),
        (&many, "too_large"),
        (&deep, "too_deep"),
        (&"[".repeat(1_000_000), "too_deep"),
        (&"{\"a\":".repeat(1_000_000), "too_deep"),
    ] {
        let begin = &body[..body.len().min(20)];
        assert_eq!(Document::parse(body.as_bytes()).err().map(NotJson::name), Some(name), "{begin}");
    }
    for body in [b"\"\xff\"".as_slice(), b"\xff{}", b"{\"\xc3\x28\":1}", b"[\"\xed\xa0\x80\"]"] {
        assert_eq!(Document::parse(body).err().map(NotJson::name), Some("not_utf8"));
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
fn sixteen_megabytes_are_compared_by_path() {
    let users = |changed: usize| {
        let mut body = "{\"users\":[".to_owned();
        for id in 0.. {
            let role = if id == changed { "admin" } else { "user" };
            body += &format!(r#"{{"id":{id},"email":"user{id}@example.org","role":"{role}","active":true}},"#);
            if body.len() > BYTES_MAX - 200 {
                body += "{}]}";
                return body;
            }
        }
        body
    };
    let (legacy, candidate) = (document(&users(usize::MAX)), document(&users(200_000)));
    let told = told(differences(&legacy, &candidate, &()));
    let (value, other) = (Some("\"user\"".to_owned()), Some("\"admin\"".to_owned()));
    assert_eq!(told, [("body.users[].role".to_owned(), Kind::Value, value, other)]);
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

/// Counted, not timed: twice the size must not be much more than twice the nodes looked at.
#[test]
fn the_work_grows_with_the_size() {
    let list = |n: usize, one: &dyn Fn(usize) -> String| (0..n).map(one).collect::<Vec<_>>().join(",");
    let array = |n: usize, one: &dyn Fn(usize) -> String| format!("[{}]", list(n, one));
    let object = |n: usize, one: &dyn Fn(usize) -> String| format!("{{{}}}", list(n, one));
    let unordered = Known { unordered: vec!["body".to_owned()], ..Known::default() };
    let keyed = Known { keyed_by: vec![("body".to_owned(), "id".to_owned())], ..Known::default() };
    type Shape<'a> = (&'a str, Box<dyn Fn(usize) -> (String, String) + 'a>, &'a dyn Places);
    let shapes: Vec<Shape> = vec![
        ("all values differ", Box::new(|n| (array(n, &|i| format!("{i}")), array(n, &|i| format!("-1{i}")))), &()),
        ("reversed", Box::new(|n| (array(n, &|i| format!("{i}")), array(n, &|i| format!("{}", n - i)))), &unordered),
        (
            "keyed",
            Box::new(|n| {
                let one = |i: usize, v: u8| format!("{{\"v\":{v},\"id\":{i}}}");
                (array(n, &|i| one(i, 0)), array(n, &|i| one(n - i, 1)))
            }),
            &keyed,
        ),
        (
            "members in another order",
            Box::new(|n| (object(n, &|i| format!("\"k{i}\":1")), object(n, &|i| format!("\"k{}\":1.0", n - 1 - i)))),
            &(),
        ),
        ("one key", Box::new(|n| (object(n, &|_| "\"k\":1".into()), object(n + 1, &|_| "\"k\":1".into()))), &()),
        (
            "deep",
            Box::new(|n| {
                let nested = |inner: &str| "[0,".repeat(n) + inner + &",0]".repeat(n);
                (nested("1"), nested("2"))
            }),
            &(),
        ),
        (
            "arrays in arrays",
            Box::new(|n| {
                let rows = |v: usize| array(100, &|_| array(n / 100, &|i| format!("[{i},[{v}]]")));
                (rows(1), rows(2))
            }),
            &(),
        ),
    ];
    for (name, shape, places) in shapes {
        let work = |n: usize| {
            let (legacy, candidate) = shape(n);
            let (legacy, candidate) = (document(&legacy), document(&candidate));
            let mut walk = Walk::new("body", &legacy, &candidate, places);
            walk.walk();
            let nodes = legacy.len() + candidate.len();
            (walk.work.get(), nodes)
        };
        let ((once, _), (twice, nodes)) = (work(10_000), work(20_000));
        assert!(twice * 10 <= once * 21, "{name}: {once} {twice}");
        assert!(twice <= 4 * nodes, "{name}: {twice} of {nodes}");
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
    let hashes: Vec<u128> = texts.iter().map(|text| document(text).hashes()[0]).collect();
    // Also each half: one of them alone is what elements are sorted by.
    for half in [0, 64] {
        let halves: BTreeSet<u64> = hashes.iter().map(|hash| (hash >> half) as u64).collect();
        assert_eq!(halves.len(), texts.len());
    }
    let ones = hashes.iter().map(|hash| hash.count_ones()).sum::<u32>() as f64 / hashes.len() as f64;
    assert!((ones - 64.0).abs() < 0.5, "{ones} of 128 bits");
}

/// Time against size, for `cargo ci bench json-size`.
#[test]
#[ignore = "measures"]
fn json_size() {
    let users = |bytes: usize, role: &str| {
        let mut body = "{\"valid\":true,\"users\":[".to_owned();
        let mut id = 0;
        while body.len() + 150 < bytes {
            let email = format!("user{id}@example.org");
            body += &format!(r#"{{"id":{id},"email":"{email}","role":"{role}","roles":["a","b"],"active":true}},"#);
            id += 1;
        }
        body + "{\"last\":null}],\"count\":" + &id.to_string() + "}"
    };
    println!("{:>10} {:>12} {:>12} {:>10}", "bytes", "parse_us", "compare_us", "ns/byte");
    let sizes = [300, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];
    for bytes in sizes {
        let [legacy, candidate] = ["user", "boss"].map(|role| bytes::Bytes::from(users(bytes, role)));
        let rounds = ((8 << 20) / bytes).max(1) as u32;
        let (mut parsing, mut comparing) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
        for _ in 0..rounds {
            let begun = std::time::Instant::now();
            let left = Document::read(legacy.clone()).unwrap();
            let right = Document::read(candidate.clone()).unwrap();
            parsing += begun.elapsed();
            let begun = std::time::Instant::now();
            let found = differences(&left, &right, &());
            comparing += begun.elapsed();
            assert_eq!(found.len(), 1);
        }
        let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6 / f64::from(rounds);
        let (parse, compare) = (micros(parsing) / 2.0, micros(comparing));
        let each = (2.0 * parse + compare) * 1e3 / (2.0 * legacy.len() as f64);
        println!("{:>10} {parse:>12.2} {compare:>12.2} {each:>10.2}", legacy.len());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
}

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
        prop_assert_eq!(left.hashes()[0] == right.hashes()[0], legacy == candidate);
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

/// By comparison and by hash.
fn are_equal(a: &str, b: &str) -> bool {
    let (a, b) = (document(a), document(b));
    let equal = differences(&a, &b, &()).is_empty();
    assert_eq!(equal, a.hashes() == b.hashes());
    equal
}

fn document(text: &str) -> Document {
    Document::parse(text.as_bytes()).unwrap_or_else(|reason| panic!("{reason:?}: {}", &text[..text.len().min(100)]))
}

fn told(differences: Vec<Difference>) -> Vec<Told> {
    differences.into_iter().map(|d| (d.path, d.kind, d.legacy, d.candidate)).collect()
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
