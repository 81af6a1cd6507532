//! `load all`: everything in order, into one folder. What is there in full is not measured again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde_json::Value;

use crate::cost::{self, CostArgs, Terms};
use crate::interrupt;
use crate::report::{self, FailOn, ReportArgs};

#[derive(Args, Clone, Debug)]
pub(crate) struct AllArgs {
    /// The folder for compare.json, search.json, cold.json, memory.json, cost.json and report.html, .md and .json
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Measure again what is in the folder
    #[arg(long)]
    pub(crate) again: bool,

    /// Much less of everything, to see that it works; the report says so
    #[arg(long)]
    pub(crate) quick: bool,

    /// The service being replaced, as `load compare` has it
    #[arg(long, value_name = "SIDE", default_value = "node")]
    pub(crate) legacy: String,

    /// What replaces it
    #[arg(long, value_name = "SIDE", default_value = "serve")]
    pub(crate) candidate: String,

    /// Others beside them; `none` for none
    #[arg(long, value_name = "SIDE,SIDE", value_delimiter = ',', default_value = "native,fastapi")]
    pub(crate) beside: Vec<String>,

    /// The folder with the cases of your service [default: those of this checkout]
    #[arg(long, value_name = "DIR")]
    pub(crate) contract: Option<PathBuf>,

    /// Send this case instead of good, bad, expired and missing keys; may be repeated
    #[arg(long = "case", value_name = "NAME")]
    pub(crate) cases: Vec<String>,

    /// The CPUs of the service under load [default: the last one]
    #[arg(long, value_name = "CPUS")]
    pub(crate) side_cpus: Option<String>,

    /// An image of legacy, for the rung of its container
    #[arg(long, value_name = "NAME")]
    pub(crate) legacy_image: Option<String>,

    /// An image of the candidate, for the rung of its container
    #[arg(long, value_name = "NAME")]
    pub(crate) candidate_image: Option<String>,

    /// What `shadow-proxy gate --json` says; else gate.json in the folder, if it is there
    #[arg(long, value_name = "FILE.json")]
    pub(crate) gate: Option<PathBuf>,

    /// An earlier report's JSON, to say what became better or worse
    #[arg(long, value_name = "FILE.json")]
    pub(crate) baseline: Option<PathBuf>,

    /// As `load report` has it
    #[arg(long, value_name = "FIGURE>LIMIT")]
    pub(crate) fail_on: Vec<FailOn>,

    #[command(flatten, next_help_heading = "Costs")]
    pub(crate) terms: Terms,
}

/// What is printed at the end, and the exit code.
///
/// # Errors
/// Something could not be measured at all; what was is in the folder, and the next time it goes on from there.
pub(crate) fn run(args: &AllArgs, now_ms: u64) -> Result<(String, u8), Vec<String>> {
    interrupt::listen().map_err(one)?;
    let out = &args.out;
    fs::create_dir_all(out)
        .map_err(|error| one(format!("cannot create {}: {error}; choose another --out", out.display())))?;
    for step in STEPS {
        let file = out.join(format!("{step}.json"));
        if !args.again && is_there(&file, args.quick) {
            println!("{step}: {} is there", file.display());
            continue;
        }
        println!("{step}:");
        measure(args, step, &file)?;
        if interrupt::requested() {
            return Err(one(format!("ended in `{step}`; the same command goes on from there")));
        }
    }
    let cost = CostArgs {
        folder: Some(out.clone()),
        figures: None,
        terms: args.terms.clone(),
        out: Some(out.join("cost.json")),
    };
    println!("cost:\n{}", cost::run(&cost, now_ms)?);
    let report = report::run(&report_args(args), now_ms)?;
    Ok((format!("report:\n{}", report.text), u8::from(report.failed)))
}

fn one(error: String) -> Vec<String> {
    vec![error]
}

/// In this order: the steadiest first.
const STEPS: [&str; 4] = ["compare", "search", "cold", "memory"];

