//! `diffs`: flags and dispatch.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::operator::AdminPort;
use crate::operator::diffs::{self, Source, View};
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
    let Diffs { from: From { admin, token_file, data }, list, verb } = diffs;
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
        Verb::Export { format, out } => diffs::export(&source, format, out.as_deref()),
        Verb::Merge { files, out } => diffs::merged(&files, &out),
    }
}
