//! Does a run keep the objective? Decided on the bounds of its p99, not on the figure itself. Pure.

use crate::result::Verdict;
use crate::result::attack::Run;
use crate::result::search::{Decision, Slo};

/// The decision and its reason.
pub(crate) fn decide(run: &Run, slo: &Slo) -> (Decision, String) {
    if run.validity.verdict == Verdict::GeneratorBound {
        return (Decision::Invalid, "the generator was the limit".to_owned());
    }
    if run.wrong > 0 {
        return (Decision::Fail, format!("{} answers were wrong", run.wrong));
    }
    let errors = run.failed as f64 / run.requests.max(1) as f64;
    if errors > slo.errors_share_max {
        return (Decision::Fail, format!("{:.2} % of the requests were not answered", errors * 100.0));
    }
    if !run.complete {
        return (Decision::Fail, "more and more requests were in flight".to_owned());
    }
    let achieved = run.rate_planned.map_or(1.0, |planned| run.achieved_rate / planned);
    if achieved < slo.achieved_share_min || run.unsent > 0 {
        return (Decision::Fail, format!("{:.1} % of the planned rate was sent in time", achieved * 100.0));
    }
    let Some(p99) = run.latency_us_intervals.and_then(|intervals| intervals.p99) else {
        return (Decision::Undecided, "too few requests or seconds to tell the p99".to_owned());
    };
    let limit = slo.latency_us_p99_max as f64;
    let (low, high) = (p99.low / 1e3, p99.high / 1e3);
    if p99.high <= limit {
        (Decision::Pass, format!("p99 is at most {high:.1} ms"))
    } else if p99.low > limit {
        (Decision::Fail, format!("p99 is at least {low:.1} ms"))
    } else {
        (Decision::Undecided, format!("p99 is from {low:.1} to {high:.1} ms"))
    }
}
