//! `load`: what a service does under load, asked with the cases of the contract.

mod cli;
mod plan;

mod random;
mod result;
mod statistics;

mod base64;
mod capture;
mod contract;
mod deck;
mod request;

mod check;
mod redact;
mod series;
mod tally;

mod engine;
mod interrupt;

mod environment;
mod gates;
mod measure;
mod side;
mod watch;

mod attack;
mod cold;
mod compare;
mod memory;
mod search;

mod measured;

mod cost;

mod chart;
mod claims;
mod report;

mod all;

mod file;
mod progress;
mod shown;
mod text;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Parser;
use serde::Serialize;

use crate::cli::{AttackArgs, Cli, ColdArgs, Command, CompareArgs, MemoryArgs, Output, SearchArgs};
use crate::compare::Comparison;
use crate::plan::Plan;
use crate::result::cold::Cold;
use crate::result::compare::Compare;
use crate::result::memory::Memory;
use crate::result::search::Search;
use crate::result::{Verdict, unix_ms};

/// The run was complete and every answer was right; answers were wrong or missing, or the run was ended early;
/// nothing was measured, or the measurement could not be written.
const RIGHT: u8 = 0;
const WRONG: u8 = 1;
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let code = match Cli::parse().command {
        Command::Attack(args) => attack(args),
        Command::Cost(args) => say(cost::run(&args, now_ms()).map(|text| (text, RIGHT))),
        Command::Report(args) => say(report::run(&args, now_ms()).map(|made| (made.text, u8::from(made.failed)))),
        Command::All(args) => say(all::run(&args, now_ms())),
        Command::Compare(args) => compare(&args),
        Command::Search(args) => search(&args),
        Command::Cold(args) => cold(&args),
        Command::Memory(args) => memory(&args),
    };
    ExitCode::from(code)
}

fn attack(args: AttackArgs) -> u8 {
    let plan = match Plan::from_args(args) {
        Ok(plan) => plan,
        Err(errors) => return refuse(&errors),
    };
    let found = match attack::run(&plan) {
        Ok(found) => found,
        Err(error) => return refuse(&[format!("{error:#}")]),
    };
    let right = attack::is_right(&found);
    told(&found, plan.out.as_deref(), &attack::table::render(&found), right)
}

fn compare(args: &CompareArgs) -> u8 {
    let found = Comparison::from_args(args).and_then(|comparison| measured(compare::run(&comparison, args)));
    let right = |found: &Compare| found.head.complete && found.verdict == Verdict::Valid;
    shown(found, &args.output, compare::table::render, right)
}

fn search(args: &SearchArgs) -> u8 {
    let found = search::Plan::from_args(args).and_then(|plan| measured(search::run(&plan, args)));
    let right = |found: &Search| found.sides.iter().all(|side| side.confirmed && side.verdict == Some(Verdict::Valid));
    shown(found, &args.output, search::table::render, right)
}

fn cold(args: &ColdArgs) -> u8 {
    let found = cold::Plan::from_args(args).and_then(|plan| measured(cold::run(&plan, args)));
    let right = |found: &Cold| found.head.complete && found.rungs.iter().all(|rung| rung.failed == 0);
    shown(found, &args.output, cold::table::render, right)
}

fn memory(args: &MemoryArgs) -> u8 {
    let found = memory::Plan::from_args(args).and_then(|plan| measured(memory::run(&plan, args)));
    let right = |found: &Memory| found.head.complete && found.sides.iter().all(|side| side.load.wrong == 0);
    shown(found, &args.output, memory::table::render, right)
}

fn measured<T>(found: anyhow::Result<T>) -> Result<T, Vec<String>> {
    found.map_err(|error| vec![format!("{error:#}")])
}

fn shown<T: Serialize>(
    found: Result<T, Vec<String>>,
    output: &Output,
    render: fn(&T) -> String,
    right: impl Fn(&T) -> bool,
) -> u8 {
    match found {
        Ok(found) => told(&found, output.out.as_deref(), &render(&found), right(&found)),
        Err(errors) => refuse(&errors),
    }
}

/// Writes what was found, for programs and for people.
fn told(found: &impl Serialize, out: Option<&Path>, text: &str, right: bool) -> u8 {
    let written = out.map_or(Ok(()), |out| file::write(found, out));
    // The figures are safe by now: whoever closed stdout does not want to read them.
    let _ = std::io::stdout().write_all(text.as_bytes());
    match written {
        Err(error) => refuse(&[format!("{error:#}")]),
        Ok(()) if right => RIGHT,
        Ok(()) => WRONG,
    }
}

fn say(done: Result<(String, u8), Vec<String>>) -> u8 {
    match done {
        Ok((text, code)) => {
            // Whoever closed stdout does not want to read it.
            let _ = std::io::stdout().write_all(text.as_bytes());
            code
        }
        Err(errors) => refuse(&errors),
    }
}

fn now_ms() -> u64 {
    unix_ms(SystemTime::now())
}

fn refuse(errors: &[String]) -> u8 {
    for error in errors {
        eprintln!("error: {error}");
    }
    UNUSABLE
}
