//! The command line, as it is typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::all::AllArgs;
use crate::cost::CostArgs;
use crate::plan::{cpu_list, parse_time};
use crate::report::ReportArgs;
use crate::side::Spec;

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
    /// Measure sides in turn, pair by pair with a control, and say what differs and how sure that is
    ///
    /// Exit code: 0 every run was valid; 1 some were not, or it was ended early; 2 nothing could be measured.
    Compare(CompareArgs),
    /// Look for the highest rate that keeps a service level objective, for each side
    ///
    /// Exit code: 0 a rate was found and confirmed for each side; 1 not for all; 2 nothing could be measured.
    Search(SearchArgs),
    /// Measure how long it takes from a start to the first correct answer, rung by rung
    ///
    /// Exit code: 0 every start was answered; 1 some were not, or it was ended early; 2 nothing could be measured.
    Cold(ColdArgs),
    /// Measure the memory of each side, idle and under load, and of one more instance
    ///
    /// Exit code: 0 all was measured; 1 it was ended early, or answers were wrong; 2 nothing could be measured.
    Memory(MemoryArgs),
    /// What the measured figures mean in money, on platforms with dated prices
    ///
    /// Exit code: 0 done; 2 wrong usage, or figures or prices are missing or too old.
    Cost(CostArgs),
    /// One page about everything that was measured, as HTML, Markdown and JSON
    ///
    /// Exit code: 0 written; 1 a --fail-on was proven; 2 wrong usage, or something is missing.
    Report(ReportArgs),
    /// Compare, search, cold, memory, cost and report, in order, into one folder; goes on where it was ended
    ///
    /// Exit code: 0 written; 1 a --fail-on was proven; 2 something could not be measured.
    All(AllArgs),
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

    /// How many goose users send at the same time, each waiting for its answer [default: 8]
    #[arg(long, value_name = "N", conflicts_with_all = ["rate", "capture"])]
    pub(crate) users: Option<usize>,

    /// Requests per second, planned ahead whatever the answers do: latency then counts from the planned time
    #[arg(long, value_name = "R")]
    pub(crate) rate: Option<f64>,

    /// Gaps between the requests of a --rate: all the same, or as independent clients make them
    #[arg(long, value_enum, default_value_t = Gaps::Constant, requires = "rate")]
    pub(crate) arrivals: Gaps,

    /// With a --rate or a --capture: how many connections there may be
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) connections: usize,

    /// Send what `shadow-proxy run --capture` kept, with its gaps; right is the status that legacy gave
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "cases"])]
    pub(crate) capture: Option<PathBuf>,

    /// How many times faster than it was captured
    #[arg(long, value_name = "X", default_value_t = 1.0, requires = "capture")]
    pub(crate) speed: f64,

    /// The service's process on this machine: its CPU time and memory are then measured too
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,

    /// The folder with the cases
    #[arg(long, value_name = "DIR", default_value = CONTRACT)]
    pub(crate) contract: PathBuf,

    /// Whose answers are right
    #[arg(long, value_enum, default_value_t = Expecting::Either)]
    pub(crate) expect: Expecting,

    #[command(flatten)]
    pub(crate) output: Output,

    /// Which shuffle of the mix: the same seed and number of requests give the same mix
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Send only this case; may be repeated
    #[arg(long = "case", value_name = "NAME")]
    pub(crate) cases: Vec<String>,
}

const CONTRACT: &str = "legacy-stub/contract";

/// What every command says.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Where the figures go, as JSON
    #[arg(long, value_name = "FILE.json")]
    pub(crate) out: Option<PathBuf>,

    /// The progress bar on stderr: only when that is a terminal, or never
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub(crate) progress: Progress,
}

/// The sides of a comparison, and what is sent to them.
///
/// A side is url:URL (it runs already), process:CMD ({port} in it is replaced, PORT is set), image:NAME (podman and
/// runc, the same, arguments may follow), serve (`shadow-proxy serve` of this checkout; options may follow a colon), native (the same
/// core without WebAssembly), node or fastapi (the legacy service of this checkout).
#[derive(Debug, Args)]
pub(crate) struct Sides {
    /// The service being replaced
    #[arg(long, value_name = "SIDE", default_value = "node")]
    pub(crate) legacy: Spec,

    /// What replaces it
    #[arg(long, value_name = "SIDE", default_value = "serve")]
    pub(crate) candidate: Spec,

