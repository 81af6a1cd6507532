//! The lanes of `cargo ci`: what each does, what it needs, and the table at the end.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueEnum};

use crate::child;
use crate::table::Table;
use crate::workspace::Workspace;
use crate::{bench, book, budget, component, demo, fuzz, guide, image, progress, report, setup, templates, tidy};

#[derive(Args)]
pub(crate) struct Wanted {
    /// The lanes to pass; without any: all but the manual ones
    #[arg(value_name = "LANE")]
    lanes: Vec<Lane>,
    /// How long lane `fuzz` runs each of its targets
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Lane `judge` with more streams, which takes a quarter of an hour
    #[arg(long)]
    full: bool,
    /// Install missing packages of the system with apt-get, as root; CI=true does it too
    #[arg(long)]
    pub(crate) install: bool,
}

/// In the order they are passed: what is quick to tell comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Lane {
    /// Brings what is missing: the wasm std, the packages of npm and Python, the container tools
    Setup,
    /// Checks that every Rust file is formatted
    Fmt,
    /// Checks layering, homes of crates, lengths, names, marks and links
    Tidy,
    /// Builds the component and checks its imports and its size
    Component,
    /// Compiles every crate with its tests, and lints it while doing so: warnings are errors
    Clippy,
    /// Runs the tests of every crate and of the legacy stub
    Test,
    /// Checks that the commands and the configurations of the guide and README work
    Guide,
    /// Builds the guide as a book and follows every link in it
    Book,
    /// Checks pipelines, manifests, the unit and alert rules, as what reads them would
    Templates,
    /// Builds the image of shadow-proxy and runs it: not as root, read-only, on what it compiled when it was built
    Image,
    /// Runs the demo with 1,500 requests and checks its summary
    Demo,
    /// Watches a migration on the page in a real Chromium, and takes pictures into target/page
    Page,
    /// Measures a little of everything and checks that costs and a report come of it
    Report,
    /// Finds out how often shadow-proxy sees a change and how often it cries wolf, beside Diffy's rule
    Judge,
    /// Moves made-up traffic by the real shift and by the rules of Flagger, Argo and Kayenta, and counts whom it harms
    ShiftSim,
    /// Feeds the component's core with made-up input, looking for one that breaks it
    Fuzz,
    /// Judges more streams, fuzzes for minutes, compares a million exchanges (manual and nightly: it takes an hour)
    Slow,
    /// Measures whether the time of a refusal tells a secret (manual: it wants a quiet machine)
    Timing,
    /// Compares every answer of the component in `wasmtime serve` with ours (manual: it wants wasmtime)
    Hosts,
}

struct Pass {
    lane: Lane,
    result: Outcome,
    took: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    Failed,
    /// A lane it needs failed.
    Skipped,
}

