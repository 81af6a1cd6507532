//! What in two containers belongs together.

use super::Walk;
use crate::exchange::Kind;
use crate::shadow::json::Pairing;
use crate::shadow::json::document::Document;
use crate::shadow::json::hash;
use crate::shadow::json::pair::{self, NONE, Pair, keyed};

impl Walk<'_> {
    /// The same names in the same order, as most answers to one call have them.
    pub(super) fn is_in_step(&self, (legacy, candidate): Pair) -> bool {
        let mut others = self.candidate.members(candidate);
        self.legacy.members(legacy).all(|(name, _)| others.next().is_some_and(|(other, _)| self.is_same(name, other)))
            && others.next().is_none()
    }

    /// Members by name; legacy's first, in its order. One that is named once more on one side is told by that, and what
    /// the clients read is compared, which is the last.
    pub(super) fn members(&mut self, objects: Pair) -> Vec<Pair> {
        let names = |document: &Document, object: u32| {
            document.members(object).map(|(name, _)| keyed(document.hash(name), name)).collect::<Vec<_>>()
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
    pub(super) fn elements(&mut self, arrays: Pair) -> Vec<Pair> {
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
            nodes.iter().fold(0, |sum: u128, node| sum.wrapping_add(document.hash(*node)))
        };
        sum(self.legacy, left) == sum(self.candidate, right)
    }

    fn unordered(&mut self, arrays: Pair, left: &[u32], right: &[u32]) -> Vec<Pair> {
        let by_value = |document: &Document, nodes: &[u32]| {
            nodes.iter().map(|node| keyed(document.hash(*node), *node)).collect::<Vec<_>>()
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
                    Some((_, value)) => with.push(keyed(document.hash(value), *node)),
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
}
