//! Files that are there in full or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

/// # Errors
/// The file cannot be written.
pub(crate) fn write_json(file: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let mut json = serde_json::to_vec_pretty(value).context("the figures are no JSON")?;
    json.push(b'\n');
    write(file, &json)
}

/// # Errors
/// The file cannot be written.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(format!(".{}.tmp", std::process::id()));
    let unfinished = Path::new(&unfinished);
    let written = File::create(unfinished)
        .and_then(|mut output| output.write_all(bytes).and_then(|()| output.sync_all()))
        .and_then(|()| fs::rename(unfinished, file));
    if written.is_err() {
        // What is left of it helps nobody; that it could not be written is told below.
        let _ = fs::remove_file(unfinished);
    }
    written.with_context(|| format!("cannot write {}; make room or choose another --out", file.display()))
}
