//! Two documents walked side by side, with the path to where they are.

mod children;

use std::collections::HashSet;
use std::hash::Hasher as _;

use siphasher::sip128::SipHasher13;

use super::Places;
use super::document::{Document, ROOT, Type};
use super::hash;
use super::number::Decimal;
use super::pair::{NONE, Pair};
use crate::exchange::{Difference, Kind};
use crate::shadow::path;

pub(super) struct Walk<'a> {
    legacy: &'a Document,
    candidate: &'a Document,
    places: &'a dyn Places,
    root: &'a str,
    path: String,
    /// Has read `path`: to hash a long one anew for each of a million elements would take all day.
    hasher: SipHasher13,
    frames: Vec<Frame>,
    known: HashSet<(u128, Kind)>,
    found: Vec<Difference>,
    full: bool,
    /// Nodes looked at.
    #[cfg(test)]
    pub work: std::cell::Cell<usize>,
}

/// Two containers whose content is being compared.
struct Frame {
    containers: Pair,
    is_array: bool,
    content: Content,
    above: Above,
}

enum Content {
    /// The same names in the same order: the next name on both sides, and legacy's end.
    InStep {
        names: Pair,
        end: u32,
    },
    Listed(std::vec::IntoIter<Pair>),
}

/// The place that a path returns to.
#[derive(Clone, Copy)]
struct Above {
    length: usize,
    hasher: SipHasher13,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        root: &'a str,
        legacy: &'a Document,
        candidate: &'a Document,
        places: &'a dyn Places,
    ) -> Walk<'a> {
        let mut hasher = hash::begun(PATH);
        hasher.write(root.as_bytes());
        Walk {
            legacy,
            candidate,
            places,
            root,
            path: root.to_owned(),
            hasher,
            frames: Vec::new(),
            known: HashSet::new(),
            found: Vec::new(),
            full: false,
            #[cfg(test)]
            work: std::cell::Cell::new(0),
        }
    }

    pub(super) fn run(mut self) -> Vec<Difference> {
        self.walk();
        self.found
    }

    pub(super) fn walk(&mut self) {
        if !self.is_known_same(ROOT, ROOT) {
            let above = self.above();
            self.compare((ROOT, ROOT), above);
        }
        while let Some(frame) = self.frames.last_mut().filter(|_| !self.full) {
            match frame.content.next(self.legacy, self.candidate) {
                Some(pair) => self.step(pair),
                None => {
                    let above = frame.above;
                    self.frames.pop();
                    self.back(above);
                }
            }
        }
        if self.full {
            let path = self.root.to_owned();
            self.found.push(Difference { path, kind: Kind::Value, legacy: None, candidate: None, rule: None });
        }
    }

    /// Two that belong together in the innermost containers.
    fn step(&mut self, pair: Pair) {
        let (legacy, candidate) = pair;
        if legacy != NONE && candidate != NONE && self.is_known_same(legacy, candidate) {
            return;
        }
        let above = self.above();
        let Some(&Frame { containers, is_array, .. }) = self.frames.last() else { return };
        if is_array {
            self.push(path::push_elements);
        } else if !self.push_name(pair) {
            return self.add(Kind::Value, containers);
        }
        let depth = self.frames.len();
        match pair {
            (_, NONE) => self.add(Kind::Missing, pair),
            (NONE, _) => self.add(Kind::Added, pair),
            _ => self.compare(pair, above),
        }
        if self.frames.len() == depth {
            self.back(above);
        }
    }

    /// Two that are not known to be the same, at the present place. Containers become a frame.
    fn compare(&mut self, pair: Pair, above: Above) {
        let (legacy, candidate) = pair;
        let (kind, other) = (self.legacy.type_of(legacy), self.candidate.type_of(candidate));
        let content = match kind {
            _ if kind != other => return self.add(Kind::Type, pair),
            Type::Text => return self.texts(pair),
            Type::Null | Type::Bool | Type::Number => return self.add(Kind::Value, pair),
            Type::Array | Type::Object if self.frames.len() == LEVELS_MAX => {
                if !self.is_same(legacy, candidate) {
                    self.add(Kind::Value, pair);
                }
                return;
            }
            Type::Array => Content::Listed(self.elements(pair).into_iter()),
            Type::Object if self.is_in_step(pair) => {
                Content::InStep { names: (legacy + 1, candidate + 1), end: self.legacy.next(legacy) }
            }
            Type::Object => Content::Listed(self.members(pair).into_iter()),
        };
        self.frames.push(Frame { containers: pair, is_array: kind == Type::Array, content, above });
    }

    fn texts(&mut self, pair: Pair) {
        let (legacy, candidate) = (self.legacy.content_text(pair.0), self.candidate.content_text(pair.1));
        let mut found = Vec::new();
        // Two that differ are never equal, whatever is found in them.
        if !self.places.inside(&self.path, &legacy, &candidate, &mut found) || found.is_empty() {
            return self.add(Kind::Value, pair);
        }
        for difference in found {
            let mut hasher = hash::begun(PATH);
            hasher.write(difference.path.as_bytes());
            if self.is_new(&hasher, difference.kind) {
                self.found.push(difference);
            }
        }
    }

    /// As far as it can be told without hashing both documents for it.
    fn is_known_same(&self, legacy: u32, candidate: u32) -> bool {
        let is_cheap = !self.legacy.is_container(legacy) || (self.legacy.is_hashed() && self.candidate.is_hashed());
        is_cheap && self.is_same(legacy, candidate)
    }

    fn is_same(&self, legacy: u32, candidate: u32) -> bool {
        self.worked(1);
        let kind = self.legacy.type_of(legacy);
        let (raw, other) = (self.legacy.raw(legacy), self.candidate.raw(candidate));
        kind == self.candidate.type_of(candidate)
            && match kind {
                Type::Null => true,
                Type::Bool => raw == other,
                Type::Number => raw == other || Decimal::of(raw) == Decimal::of(other),
                Type::Text => raw == other || self.legacy.content(legacy) == self.candidate.content(candidate),
                Type::Array | Type::Object => self.legacy.hash(legacy) == self.candidate.hash(candidate),
            }
    }

    fn add_at_name(&mut self, kind: Kind, pair: Pair, objects: Pair) {
        let above = self.above();
        if self.push_name(pair) {
            self.add(kind, pair);
        } else {
            self.add(Kind::Value, objects);
        }
        self.back(above);
    }

    fn add(&mut self, kind: Kind, (legacy, candidate): Pair) {
        let hasher = self.hasher;
        if self.is_new(&hasher, kind) {
            self.found.push(Difference {
                path: self.path.clone(),
                kind,
                legacy: (legacy != NONE).then(|| self.legacy.shown(legacy)),
                candidate: (candidate != NONE).then(|| self.candidate.shown(candidate)),
                rule: None,
            });
        }
    }

    fn is_new(&mut self, path: &SipHasher13, kind: Kind) -> bool {
        let place = (hash::ended(path), kind);
        if self.full || self.known.contains(&place) {
            return false;
        }
        self.full = self.found.len() == DIFFERENCES_MAX;
        !self.full && self.known.insert(place)
    }

    /// By legacy's name, or the candidate's where only it has one. Not where the path became too long.
    fn push_name(&mut self, (legacy, candidate): Pair) -> bool {
        let name = match legacy {
            NONE => self.candidate.content_text(candidate - 1),
            _ => self.legacy.content_text(legacy - 1),
        };
        let fits = self.path.len() + name.len() <= PATH_BYTES_MAX;
        if fits {
            self.push(|path| path::push_key(path, &name));
        }
        fits
    }

    fn push(&mut self, segment: impl FnOnce(&mut String)) {
        let length = self.path.len();
        segment(&mut self.path);
        self.hasher.write(&self.path.as_bytes()[length..]);
    }

    fn above(&self) -> Above {
        Above { length: self.path.len(), hasher: self.hasher }
    }

    fn back(&mut self, above: Above) {
        self.path.truncate(above.length);
        self.hasher = above.hasher;
    }

    fn worked(&self, _nodes: usize) {
        #[cfg(test)]
        self.work.set(self.work.get() + _nodes);
    }
}

impl Content {
    fn next(&mut self, legacy: &Document, candidate: &Document) -> Option<Pair> {
        match self {
            Content::InStep { names, end } if names.0 < *end => {
                let values = (names.0 + 1, names.1 + 1);
                *names = (legacy.next(values.0), candidate.next(values.1));
                Some(values)
            }
            Content::InStep { .. } => None,
            Content::Listed(pairs) => pairs.next(),
        }
    }
}

/// The hashes of paths are none of values.
const PATH: u8 = b'/';

/// Enough for a person to see the pattern.
pub(super) const DIFFERENCES_MAX: usize = 64;

/// What is deeper is compared whole: a rule's path has at most 256 names, some of them inside of tokens.
pub(super) const LEVELS_MAX: usize = 200;

/// Where a name would make the path longer, the object it is in is compared whole.
pub(super) const PATH_BYTES_MAX: usize = 4096;
