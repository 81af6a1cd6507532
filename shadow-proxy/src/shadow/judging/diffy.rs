//! Diffy's way to tell noise from a difference, to have something to compare with: per field two counters, no test.
//!
//! Written from a description of its behaviour. Where its two lines of development differ we take what finds more: an
//! array that is equal has no difference of order.

use std::collections::HashSet;

use serde_json::Value;

use crate::exchange::Answer;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// Requests in which primary and candidate differ in the field, and in which primary and secondary do.
    pub(super) raw: i64,
    pub(super) noise: i64,
}

impl Counters {
    /// Whether the field is reported, with the thresholds Diffy has unless told otherwise.
    pub(super) fn is_reported(self, requests: u64) -> bool {
        let (raw, noise) = (self.raw as f64, self.noise as f64);
        let relative = (raw - noise).abs() / (raw + noise) * 100.0;
        let absolute = (raw - noise).abs() / requests as f64 * 100.0;
        raw > noise && relative > RELATIVE_MIN && absolute > ABSOLUTE_MIN
    }
}

const RELATIVE_MIN: f64 = 20.0;
const ABSOLUTE_MIN: f64 = 0.03;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Primitive,
    Type,
    Missing,
    Extra,
    Ordering,
    SeqSize,
}

pub(super) type Field = (String, Kind);

/// An answer as Diffy sees it: its body parsed once.
pub(super) struct Seen<'a> {
    answer: &'a Answer,
    body: Option<Value>,
}

impl Seen<'_> {
    pub(super) fn new(answer: &Answer) -> Seen<'_> {
        Seen { answer, body: serde_json::from_slice(&answer.body).ok() }
    }

    /// Each field once, however many elements of an array differ in it.
    pub(super) fn differences(&self, other: &Seen) -> HashSet<Field> {
        let mut found = HashSet::new();
        if self.answer.status != other.answer.status {
            found.insert(("status".to_owned(), Kind::Primitive));
        }
        let (left, right) = (&self.answer.headers, &other.answer.headers);
        for name in left.keys().chain(right.keys()) {
            let kind = match (left.get(name), right.get(name)) {
                (Some(_), None) => Kind::Missing,
                (None, Some(_)) => Kind::Extra,
                (left, right) if left != right => Kind::Primitive,
                _ => continue,
            };
            found.insert((format!("header.{name}"), kind));
        }
        match (&self.body, &other.body) {
            (Some(left), Some(right)) => of_values("body", left, right, &mut found),
            (None, None) => {}
            (left, _) => drop(found.insert(("body".to_owned(), missing_or_extra(left.is_some())))),
        }
        found
    }
}

fn of_values(path: &str, left: &Value, right: &Value, found: &mut HashSet<Field>) {
    match (left, right) {
        _ if left == right => {}
        (Value::Object(left), Value::Object(right)) => {
            for key in left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))) {
                let path = format!("{path}.{key}");
                match (left.get(key), right.get(key)) {
                    (Some(left), Some(right)) => of_values(&path, left, right, found),
                    (left, _) => drop(found.insert((path, missing_or_extra(left.is_some())))),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() != right.len() => {
            found.insert((path.to_owned(), Kind::SeqSize));
        }
        (Value::Array(left), Value::Array(right)) if is_permutation(left, right) => {
            found.insert((path.to_owned(), Kind::Ordering));
        }
        (Value::Array(left), Value::Array(right)) => {
            left.iter().zip(right).for_each(|(left, right)| of_values(path, left, right, found));
        }
        _ if std::mem::discriminant(left) != std::mem::discriminant(right) => {
            found.insert((path.to_owned(), Kind::Type));
        }
        _ => drop(found.insert((path.to_owned(), Kind::Primitive))),
    }
}

fn missing_or_extra(is_left: bool) -> Kind {
    if is_left { Kind::Missing } else { Kind::Extra }
}

fn is_permutation(left: &[Value], right: &[Value]) -> bool {
    let mut rest: Vec<&Value> = right.iter().collect();
    left.iter().all(|value| rest.iter().position(|other| *other == value).map(|at| rest.swap_remove(at)).is_some())
}
