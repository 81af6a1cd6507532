//! All that the first page shows, at one moment.

use std::sync::{Arc, Mutex};

use crate::clock::now_ms;
use crate::metrics::Snapshot;
use crate::shadow::record::{Samples, Store};
use crate::shift::controller::Present;
use crate::shift::evidence::{EndpointCount, Rate};
use crate::shift::gate::{self, Evidence, Judgement};
use crate::shift::journal::{self, Entry};
use crate::shift::plan::Plan;
use crate::shift::state::State;
use crate::show::admin::Admin;
use crate::show::finding::{self, Finding};

use super::series::Sample;

/// One moment.
pub struct View {
    pub now_ms: u64,
    pub state: State,
    pub present: Arc<Present>,
    pub plan: Plan,
    pub snapshot: Snapshot,
    /// By the next step of the plan, or the last.
    pub judgement: Judgement,
    pub in_force_ppm: u32,
    pub is_braked: bool,
    pub has_component: bool,
    /// Records do not reach the disk.
    pub recording_fails: bool,
    pub stored: Arc<Stored>,
}

/// What is on the disk. Read by whoever needs it and shared by all for a while.
#[derive(Default)]
pub struct Stored {
    pub findings: Vec<Finding>,
    /// The newest first.
    pub journal: Vec<Entry>,
    /// Why it could not be read.
    pub failed: Option<String>,
}

/// The last that was read, when, and at which change of the state.
#[derive(Default)]
pub struct LastRead(Mutex<Option<(u64, u64, Arc<Stored>)>>);

impl View {
    /// `age_ms_max`: how old what was read from the disk may be.
    pub async fn of(admin: &Arc<Admin>, age_ms_max: u64) -> View {
        let stored = stored(admin, age_ms_max).await;
        let (state, present) = (admin.shift.state(), admin.shift.present());
        let next = admin.plan.step_above(state.weight_ppm).or(admin.plan.steps.len().checked_sub(1));
        let policy = next.map_or_else(|| admin.gate.clone(), |next| admin.plan.policy(&admin.plan.steps[next]));
        View {
            now_ms: now_ms(),
            judgement: gate::judge(&present.input.evidence, &policy),
            plan: admin.plan.clone(),
            snapshot: admin.metrics.snapshot(),
            in_force_ppm: admin.weight.ppm(),
            is_braked: state.brake || admin.weight.is_braked(),
            has_component: admin.usage.is_some(),
            recording_fails: admin.metrics.recording_fails.get() != 0,
            state,
            present,
            stored,
        }
    }

    /// The same with what the store has at this moment.
    pub fn with_evidence(self, evidence: Evidence) -> View {
        let mut present = Present::clone(&self.present);
        (present.input.evidence, present.input.evidence_failed) = (evidence, false);
        View { present: Arc::new(present), ..self }
    }

    /// Of all runs, as far as they were kept, and of this one.
    pub fn breaches(&self) -> u64 {
        self.judgement.breaches.max(self.decided("deny_allow"))
    }

    pub fn lockouts(&self) -> u64 {
        self.judgement.lockouts.max(self.decided("allow_deny"))
    }

    pub fn decided(&self, cell: &str) -> u64 {
        self.snapshot.decisions.get(cell).copied().unwrap_or(0)
    }
}

async fn stored(admin: &Arc<Admin>, age_ms_max: u64) -> Arc<Stored> {
    let (now_ms, epoch) = (now_ms(), admin.shift.state().epoch);
    let last = admin.page.last_read.0.lock().expect("nothing panics while it looks").clone();
    if let Some((at_ms, of_epoch, stored)) = last
        && of_epoch == epoch
        && now_ms.saturating_sub(at_ms) <= age_ms_max
    {
        return stored;
    }
    let (data, base) = (admin.data.clone(), admin.base.clone());
    let read = move || -> anyhow::Result<Stored> {
        let findings = finding::findings(&Store::open(&data)?, Samples::None, &base, now_ms)?;
        Ok(Stored { findings, journal: journal::latest(&data, JOURNAL_MAX)?, failed: None })
    };
    let read = tokio::task::spawn_blocking(read).await.map_err(anyhow::Error::from).and_then(|read| read);
    let failed = |error| Stored { failed: Some(format!("{error:#}")), ..Stored::default() };
    let stored = Arc::new(read.unwrap_or_else(failed));
    *admin.page.last_read.0.lock().expect("as above") = Some((now_ms, epoch, stored.clone()));
    stored
}

/// Looks at the counters, for the charts.
pub fn sample(admin: &Admin) -> Sample {
    let snapshot = admin.metrics.snapshot();
    let present = admin.shift.present();
    let total = EndpointCount::total(&present.input.evidence.endpoints);
    let alpha = admin.plan.at(present.state.weight_ppm).alpha();
    let rate = (total.counted > 0).then(|| Rate::of(total.counted_mismatches, total.counted, alpha));
    let usage = admin.usage.as_ref();
    Sample {
        at_ms: now_ms(),
        served: ["legacy", "candidate"].map(|side| snapshot.requests.served.get(side).copied().unwrap_or(0)),
        skipped: snapshot.requests.skipped.values().sum(),
        dropped: snapshot.requests.dropped.values().sum(),
        compared: snapshot.requests.compared,
        mismatch_rate: rate.map(|rate| [rate.seen, rate.upper_bound]),
        latency: admin.metrics.take_latest_latency(),
        memory_bytes: usage.map_or(0, |usage| usage.memory_bytes() as u64),
        instances: usage.map_or(0, |usage| usage.instances() as u64),
    }
}

/// Decisions on the first page and on the one for all of them.
pub const JOURNAL_MAX: usize = 100;
