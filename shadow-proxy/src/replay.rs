//! `shadow-proxy replay`: recorded calls once more, to both sides, and judged like those of live traffic.

pub mod finding;
mod gor;
mod har;
mod own;
mod play;
mod source;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::config::Config;
use crate::metrics::{Metrics, Snapshot};
use crate::run;
use crate::shadow::record::Recorder;
use crate::shift::gate::Verdict;
use crate::side::Sides;
use crate::side::candidate::Instances;

pub use self::play::Speed;

pub struct Options {
    pub file: PathBuf,
    pub passphrase_file: Option<PathBuf>,
    pub legacy: Legacy,
    pub speed: Speed,
    /// What the component sees as now, instead of the time of each record.
    pub clock: Option<Duration>,
    pub seed: u64,
    /// Calls at the same time.
    pub concurrency: usize,
    /// None: a folder that is printed.
    pub data: Option<PathBuf>,
    pub json: bool,
}

/// Whose answers stand for legacy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legacy {
    Asked,
    /// Those in the file.
    Recorded,
}

/// What to print, and the exit code.
pub struct Outcome {
    pub text: String,
    pub code: u8,
}

/// # Errors
/// The file is none that can be replayed, or a side cannot be made.
pub fn replay(mut config: Config, options: &Options) -> anyhow::Result<Outcome> {
    let source = source::open(&options.file, options.passphrase_file.as_deref())?;
    let data = folder(options.data.as_deref())?;
    let _lock = run::open_data(&data)?;
    // What one call leaves behind would be another one's chance.
    config.candidate_limits.instances = Instances::Fresh;
    let metrics = Arc::new(Metrics::default());
    let sides = sides(&config, &metrics)?;
    let (recorder, writer) = Recorder::start(&data, config.store.clone(), metrics.clone())?;
    let judge = Arc::new(run::judge(&config, recorder, &metrics)?);
    let (format, begun) = (source.format, Instant::now());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let played = runtime.block_on(play::play(source.records, sides(), &judge, options));
    drop(judge);
    // A thread that panicked has said so.
    let _ = writer.join();
    let report = Report {
        options,
        format,
        data: &data,
        took: begun.elapsed(),
        verdict: verdict(&metrics.snapshot()),
        snapshot: metrics.snapshot(),
        played,
    };
    // Where the file cannot be read to its end by a mistake in it, nothing is said about the candidate.
    let code = if report.played.wrong.is_some() { USAGE } else { report.verdict.0.exit_code() };
    Ok(Outcome { text: if options.json { format!("{:#}\n", report.json(code)) } else { report.text() }, code })
}

/// What makes the sides, once there is a runtime: connections belong to it.
fn sides(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<impl Fn() -> Sides + use<>> {
    let grants = crate::side::candidate::Grants { frozen: true, ..run::grants(config, metrics)? };
    let candidate = run::candidate(config, grants, None)?;
    let (legacy, limits) = (config.legacy.clone(), config.legacy_limits.clone());
    Ok(move || Sides {
        legacy: crate::side::legacy::Legacy::new(legacy.clone(), limits.clone()),
        candidate: candidate.clone(),
    })
}

fn folder(wanted: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(wanted) = wanted {
        return Ok(wanted.to_owned());
    }
    let name = format!("shadow-proxy-replay-{}-{}", now_ms(), std::process::id());
    let folder = std::env::temp_dir().join(name);
    let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
    made.with_context(|| format!("{} cannot be made; name a folder with --data", folder.display()))?;
    Ok(folder)
}

/// Go, no-go or not enough, and why.
fn verdict(snapshot: &Snapshot) -> (Verdict, String) {
    let of = |counts: &std::collections::BTreeMap<String, u64>, name: &str| counts.get(name).copied().unwrap_or(0);
    let (breaches, lockouts) = (of(&snapshot.decisions, "deny_allow"), of(&snapshot.decisions, "allow_deny"));
    let mismatches = of(&snapshot.verdicts, "mismatch");
    if breaches + lockouts + mismatches > 0 {
        let why = format!("{mismatches} mismatches, of them {breaches} breaches and {lockouts} lockouts");
        return (Verdict::NoGo, why);
    }
    match snapshot.requests.compared {
        0 => (Verdict::NotEnough, "nothing could be compared".to_owned()),
        compared => (Verdict::Go, format!("{compared} compared, no difference that no rule explains")),
    }
}

/// Exit code of a call of this program that makes no sense (sysexits.h).
pub const USAGE: u8 = 64;

struct Report<'a> {
    options: &'a Options,
    format: &'static str,
    data: &'a Path,
    took: Duration,
    verdict: (Verdict, String),
    snapshot: Snapshot,
    played: play::Played,
}

impl Report<'_> {
    fn text(&self) -> String {
        let Report { options, format, data, took, verdict, snapshot, played } = self;
        let counts = |counts: &std::collections::BTreeMap<String, u64>| {
            let counts: Vec<String> =
                counts.iter().filter(|(_, count)| **count > 0).map(|(name, count)| format!("{name} {count}")).collect();
            if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
        };
        let mut text = format!(
            "replayed {} calls of {} ({format}) in {:.1} s\n",
            played.calls,
            options.file.display(),
            took.as_secs_f64()
        );
        if played.without_answer > 0 {
            text += &format!("left out  {} calls without a recorded answer of legacy\n", played.without_answer);
        }
        for damage in played.cut.iter().chain(&played.wrong) {
            text += &format!("damaged   {damage}\n");
        }
        text += &format!(
            "compared  {}, not comparable: {}\n",
            snapshot.requests.compared,
            counts(&snapshot.requests.not_comparable)
        );
        text += &format!("verdicts  {}\ndecisions {}\n", counts(&snapshot.verdicts), counts(&snapshot.decisions));
        text += &format!("findings  shadow-proxy diffs --data {}\n", data.display());
        match &played.wrong {
            Some(_) => text + "no verdict: the file was not read to its end\n",
            None => text + &format!("{}: {}\n", verdict.0.words(), verdict.1),
        }
    }

    fn json(&self, code: u8) -> Value {
        let Report { options, format, data, took, verdict, snapshot, played } = self;
        json!({
            "file": options.file,
            "format": format,
            "calls": played.calls,
            "without_answer": played.without_answer,
            "cut": played.cut,
            "wrong": played.wrong,
            "took_ms": took.as_millis() as u64,
            "compared": snapshot.requests.compared,
            "not_comparable": snapshot.requests.not_comparable,
            "verdicts": snapshot.verdicts,
            "decisions": snapshot.decisions,
            "data": data,
            "verdict": if played.wrong.is_some() { "none" } else { verdict.0.words() },
            "reason": verdict.1,
            "exit_code": code,
        })
    }
}