/// Passes the lanes, each also when an earlier one failed, unless it needs that one.
pub(crate) fn run(workspace: &Workspace, wanted: &Wanted) -> Result<ExitCode> {
    let mut passes: Vec<Pass> = Vec::new();
    for lane in with_needed(&wanted.lanes) {
        passes.push(pass(lane, workspace, wanted, &passes));
    }
    println!();
    print!("{}", ending(&passes));
    Ok(if failed(&passes).is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Lane {
    pub(crate) fn name(self) -> String {
        self.possible_value().get_name().to_owned()
    }

    fn sentence(self) -> String {
        self.possible_value().get_help().expect("every lane has a doc comment").to_string()
    }

    fn possible_value(self) -> clap::builder::PossibleValue {
        self.to_possible_value().expect("no lane is hidden")
    }

    /// shadow-proxy embeds the component, so whatever compiles it comes after the component.
    fn needs(self) -> &'static [Lane] {
        match self {
            Lane::Setup | Lane::Fmt | Lane::Tidy | Lane::Component | Lane::Fuzz | Lane::Timing => &[],
            Lane::Book | Lane::Templates => &[Lane::Setup],
            Lane::Clippy
            | Lane::Test
            | Lane::Guide
            | Lane::Image
            | Lane::Demo
            | Lane::Page
            | Lane::Report
            | Lane::Judge
            | Lane::ShiftSim
            | Lane::Slow
            | Lane::Hosts => &[Lane::Setup, Lane::Component],
        }
    }

    /// Only passed when it is named.
    pub(crate) fn is_manual(self) -> bool {
        matches!(self, Lane::Slow | Lane::Timing | Lane::Hosts)
    }

    fn run(self, workspace: &Workspace, wanted: &Wanted) -> Result<()> {
        match self {
            Lane::Setup => setup::run(workspace),
            Lane::Fmt => fmt(workspace),
            Lane::Tidy => tidy::run(workspace),
            Lane::Component => component::build(workspace),
            Lane::Clippy => clippy(workspace),
            Lane::Test => test(workspace),
            Lane::Guide => guide::run(workspace),
            Lane::Book => book::run(workspace),
            Lane::Templates => templates::run(workspace),
            Lane::Image => image::run(workspace),
            Lane::Demo => demo::lane(workspace),
            Lane::Page => page(workspace),
            Lane::Report => report::run(workspace),
            Lane::Judge => judge(workspace, wanted.full),
            Lane::ShiftSim => ignored(workspace, "shift::simulation::shift_sim"),
            Lane::Fuzz => fuzz::run(workspace, wanted.seconds),
            Lane::Slow => slow(workspace, wanted.seconds),
            Lane::Timing => timing(workspace),
            Lane::Hosts => hosts(workspace),
        }
    }
}

fn fmt(workspace: &Workspace) -> Result<()> {
    let root = format!("{}/", workspace.root.display());
    let check = |folder| {
        let mut fmt = Command::new("cargo");
        fmt.args(["fmt", "--all", "--check", "--", "--files-with-diff"]).current_dir(folder);
        child::quiet(&mut fmt).map_err(|error| {
            let listed = error.to_string().replace(&root, "");
            anyhow!("{listed}\nthese files are not formatted; run `cargo fmt --all` in their workspace")
        })
    };
    check(workspace.root.clone())?;
    check(fuzz::sources(workspace))
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let mut build = workspace.development_cargo("test");
    progress::without_warnings("programs and tests", build.args(["--workspace", "--all-targets", "--no-run"]))
}

fn test(workspace: &Workspace) -> Result<()> {
    setup::bring_proxies()?;
    progress::cargo("the tests", workspace.development_cargo("test").args(["--workspace", "--no-run"]))?;
    child::live(workspace.development_cargo("test").args(["--workspace", "--quiet"]))?;
    let mut npm = Command::new("npm");
    npm.args(["test", "--silent"]).env("NODE_OPTIONS", "--test-reporter=spec").current_dir(workspace.legacy_stub());
    let printed = child::output(&mut npm)?;
    println!("  legacy-stub: {} tests passed", node_passed(&printed).unwrap_or("all"));
    let mut pytest = workspace.python();
    pytest.args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"]).current_dir(workspace.fastapi());
    let printed = child::output(pytest.env("PYTHONDONTWRITEBYTECODE", "1"))?;
    println!("  legacy-stub/fastapi: {}", printed.lines().last().unwrap_or("all passed"));
    Ok(())
}

fn page(workspace: &Workspace) -> Result<()> {
    let chromium = setup::bring_browser()?;
    workspace.build()?;
    let mut npm = Command::new("npm");
    npm.args(["test", "--silent"]).env("NODE_OPTIONS", "--test-reporter=spec").current_dir(workspace.page_tests());
    npm.env("SHADOW_PROXY", workspace.binary("shadow-proxy")).env("CARGO_TARGET_DIR", &workspace.target);
    let printed = child::output(npm.env("CHROMIUM", chromium))?;
    let pictures = workspace.shown(&workspace.target.join("page"));
    println!("  {} tests passed; pictures in {pictures}", node_passed(&printed).unwrap_or("all"));
    Ok(())
}

fn judge(workspace: &Workspace, is_full: bool) -> Result<()> {
    ignored(workspace, if is_full { "shadow::judging::judge_full" } else { "shadow::judging::judge" })
}

/// Seconds for each fuzz target in lane `slow`.
const SLOW_FUZZ_SECONDS: u64 = 300;

fn slow(workspace: &Workspace, fuzz_seconds: u64) -> Result<()> {
    judge(workspace, true)?;
    fuzz::run(workspace, fuzz_seconds.max(SLOW_FUZZ_SECONDS))?;
    bench::soak(workspace)
}

/// Ignored by plain `cargo test`, because it takes its time.
fn ignored(workspace: &Workspace, name: &str) -> Result<()> {
    let mut test = workspace.development_cargo("test");
    progress::cargo("its test", test.args(["--workspace", "--bin", "shadow-proxy", "--no-run"]))?;
    let mut test = workspace.development_cargo("test");
    test.args(["--workspace", "--quiet", "--bin", "shadow-proxy", "--"]);
    child::live(test.args(["--ignored", "--nocapture", "--exact", name]))
}

/// Ignored by plain `cargo test`, because it depends on the clock of the wall.
fn timing(workspace: &Workspace) -> Result<()> {
    let mut test = workspace.development_cargo("test");
    test.args(["--workspace", "--test", "jose", "--", "timing", "--ignored", "--nocapture", "--test-threads=1"]);
    child::live(&mut test)
}

fn hosts(workspace: &Workspace) -> Result<()> {
    if child::on_path("wasmtime").is_none() {
        bail!(
            "no `wasmtime` on PATH; run `cargo install wasmtime-cli --version 48.0.8 --locked`, which takes ten minutes"
        );
    }
    let mut test = workspace.development_cargo("test");
    child::live(test.args(["--workspace", "--test", "integration", "--", "hosts", "--ignored"]))
}

/// The figure in the line `ℹ pass 274` of what node's test runner prints.
fn node_passed(printed: &str) -> Option<&str> {
    let pass = |line: &'_ str| line.split_whitespace().nth(1) == Some("pass");
    printed.lines().rev().find(|line| pass(line))?.split_whitespace().nth(2)
}

/// The lanes wanted and those they need, in the order of passing.
fn with_needed(wanted: &[Lane]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = match wanted {
        [] => Lane::value_variants().iter().copied().filter(|lane| !lane.is_manual()).collect(),
        _ => wanted.iter().flat_map(|lane| lane.needs().iter().chain([lane])).copied().collect(),
    };
    lanes.sort();
    lanes.dedup();
    lanes
}

fn pass(lane: Lane, workspace: &Workspace, wanted: &Wanted, earlier: &[Pass]) -> Pass {
    let not_ok = |needed: &&Lane| earlier.iter().any(|pass| pass.lane == **needed && pass.result != Outcome::Ok);
    if let Some(missing) = lane.needs().iter().find(not_ok) {
        println!("{:<10} skipped: it needs lane {}", lane.name(), missing.name());
        return Pass { lane, result: Outcome::Skipped, took: Duration::ZERO };
    }
    println!("{:<10} {}", lane.name(), lane.sentence());
    let start = Instant::now();
    let done = lane.run(workspace, wanted);
    let took = start.elapsed();
    let (result, word) = match &done {
        Ok(()) => (Outcome::Ok, "ok"),
        Err(error) => {
            eprintln!("{error:#}");
            (Outcome::Failed, "FAILED")
        }
    };
    let budget = budget::of(lane).map_or(String::new(), |budget| format!(" (budget {} s)", budget.as_secs()));
    println!("{:<10} {word} in {:.1} s{budget}", lane.name(), took.as_secs_f64());
    Pass { lane, result, took }
}

fn ending(passes: &[Pass]) -> String {
    let row = |pass: &Pass| {
        let (result, seconds) = match pass.result {
            Outcome::Ok => ("ok", format!("{:.1}", pass.took.as_secs_f64())),
            Outcome::Failed => ("FAILED", format!("{:.1}", pass.took.as_secs_f64())),
            Outcome::Skipped => ("skipped", "-".to_owned()),
        };
        let budget = budget::of(pass.lane);
        let listed = budget.map_or("none".to_owned(), |budget| budget.as_secs().to_string());
        let over = if budget.is_some_and(|budget| pass.took > budget) { "over" } else { "" };
        vec![pass.lane.name(), result.to_owned(), seconds, listed, over.to_owned()]
    };
    let rows = passes.iter().map(row).collect();
    let table = Table { title: String::new(), header: vec!["lane", "result", "seconds", "budget", ""], rows };
    let seconds = passes.iter().map(|pass| pass.took).sum::<Duration>().as_secs_f64();
    let failed = failed(passes);
    let last = match failed.as_slice() {
        [] if passes.len() == 1 => format!("ok 1 lane {seconds:.0} s"),
        [] => format!("ok {} lanes {seconds:.0} s", passes.len()),
        [one] => format!("FAILED lane {one}"),
        several => format!("FAILED lanes {}", several.join(" ")),
    };
    format!("{}\ncargo ci: {last}\n", table.text())
}

fn failed(passes: &[Pass]) -> Vec<String> {
    passes.iter().filter(|pass| pass.result == Outcome::Failed).map(|pass| pass.lane.name()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(lane: Lane, result: Outcome, millis: u64) -> Pass {
        Pass { lane, result, took: Duration::from_millis(millis) }
    }

    #[test]
    fn a_lane_brings_the_lanes_it_needs_once_and_in_order() {
        assert_eq!(
            with_needed(&[Lane::Test, Lane::Fmt, Lane::Demo]),
            [Lane::Setup, Lane::Fmt, Lane::Component, Lane::Test, Lane::Demo]
        );
        assert_eq!(with_needed(&[Lane::Tidy]), [Lane::Tidy]);
        assert_eq!(with_needed(&[]).len(), 16);
        assert_eq!(with_needed(&[Lane::Timing]), [Lane::Timing]);
    }

    #[test]
    fn a_needed_lane_comes_earlier_and_its_own_needs_are_listed_too() {
        for lane in Lane::value_variants() {
            for needed in lane.needs() {
                assert!(needed < lane);
                assert!(needed.needs().iter().all(|further| lane.needs().contains(further)));
            }
        }
    }

    #[test]
    fn the_number_of_passed_node_tests_is_read() {
        assert_eq!(node_passed("✔ they pass (1.2ms)\nℹ tests 275\nℹ pass 274\nℹ fail 1\n"), Some("274"));
        assert_eq!(node_passed(""), None);
    }

    #[test]
    fn the_last_line_of_a_good_run_counts_lanes_and_seconds() {
        let passes = [passed(Lane::Setup, Outcome::Ok, 400), passed(Lane::Test, Outcome::Ok, 411_700)];
        insta::assert_snapshot!(ending(&passes), @r"
          lane   result  seconds  budget
          setup      ok      0.4      60
          test       ok    411.7     480

        cargo ci: ok 2 lanes 412 s
        ");
    }

    #[test]
    fn the_last_line_of_a_bad_run_names_what_failed() {
        let passes = [passed(Lane::Component, Outcome::Failed, 1200), passed(Lane::Test, Outcome::Skipped, 0)];
        insta::assert_snapshot!(ending(&passes), @r"
          lane        result  seconds  budget
          component   FAILED      1.2     150
          test       skipped        -     480

        cargo ci: FAILED lane component
        ");
    }
}
