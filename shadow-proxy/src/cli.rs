//! The command line: parse and dispatch.

mod diffs;
mod host;
mod keys;
mod replay;
mod shift;

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::config::{self, CandidateConfig, Overrides};
use crate::operator::{self, AdminPort};
use crate::run;
use crate::side::candidate::Instances;

/// Mirrors live traffic to a legacy service and its WebAssembly replacement, and compares the answers.
#[derive(Parser)]
#[command(name = "shadow-proxy", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Answer clients by legacy, mirror each request to the candidate, compare and record
    Run(Run),
    /// Serve the component alone, without legacy: after cutover
    Serve(Serve),
    /// Compile the components in this binary, or one of yours, now, so that no start has to: for images
    Compile {
        /// The component instead; `-` is stdin
        #[arg(long, value_name = "FILE")]
        component: Option<PathBuf>,
        /// Where the code is kept, for --compiled of `run` and `serve`; `-` is stdout
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Manage the API keys in a key file
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Say everything that is wrong with a configuration, without opening a socket
    Check(Run),
    /// Show what a running proxy has counted
    Status {
        #[command(flatten)]
        port: Port,
        /// As `GET /api/status` has it
        #[arg(long)]
        json: bool,
    },
    /// Say whether traffic may move: ends with 0 for go, 1 for no-go, 2 for not enough evidence
    Gate {
        #[command(flatten)]
        port: Port,
        /// Read the store of a proxy that no longer runs, instead of asking one
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Whose table [gate] says how much is enough, with --data; a running proxy goes by its own
        #[arg(long, value_name = "FILE", requires = "data")]
        config: Option<PathBuf>,
        /// Say whether legacy may be switched off, instead
        #[arg(long)]
        decommission: bool,
        /// Why, as `GET /api/gate` or `GET /api/shift/decommission` has it
        #[arg(long)]
        json: bool,
    },
    /// Set the candidate's share of the traffic, in parts per million (10000 is 1 %)
    Weight {
        #[arg(value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
        ppm: u32,
        #[command(flatten)]
        order: shift::Order,
    },
    /// Begin the plan, or take its next step now, if the evidence allows it
    Advance(shift::Order),
    /// Stay at the present weight until somebody says more; what takes it back still does
    Hold(shift::Order),
    /// Go on with the plan from the present weight; releases the brake
    Resume(shift::Order),
    /// Let the next step be taken, where the plan asks a person
    Approve(shift::Order),
    /// Give all traffic back to legacy
    Rollback(shift::Order),
    /// Why the weight changed, and when it would have by another plan
    #[command(subcommand)]
    Shift(shift::Verb),
    /// Send recorded calls to both sides again, and judge them like live traffic
    Replay(replay::Replay),
    /// Where the two sides differ, worst first; and what is to be done with it
    Diffs(diffs::Diffs),
    /// Measure what this host takes for an instance or a component: for `cargo load`
    #[command(hide = true)]
    Host(host::Host),
}

/// Flags override the file; what neither names has a default.
#[derive(Args)]
struct Run {
    /// The configuration, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients connect [default: 127.0.0.1:8080]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,
    /// Where operators and Prometheus connect [default: 127.0.0.1:9090]
    #[arg(long, value_name = "IP:PORT")]
    admin: Option<String>,
    /// The service being replaced, http://HOST:PORT
    #[arg(long, value_name = "URL")]
    legacy: Option<String>,
    /// The component to compare with it [default: the auth component in this binary]
    #[arg(long, value_name = "FILE")]
    component: Option<String>,
    /// A candidate elsewhere, instead of a component in this process
    #[arg(long, value_name = "URL", conflicts_with = "component")]
    candidate_url: Option<String>,
    /// Where records and the journal are kept [default: shadow-proxy-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Where compiled components are kept [default: in the data directory]
    #[arg(long, value_name = "DIR")]
    compiled: Option<String>,
    /// The share of the calls of safe routes for which the side that serves is asked twice, to learn how legacy differs from
    /// itself and who is faster [default: 0.05]
    #[arg(long, value_name = "0..1")]
    aa_share: Option<f64>,
    /// Ask legacy twice for every call of a safe route at first, until an endpoint has so many pairs [default: 0]
    #[arg(long, value_name = "N")]
    aa_pairs: Option<u32>,
    /// Keep mirrored traffic in this folder, with stand-ins for secrets, for `replay`
    #[arg(long, value_name = "DIR")]
    capture: Option<String>,
    /// Keep the secrets too, in files that only the passphrase opens
    #[arg(long, requires = "passphrase_file")]
    capture_secrets: bool,
    /// A file with the passphrase, for --capture-secrets
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<String>,
}

