//! Journals that grew too long: `journal-EPOCH.jsonl`, by the epoch of their last line.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::FILE;

/// Some thousand changes.
pub const BYTES_MAX: u64 = 16 << 20;
/// The oldest go.
const KEPT_MAX: usize = 8;
const UNFINISHED: &str = "journal.new";

/// Gives the journal the name of an archive, and gives the journal that goes on, which begins with `last`. At every moment
/// there is a journal with that line.
pub fn put_away(directory: &Path, epoch: u64, last: &[u8]) -> std::io::Result<File> {
    let unfinished = directory.join(UNFINISHED);
    if let Err(error) = std::fs::remove_file(&unfinished)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(last)?;
    file.sync_all()?;
    std::fs::hard_link(directory.join(FILE), directory.join(format!("journal-{epoch}.jsonl")))?;
    std::fs::rename(&unfinished, directory.join(FILE))?;
    File::open(directory)?.sync_all()?;
    let archives = archives(directory)?;
    for (_, path) in archives.iter().take(archives.len().saturating_sub(KEPT_MAX)) {
        std::fs::remove_file(path)?;
    }
    Ok(file)
}

/// The text of the archive that has an epoch, if any has.
pub fn with(directory: &Path, epoch: u64) -> std::io::Result<Option<Vec<u8>>> {
    let found = archives(directory)?.into_iter().find(|(last, _)| *last >= epoch);
    found.map(|(_, path)| std::fs::read(path)).transpose()
}

/// The oldest first.
fn archives(directory: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut archives = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let epoch = name.to_str().and_then(|name| name.strip_prefix("journal-")?.strip_suffix(".jsonl")?.parse().ok());
        archives.extend(epoch.map(|epoch| (epoch, entry.path())));
    }
    archives.sort_unstable();
    Ok(archives)
}
