//! `load attack`, and what every other command says about one run of load.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::{Interval, VERSION, Validity};

pub(crate) const SCHEMA: &str = "load-attack";

/// The whole file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Attack {
    /// [`SCHEMA`]
    pub(crate) schema: String,
    pub(crate) version: u32,
    pub(crate) target: String,
    /// `legacy`, `candidate` or `either`: whose answers were right.
    pub(crate) expect: String,
    pub(crate) seed: u64,
    #[serde(flatten)]
    pub(crate) run: Run,
    pub(crate) environment: Environment,
}

impl Attack {
    pub(crate) fn new(target: String, expect: String, seed: u64, run: Run, environment: Environment) -> Self {
        Self { schema: SCHEMA.to_owned(), version: VERSION, target, expect, seed, run, environment }
    }
}

/// One run of load against one service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Run {
    /// Unix time in ms.
    pub(crate) started_at_ms: u64,
    /// From the first planned request to the end of the last.
    pub(crate) seconds: f64,
    /// The run went on to the end that was asked for.
    pub(crate) complete: bool,
    /// Shorter or with fewer repetitions than the method asks for: good for a look, not for a claim.
    pub(crate) short: bool,
    pub(crate) load: Load,
    /// All that were sent: right + wrong + failed.
    pub(crate) requests: u64,
    /// Without an answer.
    pub(crate) failed: u64,
    /// Answered otherwise than the contract says.
    pub(crate) wrong: u64,
    /// Planned by the rate, but not sent before the end.
    pub(crate) unsent: u64,
    /// Answers per second over `seconds`.
    pub(crate) rate: f64,
    /// Requests sent per second of the planned time; with users the same as `rate`.
    pub(crate) achieved_rate: f64,
    /// What was asked for: requests per second.
    pub(crate) rate_planned: Option<f64>,
    /// Planned requests that found every connection busy and no more allowed.
    pub(crate) queued_at_cap: u64,
    /// The most connections that were open at the same time (users: one each).
    pub(crate) connections: usize,
    /// Response time: from the planned send (with users: from the send) to the last byte.
    pub(crate) latency_us: Quantiles,
    /// 95 % intervals of those, by a moving-block bootstrap of the seconds of the run; without a rate null.
    pub(crate) latency_us_intervals: Option<Intervals>,
    /// Service time: from the send to the last byte.
    pub(crate) service_us: Quantiles,
    /// Send lag: from the planned send to the send. It judges the generator.
    pub(crate) lag_us: Option<Quantiles>,
    pub(crate) by_case: Vec<Case>,
    /// Why requests have no answer, and how many.
    pub(crate) failures: BTreeMap<String, u64>,
    pub(crate) wrong_samples: Vec<Sample>,
    /// What the service used meanwhile, where it could be watched.
    pub(crate) resources: Option<Resources>,
    pub(crate) generator: Generator,
    pub(crate) validity: Validity,
    /// How long each slice is: 1 in runs of up to 5 minutes.
    pub(crate) slice_seconds: u64,
    /// Raw data, by the time for which requests were planned; empty with users.
    pub(crate) slices: Vec<Slice>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Load {
    /// Closed loop: each user waits for its answer.
    Users { users: usize },
    /// Open loop: requests are sent when they are planned, whatever the answers do.
    Rate { arrivals: Arrivals },
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Arrivals {
    /// Request i at i / rate.
    Constant,
    /// Exponential gaps, seeded.
    Poisson,
    /// As captured, gaps divided by the speed.
    Recorded,
}

/// µs; null where the samples are too few to say.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: Option<u64>,
    pub(crate) p95: Option<u64>,
    pub(crate) p99: Option<u64>,
    pub(crate) p999: Option<u64>,
    pub(crate) max: Option<u64>,
    pub(crate) mean: Option<u64>,
}

/// µs; null where the samples are too few to say.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Intervals {
    pub(crate) p50: Option<Interval>,
    pub(crate) p95: Option<Interval>,
    pub(crate) p99: Option<Interval>,
    pub(crate) p999: Option<Interval>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) requests: u64,
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    /// Answers by status.
    pub(crate) status: BTreeMap<u16, u64>,
    pub(crate) latency_us: Quantiles,
}

/// The first wrong answer of a case, without what could be a credential.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Sample {
    pub(crate) case: String,
    pub(crate) expected: String,
    pub(crate) got: String,
}

/// What the service used during a run: its whole cgroup, or its processes with their children.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Resources {
    /// `cgroup` or `processes`: where the CPU time was read.
    pub(crate) cpu_from: String,
    pub(crate) cpu_seconds: f64,
    /// CPU time for each answered request.
    pub(crate) cpu_us_per_request: f64,
    /// CPU seconds per second: 1 is one core.
    pub(crate) cpu_cores: f64,
    /// CPU time of the whole machine that was neither idle nor the generator's, for each answered request: the cross-check.
    pub(crate) machine_cpu_us_per_request: Option<f64>,
    /// The largest of the samples.
    pub(crate) rss_bytes_max: Option<u64>,
    pub(crate) pss_bytes_max: Option<u64>,
    pub(crate) cgroup_bytes_max: Option<u64>,
    pub(crate) threads_max: Option<u64>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Generator {
    /// CPU time of this process during the run, for each request.
    pub(crate) cpu_us_per_request: f64,
    /// CPU seconds per second: 1 is one core.
    pub(crate) cpu_cores: f64,
    /// The CPUs it may run on; null where it was not pinned.
    pub(crate) cpus: Option<Vec<usize>>,
}

/// One stretch of the plan. A request belongs to the one in which it was planned. Histograms are HdrHistogram V2
/// (three significant digits, µs) in base64: they merge by adding counts.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Slice {
    /// When it begins, from the start.
    pub(crate) second: u64,
    pub(crate) answered: u64,
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    /// Of this stretch, for a timeline.
    pub(crate) latency_us: Quantiles,
    pub(crate) latency_us_hdr: String,
    pub(crate) service_us_hdr: String,
    pub(crate) lag_us_hdr: String,
    /// Of the service in this stretch, where it was watched.
    pub(crate) cpu_cores: Option<f64>,
    pub(crate) rss_bytes: Option<u64>,
}
