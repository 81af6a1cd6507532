//! Every change of the state, written down before it is in force; a restart resumes from the last line.

mod archive;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::plan::Plan;
use super::shared::{Set, Shared};
use super::state::{Phase, State};
use super::step::{Decision, Finding, Input};
use super::weight::ALL_PPM;

/// One change, as it stands in `journal.jsonl`: all that led to it, so that it can be judged again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Of the line's form.
    pub v: u8,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Of the state after it, by which it is called.
    pub epoch: u64,
    pub before: State,
    pub state: State,
    pub who: String,
    pub why: String,
    pub decision: Decision,
    pub input: Input,
    pub plan: Plan,
    /// Which candidate it is about: the digest that the records are kept under.
    #[serde(default)]
    pub candidate: String,
}

pub const VERSION: u8 = 3;
const FILE: &str = "journal.jsonl";
const REJECTED: &str = "journal.rejected";
/// The journal's name for as long as a rollback is in force that it does not have.
const BEHIND: &str = "journal.behind";

pub struct Journal {
    directory: PathBuf,
    candidate: String,
    file: File,
    is_behind: bool,
    /// Beyond it a new file is begun.
    bytes_max: u64,
    last: Option<Entry>,
    state: watch::Sender<State>,
}

impl Journal {
    /// Opens the journal of a data directory at its last state; without one the shift begins.
    ///
    /// What is not good is set aside in `journal.rejected`. A last line cut short was never in force, so the state is the
    /// one before it; a whole line that was altered might have been a rollback, so the weight is 0. It is 0 also when a
    /// rollback could not be written, and when another candidate earned it, unless the cutover is behind us: then legacy
    /// might be gone.
    pub fn open(directory: &Path, candidate: &str, at_ms: u64) -> anyhow::Result<Journal> {
        let path = directory.join(FILE);
        let is_behind = directory.join(BEHIND).exists();
        if is_behind {
            std::fs::rename(directory.join(BEHIND), &path)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        File::open(directory)?.sync_all()?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let Replayed { last, good, damage } = replay(&text, |_| ());
        let rejected = &text[good..];
        if !rejected.is_empty() {
            set_aside(directory, rejected)?;
            file.set_len(good as u64)?;
            file.sync_all()?;
        }
        let state = last.as_ref().map_or_else(State::start, |entry| entry.state.clone());
        let is_another = last.as_ref().is_some_and(|entry| entry.candidate != candidate);
        let mut journal = Journal {
            directory: directory.to_owned(),
            candidate: candidate.to_owned(),
            file,
            is_behind: false,
            bytes_max: archive::BYTES_MAX,
            last,
            state: watch::Sender::new(state),
        };
        match damage {
            None => {}
            Some(Damage::Cut) => tracing::warn!(
                epoch = journal.get().epoch,
                "the last line of {} was cut short, so it was never in force; it was moved to {REJECTED}, and the state is the one before",
                path.display()
            ),
            // Nobody knows what the line said.
            Some(Damage::Line(what)) => {
                tracing::warn!(
                    "a line of {} {what}; it and what follows were moved to {REJECTED} and the weight is 0; look at what the file says, then go on with `shadow-proxy advance`",
                    path.display()
                );
                journal.fall_back(format!("a line of the journal {what}"), rejected, at_ms)?;
            }
        }
        if is_behind && journal.get().weight_ppm > 0 {
            tracing::warn!(
                "traffic was given back to legacy while the journal could not be written, so the weight is 0; look at `shadow-proxy shift explain`, then go on with `shadow-proxy advance`"
            );
            journal.fall_back("a rollback could not be written before the restart".to_owned(), &[], at_ms)?;
        }
        if is_another && journal.get().weight_ppm > 0 {
            journal.meet_another(at_ms)?;
        }
        Ok(journal)
    }

    fn meet_another(&mut self, at_ms: u64) -> anyhow::Result<()> {
        if matches!(self.get().phase, Phase::Complete | Phase::ReverseShadow) {
            tracing::warn!(
                "another component, or other settings in [auth], answer everybody than those that were cut over to; `shadow-proxy rollback` gives the traffic back to legacy"
            );
            return Ok(());
        }
        tracing::warn!(
            "the weight was given to another component, or to other settings in [auth], so it is 0; look at `shadow-proxy gate`, then go on with `shadow-proxy advance`"
        );
        self.fall_back("the weight was given to another candidate".to_owned(), &[], at_ms)
    }

    fn fall_back(&mut self, why: String, rejected: &[u8], at_ms: u64) -> anyhow::Result<()> {
        let before = self.get();
        let epoch = 1 + before.epoch.max(last_epoch(rejected));
        let state = State { epoch, phase: Phase::RolledBack, since_ms: at_ms, ..State::start() };
        let decision = Decision {
            finding: Finding::RollBack,
            reasons: vec![why.clone()],
            tests: Vec::new(),
            next: Some(state.clone()),
        };
        let input = Input::nothing(at_ms);
        let who = "shadow-proxy".to_owned();
        let (plan, candidate) = (Plan::default(), self.candidate.clone());
        self.write(&Entry { v: VERSION, at_ms, epoch, before, state, who, why, decision, input, plan, candidate })
    }

    #[cfg(test)]
    fn last(&self) -> Option<&Entry> {
        self.last.as_ref()
    }

    /// Writes a line and waits until the disk has it.
    fn write(&mut self, entry: &Entry) -> anyhow::Result<()> {
        let line = line(entry)?;
        let before = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&line).and_then(|()| self.file.sync_data()) {
            if entry.state.weight_ppm < entry.before.weight_ppm {
                self.fall_behind();
            }
            // Half a line would hide the ones after it.
            self.file.set_len(before)?;
            return Err(error)
                .context("the journal cannot be written, so nothing goes up; free space in the data directory");
        }
        self.last = Some(entry.clone());
        self.state.send_replace(entry.state.clone());
        self.catch_up();
        if before + line.len() as u64 > self.bytes_max {
            self.put_away(&line);
        }
        Ok(())
    }

