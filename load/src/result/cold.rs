//! `load cold`: how long until the first correct answer, rung by rung.

use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::{Head, Interval, Side};

pub(crate) const SCHEMA: &str = "load-cold";

/// The whole file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Cold {
    /// Of [`SCHEMA`].
    #[serde(flatten)]
    pub(crate) head: Head,
    pub(crate) seed: u64,
    /// Asked for, of each rung.
    pub(crate) starts: usize,
    pub(crate) rungs: Vec<Rung>,
    /// Equal rungs held against each other, and those that are not, with that label.
    pub(crate) ratios: Vec<RungRatio>,
    pub(crate) environment: Environment,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Rung {
    /// `instance`, `precompiled`, `compiled`, `node`, `native`, `fastapi`, `container`, `empty-process`,
    /// `empty-container`.
    pub(crate) name: String,
    /// In the notation of the method: C1 to C5, N3, N5; null for the floors.
    pub(crate) step: Option<String>,
    /// What is started, from when, until when: for people.
    pub(crate) sentence: String,
    pub(crate) side: Option<Side>,
    /// From the start to the first correct answer, each start, in order. One that failed is not in it.
    pub(crate) starts_ms: Vec<f64>,
    pub(crate) failed: u64,
    pub(crate) median_ms: Option<Interval>,
    pub(crate) p95_ms: Option<f64>,
    /// Times of the first answers after the start, the median over the starts, by their number from 1: how soon it is
    /// warm. Empty for floors and instances.
    pub(crate) first_answers_us: Vec<u64>,
    /// Why the rung is not there, where it is not.
    pub(crate) left_out: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct RungRatio {
    /// Names of rungs: how many times longer `slower` takes than `faster`.
    pub(crate) slower: String,
    pub(crate) faster: String,
    /// Both begin and end at the same things. False: a comparison of scaling out by different means, to be labelled so.
    pub(crate) equal_rungs: bool,
    pub(crate) times: Option<Interval>,
}
