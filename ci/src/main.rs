//! The project's own tasks: `cargo ci` passes the lanes, `cargo demo` shows what the project does, `cargo load` tests a
//! service.

mod admin;
mod bench;
mod book;
mod budget;
mod child;
mod component;
mod demo;
mod fuzz;
mod guide;
mod image;
mod interrupt;
mod lanes;
mod libraries;
mod load;
mod progress;
mod report;
mod service;
mod setup;
mod table;
mod templates;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use lanes::Wanted;
use workspace::Workspace;

/// Sets up what is missing and passes the lanes, all but the manual ones in order or those named (with the lanes they
/// need).
#[derive(Parser)]
#[command(name = "cargo ci", bin_name = "cargo ci", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    wanted: Wanted,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    #[command(hide = true, name = "run-demo", override_usage = "cargo demo [OPTIONS]")]
    Demo(demo::Options),
    #[command(hide = true, disable_help_flag = true)]
    Load {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures against wasmtime serve, nginx and the legacy service; not a lane
    Bench(bench::Options),
}

impl Cli {
    /// Whether missing packages of the system are wanted.
    fn installs(&self) -> bool {
        match &self.task {
            None => self.wanted.install,
            Some(Task::Demo(options)) => options.install,
            Some(Task::Bench(options)) => options.install,
            Some(Task::Load { .. }) => false,
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    if is_ci || cli.installs() {
        setup::allow_installing();
    }
    let done = Workspace::find().and_then(|workspace| match cli.task {
        None => lanes::run(&workspace.linted(), &cli.wanted),
        Some(Task::Demo(options)) => demo::run(&workspace, &options),
        Some(Task::Load { arguments }) => load::run(&workspace, &arguments),
        Some(Task::Bench(options)) => bench::run(&workspace, &options),
    });
    done.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}