    /// Less exposure does not wait for the disk, and a restart must not undo it. Another name takes no space.
    fn fall_behind(&mut self) {
        self.is_behind =
            self.is_behind || std::fs::rename(self.directory.join(FILE), self.directory.join(BEHIND)).is_ok();
    }

    fn catch_up(&mut self) {
        if self.is_behind {
            // A restart that finds it under the other name begins at 0, which is the safe mistake.
            self.is_behind = std::fs::rename(self.directory.join(BEHIND), self.directory.join(FILE)).is_err();
        }
    }

    /// Goes on in a new file that begins with the last line.
    fn put_away(&mut self, last: &[u8]) {
        match archive::put_away(&self.directory, self.get().epoch, last) {
            Ok(file) => self.file = file,
            Err(error) => {
                tracing::warn!(%error, "the journal is large and cannot be put away; free space in the data directory")
            }
        }
    }
}

impl Shared for Journal {
    fn get(&self) -> State {
        self.state.borrow().clone()
    }

    fn compare_and_set(&mut self, entry: &Entry) -> anyhow::Result<Set> {
        let state = self.get();
        if state != entry.before {
            return Ok(Set::Overtaken(state));
        }
        self.write(entry).map(|()| Set::Done)
    }

    fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }
}

/// A change by its epoch, or the last; none where there is no such change, or none any more.
///
/// # Errors
/// There is no journal that can be read.
pub fn find(directory: &Path, epoch: Option<u64>) -> anyhow::Result<Option<Entry>> {
    let text = read_file(directory)?;
    let Some(epoch) = epoch else { return Ok(replay(&text, |_| ()).last) };
    Ok(match find_in(&text, epoch) {
        None => archive::with(directory, epoch)?.and_then(|text| find_in(&text, epoch)),
        found => found,
    })
}

fn find_in(text: &[u8], epoch: u64) -> Option<Entry> {
    let mut found = None;
    replay(text, |entry| {
        if entry.epoch == epoch {
            found = Some(entry.clone());
        }
    });
    found
}

/// The last changes, the newest first, up to so many.
///
/// # Errors
/// There is no journal that can be read.
pub fn latest(directory: &Path, count: usize) -> anyhow::Result<Vec<Entry>> {
    let text = read_file(directory)?;
    let mut latest = VecDeque::new();
    replay(&text, |entry| {
        latest.push_front(entry.clone());
        latest.truncate(count);
    });
    Ok(latest.into())
}

