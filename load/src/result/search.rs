//! `load search`: the highest rate that keeps a service level objective.

use serde::{Deserialize, Serialize};

use super::attack::Run;
use super::environment::Environment;
use super::{Head, Side, Verdict};

pub(crate) const SCHEMA: &str = "load-search";

/// The whole file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Search {
    /// Of [`SCHEMA`].
    #[serde(flatten)]
    pub(crate) head: Head,
    pub(crate) slo: Slo,
    pub(crate) sides: Vec<Found>,
    pub(crate) environment: Environment,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Slo {
    /// Of the response time, from the planned send.
    pub(crate) latency_us_p99_max: u64,
    /// Wrong and missing answers, of all.
    pub(crate) errors_share_max: f64,
    /// Sent in time, of what was planned.
    pub(crate) achieved_share_min: f64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Found {
    pub(crate) side: Side,
    /// Answers per second of the closed loop that the search began with.
    pub(crate) closed_loop_rate: f64,
    /// Requests per second. Null when none passed, or the search was ended before one did.
    pub(crate) rate: Option<Highest>,
    /// The confirming runs all passed.
    pub(crate) confirmed: bool,
    /// Cores that the service used at that rate.
    pub(crate) cpu_cores: Option<f64>,
    /// The search ended because the generator or the machine was the limit: `rate` is then only what is sure.
    pub(crate) limited_by_generator: bool,
    /// Of the last run at that rate; unless it is `valid`, there is no headline.
    pub(crate) verdict: Option<Verdict>,
    /// In the order in which they were made; sort by `rate` for the curve.
    pub(crate) probes: Vec<Probe>,
}

/// The highest rate that passed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Highest {
    pub(crate) estimate: f64,
    /// The lowest rate that did not pass; null where all did.
    pub(crate) failed_at: Option<f64>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Probe {
    pub(crate) stage: Stage,
    pub(crate) rate: f64,
    pub(crate) decision: Decision,
    /// Why, as a sentence.
    pub(crate) reason: String,
    pub(crate) run: Run,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    Step,
    Bisect,
    Confirm,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Decision {
    /// The upper bound keeps the objective.
    Pass,
    /// The lower bound breaks it.
    Fail,
    /// The interval holds the limit: the run says neither. Counted as a failure when it stays so after more time.
    Undecided,
    /// The run was not valid.
    Invalid,
}
