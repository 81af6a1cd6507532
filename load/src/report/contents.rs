//! What a report says, as plain data: every exporter shows this and nothing else, and the JSON is this.

use serde::{Deserialize, Serialize};

use crate::claims::ClaimShown;
use crate::cost::{Cost, Range};
use crate::result::environment::Environment;
use crate::result::{Interval, Side};

pub(crate) const SCHEMA: &str = "load-report";
pub(crate) const VERSION: u32 = 1;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Report {
    /// `load-report`
    pub(crate) schema: String,
    pub(crate) version: u32,
    /// Unix time in ms.
    pub(crate) made_at_ms: u64,
    pub(crate) standing: Standing,
    /// Three for a manager: speed, size, money. Empty when the figures may not be quoted.
    pub(crate) sentences: Vec<String>,
    /// Whether traffic may move, by shadow-proxy's evidence.
    pub(crate) decision: Option<Decision>,
    pub(crate) sides: Vec<Side>,
    /// Each side against legacy, figure by figure.
    pub(crate) ratios: Vec<Ratio>,
    /// Response times of each side, over all its valid runs.
    pub(crate) latency: Vec<SideLatency>,
    pub(crate) search: Option<SearchShown>,
    pub(crate) cold: Option<ColdShown>,
    pub(crate) memory: Option<MemoryShown>,
    /// One run of each side, second by second: the one whose p99 is in the middle.
    pub(crate) timelines: Vec<Timeline>,
    pub(crate) runs: Vec<RunShown>,
    pub(crate) cost: Option<Cost>,
    pub(crate) claims: Vec<ClaimShown>,
    pub(crate) environment: Option<Environment>,
    /// What became of the ratios since an earlier report.
    pub(crate) baseline: Option<BaselineShown>,
    pub(crate) sources: Vec<Source>,
}

/// Whether these figures may be quoted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Standing {
    pub(crate) quotable: bool,
    /// Why not.
    pub(crate) reasons: Vec<String>,
    /// What else to know.
    pub(crate) remarks: Vec<String>,
}

