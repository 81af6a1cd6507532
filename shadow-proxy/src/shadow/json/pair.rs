//! Which of two lists belong together, by a key of each. Sorted and merged: near-linear, whatever the keys.

/// The upper half of a keyed hash, and the node it stands for. Of 3 million different ones two have the same half with
/// a chance of one in four million, and are then compared like any other two.
pub(super) type Keyed = (u64, u32);

pub(super) fn keyed(hash: u128, node: u32) -> Keyed {
    ((hash >> 64) as u64, node)
}

/// Two nodes, one of them possibly `NONE`.
pub(super) type Pair = (u32, u32);

/// Sorts behind every node.
pub(super) const NONE: u32 = u32::MAX;

/// Each key once, with all that have it on the left and on the right, in the order of the text.
pub(super) fn runs(mut left: Vec<Keyed>, mut right: Vec<Keyed>, mut each: impl FnMut(&[Keyed], &[Keyed])) {
    left.sort_unstable();
    right.sort_unstable();
    let (mut left, mut right) = (left.as_slice(), right.as_slice());
    while let Some(key) = left.first().into_iter().chain(right.first()).map(|(key, _)| *key).min() {
        let run = |list: &[Keyed]| list.iter().take_while(|(other, _)| *other == key).count();
        let (left_run, left_rest) = left.split_at(run(left));
        let (right_run, right_rest) = right.split_at(run(right));
        each(left_run, right_run);
        (left, right) = (left_rest, right_rest);
    }
}

pub(super) struct Paired {
    pub pairs: Vec<Pair>,
    /// Those that stand alone, in the order of the text.
    pub left: Vec<u32>,
    pub right: Vec<u32>,
    /// Whether the pairs stand in another order on the right.
    pub moved: bool,
}

/// Those of one key in the order of the text.
pub(super) fn by_key(left: Vec<Keyed>, right: Vec<Keyed>) -> Paired {
    let pairs = Vec::with_capacity(left.len().min(right.len()));
    let mut paired = Paired { pairs, left: Vec::new(), right: Vec::new(), moved: false };
    runs(left, right, |left, right| {
        paired.pairs.extend(left.iter().zip(right).map(|(left, right)| (left.1, right.1)));
        paired.left.extend(left.iter().skip(right.len()).map(|(_, node)| *node));
        paired.right.extend(right.iter().skip(left.len()).map(|(_, node)| *node));
    });
    paired.pairs.sort_unstable();
    paired.left.sort_unstable();
    paired.right.sort_unstable();
    paired.moved = !paired.pairs.is_sorted_by_key(|(_, right)| *right);
    paired
}

/// The first with the first, and so on.
pub(super) fn by_position(left: &[u32], right: &[u32]) -> impl Iterator<Item = Pair> {
    let at = |list: &[u32], index: usize| list.get(index).copied().unwrap_or(NONE);
    (0..left.len().max(right.len())).map(move |index| (at(left, index), at(right, index)))
}