fn read_file(directory: &Path) -> anyhow::Result<Vec<u8>> {
    let path = [FILE, BEHIND].map(|name| directory.join(name)).into_iter().find(|path| path.exists());
    let path = path.unwrap_or_else(|| directory.join(FILE));
    std::fs::read(&path)
        .with_context(|| format!("{} cannot be read; name the proxy's data directory with --data", path.display()))
}

struct Replayed {
    last: Option<Entry>,
    /// Bytes of the text that are good.
    good: usize,
    damage: Option<Damage>,
}

enum Damage {
    Cut,
    /// What is wrong with a whole line.
    Line(&'static str),
}

fn replay(text: &[u8], mut each: impl FnMut(&Entry)) -> Replayed {
    let mut replayed = Replayed { last: None, good: 0, damage: None };
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let Some(whole) = line.strip_suffix(b"\n") else {
            replayed.damage = Some(Damage::Cut);
            break;
        };
        match read(whole, replayed.last.as_ref()) {
            Ok(entry) => {
                each(&entry);
                replayed.last = Some(entry);
                replayed.good += line.len();
            }
            Err(what) => {
                replayed.damage = Some(Damage::Line(what));
                break;
            }
        }
    }
    replayed
}

fn read(line: &[u8], before: Option<&Entry>) -> Result<Entry, &'static str> {
    let Some(body) = checked(line) else {
        return Err(if is_old(line) { "is of an earlier version" } else { "is damaged" });
    };
    let entry: Entry = serde_json::from_slice(&body).map_err(|_| "is of another version")?;
    if entry.v != VERSION {
        return Err("is of another version");
    }
    if before.is_some_and(|before| before.state != entry.before) {
        return Err("does not follow from the one before it");
    }
    if entry.state.weight_ppm > ALL_PPM || entry.epoch != entry.state.epoch {
        return Err("contradicts itself");
    }
    Ok(entry)
}

/// Of the form before this one, which no release wrote.
fn is_old(line: &[u8]) -> bool {
    let line: Option<serde_json::Value> = serde_json::from_slice(line).ok();
    line.is_some_and(|line| line["to_ppm"].is_u64() && line["v"].is_null())
}

/// The largest epoch that damaged lines still tell, so that no epoch is given twice.
fn last_epoch(rejected: &[u8]) -> u64 {
    let lines = rejected.split(|&byte| byte == b'\n');
    let epochs = lines.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok()?["epoch"].as_u64());
    // What no proxy ever reaches is no epoch but damage.
    epochs.filter(|epoch| *epoch < 1 << 48).max().unwrap_or(0)
}

/// Appended: what was set aside before may still be wanted.
fn set_aside(directory: &Path, rejected: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(directory.join(REJECTED))?;
    file.write_all(rejected)?;
    if !rejected.ends_with(b"\n") {
        file.write_all(b"\n")?;
    }
    file.sync_all()
}

/// The entry, with a checksum over every byte before it.
fn line(entry: &Entry) -> anyhow::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.pop();
    let check = check(&line);
    line.extend_from_slice(CHECK);
    line.extend_from_slice(check.as_bytes());
    line.extend_from_slice(b"\"}\n");
    Ok(line)
}

/// The entry without its checksum, if that is right.
fn checked(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.strip_suffix(b"\"}")?;
    let (rest, written) = line.split_at_checked(line.len().checked_sub(CHECK_LENGTH)?)?;
    let body = rest.strip_suffix(CHECK)?;
    (check(body).as_bytes() == written).then(|| [body, b"}"].concat())
}

const CHECK: &[u8] = b",\"check\":\"";
const CHECK_LENGTH: usize = 16;

