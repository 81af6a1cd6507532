//! The candidate's share, read for every request.

use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug, Default)]
pub struct Weight(AtomicU32);

impl Weight {
    /// Parts per million, 0 to 1,000,000.
    pub fn ppm(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Only the journal calls this, after it wrote the weight down.
    pub(super) fn set(&self, ppm: u32) {
        self.0.store(ppm, Ordering::Relaxed);
    }
}
