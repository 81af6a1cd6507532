//! Lane `fuzz`: the fuzz targets of auth-component, as many at a time as there are cores.
//!
//! What a target has found out about its code stays in target/fuzz/corpus and is where the next run begins. An input that
//! broke a target stays in target/fuzz/crashes, and every later run begins with it.

mod seeds;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::workspace::Workspace;
use crate::{child, progress, setup};

struct Target {
    name: &'static str,
    /// Longer than the longest input that is not refused for its length.
    bytes_max: usize,
}

/// Each has its file in auth-component/fuzz/fuzz_targets and its `[[bin]]` in the Cargo.toml there.
const TARGETS: [Target; 6] = [
    Target { name: "request", bytes_max: 20_000 },
    Target { name: "token", bytes_max: 12_000 },
    Target { name: "json", bytes_max: 8_192 },
    Target { name: "key_set", bytes_max: 8_192 },
    Target { name: "record", bytes_max: 20_000 },
    Target { name: "key_file", bytes_max: 20_000 },
];

/// No input may take longer, or the target more.
const INPUT_SECONDS_MAX: u64 = 1;
const MEMORY_MB_MAX: u64 = 512;

/// Where things are: `sources` in the repository, the rest below target/fuzz.
struct Bed<'a> {
    workspace: &'a Workspace,
    sources: PathBuf,
    folder: PathBuf,
    programs: PathBuf,
    seconds: u64,
}

/// Runs each target for `seconds`; fails when one was broken.
pub(crate) fn run(workspace: &Workspace, seconds: u64) -> Result<()> {
    setup::bring_cxx_compiler()?;
    let host = child::output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let folder = workspace.target.join("fuzz");
    let programs = folder.join(host.trim()).join("release");
    let bed = Bed { workspace, sources: sources(workspace), folder, programs, seconds };
    bed.build()?;
    seeds::write(&workspace.legacy_stub().join("contract"), &bed.folder.join("seeds"))?;
    let broken = run_all(&bed)?;
    match broken.len() {
        0 => Ok(()),
        several => bail!("{}\n{several} of {} fuzz targets broke", broken.join("\n"), TARGETS.len()),
    }
}

/// A workspace of its own.
pub(crate) fn sources(workspace: &Workspace) -> PathBuf {
    workspace.root.join("auth-component/fuzz")
}

/// What broke, as text.
fn run_all(bed: &Bed) -> Result<Vec<String>> {
    let waiting = Mutex::new(TARGETS.iter().collect::<VecDeque<_>>());
    let next = || waiting.lock().expect("nobody panics while holding it").pop_front();
    let work = || {
        let mut broken = Vec::new();
        while let Some(target) = next() {
            broken.extend(bed.run(target)?);
        }
        Ok(broken)
    };
    let at_once = thread::available_parallelism().map_or(1, usize::from).min(TARGETS.len());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| worker.join().expect("a worker hands over its errors"));
        Ok(done.collect::<Result<Vec<Vec<String>>>>()?.concat())
    })
}

