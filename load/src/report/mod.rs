//! `load report`: everything that was measured, for a manager and for an engineer.

mod args;

pub(crate) mod contents;
mod evidence;
mod histograms;
mod ratios;
mod sentences;

mod assemble;

mod baseline;
mod fail_on;

mod export;

#[cfg(test)]
pub(crate) mod sample;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use sha2::{Digest as _, Sha256};

pub(crate) use args::ReportArgs;
pub(crate) use fail_on::FailOn;

use crate::claims::Claims;
use crate::cost::{self, Cost};
use crate::file;
use crate::measured::{Measured, file_name, read_json};
use assemble::Beside;
use contents::{Decision, Source};

/// What is printed, and whether `--fail-on` was proven.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) text: String,
    pub(crate) failed: bool,
}

/// # Errors
/// All that is wrong or missing, each with what to do.
pub(crate) fn run(args: &ReportArgs, now_ms: u64) -> Result<Made, Vec<String>> {
    let measured = Measured::read(&args.folder)?;
    let beside = Beside {
        cost: cost(args, &measured, now_ms)?,
        decision: decision(args).map_err(one)?,
        sources: sources(&args.folder).map_err(one)?,
    };
    let mut report = assemble::report(&measured, beside, &Claims::shipped(), now_ms);
    if let Some(before) = &args.baseline {
        report.baseline = Some(baseline::compare(&baseline::read(before).map_err(one)?, &report));
    }
    let mut text = String::new();
    for exporter in export::all() {
        let file = args.out.with_extension(exporter.extension());
        file::write_bytes(exporter.export(&report).as_bytes(), &file).map_err(|error| vec![format!("{error:#}")])?;
        text += &format!("{}\n", file.display());
    }
    for reason in &report.standing.reasons {
        text += &format!("not to be quoted: {reason}\n");
    }
    for sentence in &report.sentences {
        text += &format!("{sentence}\n");
    }
    let mut wrong = Vec::new();
    let proven = args.fail_on.iter().filter_map(|fail_on| {
        fail_on.proven(&report).unwrap_or_else(|error| {
            wrong.push(error);
            None
        })
    });
    let proven: Vec<String> = proven.collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    for why in &proven {
        text += &format!("failed: {why}\n");
    }
    Ok(Made { text, failed: !proven.is_empty() })
}

fn one(error: String) -> Vec<String> {
    vec![error]
}

/// As it was computed before, or else from what was measured; none where that is too little.
fn cost(args: &ReportArgs, measured: &Measured, now_ms: u64) -> Result<Option<Cost>, Vec<String>> {
    let file = args.folder.join(file_name(cost::estimate::SCHEMA));
    if let Some(cost) = read_json(&file, cost::estimate::SCHEMA, cost::estimate::VERSION).map_err(one)? {
        return Ok(Some(cost));
    }
    match cost::measured(measured) {
        Ok(found) => cost::estimate(found, &args.terms, now_ms).map(Some),
        // The page says that it was not computed, and how to.
        Err(_) => Ok(None),
    }
}

fn decision(args: &ReportArgs) -> Result<Option<Decision>, String> {
    let there = |named: &Option<_>, name: &str| {
        named.clone().or_else(|| Some(args.folder.join(name)).filter(|file| file.exists()))
    };
    let Some(gate) = there(&args.gate, "gate.json") else { return Ok(None) };
    let gate = evidence::read(&gate, "--gate", "shadow-proxy gate --json")?;
    let status = there(&args.status, "status.json");
    let status = status.map(|file| evidence::read(&file, "--status", "shadow-proxy status --json")).transpose()?;
    Ok(Some(evidence::decision(gate, status)))
}