fn check(body: &[u8]) -> String {
    Sha256::digest(body).iter().take(CHECK_LENGTH / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(journal: &mut Journal, weight_ppm: u32) -> Entry {
        let entry = entry(journal.get(), weight_ppm);
        assert_eq!(journal.compare_and_set(&entry).expect("it can be written"), Set::Done);
        entry
    }

    fn entry(before: State, weight_ppm: u32) -> Entry {
        let state = State { epoch: before.epoch + 1, phase: Phase::Held, weight_ppm, since_ms: 7, ..before.clone() };
        let decision =
            Decision { finding: Finding::Hold, reasons: Vec::new(), tests: Vec::new(), next: Some(state.clone()) };
        Entry {
            v: VERSION,
            at_ms: 7,
            epoch: state.epoch,
            before,
            state,
            who: "operator".to_owned(),
            why: "a \"test\"\n,\"check\":\"".to_owned(),
            decision,
            input: Input { requests_per_minute: 0.1 + 0.2, ..Input::nothing(7) },
            plan: Plan::default(),
            candidate: "one".to_owned(),
        }
    }

    #[test]
    fn a_restart_resumes_and_a_damaged_end_falls_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || Journal::open(directory.path(), "one", 7).expect("it opens");
        let rejected = || std::fs::read(directory.path().join(REJECTED)).unwrap_or_default();
        let mut journal = open();
        assert_eq!((journal.get(), journal.last()), (State::start(), None));
        let seen = journal.watch();
        let first = set(&mut journal, 10_000);
        let second = set(&mut journal, 50_000);
        assert_eq!(*seen.borrow(), second.state);
        assert_eq!(
            journal.compare_and_set(&second).expect("nothing is written"),
            Set::Overtaken(second.state.clone()),
            "it does not follow"
        );
        drop(journal);
        assert_eq!(open().last(), Some(&second), "to the last digit");
        assert_eq!(find(directory.path(), Some(1)).expect("it reads").as_ref(), Some(&first));
        assert_eq!(find(directory.path(), None).expect("it reads").as_ref(), Some(&second));
        assert_eq!(find(directory.path(), Some(3)).expect("it reads"), None);
        assert_eq!(latest(directory.path(), 9).expect("it reads"), [second.clone(), first.clone()]);
        assert_eq!(latest(directory.path(), 1).expect("it reads"), std::slice::from_ref(&second));

        let path = directory.path().join(FILE);
        let whole = std::fs::read(&path).expect("it is there");
        let of_first = line(&first).expect("it was written").len();
        for end in (of_first..whole.len()).step_by(13).chain([whole.len() - 1]) {
            std::fs::write(&path, &whole[..end]).expect("it can be written");
            assert_eq!(open().get(), first.state, "{end} bytes are left");
        }
        for at in (of_first..whole.len() - 1).step_by(7) {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            std::fs::write(&path, &altered).expect("it can be written");
            std::fs::remove_file(directory.path().join(REJECTED)).expect("there was one");
            let State { phase, weight_ppm, epoch, .. } = open().get();
            let fell = (phase, weight_ppm) == (Phase::RolledBack, 0) && epoch > 1;
            assert!(fell, "byte {at}: the altered line might have been a rollback");
            assert!(rejected().starts_with(&altered[of_first..]), "byte {at}: nothing is lost");
        }
        // A line that somebody took out.
        std::fs::write(&path, &whole).expect("it can be written");
        let mut journal = open();
        set(&mut journal, 60_000);
        drop(journal);
        let three = std::fs::read(&path).expect("it is there");
        std::fs::write(&path, [&three[..of_first], &three[whole.len()..]].concat()).expect("it can be written");
        let mut journal = open();
        assert_eq!((journal.get().weight_ppm, journal.get().epoch), (0, 4));
        let after = set(&mut journal, 20_000);
        drop(journal);
        assert_eq!(open().last(), Some(&after), "what was cut off does not hide later lines");
    }

    #[test]
    fn a_rollback_that_cannot_be_written_is_not_undone_by_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || Journal::open(directory.path(), "one", 7).expect("it opens");
        let mut journal = open();
        let up = set(&mut journal, 500_000);
        // A file that takes nothing, as on a full disk.
        let full = || OpenOptions::new().write(true).open("/dev/full").expect("it is there");
        let whole = std::mem::replace(&mut journal.file, full());
        let down = entry(journal.get(), 0);
        assert!(journal.compare_and_set(&down).is_err());
        assert_eq!(find(directory.path(), None).expect("it reads").as_ref(), Some(&up), "it can still be read");
        let fallen = open();
        let State { phase, weight_ppm, epoch, .. } = fallen.get();
        assert_eq!((phase, weight_ppm, epoch), (Phase::RolledBack, 0, 2));
        drop(fallen);
        assert_eq!(open().get().epoch, 2, "once");

        // Where the process lives on, it is written when the disk takes it.
        std::fs::remove_file(directory.path().join(FILE)).expect("it is there");
        let mut journal = open();
        set(&mut journal, 500_000);
        let whole = {
            drop(whole);
            std::mem::replace(&mut journal.file, full())
        };
        let down = entry(journal.get(), 0);
        assert!(journal.compare_and_set(&down).is_err() && journal.compare_and_set(&down).is_err());
        journal.file = whole;
        assert_eq!(journal.compare_and_set(&down).expect("it is written"), Set::Done);
        drop(journal);
        assert_eq!(open().last(), Some(&down));
        // More exposure that cannot be written was never in force.
        let mut journal = open();
        let up = entry(journal.get(), 10_000);
        journal.file = full();
        assert!(journal.compare_and_set(&up).is_err());
        assert_eq!(open().last(), Some(&down));
    }

    #[test]
    fn a_weight_that_another_candidate_earned_is_not_resumed_before_the_cutover() {
        let resumed = |phase, candidate| {
            let directory = tempfile::tempdir().expect("a directory");
            let mut journal = Journal::open(directory.path(), "one", 7).expect("it opens");
            let mut change = entry(journal.get(), 500_000);
            change.state.phase = phase;
            assert_eq!(journal.compare_and_set(&change).expect("it can be written"), Set::Done);
            drop(journal);
            let State { phase, weight_ppm, .. } =
                Journal::open(directory.path(), candidate, 7).expect("it opens").get();
            let again = Journal::open(directory.path(), candidate, 7).expect("it opens");
            assert_eq!(again.get().weight_ppm, weight_ppm, "said once");
            (phase, weight_ppm)
        };
        for phase in [Phase::Ramp, Phase::Held, Phase::RolledBack] {
            assert_eq!(resumed(phase, "one"), (phase, 500_000));
            assert_eq!(resumed(phase, "other"), (Phase::RolledBack, 0), "{phase:?}");
        }
        for phase in [Phase::Complete, Phase::ReverseShadow] {
            assert_eq!(resumed(phase, "other"), (phase, 500_000), "legacy might be gone");
        }
    }

    #[test]
    fn a_long_journal_is_put_away_and_can_still_be_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut journal = Journal::open(directory.path(), "one", 7).expect("it opens");
        journal.bytes_max = 10_000;
        let changes: Vec<Entry> = (1..200).map(|weight_ppm| set(&mut journal, weight_ppm)).collect();
        drop(journal);
        assert_eq!(Journal::open(directory.path(), "one", 7).expect("it opens").last(), changes.last());
        let read = |epoch| find(directory.path(), Some(epoch)).expect("it reads");
        let (gone, kept): (Vec<_>, Vec<_>) = changes.iter().partition(|change| read(change.epoch).is_none());
        assert!(kept.iter().all(|change| read(change.epoch).as_ref() == Some(*change)));
        assert!(gone.last().is_some_and(|gone| gone.epoch < kept[0].epoch), "the oldest went");
        assert!(kept.len() > 20, "{}", kept.len());
        let files = || std::fs::read_dir(directory.path()).expect("a folder").map(|file| file.expect("a file"));
        assert!(files().all(|file| file.metadata().expect("a file").len() < 12_000) && files().count() == 9);
    }

    #[test]
    fn an_earlier_version_is_set_aside_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let old = br#"{"at_ms":1,"from_ppm":0,"to_ppm":50000,"who":"a","why":"b","check":"0123456789abcdef"}"#;
        std::fs::write(directory.path().join(FILE), [&old[..], b"\n"].concat()).expect("it can be written");
        let journal = Journal::open(directory.path(), "one", 7).expect("it opens");
        assert_eq!((journal.get().weight_ppm, journal.get().phase), (0, Phase::RolledBack));
        assert_eq!(
            journal.last().map(|entry| entry.why.as_str()),
            Some("a line of the journal is of an earlier version")
        );
        let rejected = std::fs::read(directory.path().join(REJECTED)).expect("it is there");
        assert_eq!(rejected, [&old[..], b"\n"].concat());
    }
}
