//! Files that are read whole up to a limit and replaced whole or not at all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// How long a command waits for another one.
const LOCK_WAIT: Duration = Duration::from_secs(30);
const LOCK_POLL: Duration = Duration::from_millis(5);

/// The content of an open file; `path` is for the error.
pub fn read(file: File, path: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    ensure!(file.metadata()?.is_file(), "{} is no file; give the path of one", path.display());
    let mut content = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut content).with_context(|| path.display().to_string())?;
    ensure!(
        content.len() as u64 <= bytes_max,
        "{} has more than {bytes_max} bytes; is it the right file?",
        path.display()
    );
    Ok(content)
}

/// The same of a file that is a secret: nobody but its user may read or write it.
pub fn read_secret(file: File, path: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    ensure_private(&file, path)?;
    read(file, path, bytes_max)
}

/// Whether nobody but its user may read or write it.
pub fn ensure_private(file: &File, path: &Path) -> anyhow::Result<()> {
    let mode = file.metadata()?.permissions().mode();
    ensure!(
        mode & 0o077 == 0,
        "{} can be read or written by others (mode {:o}); run `chmod 600 {}`",
        path.display(),
        mode & 0o777,
        path.display()
    );
    Ok(())
}

/// Whoever reads the file sees all of the old content or all of the new one, also after a crash. It is for this user alone.
pub fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let unfinished = beside(&path, "new");
    let written = write_new(&unfinished, content).and_then(|()| fs::rename(&unfinished, &path));
    let synced = written.and_then(|()| File::open(folder(&path))?.sync_all());
    synced.with_context(|| {
        format!(
            "{} cannot be written, so nothing was changed; check space and permissions of its folder",
            path.display()
        )
    })
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    // What a command that was killed left behind; the lock says that it no longer runs.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Held until the value is dropped or the process ends. A file of its own, for the one it guards is replaced.
pub fn lock(path: &Path) -> anyhow::Result<File> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let path = beside(&path, "lock");
    let unusable = || format!("{} cannot be made; check that the folder is there and its permissions", path.display());
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let lock = lock.with_context(unusable)?;
    let start = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_POLL),
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "another command has held {} for {LOCK_WAIT:?}; wait for it to end, then try again",
                    path.display()
                )
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(unusable),
        }
    }
}

/// `keys.db.json` and `new` give `.keys.db.json.new`.
fn beside(path: &Path, end: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{end}"))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
