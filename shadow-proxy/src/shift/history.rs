//! What was seen, a line for each minute, for plans that are tried on the past. Nothing is decided by it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::evidence::EndpointCount;
use super::gate::Evidence;
use super::observed::Observed;
use super::plan::{DAY_MS, MINUTE_MS};
use super::state::{Phase, State};
use super::step::Input;

const FILE: &str = "history.jsonl";
const AGE_MS_MAX: u64 = 30 * DAY_MS;
const BYTES_MAX: u64 = 64 << 20;

/// What came in one minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Minute {
    /// Its end.
    pub at_ms: u64,
    pub epoch: u64,
    pub phase: Phase,
    pub weight_ppm: u32,
    pub seen: Observed,
    /// The evidence as a whole, instead of what came: at a start, and when it was begun anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_whole: bool,
    /// What came, of endpoints for which something did.
    pub evidence: Evidence,
    pub evidence_failed: bool,
    pub legacy_up: bool,
    pub legacy_load: f64,
    pub requests_per_minute: f64,
}

/// Appends lines. That one cannot be written is told, and stops nothing.
pub struct History {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    /// Of the last line: when, and what had been seen by then.
    minute: Option<u64>,
    seen: Observed,
    evidence: Option<Evidence>,
}

impl History {
    /// Goes on with the history of a data directory, less what is too old.
    pub fn open(directory: &Path, now_ms: u64) -> History {
        let path = directory.join(FILE);
        let mut history =
            History { path, file: None, bytes: 0, minute: None, seen: Observed::default(), evidence: None };
        history.shorten(now_ms);
        history
    }

    /// What was seen since a state's weight came into force, before this process.
    pub(super) fn since(&self, state: &State) -> Observed {
        seen_since(&self.path, state).unwrap_or_default()
    }

    /// Takes a look at counters; writes a line when a minute is over.
    pub(super) fn add(&mut self, now_ms: u64, seen: &Observed, input: &Input, state: &State) {
        let now = now_ms / MINUTE_MS;
        let Some(minute) = self.minute else {
            self.minute = Some(now);
            return;
        };
        if minute != now {
            self.note(now, now_ms, seen, input, state);
        }
    }

    /// What came since the last line, though the minute is not over: the state changes, or the process ends.
    pub(super) fn end(&mut self, now_ms: u64, seen: &Observed, input: &Input, state: &State) {
        self.note(now_ms / MINUTE_MS, now_ms, seen, input, state);
    }

    fn note(&mut self, now: u64, now_ms: u64, seen: &Observed, input: &Input, state: &State) {
        let is_whole = self.evidence.as_ref().is_none_or(|before| is_begun_anew(before, &input.evidence));
        let before = self.evidence.take().filter(|_| !is_whole).unwrap_or_default();
        self.write(&Minute {
            at_ms: now_ms,
            epoch: state.epoch,
            phase: state.phase,
            weight_ppm: state.weight_ppm,
            seen: seen - &self.seen,
            is_whole,
            evidence: less(&input.evidence, &before),
            evidence_failed: input.evidence_failed,
            legacy_up: input.legacy_up,
            legacy_load: input.legacy_load,
            requests_per_minute: input.requests_per_minute,
        });
        (self.minute, self.seen, self.evidence) = (Some(now), seen.clone(), Some(input.evidence.clone()));
        if self.bytes > BYTES_MAX || now.is_multiple_of(DAY_MS / MINUTE_MS) {
            self.shorten(now_ms);
        }
    }

    fn write(&mut self, minute: &Minute) {
        if self.file.is_none() {
            // The disk may take it again; half a line goes with what is too old.
            self.shorten(minute.at_ms);
        }
        let Some(file) = &mut self.file else { return };
        let mut line = serde_json::to_vec(minute).unwrap_or_default();
        line.push(b'\n');
        match file.write_all(&line) {
            Ok(()) => self.bytes += line.len() as u64,
            Err(error) => {
                tracing::warn!(%error, "the history cannot be written; this minute will be missing in a back-test");
                self.file = None;
            }
        }
    }

