//! `load compare`: sides in turn, pair by pair, with a control.

use serde::{Deserialize, Serialize};

use super::attack::Run;
use super::environment::Environment;
use super::{Head, Interval, Side, Verdict};

pub(crate) const SCHEMA: &str = "load-compare";

/// The whole file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Compare {
    /// Of [`SCHEMA`].
    #[serde(flatten)]
    pub(crate) head: Head,
    pub(crate) seed: u64,
    pub(crate) settings: Settings,
    /// `legacy`, `candidate`, then the bars beside them.
    pub(crate) sides: Vec<Side>,
    pub(crate) metrics: Vec<Metric>,
    /// The worst of all runs at the fixed rate.
    pub(crate) verdict: Verdict,
    /// In the order in which they were made.
    pub(crate) runs: Vec<Turn>,
    pub(crate) environment: Environment,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Settings {
    pub(crate) pairs: usize,
    /// Requests per second of the runs at a fixed rate.
    pub(crate) rate: f64,
    /// Of each measured run.
    pub(crate) run_seconds: f64,
    /// Of the closed loop that measures throughput; null without one.
    pub(crate) throughput_connections: Option<usize>,
    pub(crate) cases: Vec<String>,
}

/// One figure, of all sides.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Metric {
    /// `cpu_us_per_request`, `latency_us_p50`, `latency_us_p95`, `latency_us_p99`, `latency_us_p999`,
    /// `service_us_p50`, `throughput_per_second`, `rss_bytes_max`.
    pub(crate) name: String,
    /// `us`, `per_second` or `bytes`.
    pub(crate) unit: String,
    pub(crate) better: Better,
    pub(crate) sides: Vec<Values>,
    /// Legacy against legacy: what this machine calls a difference where there is none.
    pub(crate) control: Ratio,
    /// Each other side against legacy.
    pub(crate) ratios: Vec<Ratio>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Better {
    Lower,
    Higher,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Values {
    pub(crate) side: String,
    /// One for each pair, in order; null where that run could not say.
    pub(crate) runs: Vec<Option<f64>>,
    /// Of each of those runs.
    pub(crate) verdicts: Vec<Verdict>,
    /// The median of the runs; null under 6 runs.
    pub(crate) median: Option<Interval>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Ratio {
    /// The side that is held against legacy; `legacy` in the control.
    pub(crate) side: String,
    /// How many times better than legacy, pair by pair: legacy / side where lower is better, side / legacy where
    /// higher is. 2 is twice as good, 0.5 half as good.
    /// Where 6 pairs or more are of valid runs, those alone; else all, for a look.
    pub(crate) pairs: Vec<f64>,
    /// The worst of the runs in `pairs`. Unless it is `valid`, the conclusion is `unknown` and there is no headline.
    pub(crate) verdict: Verdict,
    /// The median of the pairs with its order-statistic interval; null under 6 pairs.
    pub(crate) times_better: Option<Interval>,
    /// Two-sided exact sign test of "no difference"; with k pairs never below 2^(1-k).
    pub(crate) p: f64,
    pub(crate) conclusion: Conclusion,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(crate) enum Conclusion {
    /// The interval lies above 1 and above the control's.
    Better,
    /// The interval lies below 1 and below the control's.
    Worse,
    NoDifference {
        /// The least factor that would have been found, such as 1.06.
        detectable_factor: f64,
    },
    /// Too few pairs, or a run that was not valid.
    Unknown,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Turn {
    /// Counted from 0.
    pub(crate) pair: usize,
    pub(crate) side: String,
    /// The second of two legacy runs of a pair, which are the control.
    pub(crate) control: bool,
    /// How many turns in its place were noisy and are not counted.
    #[serde(default)]
    pub(crate) repeated: u32,
    /// How long it took from its start to the first correct answer.
    pub(crate) started_ms: Option<f64>,
    pub(crate) warmup_seconds: f64,
    /// Three medians of a second agreed within 5 % before the measurement began.
    pub(crate) warmed_up: bool,
    /// CPU time of the service while nobody asked, as cores.
    pub(crate) idle_cpu_cores: Option<f64>,
    /// At the fixed rate.
    pub(crate) fixed: Run,
    /// Answers per second of the closed loop.
    pub(crate) throughput: Option<Run>,
}

impl Turn {
    /// The machine did something else during one of its runs.
    pub(crate) fn is_noisy(&self) -> bool {
        let runs = [Some(&self.fixed), self.throughput.as_ref()];
        runs.into_iter().flatten().any(|run| run.validity.verdict == Verdict::Noisy)
    }
}
