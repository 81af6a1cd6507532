//! Files that are there in full or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

/// What a command found, as JSON.
pub(crate) fn write(found: &impl Serialize, file: &Path) -> anyhow::Result<()> {
    let mut json = serde_json::to_vec_pretty(found).context("the figures are no JSON")?;
    json.push(b'\n');
    write_bytes(&json, file)
}

pub(crate) fn write_bytes(bytes: &[u8], file: &Path) -> anyhow::Result<()> {
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
