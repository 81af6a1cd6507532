//! Which rate is tried next, given what the probes so far have shown. Pure.

use crate::result::search::{Decision, Stage};

const FIRST_SHARE: f64 = 0.3;

/// How finely is searched, and for how long.
#[derive(Clone, Copy, Debug)]
struct Fineness {
    step: f64,
    precision: f64,
    confirmations: usize,
    /// A search that needs more is not going anywhere.
    probes_max: usize,
}

const FINE: Fineness = Fineness { step: 1.25, precision: 0.03, confirmations: 3, probes_max: 60 };
/// To see that it works.
const QUICK: Fineness = Fineness { step: 2.0, precision: 0.5, confirmations: 1, probes_max: 6 };

/// The search of one side.
#[derive(Clone, Debug)]
pub(crate) struct Climb {
    /// The highest rate that passed, the lowest that did not.
    passed: Option<f64>,
    failed: Option<f64>,
    stage: Stage,
    rate: f64,
    confirmed: usize,
    fineness: Fineness,
    probes: usize,
    limited_by_generator: bool,
    over: bool,
}

impl Climb {
    /// `closed_loop_rate`: what the side answers per second when it is asked again as soon as it has answered.
    pub(crate) fn new(closed_loop_rate: f64, quick: bool) -> Self {
        Self {
            passed: None,
            failed: None,
            stage: Stage::Step,
            rate: rounded(closed_loop_rate * FIRST_SHARE),
            confirmed: 0,
            fineness: if quick { QUICK } else { FINE },
            probes: 0,
            limited_by_generator: false,
            over: false,
        }
    }

    /// Nothing when the search is over.
    pub(crate) fn next(&self) -> Option<(Stage, f64)> {
        (!self.over && self.probes < self.fineness.probes_max).then_some((self.stage, self.rate))
    }

    pub(crate) fn learn(&mut self, decision: Decision) {
        self.probes += 1;
        match (self.stage, decision) {
            // What cannot be sent cannot be found out: it counts as the ceiling.
            (_, Decision::Invalid) => {
                self.limited_by_generator = true;
                self.fell();
            }
            (Stage::Confirm, Decision::Pass) => {
                self.confirmed += 1;
                self.over = self.confirmed == self.fineness.confirmations;
            }
            (_, Decision::Pass) => {
                self.passed = Some(self.rate);
                self.go_on();
            }
            (_, Decision::Fail | Decision::Undecided) => self.fell(),
        }
    }

    fn fell(&mut self) {
        self.failed = Some(self.failed.map_or(self.rate, |failed| failed.min(self.rate)));
        if self.stage == Stage::Confirm {
            // One unlucky pass is not trusted: the next rate that is confirmed lies below.
            self.confirmed = 0;
            self.rate = rounded(self.rate * (1.0 - self.fineness.precision));
            self.passed = Some(self.rate);
        } else {
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        match (self.passed, self.failed) {
            (Some(passed), None) => self.rate = rounded(passed * self.fineness.step),
            (Some(passed), Some(failed)) if failed > passed * (1.0 + self.fineness.precision) => {
                self.stage = Stage::Bisect;
                // Between rates that are 3 % apart rounding leaves nothing to try.
                self.rate = rounded(f64::midpoint(passed, failed));
            }
            (Some(passed), Some(_)) => {
                self.stage = Stage::Confirm;
                self.rate = passed;
            }
            (None, Some(failed)) if failed >= 2.0 => self.rate = rounded(failed / self.fineness.step.powi(2)),
            (None, _) => self.over = true,
        }
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.over && self.confirmed == self.fineness.confirmations
    }

    /// The highest rate that passed and the lowest that did not.
    pub(crate) fn bounds(&self) -> Option<(f64, Option<f64>)> {
        Some((self.passed?, self.failed))
    }

    pub(crate) fn is_limited_by_generator(&self) -> bool {
        self.limited_by_generator
    }
}

/// To whole requests per second, as people ask for them.
fn rounded(rate: f64) -> f64 {
    rate.round().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a service that passes up to `ceiling`; the rates that were tried.
    fn climb(closed_loop_rate: f64, decide: impl Fn(usize, Stage, f64) -> Decision) -> (Climb, Vec<(Stage, f64)>) {
        let mut climb = Climb::new(closed_loop_rate, false);
        let mut tried = Vec::new();
        while let Some((stage, rate)) = climb.next() {
            climb.learn(decide(tried.len(), stage, rate));
            tried.push((stage, rate));
        }
        (climb, tried)
    }

    fn up_to(ceiling: f64) -> impl Fn(usize, Stage, f64) -> Decision {
        move |_, _, rate| if rate <= ceiling { Decision::Pass } else { Decision::Fail }
    }

    #[test]
    fn the_ceiling_is_found_to_three_percent_and_confirmed_three_times() {
        for (closed_loop_rate, ceiling) in [(10_000.0, 7_000.0), (1_000.0, 990.0), (300.0, 50.0), (5_000.0, 40_000.0)] {
            let (climb, tried) = climb(closed_loop_rate, up_to(ceiling));
            let (passed, failed) = climb.bounds().expect("it passed");
            assert!(climb.is_confirmed() && !climb.is_limited_by_generator());
            assert!(passed <= ceiling && passed >= ceiling / 1.04 - 1.0, "{passed} of {ceiling}");
            assert!(failed.is_some_and(|failed| failed > ceiling));
            assert!(tried.len() <= 35, "{}", tried.len());
            assert_eq!(tried.iter().filter(|(stage, _)| *stage == Stage::Confirm).count(), 3);
        }
    }

    #[test]
    fn a_pass_that_cannot_be_confirmed_is_stepped_down_from() {
        let first_confirmation = std::cell::Cell::new(None);
        let (climb, _) = climb(1_000.0, |number, stage, rate| {
            if stage == Stage::Confirm && first_confirmation.get().is_none() {
                first_confirmation.set(Some((number, rate)));
                return Decision::Undecided;
            }
            up_to(800.0)(number, stage, rate)
        });
        let (_, rate) = first_confirmation.get().expect("there was one");
        assert!(climb.is_confirmed());
        assert_eq!(climb.bounds().expect("it passed").0, (rate * 0.97).round());
    }

    #[test]
    fn a_side_that_never_passes_is_given_up() {
        let (climb, tried) = climb(1_000.0, up_to(0.0));
        assert!(!climb.is_confirmed() && climb.bounds().is_none());
        assert!(tried.len() < 20, "{}", tried.len());
    }

    #[test]
    fn what_the_generator_cannot_send_is_a_ceiling_and_said() {
        let (climb, _) = climb(10_000.0, |_, _, rate| if rate <= 5_000.0 { Decision::Pass } else { Decision::Invalid });
        assert!(climb.is_confirmed() && climb.is_limited_by_generator());
        assert!(climb.bounds().expect("it passed").0 <= 5_000.0);
    }
}