    /// Another one beside them; may be repeated
    #[arg(long, value_name = "SIDE")]
    pub(crate) beside: Vec<Spec>,

    /// The CPUs of the service under load, such as 1 or 2-3,6; `all` leaves it alone [default: the last one]
    #[arg(long, value_name = "CPUS", value_parser = cpu_list)]
    pub(crate) side_cpus: Option<Cpus>,

    /// The folder with the cases
    #[arg(long, value_name = "DIR", default_value = CONTRACT)]
    pub(crate) contract: PathBuf,

    /// Send this case, with its weight, instead of good, bad, expired and missing keys; may be repeated
    #[arg(long = "case", value_name = "NAME")]
    pub(crate) cases: Vec<String>,

    /// The order of the runs, the shuffle of the mix
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Much less of everything, to see that it works; what it finds is marked as short
    #[arg(long)]
    pub(crate) quick: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cpus {
    All,
    These(Vec<usize>),
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) sides: Sides,

    /// Pairs of runs, each side once and legacy twice; 6 that count are the least that can show a difference
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) pairs: u16,

    /// How often a turn is done again while the machine did something else
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) repeats: u32,

    /// Requests per second of each run; far below what the slower side can do
    #[arg(long, value_name = "R", default_value_t = 1000.0)]
    pub(crate) rate: f64,

    /// How long each run sends at that rate
    #[arg(long, value_name = "T", default_value = "15s", value_parser = parse_time)]
    pub(crate) time: Duration,

    /// How long each run then sends as fast as it is answered, for the throughput; 0s leaves that out
    #[arg(long, value_name = "T", default_value = "5s", value_parser = parse_time_or_none)]
    pub(crate) throughput_time: Duration,

    /// Over how many connections it then does
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) connections: usize,

    #[command(flatten)]
    pub(crate) output: Output,
}

fn parse_time_or_none(text: &str) -> Result<Duration, String> {
    if text == "0s" { Ok(Duration::ZERO) } else { parse_time(text) }
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) sides: Sides,

    /// The objective: 99 of 100 requests are answered within this, from when they were planned
    #[arg(long, value_name = "T", default_value = "50ms", value_parser = parse_short_time)]
    pub(crate) p99: Duration,

    /// The objective: at most this share of the requests is answered wrongly or not at all
    #[arg(long, value_name = "0..1", default_value_t = 0.001)]
    pub(crate) errors: f64,

    /// How long each probe sends
    #[arg(long, value_name = "T", default_value = "15s", value_parser = parse_time)]
    pub(crate) time: Duration,

    /// How long each of the three confirming probes sends
    #[arg(long, value_name = "T", default_value = "60s", value_parser = parse_time)]
    pub(crate) confirm_time: Duration,

    /// How many connections there may be
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) connections: usize,

    #[command(flatten)]
    pub(crate) output: Output,
}

fn parse_short_time(text: &str) -> Result<Duration, String> {
    crate::plan::time(text).ok_or_else(|| "write it like 50ms or 1s".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct ColdArgs {
    #[command(flatten)]
    pub(crate) sides: Sides,

    /// Starts of each rung, in turn
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) starts: u16,

    /// Only this rung; may be repeated
    #[arg(long = "rung", value_name = "NAME")]
    pub(crate) rungs: Vec<String>,

    /// An image of the candidate, for the rung of its container; arguments may follow, {port} in them is replaced
    #[arg(long, value_name = "NAME")]
    pub(crate) candidate_image: Option<String>,

    /// An image of legacy, for the rung of its container
    #[arg(long, value_name = "NAME")]
    pub(crate) legacy_image: Option<String>,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct MemoryArgs {
    #[command(flatten)]
    pub(crate) sides: Sides,

    /// Requests per second of the load
    #[arg(long, value_name = "R", default_value_t = 1000.0)]
    pub(crate) rate: f64,

    /// How long it lasts
    #[arg(long, value_name = "T", default_value = "60s", value_parser = parse_time)]
    pub(crate) time: Duration,

    /// How many instances at the most, from 1 doubling; 0 leaves them out
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) instances: u16,

    /// How many different components in one host; 0 leaves them out
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(crate) components: u16,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Gaps {
    Constant,
    Poisson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expecting {
    Legacy,
    Candidate,
    Either,
    /// The Python service beside them
    Fastapi,
}

impl Expecting {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Candidate => "candidate",
            Self::Either => "either",
            Self::Fastapi => "fastapi",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    Auto,
    Never,
}
