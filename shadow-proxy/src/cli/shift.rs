//! The command line of a shift: commands that go into its journal, and questions about it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::config;
use crate::operator::shift::{self, By};

use super::{Port, finished, print, toml, wrong};

/// For the journal.
#[derive(Args)]
pub struct Order {
    #[command(flatten)]
    port: Port,
    /// Who says so, for the journal
    #[arg(long)]
    who: String,
    /// Why, for the journal
    #[arg(long)]
    why: String,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Why the weight changed: a decision with its numbers, judged again
    Explain {
        /// Its number; the last without one
        number: Option<u64>,
        #[command(flatten)]
        port: Port,
        /// Read the journal of a proxy that no longer runs, instead of asking one
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// As `GET /api/shift/N` has it
        #[arg(long)]
        json: bool,
    },
    /// When a plan would have advanced or rolled back on the traffic of the last days
    Backtest {
        /// The plan: a configuration with a table [shift]
        #[arg(long, value_name = "FILE")]
        plan: PathBuf,
        /// The data directory of a proxy, running or not
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

pub fn order(verb: &str, Order { port, who, why }: Order) -> anyhow::Result<String> {
    shift::order(&port.into(), verb, By { who: &who, why: &why })
}

pub fn weight(ppm: u32, Order { port, who, why }: Order) -> anyhow::Result<String> {
    shift::weight(&port.into(), ppm, By { who: &who, why: &why })
}

pub fn main(verb: Verb) -> ExitCode {
    let said = match verb {
        Verb::Explain { number, port, data, json } => shift::explain(&port.into(), data.as_deref(), number, json),
        Verb::Backtest { plan, data } => match toml(Some(&plan)).and_then(|toml| config::parse_plan(&toml)) {
            Ok(plan) => shift::backtest(plan, &data),
            Err(errors) => return wrong(&errors),
        },
    };
    finished(said.and_then(print))
}