/// Complete, and as long as it is asked for now. Of what the command cannot read the report will say so.
fn is_there(file: &Path, quick: bool) -> bool {
    let read = fs::read(file).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    read.is_some_and(|found| found["complete"] == true && (quick || found["short"] == false))
}

/// A process of its own, as if typed: it starts, pins and ends its sides as alone. It hears of Ctrl-C itself.
fn measure(args: &AllArgs, step: &str, file: &Path) -> Result<(), Vec<String>> {
    let load = std::env::current_exe()
        .map_err(|error| one(format!("cannot find this program: {error}; start it by its path")))?;
    let status = Command::new(load).args(line(args, step)).arg("--out").arg(file).status();
    let status = status.map_err(|error| one(format!("cannot start `load {step}`: {error}; try it by itself")))?;
    // 1: measured, but not all of it counts, as the report says.
    match status.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(one(format!("`load {step}` could not measure; do as it says above, and start this again"))),
    }
}

fn line(args: &AllArgs, step: &str) -> Vec<String> {
    let mut line = vec![step.to_owned()];
    let mut add = |option: &str, value: &str| line.extend([option.to_owned(), value.to_owned()]);
    add("--legacy", &args.legacy);
    add("--candidate", &args.candidate);
    // A search takes minutes for each side, and it is the two that are asked about.
    for beside in args.beside.iter().filter(|beside| step != "search" && *beside != "none") {
        add("--beside", beside);
    }
    args.cases.iter().for_each(|case| add("--case", case));
    if let Some(contract) = &args.contract {
        add("--contract", &contract.to_string_lossy());
    }
    if let Some(cpus) = &args.side_cpus {
        add("--side-cpus", cpus);
    }
    if step == "cold" {
        args.legacy_image.iter().for_each(|image| add("--legacy-image", image));
        args.candidate_image.iter().for_each(|image| add("--candidate-image", image));
    }
    if args.quick {
        line.push("--quick".to_owned());
        if step == "search" {
            line.extend(["--time", "2s", "--confirm-time", "2s"].map(str::to_owned));
        }
    }
    line
}

fn report_args(args: &AllArgs) -> ReportArgs {
    ReportArgs {
        folder: args.out.clone(),
        out: args.out.join("report.html"),
        gate: args.gate.clone(),
        status: None,
        baseline: args.baseline.clone(),
        fail_on: args.fail_on.clone(),
        terms: args.terms.clone(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(line: &str) -> AllArgs {
        let Command::All(args) = Cli::parse_from(line.split_whitespace()).command else { panic!("all") };
        args
    }

    #[test]
    fn each_step_is_a_line_that_its_command_understands() {
        let args = args("load all --out there --quick --side-cpus 1 --legacy-image a --candidate-image b");
        for step in STEPS {
            let line = line(&args, step);
            let parsed = Cli::try_parse_from(["load".to_owned()].into_iter().chain(line.clone()));
            assert!(parsed.is_ok(), "{line:?}: {}", parsed.expect_err("refused"));
            assert_eq!(line.contains(&"--beside".to_owned()), step != "search");
            assert_eq!(line.contains(&"--legacy-image".to_owned()), step == "cold");
        }
    }

    #[test]
    fn nothing_stands_beside_when_none_is_asked_for() {
        assert!(!line(&args("load all --out there --beside none"), "compare").contains(&"--beside".to_owned()));
    }

    #[test]
    fn only_what_is_complete_and_long_enough_is_not_measured_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("compare.json");
        for (text, quick, there) in [
            (r#"{"complete":true,"short":false}"#, false, true),
            (r#"{"complete":true,"short":true}"#, true, true),
            (r#"{"complete":true,"short":true}"#, false, false),
            (r#"{"complete":false,"short":false}"#, false, false),
            ("{", true, false),
        ] {
            fs::write(&file, text).expect("written");
            assert_eq!(is_there(&file, quick), there, "{text}");
        }
        assert!(!is_there(&folder.path().join("none.json"), true));
    }
}
