//! Two documents walked side by side, with the path to where they are.

use std::collections::HashSet;
use std::hash::Hasher as _;

use siphasher::sip128::SipHasher13;

use super::document::{Document, ROOT, Type};
use super::hash;
use super::number::Decimal;
use super::pair::{self, NONE, Pair, keyed};
use super::{Pairing, Places};
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
        if !self.places.inside(&self.path, &legacy, &candidate, &mut found) {
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

    /// The same names in the same order, as most answers to one call have them.
    fn is_in_step(&self, (legacy, candidate): Pair) -> bool {
        let mut others = self.candidate.members(candidate);
        self.legacy.members(legacy).all(|(name, _)| others.next().is_some_and(|(other, _)| self.is_same(name, other)))
            && others.next().is_none()
    }

    /// Members by name; legacy's first, in its order. One that is named once more on one side is told by that, and what
    /// the clients read is compared, which is the last.
    fn members(&mut self, objects: Pair) -> Vec<Pair> {
        let names = |document: &Document, object: u32| {
            document.members(object).map(|(name, _)| keyed(document.hashes()[name as usize], name)).collect::<Vec<_>>()
        };
        let (left, right) = (names(self.legacy, objects.0), names(self.candidate, objects.1));
        self.worked(left.len() + right.len());
        let (mut pairs, mut missing, mut added, mut repeated) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        pair::runs(left, right, |left, right| match (left, right) {
            (left, right) if left.len() == right.len() => {
                pairs.extend(left.iter().zip(right).map(|(left, right)| (left.1 + 1, right.1 + 1)));
            }
            ([.., (_, name)], []) => missing.push(name + 1),
            ([], [.., last]) => added.push(*last),
            ([.., (_, left)], [.., (_, right)]) => repeated.push((left + 1, right + 1)),
            ([], []) => {}
        });
        repeated.sort_unstable();
        for pair in repeated {
            self.add_at_name(Kind::Repeated, pair, objects);
            pairs.push(pair);
        }
        missing.sort_unstable();
        for legacy in missing {
            let candidate = self.renamed(legacy, &mut added);
            if candidate != NONE {
                self.add_at_name(Kind::Renamed, (legacy, candidate), objects);
            }
            pairs.push((legacy, candidate));
        }
        pairs.extend(added.into_iter().map(|(_, name)| (NONE, name + 1)));
        pairs.sort_unstable();
        pairs
    }

    /// The candidate's member of another name, which is taken out of those that only the candidate has.
    fn renamed(&mut self, legacy: u32, added: &mut Vec<pair::Keyed>) -> u32 {
        let above = self.above();
        if added.is_empty() || !self.push_name((legacy, NONE)) {
            return NONE;
        }
        let name = self.places.renamed(&self.path).map(|name| keyed(hash::of_text(name.as_bytes()), 0).0);
        self.back(above);
        // They are sorted by it. Few members are renamed, or else taking one out would move all behind it each time.
        let found = name.and_then(|name| added.binary_search_by_key(&name, |(key, _)| *key).ok());
        found.map_or(NONE, |index| added.remove(index).1 + 1)
    }

    /// Elements as the place says, without those that both arrays begin and end with.
    fn elements(&mut self, arrays: Pair) -> Vec<Pair> {
        let (left, right) = (self.legacy.all_elements(arrays.0), self.candidate.all_elements(arrays.1));
        self.worked(left.len() + right.len());
        if let ([left], [right]) = (left.as_slice(), right.as_slice()) {
            return vec![(*left, *right)];
        }
        let start = left.iter().zip(&right).take_while(|(left, right)| self.is_same(**left, **right)).count();
        let (left, right) = (&left[start..], &right[start..]);
        let ends = left.iter().rev().zip(right.iter().rev());
        let end = ends.take_while(|(left, right)| self.is_same(**left, **right)).count();
        let (left, right) = (&left[..left.len() - end], &right[..right.len() - end]);
        if left.is_empty() || right.is_empty() {
            return pair::by_position(left, right).collect();
        }
        let places = self.places;
        match places.pairing(&self.path) {
            Pairing::ByPosition if left.len() == right.len() && left.len() > 1 && self.is_reordered(left, right) => {
                self.add(Kind::Order, arrays);
                Vec::new()
            }
            Pairing::ByPosition => pair::by_position(left, right).collect(),
            Pairing::Unordered => self.unordered(arrays, left, right),
            Pairing::KeyedBy(name) => self.keyed_by(name, arrays, left, right),
        }
    }

    /// By the sum of keyed hashes, which does not depend on the order.
    fn is_reordered(&self, left: &[u32], right: &[u32]) -> bool {
        let sum = |document: &Document, nodes: &[u32]| {
            let hashes = document.hashes();
            nodes.iter().fold(0, |sum: u128, node| sum.wrapping_add(hashes[*node as usize]))
        };
        sum(self.legacy, left) == sum(self.candidate, right)
    }

    fn unordered(&mut self, arrays: Pair, left: &[u32], right: &[u32]) -> Vec<Pair> {
        let by_value = |document: &Document, nodes: &[u32]| {
            nodes.iter().map(|node| keyed(document.hashes()[*node as usize], *node)).collect::<Vec<_>>()
        };
        let mut paired = pair::by_key(by_value(self.legacy, left), by_value(self.candidate, right));
        if paired.moved {
            self.add(Kind::Order, arrays);
        }
        paired.pairs.extend(pair::by_position(&paired.left, &paired.right));
        paired.pairs.sort_unstable();
        paired.pairs
    }

    fn keyed_by(&mut self, name: &str, arrays: Pair, left: &[u32], right: &[u32]) -> Vec<Pair> {
        let by_member = |document: &Document, nodes: &[u32]| {
            let (mut with, mut without) = (Vec::new(), Vec::new());
            for node in nodes {
                match document.last_member(*node, name.as_bytes()) {
                    Some((_, value)) => with.push(keyed(document.hashes()[value as usize], *node)),
                    None => without.push(*node),
                }
            }
            (with, without)
        };
        let ((left, left_others), (right, right_others)) =
            (by_member(self.legacy, left), by_member(self.candidate, right));
        let mut paired = pair::by_key(left, right);
        if paired.moved {
            self.add(Kind::Order, arrays);
        }
        paired.pairs.extend(paired.left.into_iter().map(|node| (node, NONE)));
        paired.pairs.extend(paired.right.into_iter().map(|node| (NONE, node)));
        paired.pairs.extend(pair::by_position(&left_others, &right_others));
        paired.pairs.sort_unstable();
        paired.pairs
    }

    /// As far as it can be told without hashing both documents for it.
    fn is_known_same(&self, legacy: u32, candidate: u32) -> bool {
        let is_container = matches!(self.legacy.type_of(legacy), Type::Array | Type::Object);
        let is_hashed = self.legacy.is_hashed() && self.candidate.is_hashed();
        (!is_container || is_hashed) && self.is_same(legacy, candidate)
    }

    fn is_same(&self, legacy: u32, candidate: u32) -> bool {
        self.worked(1);
        let kind = self.legacy.type_of(legacy);
        if kind != self.candidate.type_of(candidate) {
            return false;
        }
        if matches!(kind, Type::Array | Type::Object) {
            return self.legacy.hashes()[legacy as usize] == self.candidate.hashes()[candidate as usize];
        }
        let (raw, other) = (self.legacy.raw(legacy), self.candidate.raw(candidate));
        raw == other
            || match kind {
                Type::Number => Decimal::of(raw) == Decimal::of(other),
                Type::Text => self.legacy.content(legacy) == self.candidate.content(candidate),
                _ => false,
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