    /// Drops what is too old, or too much, and what is no line, and opens the file.
    fn shorten(&mut self, now_ms: u64) {
        self.file = None;
        let opened = shortened(&self.path, now_ms).and_then(|()| {
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
            self.bytes = file.metadata()?.len();
            Ok(file)
        });
        match opened {
            Ok(file) => self.file = Some(file),
            Err(error) => tracing::warn!(error = %format!("{error:#}"), "the history cannot be kept"),
        }
    }
}

/// What was seen since a state's weight came into force; nothing where there is no history yet.
///
/// # Errors
/// It cannot be read.
pub fn since_state(directory: &Path, state: &State) -> anyhow::Result<Observed> {
    Ok(seen_since(&directory.join(FILE), state)?)
}

/// Less the ids: which ones were seen is forgotten in a restart, and they would count twice.
fn seen_since(path: &Path, state: &State) -> std::io::Result<Observed> {
    let mut seen = Observed::default();
    if path.exists() {
        read_file(path, |minute| {
            if minute.at_ms > state.since_ms {
                let mut more = Observed { ids_legacy: 0, ids_candidate: 0, ..minute.seen };
                if minute.phase == Phase::Complete {
                    // Sent to legacy before the cutover.
                    (more.served_legacy, more.rescued) = (0, 0);
                }
                seen += &more;
            }
        })?;
    }
    Ok(seen)
}

/// Calls `each` with every minute of a history, the oldest first.
///
/// # Errors
/// There is none in the directory, or it cannot be read.
pub fn read(directory: &Path, each: impl FnMut(Minute)) -> anyhow::Result<()> {
    let path = directory.join(FILE);
    read_file(&path, each).with_context(|| {
        format!("{} cannot be read; a running proxy writes a line into it every minute", path.display())
    })
}

fn read_file(path: &Path, mut each: impl FnMut(Minute)) -> std::io::Result<()> {
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        // A line cut short by a crash is followed by whole ones.
        if let Ok(minute) = serde_json::from_slice(&line?) {
            each(minute);
        }
    }
    Ok(())
}

fn shortened(path: &Path, now_ms: u64) -> anyhow::Result<()> {
    let Ok(bytes) = path.metadata().map(|metadata| metadata.len()) else { return Ok(()) };
    let mut to_drop = if bytes > BYTES_MAX { bytes - BYTES_MAX / 2 } else { 0 };
    let oldest_ms = now_ms.saturating_sub(AGE_MS_MAX);
    let temporary = path.with_extension("new");
    let mut kept = std::io::BufWriter::new(
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?,
    );
    let mut dropped: Option<Evidence> = None;
    let mut written = Ok(());
    read_file(path, |mut minute| {
        let line = |minute: &Minute| serde_json::to_vec(minute).unwrap_or_default();
        let length = line(&minute).len() as u64 + 1;
        if to_drop > 0 || minute.at_ms < oldest_ms {
            to_drop = to_drop.saturating_sub(length);
            add(dropped.get_or_insert_default(), &minute);
            return;
        }
        if let Some(mut evidence) = dropped.take() {
            add(&mut evidence, &minute);
            minute = Minute { is_whole: true, evidence, ..minute };
        }
        if written.is_ok() {
            written = kept.write_all(&line(&minute)).and_then(|()| kept.write_all(b"\n"));
        }
    })?;
    written?;
    kept.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(&temporary, path)?;
    Ok(())
}

/// Puts what came in a minute to what was known.
pub fn add(evidence: &mut Evidence, minute: &Minute) {
    if minute.is_whole {
        *evidence = minute.evidence.clone();
        return;
    }
    let Evidence { breaches, lockouts, expected, compared, endpoints, counted_per_minute } = &minute.evidence;
    evidence.breaches += breaches;
    evidence.lockouts += lockouts;
    evidence.expected += expected;
    evidence.compared += compared;
    evidence.counted_per_minute = *counted_per_minute;
    for more in endpoints {
        match evidence.endpoints.iter_mut().find(|known| known.endpoint == more.endpoint) {
            None => evidence.endpoints.push(more.clone()),
            Some(known) => *known += more,
        }
    }
}