/// Flags override the file; what neither names has a default.
#[derive(Args)]
struct Serve {
    /// The configuration, TOML: that of `run` will do, what it says about legacy does not matter
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients connect [default: 127.0.0.1:8080]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// The component [default: the auth component in this binary]
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Where compiled components are kept [default: shadow-proxy in the user's cache]
    #[arg(long, value_name = "DIR")]
    compiled: Option<PathBuf>,
    /// `fresh`: an instance for each request; `reuse=N`: up to N requests each, faster and without isolation between them
    /// [default: fresh]
    #[arg(long, value_name = "MODE")]
    instances: Option<Instances>,
    /// Threads that serve [default: one for each core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
}

/// Which proxy to ask.
#[derive(Args)]
struct Port {
    /// Its admin port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9090")]
    admin: String,
    /// A file with the admin token, where the proxy asks for one
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// As sysexits.h has them: of the commands that judge, 1 and 2 are verdicts.
const JUDGING: [&str; 2] = ["gate", "replay"];
const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;

pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && std::env::args().nth(1).is_some_and(|verb| JUDGING.contains(&&*verb)) => {
            let _ = error.print();
            return ExitCode::from(USAGE);
        }
        Err(error) => error.exit(),
    };
    let said = match cli.verb {
        Verb::Run(flags) => return with_config(&flags, |config| finished(run::run(config))),
        Verb::Check(flags) => {
            return with_config(&flags, |config| {
                let checked = run::check(&config);
                for doubt in run::doubts(&config) {
                    eprintln!("warning: {doubt}");
                }
                finished(checked.and_then(|()| print("the configuration is good\n".to_owned())))
            });
        }
        Verb::Serve(flags) => return serve(flags),
        Verb::Compile { component, out } => return finished(compile(component.as_deref(), &out)),
        Verb::Keys(verb) => return keys::main(verb),
        Verb::Replay(flags) => return replay::main(flags),
        Verb::Status { port, json } => operator::status(&port.into(), json),
        Verb::Gate { port, data, config, decommission, json } => {
            let (port, data, config) = (port.into(), data.as_deref(), config.as_deref());
            return if decommission { may_go(&port, data, config, json) } else { gate(&port, data, config, json) };
        }
        Verb::Weight { ppm, order } => shift::weight(ppm, order),
        Verb::Advance(order) => shift::order("advance", order),
        Verb::Hold(order) => shift::order("hold", order),
        Verb::Resume(order) => shift::order("resume", order),
        Verb::Approve(order) => shift::order("approve", order),
        Verb::Rollback(order) => shift::order("rollback", order),
        Verb::Shift(verb) => return shift::main(verb),
        Verb::Diffs(diffs) => diffs::main(diffs),
        Verb::Host(host) => host::main(&host),
    };
    finished(said.and_then(print))
}

