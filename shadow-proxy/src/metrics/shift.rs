//! Metrics of the shift: where it stands, what the last look found, what was decided.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Count, Level, new};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFinding {
    finding: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPhase {
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTest {
    test: String,
}

type Value = Gauge<f64, AtomicU64>;

pub struct Shift {
    decisions: Family<OfFinding, Count>,
    findings: Family<OfFinding, Level>,
    phases: Family<OfPhase, Level>,
    statistics: Family<OfTest, Value>,
    thresholds: Family<OfTest, Value>,
    epoch: Level,
    step: Level,
    braked: Level,
    pub brakes: Count,
    pub hooks: Count,
    pub hooks_failed: Count,
}

impl Shift {
    pub(super) fn new(r: &mut Registry) -> Shift {
        Shift {
            decisions: new(r, "shift_decisions", "Decisions that were journalled, by finding"),
            findings: new(r, "shift_finding", "1 for what the last look found"),
            phases: new(r, "shift_phase", "1 for the present phase"),
            statistics: new(
                r,
                "shift_test_statistic",
                "What a test of the last look gave; its threshold says what for",
            ),
            thresholds: new(r, "shift_test_threshold", "Where a test of the last look speaks"),
            epoch: new(r, "shift_epoch", "The number of the last journalled decision"),
            step: new(r, "shift_step", "The step of the plan whose weight is in force, from 1; 0 for none"),
            braked: new(r, "shift_braked", "1 while the candidate was found failing and is not used, else 0"),
            brakes: new(r, "shift_brakes", "Times that the request path stopped using the candidate by itself"),
            hooks: new(r, "shift_hooks", "Hooks that were told a decision"),
            hooks_failed: new(r, "shift_hooks_failed", "Of these, those that failed or took too long"),
        }
    }

    pub fn decided(&self, finding: &'static str) {
        self.decisions.get_or_create(&OfFinding { finding }).inc();
    }

    /// What a look found; `step` from 1, 0 for none; a test as name, statistic, threshold.
    pub fn looked<'a>(
        &self,
        finding: &'static str,
        phase: &'static str,
        (epoch, step): (u64, usize),
        is_braked: bool,
        tests: impl Iterator<Item = (&'a str, f64, f64)>,
    ) {
        self.findings.clear();
        self.findings.get_or_create(&OfFinding { finding }).set(1);
        self.phases.clear();
        self.phases.get_or_create(&OfPhase { phase }).set(1);
        self.epoch.set(epoch as i64);
        self.step.set(step as i64);
        self.braked.set(i64::from(is_braked));
        // A test that the last look did not make says nothing any more.
        self.statistics.clear();
        self.thresholds.clear();
        for (name, statistic, threshold) in tests {
            let test = OfTest { test: name.to_owned() };
            self.statistics.get_or_create(&test).set(statistic);
            self.thresholds.get_or_create(&test).set(threshold);
        }
    }
}
