//! The set in force, and the thread that looks for a newer one.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde::Serialize;

use crate::clock::{Rarely, now_ms};
use crate::metrics::Metrics;

use super::{Set, Sources};

/// How often the files are looked at. A revoked key is refused within this time and the time of reading.
const LOOK: Duration = Duration::from_millis(500);
/// A file that is not good is read again after this time, also when it looks the same.
const RETRY: Duration = Duration::from_secs(5);
const SAY: Duration = Duration::from_secs(60);

/// Never empty by an error: what cannot be read leaves the set in force as it is.
pub struct Live {
    sources: Sources,
    set: ArcSwap<Set>,
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Serialize)]
pub struct State {
    pub records: usize,
    pub weak: usize,
    /// Since when the set is in force, in milliseconds since the Unix epoch.
    pub loaded_ms: u64,
    /// Why the files as they are now are not in force.
    pub refused: Option<String>,
}

impl Live {
    /// Reads the files, and from then on whenever one changes, for as long as the value lives.
    ///
    /// # Errors
    /// They are not good.
    pub fn start(sources: Sources, metrics: Arc<Metrics>) -> anyhow::Result<Arc<Live>> {
        let seen = Stamps::of(&sources);
        let set = Set::read(&sources)?;
        let state = State::of(&set);
        state.show(&metrics);
        let live = Arc::new(Live { sources, set: ArcSwap::from_pointee(set), state: Mutex::new(state), metrics });
        let watched = Arc::downgrade(&live);
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || watch(&watched, seen))?;
        Ok(live)
    }

    pub fn set(&self) -> Arc<Set> {
        self.set.load_full()
    }

    pub fn state(&self) -> State {
        self.state.lock().expect("nothing panics while it holds the state").clone()
    }

    /// Whether all files are good; those that are, are in force.
    fn reload(&self, said: &Rarely) -> bool {
        let before = self.set();
        let (set, problems) = before.reread(&self.sources);
        let mut state = self.state.lock().expect("nothing panics while it holds the state");
        if set != *before {
            *state = State { refused: state.refused.take(), ..State::of(&set) };
            self.set.store(Arc::new(set));
            self.metrics.key_sets_loaded.inc();
            tracing::info!(records = state.records, weak = state.weak, "changed keys are in force");
        }
        let reasons: Vec<String> = problems.iter().map(|problem| format!("{problem:#}")).collect();
        let refused = (!reasons.is_empty()).then(|| reasons.join("; and "));
        if let Some(reason) = &refused {
            self.metrics.key_sets_refused.inc();
            if said.is_due() || state.refused.as_ref() != Some(reason) {
                tracing::error!("what was read before stays in force: {reason}");
            }
        }
        state.refused = refused;
        state.show(&self.metrics);
        state.refused.is_none()
    }
}

impl State {
    fn of(set: &Set) -> State {
        State { records: set.records(), weak: set.weak(), loaded_ms: now_ms(), refused: None }
    }

    /// For a probe.
    pub fn standing(&self) -> &'static str {
        if self.refused.is_none() { "current" } else { "stale" }
    }

    fn show(&self, metrics: &Metrics) {
        metrics.keys.set(self.records as i64);
        metrics.keys_weak.set(self.weak as i64);
        metrics.keys_stale.set(i64::from(self.refused.is_some()));
    }
}

fn watch(live: &Weak<Live>, mut seen: Stamps) {
    let said = Rarely::every(SAY);
    let mut refused_at: Option<Instant> = None;
    loop {
        std::thread::sleep(LOOK);
        let Some(live) = live.upgrade() else { return };
        // Before they are read: what changes meanwhile is seen the next time.
        let now = Stamps::of(&live.sources);
        if now != seen || refused_at.is_some_and(|refused| refused.elapsed() >= RETRY) {
            refused_at = (!live.reload(&said)).then(Instant::now);
            seen = now;
        }
    }
}

/// What changes when a file is replaced or written to; for links, that of their targets.
#[derive(PartialEq)]
struct Stamps(Vec<Option<[i64; 6]>>);

impl Stamps {
    fn of(sources: &Sources) -> Stamps {
        let Sources { keys, peppers, issuers, introspection, parity: _ } = sources;
        let secret = introspection.iter().map(|introspection| &introspection.secret_file);
        let files = [keys, peppers].into_iter().chain(issuers.iter().map(|issuer| &issuer.jwks)).chain(secret);
        Stamps(files.map(|file| stamp(file)).collect())
    }
}

fn stamp(file: &Path) -> Option<[i64; 6]> {
    let metadata = fs::metadata(file).ok()?;
    Some([
        metadata.ino() as i64,
        metadata.size() as i64,
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ])
}