/// What the report was made of, so that a figure can be followed to where it came from.
fn sources(folder: &Path) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for name in SOURCES {
        let file = folder.join(name);
        match fs::read(&file) {
            Ok(bytes) => sources.push(Source {
                file: name.to_owned(),
                bytes: bytes.len() as u64,
                sha256: Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot read {}: {error}; give this user the right to", file.display())),
        }
    }
    Ok(sources)
}

const SOURCES: [&str; 8] =
    ["attack.json", "compare.json", "search.json", "cold.json", "memory.json", "cost.json", "gate.json", "status.json"];

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::Parser;
    use serde::Serialize;
    use serde_json::Value;

    use super::contents::Report;
    use super::*;
    use crate::cli::{Cli, Command};

    /// `target/report/NAME/`, where one can look at what came out.
    fn folder(name: &str) -> PathBuf {
        let test = std::env::current_exe().expect("this program");
        let folder = test.ancestors().nth(3).expect("target/debug/deps/…").join("report").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("ours");
        }
        fs::create_dir_all(&folder).expect("created");
        folder
    }

    fn with_results(name: &str) -> PathBuf {
        let folder = folder(name);
        let write = |name: &str, value: &dyn erased::Json| fs::write(folder.join(name), value.json()).expect("written");
        let Measured { attack: _, compare, search, cold, memory } = sample::measured();
        write("compare.json", &compare);
        write("search.json", &search);
        write("cold.json", &cold);
        write("memory.json", &memory);
        write("gate.json", &Some(sample::gate()));
        folder
    }

    mod erased {
        pub(super) trait Json {
            fn json(&self) -> String;
        }

        impl<T: super::Serialize> Json for Option<T> {
            fn json(&self) -> String {
                serde_json::to_string(self).expect("JSON")
            }
        }
    }

    fn made(folder: &Path, options: &str) -> Result<Made, Vec<String>> {
        let line = format!("load report --in {0} --out {0}/report.html {options}", folder.display());
        let Command::Report(args) = Cli::parse_from(line.split_whitespace()).command else { panic!("report") };
        run(&args, sample::NOW_MS)
    }

    #[test]
    fn a_report_reads_back_as_it_was_written() {
        let report = sample::report();
        let json = serde_json::to_string(&report).expect("JSON");
        assert_eq!(serde_json::from_str::<Report>(&json).expect("a report"), report);
    }

    #[test]
    fn a_folder_becomes_a_page_markdown_and_data_that_can_be_a_baseline() {
        let folder = with_results("made-up");
        let first = made(&folder, "--allow-old-prices").expect("made");
        assert!(!first.failed && first.text.contains("Speed: 99 % of answers"), "{}", first.text);
        let json: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).expect("there")).expect("JSON");
        assert_eq!(json["sources"].as_array().map(Vec::len), Some(5));
        assert!(fs::read_to_string(folder.join("report.md")).expect("there").contains("| Response time, 99 % |"));
        assert!(fs::metadata(folder.join("report.html")).expect("there").len() < 1_000_000);

        let baseline = format!("--allow-old-prices --baseline {}/report.json", folder.display());
        let second = made(&folder, &format!("{baseline} --fail-on worse_than_baseline>0 --fail-on p99_ratio>1.10"))
            .expect("made");
        assert!(!second.failed, "{}", second.text);
        let failing = made(&folder, &format!("{baseline} --fail-on p99_ratio>0.01")).expect("made");
        assert!(failing.failed && failing.text.contains("failed: p99_ratio>0.01"), "{}", failing.text);
    }

    #[test]
    fn what_is_missing_or_damaged_is_told_at_once() {
        let folder = with_results("damaged");
        fs::write(folder.join("cold.json"), "{").expect("written");
        fs::write(folder.join("memory.json"), r#"{"schema":"load-cold","version":2}"#).expect("written");
        let errors = made(&folder, "").expect_err("damaged");
        assert_eq!(errors.len(), 2);
        assert!(
            errors[0].contains("cold.json is no JSON") && errors[1].contains("memory.json is not load-memory"),
            "{errors:?}"
        );
        assert!(made(Path::new("/no/such"), "").expect_err("nothing there")[0].contains("correct --in"));
    }

    #[test]
    fn evidence_in_the_folder_is_taken_in() {
        let folder = with_results("evidence");
        fs::write(folder.join("gate.json"), "{}").expect("written");
        assert!(made(&folder, "--allow-old-prices").expect_err("no gate")[0].contains("shadow-proxy gate --json"));
    }
}
