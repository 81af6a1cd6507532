//! `load`: what a service does under load, asked with the cases of the contract.

mod cli;
mod plan;

mod random;
mod result;
mod statistics;

mod base64;
mod contract;
mod request;

mod deck;
mod pace;

mod attack;
mod check;
mod progress;

mod cost;
mod measured;

mod chart;
mod claims;
mod report;

mod file;
mod shown;

mod outcome;
mod redact;
mod table;
mod tally;

use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Parser;

use crate::cli::{AttackArgs, Cli, Command};
use crate::plan::Plan;

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
    };
    ExitCode::from(code)
}

fn attack(args: AttackArgs) -> u8 {
    let plan = match Plan::from_args(args) {
        Ok(plan) => plan,
        Err(errors) => return refuse(&errors),
    };
    if let Err(error) = plan.reach_target() {
        return refuse(&[error]);
    }
    let outcome = match attack::run(&plan) {
        Ok(outcome) => outcome,
        Err(error) => return refuse(&[format!("{error:#}")]),
    };
    let written = plan.out.as_deref().map_or(Ok(()), |file| outcome.write(file));
    // The figures are safe by now: whoever closed stdout does not want to read them.
    let _ = std::io::stdout().write_all(table::render(&outcome).as_bytes());
    if let Err(error) = written {
        return refuse(&[format!("{error:#}")]);
    }
    if outcome.is_right() { RIGHT } else { WRONG }
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

/// Unix time.
fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

fn refuse(errors: &[String]) -> u8 {
    for error in errors {
        eprintln!("error: {error}");
    }
    UNUSABLE
}
