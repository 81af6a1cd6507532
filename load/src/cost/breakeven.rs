//! From which rate on a bill that never sleeps is the smaller one, and how long until a migration has paid. Pure.

use serde::{Deserialize, Serialize};

use super::demand::Range;

const RATE_MIN: f64 = 1e-3;
const RATE_MAX: f64 = 1e5;
const STEPS_PER_DECADE: u32 = 40;

/// The lowest rate (requests per second, 0.001 to 100,000) from which `always_on` costs no more than `per_request`;
/// none when that never comes. Bills are steps, so the crossing is looked for on a grid first, then closed in on.
pub(crate) fn rate(always_on: impl Fn(f64) -> f64, per_request: impl Fn(f64) -> f64) -> Option<f64> {
    let is_cheaper = |rate: f64| always_on(rate) <= per_request(rate);
    let steps = STEPS_PER_DECADE * (RATE_MAX / RATE_MIN).log10().round() as u32;
    let at = |step: u32| RATE_MIN * 10f64.powf(f64::from(step) / f64::from(STEPS_PER_DECADE));
    let first = (0..=steps).find(|step| is_cheaper(at(*step)))?;
    let Some(before) = first.checked_sub(1) else { return Some(RATE_MIN) };
    let (mut low, mut high) = (at(before), at(first));
    for _ in 0..30 {
        let middle = (low * high).sqrt();
        if is_cheaper(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// When the migration has paid for itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Payback {
    pub(crate) migration_usd: f64,
    /// The candidate's bill while both run.
    pub(crate) double_run_usd: Range,
    pub(crate) saved_usd_per_month: Range,
    /// At the earliest; none: never.
    pub(crate) months_low: Option<f64>,
    pub(crate) months: Option<f64>,
    /// At the latest; none: it may never.
    pub(crate) months_high: Option<f64>,
}

impl Payback {
    pub(crate) fn of(migration_usd: f64, double_run_usd: Range, saved_usd_per_month: Range) -> Self {
        let months = |double_run: f64, saved: f64| (saved > 0.0).then(|| (migration_usd + double_run) / saved);
        Self {
            migration_usd,
            double_run_usd,
            saved_usd_per_month,
            months_low: months(double_run_usd.low, saved_usd_per_month.high),
            months: months(double_run_usd.estimate, saved_usd_per_month.estimate),
            months_high: months(double_run_usd.high, saved_usd_per_month.low),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_bill_crosses_a_straight_one_where_the_formula_says() {
        let per_request = |rate: f64| rate * 2.628e6 * 0.2e-6;
        let crossing = rate(|_| 18.02, per_request).expect("they cross");
        assert!((crossing / (18.02 / (2.628e6 * 0.2e-6)) - 1.0).abs() < 1e-6, "{crossing}");
    }

    #[test]
    fn there_may_be_no_crossing_or_one_below_every_rate() {
        assert_eq!(rate(|_| 1e9, |rate| rate), None);
        assert_eq!(rate(|_| 0.0, |rate| rate), Some(RATE_MIN));
    }

    #[test]
    fn a_step_that_crosses_again_does_not_hide_the_first_crossing() {
        let steps = |rate: f64| if rate > 20.0 { 100.0 } else { 10.0 };
        let crossing = rate(steps, |rate| rate).expect("they cross");
        assert!((crossing - 10.0).abs() < 1e-6, "{crossing}");
    }

    #[test]
    fn what_saves_nothing_never_pays() {
        let saved = Range { low: -1.0, estimate: 10.0, high: 20.0 };
        let payback = Payback::of(100.0, Range::exactly(20.0), saved);
        assert_eq!((payback.months_low, payback.months, payback.months_high), (Some(6.0), Some(12.0), None));
    }
}
