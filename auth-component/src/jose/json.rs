//! JSON as a token may have it: an object at the top, no member twice, at most [`DEPTH_MAX`] levels and so many values,
//! finite numbers.
//!
//! `serde_json` reads it and refuses invalid UTF-8, lone surrogates, a byte order mark and numbers beyond `f64`. What it
//! leaves to its visitor is done here. Never derive a structure from a token's text: serde takes an array for one.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::Refusal;

const DEPTH_MAX: usize = 32;
/// Of a payload. Each costs memory many times its text; an issuer that lists 200 groups still passes.
pub(crate) const VALUES_MAX: usize = 256;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Json>),
    Object(Object),
}

/// Members in the order of the text, no name twice. There are few of them, so none is found faster than by looking at each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(String, Json)>);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Unsigned(u64),
    Negative(i64),
    /// Always finite.
    Fraction(f64),
}

impl Json {
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }
}

impl Object {
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Out of the object, where it is there.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// Drops the others.
    #[cfg(feature = "introspection")]
    pub(crate) fn keep(&mut self, names: &[&str]) {
        self.0.retain(|(name, _)| names.contains(&name.as_str()));
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// As it was read; how numbers are printed is the matter of the formatter.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(Number::Unsigned(value)) => serializer.serialize_u64(*value),
            Json::Number(Number::Negative(value)) => serializer.serialize_i64(*value),
            Json::Number(Number::Fraction(value)) => serializer.serialize_f64(*value),
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(elements) => serializer.collect_seq(elements),
            Json::Object(members) => members.serialize(serializer),
        }
    }
}

/// The object that `text` is, or what the strict profile has against it.
pub fn parse_object(text: &[u8]) -> Result<Object, Refusal> {
    parse_object_of(text, VALUES_MAX)
}

/// The same of at most `values_max` values: members and elements at all levels.
pub(crate) fn parse_object_of(text: &[u8], values_max: usize) -> Result<Object, Refusal> {
    let defect = Cell::new(Refusal::NotJson);
    let values_left = Cell::new(values_max);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let parsed = Value { depth: 0, values_left: &values_left, defect: &defect }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match parsed {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(Refusal::NotAnObject),
        Err(_) => Err(defect.get()),
    }
}

/// One value at `depth`; `defect` says what serde's error cannot.
#[derive(Clone, Copy)]
struct Value<'a> {
    depth: usize,
    values_left: &'a Cell<usize>,
    defect: &'a Cell<Refusal>,
}

