//! What a run found, as its JSON says it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde::Serialize;

use crate::plan::Plan;
use crate::tally::{Quantiles, Sample, Tally};

/// Raised when a member changes its meaning or goes; new members do not raise it.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) schema: u32,
    pub(crate) target: String,
    /// Unix time in ms.
    pub(crate) started_at: u64,
    /// From the first request to the end of the last.
    pub(crate) seconds: f64,
    /// The run went on to the end that was asked for.
    pub(crate) complete: bool,
    pub(crate) expect: &'static str,
    pub(crate) seed: u64,
    /// All that were sent: right + wrong + failed.
    pub(crate) requests: u64,
    /// Without an answer.
    pub(crate) failed: u64,
    /// Answered otherwise than the contract says.
    pub(crate) wrong: u64,
    /// Planned by the rate, but their turn did not come before the end.
    pub(crate) unsent: u64,
    /// Answers per second.
    pub(crate) rate: f64,
    pub(crate) rate_planned: Option<f64>,
    pub(crate) users: usize,
    /// To the last byte; from the planned time where there is a rate, else from sending.
    pub(crate) latency_us: Quantiles,
    /// To the last byte, from sending.
    pub(crate) service_us: Quantiles,
    pub(crate) by_case: Vec<CaseOutcome>,
    /// Why requests have no answer, and how many.
    pub(crate) failures: BTreeMap<&'static str, u64>,
    pub(crate) wrong_samples: Vec<Sample>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CaseOutcome {
    pub(crate) name: String,
    pub(crate) requests: u64,
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    pub(crate) status: BTreeMap<u16, u64>,
    pub(crate) latency_us: Quantiles,
}

/// What the run itself knows, beside what its users counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    pub(crate) started_at: SystemTime,
    pub(crate) lasted: Duration,
    /// How many requests were planned, where that was known ahead.
    pub(crate) planned: Option<u64>,
    pub(crate) complete: bool,
}

impl Outcome {
    pub(crate) fn new(plan: &Plan, course: Course, tally: Tally) -> Self {
        let Course { started_at, lasted, planned, complete } = course;
        let (requests, failed, wrong) = (tally.requests(), tally.failed(), tally.wrong());
        let since_epoch = started_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let by_case = plan.cases.iter().zip(tally.cases);
        Self {
            schema: SCHEMA,
            target: plan.origin(),
            started_at: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
            seconds: rounded(lasted.as_secs_f64()),
            complete,
            expect: plan.expecting.name(),
            seed: plan.seed,
            requests,
            failed,
            wrong,
            unsent: if plan.rate.is_some() { planned.unwrap_or(requests).saturating_sub(requests) } else { 0 },
            rate: rounded((requests - failed) as f64 / lasted.as_secs_f64().max(1e-6)),
            rate_planned: plan.rate,
            users: plan.users,
            latency_us: tally.latency.quantiles(),
            service_us: tally.service.quantiles(),
            by_case: by_case
                .map(|(case, tally)| CaseOutcome {
                    name: case.name.clone(),
                    requests: tally.requests,
                    wrong: tally.wrong,
                    failed: tally.failed,
                    status: tally.status,
                    latency_us: tally.latency.quantiles(),
                })
                .collect(),
            failures: tally.failures,
            wrong_samples: tally.samples,
        }
    }

    pub(crate) fn is_right(&self) -> bool {
        self.complete && self.wrong == 0 && self.failed == 0 && self.requests > 0
    }

    /// The file is there in full or not at all.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let mut unfinished = file.as_os_str().to_owned();
        unfinished.push(format!(".{}.tmp", std::process::id()));
        let unfinished = Path::new(&unfinished);
        let mut json = serde_json::to_vec_pretty(self).context("the figures are no JSON")?;
        json.push(b'\n');
        let written = File::create(unfinished)
            .and_then(|mut output| output.write_all(&json).and_then(|()| output.sync_all()))
            .and_then(|()| fs::rename(unfinished, file));
        if written.is_err() {
            // What is left of it helps nobody; that it could not be written is told below.
            let _ = fs::remove_file(unfinished);
        }
        written.with_context(|| format!("cannot write {}; make room or choose another --out", file.display()))
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
