//! What the commands found, as their JSON says it: plain data, read back by `load cost` and `load report`.
//!
//! Every file begins with `schema` (which command wrote it) and `version`. Units stand last in a name. What was not
//! measured, or cannot be said from so few samples, is null and never 0.

pub(crate) mod attack;
pub(crate) mod cold;
pub(crate) mod compare;
pub(crate) mod environment;
pub(crate) mod memory;
pub(crate) mod search;

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// Raised when a member changes its meaning or goes; new members do not raise it. 1 was `load attack` before it had
/// siblings.
pub(crate) const VERSION: u32 = 2;

/// What the file of each measurement begins with.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Head {
    /// Which command wrote it, such as `load-compare`.
    pub(crate) schema: String,
    pub(crate) version: u32,
    /// Unix time in ms.
    pub(crate) started_at_ms: u64,
    pub(crate) seconds: f64,
    /// It was not ended early.
    pub(crate) complete: bool,
    /// Fewer or shorter runs than the method asks for.
    pub(crate) short: bool,
}

/// An estimate and the confidence interval around it. The unit is that of the member's name.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) estimate: f64,
    pub(crate) high: f64,
    /// How sure it is that the true value lies from `low` to `high`, 0 to 1: at least what was asked for (0.95), often
    /// more, because order statistics come in steps.
    pub(crate) confidence: f64,
}

/// A service that was measured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Side {
    /// `legacy`, `candidate`, or what a bar beside them is called (`native`, `fastapi`); unique in a file.
    pub(crate) name: String,
    /// As given on the command line: `serve`, `node`, `image:NAME`, `process:CMD`, `url:http://…`.
    pub(crate) spec: String,
    /// `native`, `serve`, `node`, `fastapi`, `process`, `image` or `url`.
    pub(crate) kind: String,
    /// The command that was run, as one would type it; absent for `url`.
    pub(crate) command: Option<String>,
    /// The CPUs it may run on; absent where it was not pinned.
    pub(crate) cpus: Option<Vec<usize>>,
}

/// Whether figures may be reported, and why not.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Validity {
    pub(crate) verdict: Verdict,
    /// Every gate that was looked at, in the order of the README.
    pub(crate) gates: Vec<Gate>,
    /// What does not spoil the figures, but whoever reads them should know; sentences.
    pub(crate) remarks: Vec<String>,
}

/// The last that holds, in this order: what the generator could not do is nobody else's fault.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Valid,
    /// The machine did something else meanwhile: steal, throttling, other load.
    Noisy,
    /// The service did not keep up with what it was offered, or answered wrongly.
    TargetSaturated,
    /// The generator, not the service, was the limit. There is no headline.
    GeneratorBound,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Gate {
    /// Such as `achieved-share` or `steal-share`.
    pub(crate) name: String,
    pub(crate) passed: bool,
    pub(crate) measured: f64,
    /// What `measured` may be at the most.
    pub(crate) limit: f64,
    /// What the run is called when this gate fails.
    pub(crate) else_verdict: Verdict,
    /// One sentence for people.
    pub(crate) sentence: String,
}

/// Milliseconds since 1970 (UTC).
pub(crate) fn unix_ms(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

impl Head {
    /// Behind the first line of a table.
    pub(crate) fn mark(&self) -> &'static str {
        if self.short { " (SHORT: to see that it works, not for a claim)" } else { "" }
    }
}

impl Verdict {
    /// As it is written in the JSON and for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Noisy => "noisy",
            Verdict::TargetSaturated => "target-saturated",
            Verdict::GeneratorBound => "generator-bound",
        }
    }
}
