//! Seconds that each lane may take, and what holds a new one to its share.

use std::time::Duration;

use clap::ValueEnum;

use crate::lanes::Lane;

/// Seconds from a fresh clone on two slow cores, in the order of passing: the first lanes to compile something pay for it.
/// The manual lanes are not part of the sum.
const BUDGETS: [(Lane, u64); 19] = [
    (Lane::Setup, 60),
    (Lane::Fmt, 10),
    (Lane::Tidy, 10),
    (Lane::Component, 150),
    (Lane::Clippy, 480),
    (Lane::Test, 480),
    (Lane::Guide, 60),
    (Lane::Book, 80),
    (Lane::Templates, 60),
    (Lane::Image, 30),
    (Lane::Demo, 30),
    (Lane::Page, 160),
    (Lane::Report, 200),
    (Lane::Judge, 120),
    (Lane::ShiftSim, 45),
    (Lane::Fuzz, 125),
    (Lane::Slow, 3_600),
    (Lane::Timing, 300),
    (Lane::Hosts, 300),
];

/// For all lanes that `cargo ci` passes by itself.
const SUM_MAX: Duration = Duration::from_secs(35 * 60);

/// None for a lane that is not listed, which lane `tidy` reports.
pub(crate) fn of(lane: Lane) -> Option<Duration> {
    BUDGETS.iter().find(|(listed, _)| *listed == lane).map(|(_, seconds)| Duration::from_secs(*seconds))
}

/// Faults of the table, as sentences.
pub(crate) fn check() -> Vec<String> {
    faults(Lane::value_variants(), of)
}

fn faults(lanes: &[Lane], budget: impl Fn(Lane) -> Option<Duration>) -> Vec<String> {
    let unlisted = lanes.iter().filter(|lane| budget(**lane).is_none());
    let mut faults: Vec<String> =
        unlisted.map(|lane| format!("lane {} has no budget; list one in ci/src/budget.rs", lane.name())).collect();
    let sum: Duration = lanes.iter().filter(|lane| !lane.is_manual()).filter_map(|lane| budget(*lane)).sum();
    if sum > SUM_MAX {
        let (sum, most) = (sum.as_secs(), SUM_MAX.as_secs());
        faults
            .push(format!("the budgets in ci/src/budget.rs add up to {sum} s, more than {most}; make a lane shorter"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_has_its_share() {
        assert_eq!(check(), Vec::<String>::new());
    }

    #[test]
    fn rejects_a_lane_without_a_budget_and_a_sum_that_is_too_large() {
        let budget = |lane| (lane != Lane::Fuzz).then_some(Duration::from_secs(1_200));
        assert_eq!(
            faults(&[Lane::Test, Lane::Page, Lane::Fuzz, Lane::Slow], budget),
            [
                "lane fuzz has no budget; list one in ci/src/budget.rs",
                "the budgets in ci/src/budget.rs add up to 2400 s, more than 2100; make a lane shorter",
            ]
        );
    }
}
