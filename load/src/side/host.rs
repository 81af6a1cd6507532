//! What `shadow-proxy host` measures inside itself, as the candidate's host.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use super::{program, release, target_folder};

/// The same, when nothing was compiled before.
pub(crate) fn with_empty_cache(arguments: &[&str], cpus: Option<&[usize]>) -> anyhow::Result<Vec<Value>> {
    let cache = cache()?;
    if cache.exists() {
        std::fs::remove_dir_all(&cache).with_context(|| format!("cannot empty {}", cache.display()))?;
    }
    host(arguments, cpus)
}

/// Where it keeps compiled code, apart from where `serve` does.
fn cache() -> anyhow::Result<PathBuf> {
    Ok(target_folder()?.join("load/host-cache"))
}

/// The lines that it prints, each a JSON object.
pub(crate) fn host(arguments: &[&str], cpus: Option<&[usize]>) -> anyhow::Result<Vec<Value>> {
    let mut command = Command::new(release("shadow-proxy")?);
    command.arg("host").args(arguments).stdin(Stdio::null()).env("XDG_CACHE_HOME", cache()?);
    program::confine(&mut command, cpus, None)?;
    let output = command.output().context("cannot start shadow-proxy")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "shadow-proxy host ended with {}: {}", output.status, said.trim());
    let text = String::from_utf8(output.stdout).context("shadow-proxy host printed no text")?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))).collect()
}
