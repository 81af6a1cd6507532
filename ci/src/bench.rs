//! `cargo ci bench`: ratios in one run, alternating. Printed, not asserted: they are of this machine and this minute.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Which to run; without any: all
    which: Vec<Bench>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bench {
    /// `shadow-proxy serve` with instance reuse against `wasmtime serve` with reuse
    ServeReuse,
    /// `shadow-proxy serve` with a fresh instance per request against `wasmtime serve` as it comes
    ServeFresh,
    /// `shadow-proxy run` at weight 0 with the mirror on, against the legacy service directly
    RunDirect,
    /// `shadow-proxy run` with the mirror off against plain nginx
    RunNginx,
    /// `shadow-proxy run` with the mirror on against nginx with `mirror`
    RunNginxMirror,
}

pub(crate) fn run(_workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    bail!("none of {:?} can be measured yet; see the issue", options.which)
}
