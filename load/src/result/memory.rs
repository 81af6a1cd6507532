//! `load memory`: what a side takes, idle and under load, and what one more instance takes.

use serde::{Deserialize, Serialize};

use super::attack::Run;
use super::environment::Environment;
use super::{Head, Interval, Side};

pub(crate) const SCHEMA: &str = "load-memory";

/// The whole file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Memory {
    /// Of [`SCHEMA`].
    #[serde(flatten)]
    pub(crate) head: Head,
    pub(crate) sides: Vec<Used>,
    /// Many different components in one host.
    pub(crate) components: Option<Components>,
    pub(crate) environment: Environment,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Used {
    pub(crate) side: Side,
    /// After the first correct answer, when nobody asks.
    pub(crate) idle: Figures,
    /// The largest of the samples under load.
    pub(crate) loaded: Figures,
    pub(crate) load: Run,
    /// One more process (or container) of the same.
    pub(crate) marginal: Option<Marginal>,
}

/// Null where it cannot be read: PSS and USS want the right to read `smaps_rollup`, the cgroup's figures a cgroup of
/// its own.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// `VmRSS`, shared pages in full.
    pub(crate) rss_bytes: Option<u64>,
    /// `VmHWM`
    pub(crate) rss_bytes_peak: Option<u64>,
    /// Shared pages by the number of their users.
    pub(crate) pss_bytes: Option<u64>,
    /// Private pages alone.
    pub(crate) uss_bytes: Option<u64>,
    pub(crate) cgroup_bytes: Option<u64>,
    pub(crate) cgroup_bytes_peak: Option<u64>,
    /// A limit is not a use.
    pub(crate) cgroup_bytes_limit: Option<u64>,
    pub(crate) processes: u64,
}

/// M(N) = base + each · N, least squares over the sums of PSS.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Marginal {
    pub(crate) points: Vec<Point>,
    pub(crate) base_bytes: f64,
    /// With the interval of the slope (Student's t); null under three points.
    pub(crate) each_bytes: f64,
    pub(crate) each_bytes_interval: Option<Interval>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Point {
    pub(crate) instances: u64,
    pub(crate) pss_bytes: u64,
    pub(crate) rss_bytes: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Components {
    /// What was instantiated, and what of it is shared: for people.
    pub(crate) sentence: String,
    pub(crate) marginal: Marginal,
    /// Compiling it once, and loading it.
    pub(crate) compile_seconds: f64,
}