fn less(now: &Evidence, before: &Evidence) -> Evidence {
    let endpoints = now.endpoints.iter().filter_map(|now| {
        let none = EndpointCount::default();
        let before = before.endpoints.iter().find(|before| before.endpoint == now.endpoint).unwrap_or(&none);
        let less = EndpointCount {
            endpoint: now.endpoint.clone(),
            pairs: now.pairs.saturating_sub(before.pairs),
            mismatches: now.mismatches.saturating_sub(before.mismatches),
            counted: now.counted.saturating_sub(before.counted),
            counted_mismatches: now.counted_mismatches.saturating_sub(before.counted_mismatches),
            askable: now.askable.saturating_sub(before.askable),
            aa_pairs: now.aa_pairs.saturating_sub(before.aa_pairs),
        };
        (now != before).then_some(less)
    });
    Evidence {
        breaches: now.breaches.saturating_sub(before.breaches),
        lockouts: now.lockouts.saturating_sub(before.lockouts),
        expected: now.expected.saturating_sub(before.expected),
        compared: now.compared.saturating_sub(before.compared),
        endpoints: endpoints.collect(),
        counted_per_minute: now.counted_per_minute,
    }
}

/// Counters that went back: other rules, another candidate.
fn is_begun_anew(before: &Evidence, now: &Evidence) -> bool {
    let fell = |before: &EndpointCount| {
        let now = now.endpoints.iter().find(|now| now.endpoint == before.endpoint);
        now.is_none_or(|now| {
            now.counted < before.counted || now.pairs < before.pairs || now.mismatches < before.mismatches
        })
    };
    now.breaches < before.breaches || now.lockouts < before.lockouts || before.endpoints.iter().any(fell)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One minute after the other, each with so many exchanges more.
    fn write(history: &mut History, minutes: std::ops::Range<u64>, each: u64) {
        let mut seen = history.seen.clone();
        for minute in minutes {
            seen.pairs += each;
            let endpoint =
                EndpointCount { endpoint: "GET /a".to_owned(), pairs: seen.pairs, ..EndpointCount::default() };
            let evidence = Evidence { compared: seen.pairs, endpoints: vec![endpoint], ..Evidence::default() };
            let input = Input { evidence, ..Input::nothing(minute * MINUTE_MS) };
            history.add(minute * MINUTE_MS, &seen, &input, &State::start());
        }
    }

    fn minutes(directory: &Path) -> (Vec<u64>, Evidence) {
        let (mut at, mut evidence) = (Vec::new(), Evidence::default());
        read(directory, |minute| {
            at.push(minute.at_ms / MINUTE_MS);
            add(&mut evidence, &minute);
        })
        .expect("there is one");
        (at, evidence)
    }

    #[test]
    fn what_is_too_old_goes_and_what_it_showed_stays() {
        let directory = tempfile::tempdir().expect("a folder");
        let begun = DAY_MS / MINUTE_MS * 100;
        let mut history = History::open(directory.path(), begun * MINUTE_MS);
        write(&mut history, begun..begun + 1_000, 3);
        let (at, all) = minutes(directory.path());
        assert_eq!((at, all.compared), ((begun + 1..begun + 1_000).collect(), 3_000));
        drop(history);

        let now = begun + 500 + AGE_MS_MAX / MINUTE_MS;
        drop(History::open(directory.path(), now * MINUTE_MS));
        let (at, left) = minutes(directory.path());
        assert_eq!(at, (begun + 500..begun + 1_000).collect::<Vec<_>>());
        assert_eq!(left, all, "the first line that is left has what came before it");
        drop(History::open(directory.path(), (now + 10_000) * MINUTE_MS));
        assert_eq!(std::fs::read(directory.path().join(FILE)).expect("a file"), b"", "and all of it in the end");
    }

    #[test]
    fn a_minute_that_could_not_be_written_is_missing_and_no_more() {
        let directory = tempfile::tempdir().expect("a folder");
        let mut history = History::open(directory.path(), 0);
        write(&mut history, 0..3, 1);
        history.file = Some(OpenOptions::new().write(true).open("/dev/full").expect("it is there"));
        write(&mut history, 3..4, 1);
        write(&mut history, 4..6, 1);
        assert_eq!(minutes(directory.path()).0, [1, 2, 4, 5]);
    }
}
