//! The candidate's share, read for every request.

use std::sync::atomic::{AtomicU32, Ordering};

/// Parts per million: the whole traffic.
pub const ALL_PPM: u32 = 1_000_000;

/// What the journal has, and whether the brake is on: one number, so that choosing a side reads it once.
#[derive(Debug, Default)]
pub struct Weight(AtomicU32);

/// Above every weight.
const BRAKE: u32 = 1 << 31;

impl Weight {
    /// In force for the next request: 0 to [`ALL_PPM`], and 0 while the brake is on.
    pub fn ppm(&self) -> u32 {
        let weight = self.0.load(Ordering::Relaxed);
        if weight & BRAKE == 0 { weight } else { 0 }
    }

    pub fn is_braked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & BRAKE != 0
    }

    /// Only the controller calls this, after the weight was written down. The brake stays as it is: it may have been
    /// pulled since the decision.
    pub(super) fn set(&self, ppm: u32) {
        let with_brake = |weight: u32| Some(weight & BRAKE | ppm);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_brake);
    }

    /// At once, without a word to the journal. Whether it was off before.
    pub(super) fn brake(&self) -> bool {
        self.0.fetch_or(BRAKE, Ordering::Relaxed) & BRAKE == 0
    }

    pub(super) fn release(&self) {
        self.0.fetch_and(!BRAKE, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brake_is_stronger_than_any_weight_set_meanwhile() {
        let weight = Weight::default();
        weight.set(ALL_PPM);
        assert_eq!((weight.ppm(), weight.is_braked()), (ALL_PPM, false));
        assert!(weight.brake() && !weight.brake());
        weight.set(50_000);
        assert_eq!((weight.ppm(), weight.is_braked()), (0, true));
        weight.release();
        assert_eq!((weight.ppm(), weight.is_braked()), (50_000, false));
    }
}
