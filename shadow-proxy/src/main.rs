//! Mirrors live traffic to a legacy service and to its replacement, compares the answers, and shifts the traffic.
//!
//! The modules in the order of a request; ARCHITECTURE.md walks one through them.

mod cli;
mod clock;
mod config;
mod exchange;
mod keys;
mod metrics;
mod operator;
mod random;
mod replay;
mod run;
mod serve;
mod shadow;
mod shift;
mod show;
mod side;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
