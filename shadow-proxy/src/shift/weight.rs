//! The candidate's share, read for every request.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::exchange::Side;

/// Parts per million: the whole traffic.
pub const ALL_PPM: u32 = 1_000_000;

/// What the journal has, and whether the brake is on: one number, so that choosing a side reads it once.
#[derive(Debug)]
pub struct Weight(AtomicU32);

impl Default for Weight {
    /// Legacy serves everybody.
    fn default() -> Weight {
        Weight(AtomicU32::new(CUT))
    }
}

/// Above every weight.
const BRAKE: u32 = 1 << 31;
const CUT: u32 = 1 << 30;

/// What chooses the side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The candidate's share of those who begin a session or have none.
    pub ppm: u32,
    /// The side whose sessions have ended, whatever it says itself: they go to the other one.
    pub cut: Option<Side>,
}

impl InForce {
    /// Legacy serves everybody.
    pub const LEGACY: InForce = InForce { ppm: 0, cut: Some(Side::Candidate) };
}

impl Weight {
    pub fn in_force(&self) -> InForce {
        let weight = self.0.load(Ordering::Relaxed);
        let ppm = if weight & BRAKE == 0 { weight & !CUT } else { 0 };
        let cut = match ppm {
            0 if weight & (BRAKE | CUT) != 0 => Some(Side::Candidate),
            ALL_PPM if weight & CUT != 0 => Some(Side::Legacy),
            _ => None,
        };
        InForce { ppm, cut }
    }

    /// Whether a client may be served by the candidate, also at weight 0: by a session that it began.
    pub fn may_be_served(&self) -> bool {
        self.in_force() != InForce::LEGACY
    }

    /// In force for the next request: 0 to [`ALL_PPM`], and 0 while the brake is on.
    pub fn ppm(&self) -> u32 {
        self.in_force().ppm
    }

    pub fn is_braked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & BRAKE != 0
    }

    /// Only the controller calls this, after the weight was written down. The brake stays as it is: it may have been
    /// pulled since the decision.
    pub(super) fn set(&self, ppm: u32, is_cut: bool) {
        let with_brake = |weight: u32| Some(weight & BRAKE | if is_cut { CUT } else { 0 } | ppm);
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
        weight.set(ALL_PPM, false);
        assert_eq!((weight.ppm(), weight.is_braked()), (ALL_PPM, false));
        assert!(weight.brake() && !weight.brake());
        weight.set(50_000, false);
        assert_eq!((weight.ppm(), weight.is_braked()), (0, true));
        weight.release();
        assert_eq!((weight.ppm(), weight.is_braked()), (50_000, false));
    }

    #[test]
    fn the_sessions_of_the_side_that_gets_no_new_ones_can_be_cut() {
        let weight = Weight::default();
        for (ppm, is_cut, cut) in [
            (0, false, None),
            (0, true, Some(Side::Candidate)),
            (1, true, None),
            (ALL_PPM, false, None),
            (ALL_PPM, true, Some(Side::Legacy)),
        ] {
            weight.set(ppm, is_cut);
            assert_eq!(weight.in_force(), InForce { ppm, cut });
            assert_eq!(weight.may_be_served(), cut != Some(Side::Candidate));
            weight.brake();
            assert_eq!(weight.in_force(), InForce { ppm: 0, cut: Some(Side::Candidate) }, "the brake ends all");
            weight.release();
        }
    }
}
