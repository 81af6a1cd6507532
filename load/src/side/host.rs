//! What `shadow-proxy host` measures inside itself, as the candidate's host.

use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use super::{program, release};

/// The lines that it prints, each a JSON object.
pub(crate) fn host(arguments: &[&str], cpus: Option<&[usize]>) -> anyhow::Result<Vec<Value>> {
    let mut command = Command::new(release("shadow-proxy")?);
    command.arg("host").args(arguments).stdin(Stdio::null());
    program::confine(&mut command, cpus, None)?;
    let output = command.output().context("cannot start shadow-proxy")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "shadow-proxy host ended with {}: {}", output.status, said.trim());
    let text = String::from_utf8(output.stdout).context("shadow-proxy host printed no text")?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))).collect()
}
