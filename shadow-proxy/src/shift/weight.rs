//! The candidate's share, read for every request.

use std::sync::atomic::{AtomicU32, Ordering};

/// Parts per million: the whole traffic.
pub const ALL_PPM: u32 = 1_000_000;

#[derive(Debug, Default)]
pub struct Weight(AtomicU32);

impl Weight {
    /// 0 to [`ALL_PPM`].
    pub fn ppm(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Only the journal calls this, after it wrote the weight down.
    pub(super) fn set(&self, ppm: u32) {
        self.0.store(ppm, Ordering::Relaxed);
    }
}
