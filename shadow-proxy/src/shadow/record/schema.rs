//! The file itself: made, opened, and moved aside when it is about another candidate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

pub const FILE: &str = "shadow.db";
/// What was kept about the candidate before this one.
pub const PREVIOUS_FILE: &str = "shadow.previous.db";

/// What the counters of a store are about.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Digest of the candidate. With another one the store begins anew.
    pub build: String,
    /// Digest of the rules. With others the evidence begins anew, findings stay.
    pub rules: String,
}

/// For the writer.
pub(super) fn open(directory: &Path, origin: &Origin) -> anyhow::Result<Connection> {
    let path = directory.join(FILE);
    let unusable =
        || format!("{} cannot be used; check its permissions, or give another directory with --data", path.display());
    if path.exists() && !is_about(&path, &origin.build).with_context(unusable)? {
        let previous = directory.join(PREVIOUS_FILE);
        move_aside(&path, &previous).with_context(unusable)?;
        tracing::info!(
            previous = %previous.display(),
            "the candidate is another one, so records begin anew; the ones before are kept there"
        );
    }
    let mut connection = create(&path).with_context(unusable)?;
    let known = meta(&connection, "rules").with_context(unusable)?;
    if known.is_none_or(|known| known != origin.rules) {
        begin_evidence(&mut connection, &origin.rules).with_context(unusable)?;
    }
    set_meta(&connection, "build", &origin.build).with_context(unusable)?;
    Ok(connection)
}

/// Makes the tables where they are not there.
pub(super) fn create(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.execute_batch(include_str!("schema.sql"))?;
    connection.pragma_update(None, "user_version", VERSION)?;
    Ok(connection)
}

/// For readers, while the proxy runs or afterwards.
pub(super) fn open_to_read(path: &Path) -> anyhow::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .with_context(|| {
                format!("no store at {}; give the directory of a `shadow-proxy run` with --data", path.display())
            })?;
    connection.busy_timeout(BUSY_MAX)?;
    let version = version(&connection).with_context(|| format!("{} is no store of a shadow-proxy", path.display()))?;
    ensure!(
        version == VERSION,
        "{} was written by another version of shadow-proxy; read it with that one",
        path.display()
    );
    Ok(connection)
}

/// The rules are others: what was counted by the old ones is no evidence any more.
pub(super) fn begin_evidence(connection: &mut Connection, rules: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "UPDATE endpoints SET pairs = 0, mismatches = 0, counted = 0, counted_mismatches = 0, askable = 0, aa_pairs = 0;
         DELETE FROM fields;",
    )?;
    set_meta(&transaction, "rules", rules)?;
    transaction.commit()
}

pub(super) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
}

pub(super) fn set_meta(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    connection.execute(sql, params![name, value]).map(drop)
}

fn is_about(path: &Path, build: &str) -> rusqlite::Result<bool> {
    let connection = Connection::open(path)?;
    Ok(version(&connection)? == VERSION && meta(&connection, "build")?.is_some_and(|known| known == build))
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// With the logs beside it, should a reader still hold them.
fn move_aside(path: &Path, previous: &Path) -> std::io::Result<()> {
    for end in ["", "-wal", "-shm"] {
        let named = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        match std::fs::remove_file(named(previous)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if named(path).exists() {
            std::fs::rename(named(path), named(previous))?;
        }
    }
    Ok(())
}

/// Of the tables; a store with another one is not read.
const VERSION: u32 = 2;

/// Readers and the writer of one file wait so long for each other.
const BUSY_MAX: Duration = Duration::from_secs(2);
