//! `load report` as it is typed.

use std::path::PathBuf;

use clap::Args;

use super::fail_on::FailOn;
use crate::cost::Terms;

#[derive(Args, Clone, Debug)]
pub(crate) struct ReportArgs {
    /// The folder with compare.json and, where they are, search.json, cold.json, memory.json and cost.json
    #[arg(long = "in", value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// Where the report goes; beside it the same as .md and .json
    #[arg(long, value_name = "FILE.html")]
    pub(crate) out: PathBuf,

    /// What `shadow-proxy gate --json` says; else gate.json in the folder, if it is there
    #[arg(long, value_name = "FILE.json")]
    pub(crate) gate: Option<PathBuf>,

    /// What `shadow-proxy status --json` says; else status.json in the folder, if it is there
    #[arg(long, value_name = "FILE.json")]
    pub(crate) status: Option<PathBuf>,

    /// An earlier report's JSON, to say what became better or worse
    #[arg(long, value_name = "FILE.json")]
    pub(crate) baseline: Option<PathBuf>,

    /// Fail (exit code 1) when a confidence bound proves it, such as "p99_ratio>1.10"; may be repeated
    #[arg(long, value_name = "FIGURE>LIMIT")]
    pub(crate) fail_on: Vec<FailOn>,

    #[command(flatten, next_help_heading = "Costs, where the folder has no cost.json")]
    pub(crate) terms: Terms,
}
