//! JSON documents in a flat arena, and two of them compared by path.
//!
//! Nothing here recurses: a document is parsed, hashed, compared and dropped by loops, whatever its depth.

mod document;
mod hash;
mod number;
mod pair;
mod place;
mod walk;

use crate::exchange::Difference;
pub(crate) use document::{Document, Member, NotJson};
use walk::Walk;

/// What is known about the places of a document, asked by path while two of them are walked.
pub(crate) trait Places {
    /// How the elements of the arrays at this place are paired. Asked only where two of them differ.
    fn pairing(&self, _path: &str) -> Pairing<'_> {
        Pairing::ByPosition
    }

    /// The candidate's name for the member at this place. Asked only where the candidate has no such member.
    fn renamed(&self, _path: &str) -> Option<&str> {
        None
    }

    /// Two strings that differ: looks inside them (a JWT), adds what it finds, and says whether it could.
    /// Where it could and found nothing they are a difference still.
    fn inside(&self, _path: &str, _legacy: &str, _candidate: &str, _found: &mut Vec<Difference>) -> bool {
        false
    }
}

/// Nothing is known.
impl Places for () {}

/// How the elements of two arrays are paired. Elements that both arrays begin and end with are set aside before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairing<'a> {
    ByPosition,
    /// Equal ones wherever they stand, what is left by position.
    Unordered,
    /// Those whose member of this name is equal; what has no such member by position.
    KeyedBy(&'a str),
}

/// Every place below `body` where the two differ, see [`differences_at`].
pub(crate) fn differences(legacy: &Document, candidate: &Document, places: &dyn Places) -> Vec<Difference> {
    differences_at("body", legacy, candidate, places)
}

/// Every place where the two differ, each path and kind once, with the values first seen there, in legacy's order.
///
/// Values are JSON text as it was sent, of a long one as much as `document::VALUE_BYTES_MAX` holds. After
/// `walk::DIFFERENCES_MAX` places comes one difference of the whole `root` without values: what is not listed must not
/// pass for explained.
pub(crate) fn differences_at(
    root: &str,
    legacy: &Document,
    candidate: &Document,
    places: &dyn Places,
) -> Vec<Difference> {
    Walk::new(root, legacy, candidate, places).run()
}

#[cfg(test)]
mod tests;
