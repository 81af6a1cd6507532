//! The command line, as it is typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cost::CostArgs;
use crate::report::ReportArgs;

#[derive(Debug, Parser)]
#[command(name = "load", version, about = "Load tests made from the contract, every answer checked")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send the contract's mix of requests to one service and check every answer
    ///
    /// Exit code: 0 all requests were answered and right; 1 some were not, or the run was ended early;
    /// 2 wrong usage, or nothing could be measured.
    Attack(AttackArgs),

    /// What the measured figures mean in money, on platforms with dated prices
    ///
    /// Exit code: 0 done; 2 wrong usage, or figures or prices are missing or too old.
    Cost(CostArgs),

    /// One page about everything that was measured, as HTML, Markdown and JSON
    ///
    /// Exit code: 0 written; 1 a --fail-on was proven; 2 wrong usage, or something is missing.
    Report(ReportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AttackArgs {
    /// The service: scheme, host and port, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub(crate) target: String,

    /// How long to send, such as 30s or 2m; this or --requests is needed
    #[arg(long, value_name = "T")]
    pub(crate) time: Option<String>,

    /// How many requests to send, over all users together; with --time, whichever ends first
    #[arg(long, value_name = "N")]
    pub(crate) requests: Option<u64>,

    /// How many goose users send at the same time, each waiting for its answer
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) users: usize,

    /// Requests per second, planned ahead: latency then counts from the planned time
    #[arg(long, value_name = "R")]
    pub(crate) rate: Option<f64>,

    /// The folder with the cases
    #[arg(long, value_name = "DIR", default_value = "legacy-stub/contract")]
    pub(crate) contract: PathBuf,

    /// Whose answers are right
    #[arg(long, value_enum, default_value_t = Expecting::Either)]
    pub(crate) expect: Expecting,

    /// Where the figures go, as JSON
    #[arg(long, value_name = "FILE.json")]
    pub(crate) out: Option<PathBuf>,

    /// The progress bar on stderr: only when that is a terminal, or never
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub(crate) progress: Progress,

    /// Which shuffle of the mix: the same seed and number of requests give the same mix
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Send only this case; may be repeated
    #[arg(long = "case", value_name = "NAME")]
    pub(crate) cases: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expecting {
    Legacy,
    Candidate,
    Either,
}

impl Expecting {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Candidate => "candidate",
            Self::Either => "either",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    Auto,
    Never,
}
