//! What is kept: one SQLite file, written by one thread in batches, bounded by size and age.
//!
//! Only redacted text comes in here: the types of `redact` have no other source.

mod account;
mod known;
mod merge;
mod reader;
mod reservoir;
mod retention;
mod schema;
mod sql;
mod standing;
mod tally;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::exchange::{Decision, Side, Verdict};
use crate::metrics::Metrics;

pub use self::merge::merge;
pub use self::reader::{Sample, Samples, Store, StoredFinding};
pub use self::reservoir::Place as SamplePlace;
use self::reservoir::Reservoirs;
use self::schema::FILE;
pub use self::schema::Origin;
pub use self::standing::Standing;
use self::writer::{Message, Writer};
#[cfg(test)]
use super::noise::{FieldCount, Place};
use super::redact::{ShownAnswer, ShownCall, ShownDifference};
#[cfg(test)]
use crate::exchange::Severity;

/// One compared exchange on its way to the store.
pub struct Row {
    pub at_ms: u64,
    pub endpoint: String,
    pub verdict: Verdict,
    pub served_by: Side,
    pub legacy: Decision,
    pub candidate: Decision,
    pub legacy_us: u64,
    pub candidate_us: u64,
    pub differences: Vec<ShownDifference>,
    /// Whether it is evidence: the same request is a few times only.
    pub counts: bool,
    /// Whether legacy might have been asked the same twice.
    pub askable: bool,
    /// Where legacy differed from itself when it was.
    pub again: Option<Vec<ShownDifference>>,
    /// The exchange itself, when it is to be kept.
    pub shown: Option<Shown>,
    /// For which findings it stands as a sample then.
    pub samples: Vec<SamplePlace>,
}

/// What one exchange adds: to findings (those that a rule explains are told apart), and to fields.
#[cfg(test)]
pub(super) fn counted(row: &Row) -> (Vec<(Place, Severity, bool)>, Vec<FieldCount>) {
    let mut tally = tally::Tally::default();
    tally.add(row);
    let findings =
        tally.findings.into_values().map(|finding| (finding.place, finding.severity, finding.rule.is_some()));
    (findings.collect(), tally.fields.into_values().collect())
}

/// An exchange as it may be seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    pub call: ShownCall,
    pub legacy: Option<ShownAnswer>,
    pub candidate: Option<ShownAnswer>,
}

#[derive(Clone, Debug)]
pub struct StoreLimits {
    /// Of the database file, less one batch; the oldest exchanges go first, samples of findings last.
    pub bytes_max: u64,
    pub age_max: Duration,
}

/// Exchanges waiting for the writer; more are counted as lost.
const WAITING_MAX: usize = 8_192;
/// Both are few by nature; a candidate that invents a new header name for each answer must not fill the disk. What comes
/// beyond is counted in the account.
const FINDINGS_MAX: usize = 10_000;
const FIELDS_MAX: usize = 10_000;
/// How far back a finding's trend reaches, in hours.
pub const HOURS_MAX: usize = 168;
pub const HOUR_MS: u64 = 3_600_000;

#[derive(Clone)]
pub struct Recorder {
    messages: SyncSender<Message>,
    reservoirs: Arc<Mutex<Reservoirs>>,
    standing: Arc<Standing>,
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// Opens or creates the store and starts its writer, which ends on `end`, or when every recorder is gone.
    ///
    /// # Errors
    /// The directory cannot be written, or the file is not a store of ours.
    pub fn start(
        directory: &Path,
        limits: StoreLimits,
        origin: &Origin,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<(Recorder, JoinHandle<()>)> {
        let connection = schema::open(directory, origin)?;
        let reservoirs = Arc::new(Mutex::new(Reservoirs::default()));
        let standing = Arc::new(Standing::default());
        let writer = Writer::new(
            connection,
            directory.join(FILE),
            limits,
            metrics.clone(),
            reservoirs.clone(),
            standing.clone(),
        )?;
        let (messages, receiver) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("record".to_owned()).spawn(move || writer.run(&receiver))?;
        Ok((Recorder { messages, reservoirs, standing, metrics }, thread))
    }

    /// Of which findings an exchange with these differences is to be a sample; asking counts it.
    pub fn samples(&self, endpoint: &str, differences: &[ShownDifference]) -> Vec<SamplePlace> {
        if differences.is_empty() {
            return Vec::new();
        }
        self.reservoirs.lock().expect("nothing panics while it draws").offer(endpoint, differences)
    }

    /// Never waits: without room the row is counted as lost.
    pub fn keep(&self, row: Row) {
        if self.messages.try_send(Message::Row(Box::new(row))).is_err() {
            self.metrics.records_lost.inc();
        }
    }

    /// What is counted from here on is by other rules, the new one of which was made from a finding.
    pub fn rules_changed(&self, digest: String, finding: i64, rule: String) {
        // Waits for room: it is rare, and must not be lost.
        let _ = self.messages.send(Message::Rules { digest, finding, rule });
    }

    /// Whether what is kept reaches the disk.
    pub fn standing(&self) -> &Arc<Standing> {
        &self.standing
    }

    /// After this nothing more is written. Waits for room where the writer has much to do.
    pub fn end(&self) {
        let _ = self.messages.send(Message::End);
    }
}

/// The directory for this process alone.
///
/// # Errors
/// It cannot be written, or another process has it.
pub fn lock(data: &Path) -> anyhow::Result<File> {
    let lock = File::create(data.join("lock")).with_context(|| {
        format!(
            "{} cannot be used for data; check its permissions, or give another directory with --data",
            data.display()
        )
    })?;
    if lock.try_lock().is_err() {
        bail!(
            "another shadow-proxy uses {}; give each its own directory with --data, or ask that one with --admin",
            data.display()
        );
    }
    Ok(lock)
}

/// From now on this rule explains the finding. The store is nobody else's at the time.
pub fn mark_accepted(data: &Path, finding: i64, rule: &str) -> anyhow::Result<()> {
    let connection = schema::create(&data.join(FILE))?;
    Ok(sql::mark_accepted(&connection, finding, rule)?)
}
