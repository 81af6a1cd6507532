//! What became of the ratios since an earlier report. Pure, but for reading that.

use std::path::Path;

use super::contents::{BaselineShown, Change, Ratio, Report, SCHEMA, VERSION};
use crate::measured::read_json;
use crate::result::Interval;

/// # Errors
/// It is not there, or no report of this version.
pub(super) fn read(file: &Path) -> Result<Report, String> {
    read_json(file, SCHEMA, VERSION)?.ok_or_else(|| format!("there is no {}; correct --baseline", file.display()))
}

/// Ratios and not times: what both sides share, such as a slower machine, is no change of either.
pub(super) fn compare(before: &Report, now: &Report) -> BaselineShown {
    let machine = |report: &Report| {
        let environment = report.environment.clone().unwrap_or_default();
        (environment.cpu_model, environment.cpus_online, environment.kernel)
    };
    let changes = now.ratios.iter().filter_map(|ratio| {
        let same = |earlier: &&Ratio| earlier.metric == ratio.metric && earlier.side == ratio.side;
        let before = before.ratios.iter().find(same)?.times_better?;
        let now = ratio.times_better?;
        Some(Change {
            metric: ratio.metric.clone(),
            title: ratio.title.clone(),
            side: ratio.side.clone(),
            before,
            now,
            conclusion: conclusion(before, now).to_owned(),
        })
    });
    BaselineShown {
        made_at_ms: before.made_at_ms,
        same_machine: machine(before) == machine(now),
        changes: changes.collect(),
    }
}

/// Intervals that touch are no difference.
fn conclusion(before: Interval, now: Interval) -> &'static str {
    match () {
        () if now.low > before.high => "better",
        () if now.high < before.low => "worse",
        () => "no-difference",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_intervals_that_lie_apart_are_a_change() {
        let interval = |low, high| Interval { low, estimate: f64::midpoint(low, high), high, confidence: 0.95 };
        assert_eq!(conclusion(interval(1.0, 2.0), interval(1.5, 3.0)), "no-difference");
        assert_eq!(conclusion(interval(1.0, 2.0), interval(2.1, 3.0)), "better");
        assert_eq!(conclusion(interval(2.0, 3.0), interval(1.0, 1.9)), "worse");
    }
}