impl Value<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.refuse(Refusal::TooDeep));
        }
        Ok(Value { depth: self.depth + 1, ..self })
    }

    /// Before there is room for one more.
    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.values_left.get().checked_sub(1).ok_or_else(|| self.refuse(Refusal::TooManyValues))?;
        self.values_left.set(left);
        Ok(())
    }

    fn refuse<E: Error>(self, refusal: Refusal) -> E {
        self.defect.set(refusal);
        E::custom(refusal.reason())
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(Number::Unsigned(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(Number::Negative(value)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        if !value.is_finite() {
            return Err(self.refuse(Refusal::NotJson));
        }
        Ok(Json::Number(Number::Fraction(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let element = self.deeper()?;
        let mut array = Vec::new();
        while let Some(value) = elements.next_element_seed(element)? {
            element.count()?;
            array.push(value);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let member = self.deeper()?;
        let mut object = Object::default();
        while let Some(name) = members.next_key::<String>()? {
            member.count()?;
            if object.has(&name) {
                return Err(self.refuse(Refusal::DuplicateMember));
            }
            let value = members.next_value_seed(member)?;
            object.0.push((name, value));
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_what_a_token_may_have() {
        let nested = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        let cases: &[(&[u8], Result<(), Refusal>)] = &[
            (b"{}", Ok(())),
            (b" {\"a\" : 1}\r\n\t", Ok(())),
            (b"", Err(Refusal::NotJson)),
            (b"{", Err(Refusal::NotJson)),
            (b"{}{}", Err(Refusal::NotJson)),
            (b"{} x", Err(Refusal::NotJson)),
            (b"{\"a\":1,}", Err(Refusal::NotJson)),
            (b"{a:1}", Err(Refusal::NotJson)),
            (b"{'a':1}", Err(Refusal::NotJson)),
            (b"{\"a\":01}", Err(Refusal::NotJson)),
            (b"{\"a\":+1}", Err(Refusal::NotJson)),
            (b"{\"a\":1.}", Err(Refusal::NotJson)),
            (b"{\"a\":NaN}", Err(Refusal::NotJson)),
            (b"{\"a\":1e400}", Err(Refusal::NotJson)),
            (b"{\"a\":-1e400}", Err(Refusal::NotJson)),
            (b"{\"a\":1e-400}", Ok(())),
            (b"\xef\xbb\xbf{}", Err(Refusal::NotJson)),
            (b"{\"a\":\"\xff\"}", Err(Refusal::NotJson)),
            (b"{\"a\":\"\xed\xa0\x80\"}", Err(Refusal::NotJson)),
            (b"{\"a\":\"\\ud800\"}", Err(Refusal::NotJson)),
            (b"{\"a\":\"\\ud83d\\ude00\"}", Ok(())),
            (b"{\"a\":\"\n\"}", Err(Refusal::NotJson)),
            (b"{\"a\":\"\\x\"}", Err(Refusal::NotJson)),
            (b"[]", Err(Refusal::NotAnObject)),
            (b"null", Err(Refusal::NotAnObject)),
            (b"1", Err(Refusal::NotAnObject)),
            (b"\"a\"", Err(Refusal::NotAnObject)),
            (b"{\"a\":1,\"a\":1}", Err(Refusal::DuplicateMember)),
            (b"{\"a\":1,\"\\u0061\":1}", Err(Refusal::DuplicateMember)),
            (b"{\"b\":[{\"a\":1,\"a\":1}]}", Err(Refusal::DuplicateMember)),
            (b"{\"a\":1,\"A\":1}", Ok(())),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_object(text).map(drop), *expected, "{}", String::from_utf8_lossy(text));
        }
        assert!(parse_object(nested(32).as_bytes()).is_ok());
        assert_eq!(parse_object(nested(33).as_bytes()), Err(Refusal::TooDeep));
        assert_eq!(parse_object(nested(5_000).as_bytes()), Err(Refusal::TooDeep));
    }

    #[test]
    fn every_value_at_every_level_counts() {
        let list = |count: usize| format!("{{\"a\":[{}]}}", vec!["0"; count].join(","));
        let objects = |count: usize| format!("{{\"a\":[{}]}}", vec!["{\"\":0}"; count].join(","));
        let members =
            |count: usize| format!("{{{}}}", (0..count).map(|at| format!("\"{at}\":0")).collect::<Vec<_>>().join(","));
        for good in [list(255), objects(127), members(256)] {
            assert!(parse_object(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [list(256), objects(128), members(257)] {
            assert_eq!(parse_object(bad.as_bytes()), Err(Refusal::TooManyValues), "{bad}");
        }
        assert!(parse_object_of(list(3).as_bytes(), 4).is_ok());
        assert_eq!(parse_object_of(list(4).as_bytes(), 4), Err(Refusal::TooManyValues));
    }

    #[test]
    fn keeps_the_order_of_the_members() {
        let text = "{\"b\":1,\"a\":{\"d\":[true],\"c\":null}}";
        let object = parse_object(text.as_bytes()).expect("it is JSON");
        assert_eq!(serde_json::to_string(&Json::Object(object)).expect("names are texts"), text);
    }

    #[test]
    fn keeps_numbers_as_they_are() {
        let object = parse_object(b"{\"a\":18446744073709551615,\"b\":-1,\"c\":1.5,\"d\":18446744073709551616}");
        let object = object.expect("it is JSON");
        let number = |name| object.get(name);
        assert_eq!(number("a"), Some(&Json::Number(Number::Unsigned(u64::MAX))));
        assert_eq!(number("b"), Some(&Json::Number(Number::Negative(-1))));
        assert_eq!(number("c"), Some(&Json::Number(Number::Fraction(1.5))));
        assert_eq!(number("d"), Some(&Json::Number(Number::Fraction(18_446_744_073_709_551_616.0))));
    }

    #[test]
    fn fractions_are_read_to_the_last_digit() {
        // Python's `time.time()` has as many digits.
        for text in ["1700000000.7654321", "55555555555555555555555555555555555555555555555551", "8.5e-300"] {
            let object = parse_object(format!("{{\"a\":{text}}}").as_bytes()).expect("it is JSON");
            let exact = Number::Fraction(text.parse().expect("a number"));
            assert_eq!(object.get("a"), Some(&Json::Number(exact)), "{text}");
        }
    }
}
