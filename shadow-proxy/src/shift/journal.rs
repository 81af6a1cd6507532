//! Every change of the weight, written down before it is in force; a restart resumes from the last line.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::weight::{ALL_PPM, Weight};

/// One change, as it stands in `journal.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    pub from_ppm: u32,
    pub to_ppm: u32,
    pub who: String,
    pub why: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    change: Change,
    /// Over the change, so that a line cut short or altered by hand is seen.
    check: String,
}

pub struct Journal {
    file: Mutex<File>,
    weight: Arc<Weight>,
}

impl Journal {
    /// Opens the journal of a data directory and puts its last weight in force. Without one the weight is 0.
    ///
    /// What is not good is set aside in `journal.rejected`. A last line cut short was never in force, so the weight
    /// is the one before it; a whole line that was altered might have been a rollback, so the weight is 0.
    pub fn open(directory: &Path, at_ms: u64) -> anyhow::Result<Journal> {
        let path = directory.join("journal.jsonl");
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let (last, good) = replay(&text);
        let rejected = &text[good..];
        if !rejected.is_empty() {
            std::fs::write(directory.join("journal.rejected"), rejected)?;
            file.set_len(good as u64)?;
            file.sync_all()?;
        }
        let weight = Arc::new(Weight::default());
        weight.set(last.map_or(0, |change| change.to_ppm));
        let journal = Journal { file: Mutex::new(file), weight };
        if rejected.contains(&b'\n') {
            tracing::warn!(
                "a line of {} is damaged; it and what follows were moved to journal.rejected and the weight is 0",
                path.display()
            );
            journal.change(0, "shadow-proxy".to_owned(), "the journal was damaged".to_owned(), at_ms)?;
        }
        Ok(journal)
    }

    pub fn weight(&self) -> Arc<Weight> {
        self.weight.clone()
    }

    /// Writes the change down, waits until the disk has it, then puts it in force.
    ///
    /// # Errors
    /// It could not be written; the weight stays what it was.
    pub fn change(&self, to_ppm: u32, who: String, why: String, at_ms: u64) -> anyhow::Result<Change> {
        let mut file = self.file.lock().expect("nothing panics while it holds the journal");
        let change = Change { at_ms, from_ppm: self.weight.ppm(), to_ppm, who, why };
        let mut line = serde_json::to_vec(&Line { check: check(&change), change: change.clone() })?;
        line.push(b'\n');
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(&line).and_then(|()| file.sync_data()) {
            // Half a line would hide the ones after it.
            file.set_len(before)?;
            return Err(error)
                .context("the journal cannot be written, so the weight stays; free space in the data directory");
        }
        self.weight.set(to_ppm);
        Ok(change)
    }
}

/// The last good change, and how many bytes of the text are good.
fn replay(text: &[u8]) -> (Option<Change>, usize) {
    let mut last = None;
    let mut good = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        match serde_json::from_slice::<Line>(whole) {
            Ok(Line { change, check: written }) if written == check(&change) && change.to_ppm <= ALL_PPM => {
                last = Some(change);
                good += line.len();
            }
            _ => break,
        }
    }
    (last, good)
}

fn check(change: &Change) -> String {
    let Change { at_ms, from_ppm, to_ppm, who, why } = change;
    let text = serde_json::json!([at_ms, from_ppm, to_ppm, who, why]).to_string();
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(journal: &Journal, ppm: u32) {
        journal.change(ppm, "operator".into(), "a test".into(), 7).expect("it can be written");
    }

    #[test]
    fn a_restart_resumes_and_a_damaged_end_falls_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || Journal::open(directory.path(), 7).expect("it opens");
        assert_eq!(open().weight().ppm(), 0);
        let journal = open();
        change(&journal, 10_000);
        change(&journal, 50_000);
        assert_eq!(journal.weight().ppm(), 50_000);
        drop(journal);
        assert_eq!(open().weight().ppm(), 50_000);

        let path = directory.path().join("journal.jsonl");
        let whole = std::fs::read(&path).expect("it is there");
        for cut in 1..whole.len() / 2 {
            std::fs::write(&path, &whole[..whole.len() - cut]).expect("it can be written");
            assert_eq!(open().weight().ppm(), 10_000, "{cut} bytes lost");
        }
        let altered = String::from_utf8(whole).expect("text").replace("\"to_ppm\":50000", "\"to_ppm\":90000");
        std::fs::write(&path, altered).expect("it can be written");
        let journal = open();
        assert_eq!(journal.weight().ppm(), 0, "the altered line might have been a rollback");
        assert!(directory.path().join("journal.rejected").exists());
        change(&journal, 20_000);
        drop(journal);
        assert_eq!(open().weight().ppm(), 20_000, "what was cut off does not hide later lines");
    }
}