impl Bed<'_> {
    fn build(&self) -> Result<()> {
        let mut build = self.workspace.cargo("build");
        // Its own configuration has the instrumentation; flags from outside would take its place.
        build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
        build.args(["--release", "--locked", "--target-dir"]).arg(&self.folder);
        progress::cargo("the fuzz targets", build.current_dir(&self.sources))
    }

    /// What broke the target, if anything did.
    fn run(&self, target: &Target) -> Result<Option<String>> {
        let (corpus, crashes) = (self.own(target, "corpus")?, self.own(target, "crashes")?);
        let log = self.folder.join(format!("{}.log", target.name));
        let mut fuzz = Command::new(self.programs.join(target.name));
        fuzz.arg(format!("-max_total_time={}", self.seconds))
            .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
            .arg(format!("-rss_limit_mb={MEMORY_MB_MAX}"))
            .arg(format!("-max_len={}", target.bytes_max))
            .arg(format!("-dict={}", self.sources.join("dictionary.txt").display()))
            .arg(format!("-artifact_prefix={}/", crashes.display()))
            .arg("-print_final_stats=1")
            // The first is read and written, the others are only read.
            .args([corpus, crashes, self.own(target, "seeds")?]);
        let committed = self.sources.join("seeds").join(target.name);
        if committed.is_dir() {
            fuzz.arg(committed);
        }
        let file = File::create(&log).with_context(|| format!("cannot write {}; is the disk full?", log.display()))?;
        let status = fuzz.stdout(file.try_clone()?).stderr(file).status();
        let status = status.with_context(|| format!("cannot start `{}`", child::shown(&fuzz)))?;
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        if status.success() {
            println!("  {}", summary(target.name, &said).ok_or_else(|| anyhow!("{} has no figures", log.display()))?);
            return Ok(None);
        }
        Ok(Some(self.failure(target, &said, &log)))
    }

    fn own(&self, target: &Target, what: &str) -> Result<PathBuf> {
        let folder = self.folder.join(what).join(target.name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    fn failure(&self, target: &Target, said: &str, log: &Path) -> String {
        let shown = |path: &Path| self.workspace.shown(path);
        let mut text = format!("{}: {}", target.name, cause(said));
        if let Some(input) = broken_by(said) {
            let program = shown(&self.programs.join(target.name));
            let input = shown(Path::new(input));
            text += &format!("\n  input:     {input}\n  reproduce: {program} {input}");
        }
        format!("{text}\n  all of it: {}", shown(log))
    }
}

/// One line about a target that held.
fn summary(name: &str, said: &str) -> Option<String> {
    let figure = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name))?;
        line.strip_prefix(':')?.trim().parse::<u64>().ok()
    };
    let (inputs, rate) = (figure("number_of_executed_units")?, figure("average_exec_per_sec")?);
    Some(format!("{name:<8} {:.1} million inputs, {rate}/s, {} MB", inputs as f64 / 1e6, figure("peak_rss_mb")?))
}

/// What a panic said, or libFuzzer's own words for what was no panic.
fn cause(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at "));
    if let (Some(place), message) = (lines.next(), lines.next().unwrap_or_default()) {
        let place = place.split("panicked at ").last().unwrap_or_default();
        return format!("panicked at {place} {message}");
    }
    let own = said.lines().find_map(|line| line.split("libFuzzer: ").nth(1));
    own.unwrap_or("ended without a word").to_owned()
}

/// The file with the input.
fn broken_by(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.split("Test unit written to ").nth(1)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_run() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../auth-component/fuzz/fuzz_targets");
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut written: Vec<String> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().into()).collect();
        let mut run = TARGETS.map(|target| target.name);
        written.sort();
        run.sort_unstable();
        assert_eq!(written, run);
    }

    #[test]
    fn a_target_that_held_gets_a_line() {
        let said = "#9\tDONE\nstat::number_of_executed_units: 2110947\nstat::average_exec_per_sec:     100521\n\
                    stat::new_units_added:          7441\nstat::peak_rss_mb:              30\n";
        assert_eq!(summary("token", said).unwrap(), "token    2.1 million inputs, 100521/s, 30 MB");
        assert_eq!(summary("token", "killed"), None);
    }

    #[test]
    fn a_broken_target_says_what_broke_it_and_by_which_input() {
        let said = "INFO: seed\n\nthread '<unnamed>' (7) panicked at fuzz_targets/token.rs:20:5:\na yes to x\nnote: run\n\
                    ==7== ERROR: libFuzzer: deadly signal\nartifact_prefix='/t/'; Test unit written to /t/crash-1\n";
        assert_eq!(cause(said), "panicked at fuzz_targets/token.rs:20:5: a yes to x");
        assert_eq!(broken_by(said), Some("/t/crash-1"));
        assert_eq!(cause("==7== ERROR: libFuzzer: timeout after 1 seconds\n"), "timeout after 1 seconds");
    }
}