fn with_config(flags: &Run, then: impl FnOnce(config::Config) -> ExitCode) -> ExitCode {
    let Run {
        config,
        listen,
        admin,
        legacy,
        component,
        candidate_url,
        data,
        compiled,
        aa_share,
        aa_pairs,
        capture,
        capture_secrets,
        passphrase_file,
    } = flags;
    let texts: [(&'static str, &Option<String>); 9] = [
        ("listen", listen),
        ("admin", admin),
        ("legacy.url", legacy),
        ("candidate.component", component),
        ("candidate.url", candidate_url),
        ("data", data),
        ("candidate.compiled", compiled),
        ("capture.dir", capture),
        ("capture.passphrase_file", passphrase_file),
    ];
    let texts = texts.into_iter().filter_map(|(key, text)| Some((key, text.clone()?.into())));
    let numbers = [("noise.aa_share", aa_share.map(Into::into)), ("noise.aa_pairs", aa_pairs.map(Into::into))];
    let numbers = numbers.into_iter().filter_map(|(key, number)| Some((key, number?)));
    let switches = capture_secrets.then_some(("capture.secrets", true.into()));
    let overrides: Overrides = texts.chain(numbers).chain(switches).collect();
    match toml(config.as_deref()).and_then(|toml| config::parse(&toml, &overrides)) {
        Ok(config) => then(config),
        Err(errors) => wrong(&errors),
    }
}

fn serve(flags: Serve) -> ExitCode {
    let Serve { config, listen, component, compiled, instances, threads } = flags;
    let mut config = match toml(config.as_deref()).and_then(|toml| config::parse_alone(&toml)) {
        Ok(config) => config,
        Err(errors) => return wrong(&errors),
    };
    config.listen = listen.unwrap_or(config.listen);
    config.threads = threads.map_or(config.threads, usize::from);
    config.candidate = component.map_or(config.candidate, CandidateConfig::File);
    config.compiled = compiled.or(config.compiled);
    config.candidate_limits.instances = instances.unwrap_or(config.candidate_limits.instances);
    finished(run::serve(&config))
}

fn compile(component: Option<&Path>, out: &Path) -> anyhow::Result<()> {
    if out != "-" {
        return print(run::compile(component, out)?.iter().map(|file| format!("{}\n", file.display())).collect());
    }
    let component = component.context("there are several components in this binary; name one with --component")?;
    Ok(std::io::stdout().write_all(&run::code(component)?)?)
}

fn gate(port: &AdminPort, data: Option<&Path>, config: Option<&Path>, json: bool) -> ExitCode {
    let policy = toml(config).and_then(|toml| config::parse_gate(&toml));
    judged(policy, |policy| operator::gate(port, data, &policy, json))
}

/// Whether legacy may.
fn may_go(port: &AdminPort, data: Option<&Path>, config: Option<&Path>, json: bool) -> ExitCode {
    let plan = toml(config).and_then(|toml| config::parse_plan(&toml));
    judged(plan, |plan| operator::decommission(port, data, &plan, json))
}

fn judged<T>(by: Result<T, Vec<String>>, judge: impl FnOnce(T) -> anyhow::Result<(String, u8)>) -> ExitCode {
    let by = match by {
        Ok(by) => by,
        Err(errors) => {
            wrong(&errors);
            return ExitCode::from(USAGE);
        }
    };
    let judged = judge(by).and_then(|(text, code)| print(text).map(|()| code));
    judged.map_or_else(
        |error| {
            eprintln!("error: {error:#}");
            ExitCode::from(UNAVAILABLE)
        },
        ExitCode::from,
    )
}

/// Empty without a file.
fn toml(file: Option<&Path>) -> Result<String, Vec<String>> {
    let Some(file) = file else { return Ok(String::new()) };
    std::fs::read_to_string(file)
        .map_err(|error| vec![format!("--config {}: {error}; give the path of a TOML file", file.display())])
}

fn wrong(errors: &[String]) -> ExitCode {
    for error in errors {
        eprintln!("error: {error}");
    }
    let (number, s) = (errors.len(), if errors.len() == 1 { "" } else { "s" });
    eprintln!("{number} error{s} in the configuration; nothing was started");
    ExitCode::from(2)
}

/// A reader that has seen enough (`| head`) is no error.
fn print(text: String) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn finished(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl From<Port> for AdminPort {
    fn from(Port { admin, token_file }: Port) -> AdminPort {
        AdminPort { address: admin, token_file }
    }
}
