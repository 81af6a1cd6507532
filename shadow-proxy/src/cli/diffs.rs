//! `diffs`: flags and dispatch.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::config;
use crate::operator::AdminPort;
use crate::operator::diffs::{self, Source, View};
use crate::shadow::acceptance::Acceptance;
use crate::shadow::rules::Rules;
use crate::show::export::Format;

#[derive(Args)]
pub struct Diffs {
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    list: List,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// A running proxy, or what one left.
#[derive(Args)]
struct From {
    /// The admin port of a running proxy
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9090", global = true)]
    admin: String,
    /// A file with the admin token, where the proxy asks for one
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// Read the store of a proxy that no longer runs, instead of asking one
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Whose rules stand beside the accepted ones, with --data; a running proxy goes by its own
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Args)]
struct List {
    /// Show those too that a rule explains, or legacy's own noise
    #[arg(long)]
    all: bool,
    /// As `GET /api/diffs` has it
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// List the findings, worst first: what `diffs` does by itself
    List(List),
    /// Show one finding with the exchanges that prove it, secrets replaced by stand-ins
    Show {
        id: i64,
        /// As `GET /api/diffs/ID` has it
        #[arg(long)]
        json: bool,
    },
    /// Print a command line that repeats a call which showed a finding
    Curl { id: i64 },
    /// Make a rule of a finding, the narrowest that explains it; it is in force at once
    Accept {
        id: i64,
        /// Who says that it does not matter
        #[arg(long)]
        who: String,
        /// Why it does not
        #[arg(long)]
        why: String,
        /// The day from which it matters again [default: in 90 days]
        #[arg(long, value_name = "DATE")]
        expires: Option<String>,
        /// Also where a member is gone, new, of another type or repeated, which breaks clients
        #[arg(long)]
        structure_is_meant: bool,
    },
    /// Show what each rule has hidden, and what there is to say against it
    Rules {
        /// As `GET /api/rules` has it
        #[arg(long)]
        json: bool,
    },
    /// Write all findings for another program
    Export {
        #[arg(long, value_enum)]
        format: Format,
        /// Where to; without it, to stdout
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Add up the stores of several proxies that compared the same candidate
    Merge {
        /// Each a store (shadow.db), or the directory of one
        #[arg(required = true, num_args = 1..)]
        files: Vec<PathBuf>,
        /// The directory for the sum; made when it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

pub fn main(diffs: Diffs) -> anyhow::Result<String> {
    let Diffs { from: From { admin, token_file, data, config }, list, verb } = diffs;
    let source = match data {
        Some(data) => Source::Directory(data),
        None => Source::Running(AdminPort { address: admin, token_file }),
    };
    match verb.unwrap_or(Verb::List(list)) {
        Verb::List(List { json: true, .. }) => diffs::list(&source, View::Json),
        Verb::List(List { all: true, .. }) => diffs::list(&source, View::All),
        Verb::List(_) => diffs::list(&source, View::Findings),
        Verb::Show { id, json } => diffs::show(&source, id, if json { View::Json } else { View::All }),
        Verb::Curl { id } => diffs::curl(&source, id),
        Verb::Accept { id, who, why, expires, structure_is_meant } => {
            let acceptance = Acceptance { who, why, expires, structure_is_meant };
            diffs::accept(&source, id, &acceptance, &written(config.as_deref())?)
        }
        Verb::Rules { json } => diffs::rules(&source, written(config.as_deref())?, json),
        Verb::Export { format, out } => diffs::export(&source, format, out.as_deref()),
        Verb::Merge { files, out } => diffs::merged(&files, &out),
    }
}

/// The rules of a configuration.
fn written(config: Option<&Path>) -> anyhow::Result<Rules> {
    let config = super::toml(config).and_then(|toml| config::parse_alone(&toml));
    Ok(config.map_err(|errors| anyhow::anyhow!("{}", errors.join("\n")))?.comparer.rules)
}
