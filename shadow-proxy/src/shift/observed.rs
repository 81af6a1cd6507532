//! What was seen since the weight came into force, as counters that add.

use std::ops::{AddAssign, Sub};

use serde::{Deserialize, Serialize};

use super::times::Times;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// Exchanges of which both answers are known, failures included.
    pub pairs: u64,
    /// The candidate let in whom legacy refused, and the reverse.
    pub breaches: u64,
    pub lockouts: u64,
    /// The candidate failed (no answer, 5xx, or later than the plan's cap) and legacy was fine; and the reverse.
    pub candidate_bad: u64,
    pub legacy_bad: u64,
    /// Of which both times are known.
    pub times: Times,
    /// Requests by who answered the client: `rescued` by legacy after the candidate failed, `unanswered` by nobody.
    pub served_legacy: u64,
    pub served_candidate: u64,
    pub rescued: u64,
    pub unanswered: u64,
    /// The first request of each id, by the side that was chosen.
    pub ids_legacy: u64,
    pub ids_candidate: u64,
}

impl AddAssign<&Observed> for Observed {
    fn add_assign(&mut self, more: &Observed) {
        let Observed {
            pairs,
            breaches,
            lockouts,
            candidate_bad,
            legacy_bad,
            times,
            served_legacy,
            served_candidate,
            rescued,
            unanswered,
            ids_legacy,
            ids_candidate,
        } = more;
        self.pairs += pairs;
        self.breaches += breaches;
        self.lockouts += lockouts;
        self.candidate_bad += candidate_bad;
        self.legacy_bad += legacy_bad;
        self.times += times;
        self.served_legacy += served_legacy;
        self.served_candidate += served_candidate;
        self.rescued += rescued;
        self.unanswered += unanswered;
        self.ids_legacy += ids_legacy;
        self.ids_candidate += ids_candidate;
    }
}

/// What came since an earlier reading of the same counters.
impl Sub for &Observed {
    type Output = Observed;

    fn sub(self, earlier: &Observed) -> Observed {
        let since = |of: fn(&Observed) -> u64| of(self).saturating_sub(of(earlier));
        Observed {
            pairs: since(|o| o.pairs),
            breaches: since(|o| o.breaches),
            lockouts: since(|o| o.lockouts),
            candidate_bad: since(|o| o.candidate_bad),
            legacy_bad: since(|o| o.legacy_bad),
            times: &self.times - &earlier.times,
            served_legacy: since(|o| o.served_legacy),
            served_candidate: since(|o| o.served_candidate),
            rescued: since(|o| o.rescued),
            unanswered: since(|o| o.unanswered),
            ids_legacy: since(|o| o.ids_legacy),
            ids_candidate: since(|o| o.ids_candidate),
        }
    }
}
