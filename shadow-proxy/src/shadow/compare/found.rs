//! What has been found so far: each path and kind once, and not more than anybody reads.

use super::known::Known;
use super::token;
use crate::exchange::{Difference, Kind};

pub(super) struct Found<'a> {
    pub(super) known: Known<'a>,
    /// `header` or `body`.
    root: &'static str,
    list: Vec<Difference>,
    is_full: bool,
}

impl<'a> Found<'a> {
    pub(super) fn new(known: Known<'a>, root: &'static str) -> Found<'a> {
        Found { known, root, list: Vec::new(), is_full: false }
    }

    /// Two texts, of which tokens are looked into.
    pub(super) fn texts(&mut self, path: String, legacy: &str, candidate: &str) {
        if legacy != candidate {
            self.unequal(path, legacy, candidate);
        }
    }

    /// Two values that are not the same bytes, though they may be the same text.
    pub(super) fn unequal(&mut self, path: String, legacy: &str, candidate: &str) {
        if let Some(inside) = token::differences(&path, legacy, candidate, self.known) {
            return self.extend(inside);
        }
        let (legacy, candidate) = (Some(shown(&path, legacy)), Some(shown(&path, candidate)));
        self.add(Difference { path, kind: Kind::Value, legacy, candidate, rule: None });
    }

    /// What at most one side lacks. Equal values are no difference.
    pub(super) fn pair(&mut self, path: String, legacy: Option<&str>, candidate: Option<&str>) {
        let kind = match (legacy, candidate) {
            _ if legacy == candidate => return,
            (Some(_), None) => Kind::Missing,
            (None, _) => Kind::Added,
            _ => Kind::Value,
        };
        let shown = |text: &str| shown(&path, text);
        let (legacy, candidate) = (legacy.map(shown), candidate.map(shown));
        self.add(Difference { path, kind, legacy, candidate, rule: None });
    }

    /// How many times each side names it.
    pub(super) fn repeated(&mut self, path: String, legacy: usize, candidate: usize) {
        let (legacy, candidate) = (Some(legacy.to_string()), Some(candidate.to_string()));
        self.add(Difference { path, kind: Kind::Repeated, legacy, candidate, rule: None });
    }

    pub(super) fn extend(&mut self, differences: Vec<Difference>) {
        differences.into_iter().for_each(|difference| self.add(difference));
    }

    pub(super) fn add(&mut self, difference: Difference) {
        // One line is enough for a hundred cookies that differ in the same way.
        if self.list.iter().any(|known| known.kind == difference.kind && known.path == difference.path) {
            return;
        }
        if self.list.len() < DIFFERENCES_MAX {
            self.list.push(difference);
        } else {
            self.is_full = true;
        }
    }

    /// What is not listed must not pass for explained, so the last line is about all of it.
    pub(super) fn into_list(mut self) -> Vec<Difference> {
        if self.is_full {
            let path = self.root.to_owned();
            self.list.push(Difference { path, kind: Kind::Value, legacy: None, candidate: None, rule: None });
        }
        self.list
    }
}

/// Below `body.` values are JSON text.
fn shown(path: &str, text: &str) -> String {
    if path.starts_with("body.") || path.starts_with("body[") {
        serde_json::Value::from(text).to_string()
    } else {
        text.to_owned()
    }
}

/// Enough for a person to see the pattern; it also keeps the search for known places short.
const DIFFERENCES_MAX: usize = 128;
