//! Our figures by the names that claims use for them. Pure.

use crate::cost::{Cost, Range};
use crate::measured::Measured;
use crate::result::compare::Values;
use crate::result::memory::Used;
use crate::result::search::Highest;
use crate::result::{Interval, Verdict};
use crate::statistics::order::median_interval;

/// What was measured, to be asked by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ours<'a> {
    pub(crate) measured: &'a Measured,
    pub(crate) cost: Option<&'a Cost>,
}

/// Whether a name is one of those that [`Ours::get`] knows, whatever was measured.
#[cfg(test)]
pub(crate) fn is_known(name: &str) -> bool {
    match name.split('.').collect::<Vec<_>>().as_slice() {
        ["cold", _] | ["compare", _, _] => true,
        ["memory", kind, _] => ["idle", "peak", "each"].contains(kind),
        ["cost", "present", side] => ["legacy", "candidate"].contains(side),
        _ => false,
    }
}

impl Ours<'_> {
    /// In µs, bytes, requests per second or USD; none: not measured.
    ///
    /// `cold.RUNG`, `compare.METRIC.SIDE`, `memory.idle|peak|each.SIDE`, `cost.present.SIDE`.
    pub(crate) fn get(&self, name: &str) -> Option<Range> {
        match name.split('.').collect::<Vec<_>>().as_slice() {
            ["cold", rung] => self.cold(rung),
            ["compare", "throughput_per_second", side] => {
                self.compared("throughput_per_second", side).or_else(|| self.searched(side))
            }
            ["compare", metric, side] => self.compared(metric, side),
            ["memory", kind, side] => self.memory(kind, side),
            ["cost", "present", side] => self.cost(side),
            _ => None,
        }
    }

    /// Requests per second of the runs at a fixed rate.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.measured.compare.as_ref().map(|compare| compare.settings.rate)
    }

    fn cold(&self, rung: &str) -> Option<Range> {
        let cold = self.measured.cold.as_ref()?;
        let rung = cold.rungs.iter().find(|known| known.name == rung)?;
        rung.median_ms.map(|median| range(median).map(|ms| ms * 1e3))
    }

    fn compared(&self, metric: &str, side: &str) -> Option<Range> {
        let compare = self.measured.compare.as_ref()?;
        let metric = compare.metrics.iter().find(|known| known.name == metric)?;
        let Values { runs, verdicts, .. } = metric.sides.iter().find(|values| values.side == side)?;
        let counts = runs.iter().zip(verdicts).filter(|(_, verdict)| **verdict == Verdict::Valid);
        let known: Vec<f64> = counts.filter_map(|(value, _)| *value).collect();
        median_interval(&known).map(range)
    }

    /// Where the generator is the limit of a closed loop, the rate that was found by search is the least it can be.
    fn searched(&self, side: &str) -> Option<Range> {
        let search = self.measured.search.as_ref()?;
        let found = search.sides.iter().find(|found| found.side.name == side)?;
        let counts = found.confirmed && found.verdict == Some(Verdict::Valid);
        let Highest { estimate, failed_at } = found.rate.filter(|_| counts)?;
        Some(Range { low: estimate, estimate, high: failed_at.unwrap_or(estimate) })
    }

    fn memory(&self, kind: &str, side: &str) -> Option<Range> {
        let memory = self.measured.memory.as_ref()?;
        let used = memory.sides.iter().find(|used| used.side.name == side)?;
        let bytes = |bytes: Option<u64>| bytes.map(|bytes| Range::exactly(bytes as f64));
        match kind {
            "idle" => bytes(used.idle.rss_bytes),
            "peak" => bytes(used.loaded.rss_bytes_peak),
            _ => each(used),
        }
    }

    fn cost(&self, side: &str) -> Option<Range> {
        let cost = self.cost?;
        let present = cost.platforms.iter().find(|platform| platform.name == cost.present)?;
        let at = present.rates.iter().find(|at| at.rate == 1_000.0)?;
        let priced = if side == "legacy" { &at.legacy } else { &at.candidate };
        priced.as_ref().map(|priced| priced.usd_per_month)
    }
}

fn each(used: &Used) -> Option<Range> {
    let marginal = used.marginal.as_ref()?;
    Some(marginal.each_bytes_interval.map_or(Range::exactly(marginal.each_bytes), range))
}

fn range(Interval { low, estimate, high, .. }: Interval) -> Range {
    Range { low, estimate, high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::result::compare::Metric;

    const P50: &str = "compare.latency_us_p50.candidate";
    const THROUGHPUT: &str = "compare.throughput_per_second.candidate";

    /// Changes what the runs of the candidate say in one metric.
    fn with(name: &str, change: impl Fn(usize, &mut Option<f64>, &mut Verdict)) -> Measured {
        let mut measured = sample::measured();
        let metrics: &mut [Metric] = &mut measured.compare.as_mut().unwrap().metrics;
        let metric = metrics.iter_mut().find(|metric| metric.name == name).unwrap();
        let values = metric.sides.iter_mut().find(|values| values.side == "candidate").unwrap();
        values.runs.iter_mut().zip(&mut values.verdicts).enumerate().for_each(|(at, (run, verdict))| {
            change(at, run, verdict);
        });
        measured
    }

    fn ours(measured: &Measured, name: &str) -> Option<Range> {
        Ours { measured, cost: None }.get(name)
    }

    #[test]
    fn a_run_that_does_not_count_is_no_figure() {
        let all = ours(&sample::measured(), P50).unwrap();
        let absurd = with("latency_us_p50", |at, run, verdict| {
            if at == 0 {
                (*run, *verdict) = (Some(1e9), Verdict::Noisy);
            }
        });
        let without = ours(&absurd, P50).unwrap();
        assert!(without.high < 2.0 * all.high, "{without:?} of {all:?}");
        let counted = with("latency_us_p50", |at, run, _| {
            if at == 0 {
                *run = Some(1e9);
            }
        });
        assert_eq!(ours(&counted, P50).unwrap().high, 1e9, "a valid run counts, whatever it says");
        assert_eq!(ours(&with("latency_us_p50", |_, _, verdict| *verdict = Verdict::TargetSaturated), P50), None);
    }

    #[test]
    fn a_throughput_that_the_generator_limited_is_what_was_searched() {
        let limited = with("throughput_per_second", |_, _, verdict| *verdict = Verdict::GeneratorBound);
        let searched = limited.search.as_ref().unwrap().sides[1].rate.unwrap();
        assert_eq!(ours(&limited, THROUGHPUT).unwrap().estimate, searched.estimate);
        let mut unconfirmed = limited;
        unconfirmed.search.as_mut().unwrap().sides[1].confirmed = false;
        assert_eq!(ours(&unconfirmed, THROUGHPUT), None);
    }
}
