//! Values by a keyed hash of 128 bits: equal values have the same, others do not but by a chance nobody can work on.

use std::hash::{BuildHasher, Hasher as _, RandomState};
use std::sync::LazyLock;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::document::{Document, Type};
use super::number::Decimal;

/// Of each node. What is in a node has larger numbers than it, so that from the last to the first nothing is missing.
pub(super) fn hashes(document: &Document) -> Vec<u128> {
    let mut hashes = vec![0_u128; document.len()];
    let mut members = Vec::new();
    for node in (0..document.len() as u32).rev() {
        hashes[node as usize] = match document.type_of(node) {
            Type::Array => {
                let mut hasher = begun(b'[');
                document.elements(node).for_each(|element| hasher.write(&hashes[element as usize].to_le_bytes()));
                ended(&hasher)
            }
            Type::Object => {
                members.clear();
                members.extend(document.members(node).map(|(name, _)| (hashes[name as usize], name)));
                // By name, and those of one name as they follow each other.
                members.sort_unstable();
                let mut hasher = begun(b'{');
                for (name, at) in &members {
                    hasher.write(&name.to_le_bytes());
                    hasher.write(&hashes[*at as usize + 1].to_le_bytes());
                }
                ended(&hasher)
            }
            _ => of_leaf(document, node),
        };
    }
    hashes
}

/// Of what is neither an array nor an object.
pub(super) fn of_leaf(document: &Document, leaf: u32) -> u128 {
    match document.type_of(leaf) {
        Type::Text => of_text(&document.content(leaf)),
        Type::Number => {
            let mut hasher = begun(b'0');
            Decimal::of(document.raw(leaf)).write(|bytes| hasher.write(bytes));
            ended(&hasher)
        }
        _ => of(b'=', document.raw(leaf)),
    }
}

/// Of a string or a name.
pub(super) fn of_text(content: &[u8]) -> u128 {
    of(b'"', content)
}

/// For the text of paths, which grows at its end.
pub(super) fn begun(tag: u8) -> SipHasher13 {
    let mut hasher = SipHasher13::new_with_keys(KEYS.0, KEYS.1);
    hasher.write(&[tag]);
    hasher
}

pub(super) fn ended(hasher: &SipHasher13) -> u128 {
    hasher.finish128().into()
}

fn of(tag: u8, bytes: &[u8]) -> u128 {
    let mut hasher = begun(tag);
    hasher.write(bytes);
    ended(&hasher)
}

/// The same for all documents of this process, and known to nobody outside.
static KEYS: LazyLock<(u64, u64)> = LazyLock::new(|| {
    let random = RandomState::new();
    (random.hash_one(0), random.hash_one(1))
});