/// From `shadow-proxy gate --json`, and `status --json` where it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Decision {
    /// `go`, `no-go` or `not-enough`.
    pub(crate) verdict: String,
    pub(crate) reasons: Vec<String>,
    pub(crate) breaches: u64,
    pub(crate) lockouts: u64,
    /// Compared, of the requests that were to be compared.
    pub(crate) coverage: Option<f64>,
    pub(crate) pairs: u64,
    /// Pairs that count as evidence, and those of them with a difference that no rule explains.
    pub(crate) counted: u64,
    pub(crate) counted_mismatches: u64,
    /// The share answered differently: at most, with 95 % confidence.
    pub(crate) rate_upper_bound: f64,
    /// The share that may be.
    pub(crate) rate_max: f64,
    pub(crate) endpoints: Vec<EndpointShown>,
    /// Where every request went, by name; empty without the status.
    pub(crate) requests: Vec<(String, u64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct EndpointShown {
    pub(crate) endpoint: String,
    pub(crate) pairs: u64,
    pub(crate) counted: u64,
    pub(crate) counted_mismatches: u64,
    pub(crate) rate_upper_bound: f64,
}

/// How many times better a side is than legacy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Ratio {
    /// Such as `latency_us_p99`; with the side the name for `--fail-on`.
    pub(crate) metric: String,
    /// For people.
    pub(crate) title: String,
    pub(crate) side: String,
    /// `us`, `bytes`, `per_second` or `share`.
    pub(crate) unit: String,
    pub(crate) lower_is_better: bool,
    pub(crate) legacy: Option<Range>,
    pub(crate) value: Option<Range>,
    /// Above 1 is better than legacy.
    pub(crate) times_better: Option<Interval>,
    /// What legacy against legacy gives.
    pub(crate) control: Option<Interval>,
    /// `better`, `worse`, `no-difference` or, from runs that do not count or too few of them, `unknown`.
    pub(crate) conclusion: String,
    /// As a sentence: with interval, pairs and p, or what would have been found.
    pub(crate) words: String,
    /// Both figures begin and end at the same things.
    pub(crate) like_for_like: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SideLatency {
    pub(crate) side: String,
    /// Answers behind it.
    pub(crate) answers: u64,
    pub(crate) runs: u64,
    /// Up to where ten answers lie above.
    pub(crate) points: Vec<LatencyPoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LatencyPoint {
    /// Share of the answers, 0 to 1.
    pub(crate) quantile: f64,
    pub(crate) us: f64,
    /// 95 % interval of the median over the runs of this quantile; null under six runs.
    pub(crate) us_low: Option<f64>,
    pub(crate) us_high: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SearchShown {
    pub(crate) latency_us_p99_max: u64,
    pub(crate) errors_share_max: f64,
    pub(crate) sides: Vec<SearchSide>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SearchSide {
    pub(crate) side: String,
    /// The highest that kept the objective, requests per second.
    pub(crate) rate: Option<f64>,
    /// The lowest that did not; null where all did.
    pub(crate) failed_at: Option<f64>,
    pub(crate) confirmed: bool,
    /// The generator ended the search, not the service: the rate is the least it can do.
    pub(crate) limited_by_generator: bool,
    pub(crate) cpu_cores: Option<f64>,
    /// By rate.
    pub(crate) probes: Vec<ProbeShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ProbeShown {
    pub(crate) rate: f64,
    /// `pass`, `fail`, `undecided` or `invalid`.
    pub(crate) decision: String,
    pub(crate) us_p50: Option<u64>,
    pub(crate) us_p95: Option<u64>,
    pub(crate) us_p99: Option<u64>,
    pub(crate) us_p999: Option<u64>,
    pub(crate) us_p99_interval: Option<Interval>,
    pub(crate) cpu_cores: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ColdShown {
    pub(crate) rungs: Vec<RungShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RungShown {
    pub(crate) name: String,
    /// C1 to C5, N3, N5; null for floors.
    pub(crate) step: Option<String>,
    pub(crate) sentence: String,
    /// Null for what is nobody's.
    pub(crate) side: Option<String>,
    pub(crate) starts_ms: Vec<f64>,
    pub(crate) failed: u64,
    pub(crate) median_ms: Option<Interval>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) left_out: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MemoryShown {
    pub(crate) sides: Vec<MemorySide>,
    /// Many components in one host.
    pub(crate) components: Option<MemoryLine>,
    pub(crate) components_sentence: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MemorySide {
    pub(crate) side: String,
    pub(crate) idle: MemoryFigures,
    pub(crate) loaded: MemoryFigures,
    pub(crate) load_rate: Option<f64>,
    pub(crate) line: Option<MemoryLine>,
}

/// Bytes; null where it could not be read. A limit is not a use and not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MemoryFigures {
    pub(crate) rss_bytes: Option<u64>,
    pub(crate) rss_bytes_peak: Option<u64>,
    pub(crate) pss_bytes: Option<u64>,
    pub(crate) uss_bytes: Option<u64>,
    pub(crate) cgroup_bytes: Option<u64>,
    pub(crate) cgroup_bytes_peak: Option<u64>,
}

/// Proportional memory of so many instances together, and the straight line through it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MemoryLine {
    /// Instances and bytes.
    pub(crate) points: Vec<(u64, u64)>,
    pub(crate) base_bytes: f64,
    pub(crate) each_bytes: f64,
    pub(crate) each_bytes_interval: Option<Interval>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Timeline {
    pub(crate) side: String,
    pub(crate) seconds: Vec<Second>,
    /// Answers by second and response time: second, from µs, to µs, answers.
    pub(crate) cells: Vec<(u64, f64, f64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Second {
    pub(crate) second: u64,
    pub(crate) answered: u64,
    pub(crate) us_p50: Option<u64>,
    pub(crate) us_p99: Option<u64>,
    pub(crate) cpu_cores: Option<f64>,
    pub(crate) rss_bytes: Option<u64>,
}

/// One run, and whether it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RunShown {
    /// Such as `pair 3` or `search`.
    pub(crate) what: String,
    pub(crate) side: String,
    pub(crate) rate_planned: Option<f64>,
    pub(crate) achieved_rate: f64,
    pub(crate) requests: u64,
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    /// `valid`, `noisy`, `target-saturated` or `generator-bound`.
    pub(crate) verdict: String,
    /// Sentences of the gates that did not pass.
    pub(crate) failed_gates: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct BaselineShown {
    pub(crate) made_at_ms: u64,
    /// It was made on the same kind of machine.
    pub(crate) same_machine: bool,
    pub(crate) changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Change {
    pub(crate) metric: String,
    pub(crate) title: String,
    pub(crate) side: String,
    pub(crate) before: Interval,
    pub(crate) now: Interval,
    /// `better` or `worse` where the intervals lie apart, else `no-difference`.
    pub(crate) conclusion: String,
}

/// A file that this was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}
