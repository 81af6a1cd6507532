//! What legacy decided last about the same request: a credential that it refused before has not ended just now.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::exchange::Decision;

use super::shape::Shape;

/// Of fixed size, whatever comes. Two requests in one slot displace each other: then nothing is known of the first.
pub(crate) struct LastWords(Box<[AtomicU64]>);

impl Default for LastWords {
    fn default() -> Self {
        LastWords((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl LastWords {
    pub(crate) fn add(&self, shape: Shape, decision: Decision) {
        let said = match decision {
            Decision::Allow => ALLOW,
            Decision::Deny => 0,
            Decision::Error | Decision::Neither => return,
        };
        self.slot(shape).store(shape.0 & !ALLOW | said, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, shape: Shape) -> Option<Decision> {
        let said = self.slot(shape).load(Ordering::Relaxed);
        let decision = if said & ALLOW == 0 { Decision::Deny } else { Decision::Allow };
        (said & !ALLOW == shape.0 & !ALLOW).then_some(decision)
    }

    fn slot(&self, shape: Shape) -> &AtomicU64 {
        &self.0[(shape.0 >> 1) as usize % SLOTS]
    }
}

/// The lowest bit of a slot; the others are the request's.
const ALLOW: u64 = 1;
/// 512 KiB.
const SLOTS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_about_a_request_is_known_until_another_takes_its_slot() {
        let words = LastWords::default();
        let (shape, other) = (Shape(0x1234_5678_9abc_def1), Shape(0x2234_5678_9abc_def0));
        assert_eq!(words.of(shape), None);
        words.add(shape, Decision::Allow);
        words.add(shape, Decision::Error);
        assert_eq!(words.of(shape), Some(Decision::Allow));
        words.add(shape, Decision::Deny);
        assert_eq!(words.of(shape), Some(Decision::Deny));
        assert_eq!(words.of(other), None, "its slot is the same");
        words.add(other, Decision::Allow);
        assert_eq!((words.of(shape), words.of(other)), (None, Some(Decision::Allow)));
    }
}
