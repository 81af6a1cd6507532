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
use arc_swap::ArcSwap;
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::config::Config;
use crate::metrics::{Metrics, Snapshot};
use crate::run;
use crate::shadow::record::{Origin, Recorder, Store};
use crate::shadow::rules::{Day, accepted};
use crate::shift::gate::Judgement;
use crate::show::gate;
use crate::side::Sides;
use crate::side::candidate::{Grants, Instances, Overlay};

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
    config.data = folder(options.data.as_deref())?;
    let _lock = run::open_data(&config.data)?;
    // What one call leaves behind would be another one's chance.
    config.candidate_limits.instances = Instances::Fresh;
    config.comparer.rules = accepted::join(config.comparer.rules, &config.data, Day::of_ms(now_ms()))?;
    let metrics = Arc::new(Metrics::default());
    let (sides, origin) = sides(&config, &metrics)?;
    let (recorder, writer) = Recorder::start(&config.data, config.store.clone(), &origin, metrics.clone())?;
    let comparer = Arc::new(ArcSwap::from_pointee(config.comparer.clone()));
    let judge = run::judge(&config, comparer, recorder.clone(), &metrics)?;
    let (format, begun) = (source.format, Instant::now());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let played = runtime.block_on(play::Stage::new(sides(), judge, &config)?.play(source.records, options));
    recorder.end();
    // A thread that panicked has said so.
    let _ = writer.join();
    let judgement = gate::judgement(&Store::open(&config.data)?, &config.gate, now_ms())?;
    // Where the file cannot be read to its end by a mistake in it, nothing is said about the candidate.
    let code = if played.wrong.is_some() { USAGE } else { judgement.verdict.exit_code() };
    let (took, snapshot) = (begun.elapsed(), metrics.snapshot());
    let report = Report { options, format, data: &config.data, took, judgement, snapshot, played };
    Ok(Outcome { text: if options.json { format!("{:#}\n", report.json(code)) } else { report.text() }, code })
}

/// What makes the sides, once there is a runtime: connections belong to it. And what the records are about.
fn sides(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<(impl Fn() -> Sides + use<>, Origin)> {
    let overlay = Some(Arc::new(Overlay::new(metrics.clone())));
    let grants = Grants { frozen: true, overlay, ..run::grants(config, metrics)? };
    let origin = run::origin(config)?;
    let candidate = run::candidate(config, grants, run::kept(config).as_deref())?;
    let (legacy, limits) = (config.legacy.clone(), config.legacy_limits.clone());
    let make = move || Sides {
        legacy: crate::side::legacy::Legacy::new(legacy.clone(), limits.clone()),
        candidate: candidate.clone(),
    };
    Ok((make, origin))
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

/// Exit code of a call of this program that makes no sense (sysexits.h).
pub const USAGE: u8 = 64;

fn counted_route(snapshot: &Snapshot) -> u64 {
    snapshot.requests.skipped.get("route").copied().unwrap_or(0)
}

struct Report<'a> {
    options: &'a Options,
    format: &'static str,
    data: &'a Path,
    took: Duration,
    judgement: Judgement,
    snapshot: Snapshot,
    played: play::Played,
}

impl Report<'_> {
    fn text(&self) -> String {
        let Report { options, format, data, took, judgement, snapshot, played } = self;
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
        if counted_route(snapshot) > 0 {
            text += &format!("left out  {} calls of routes that are never to be sent\n", counted_route(snapshot));
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
            None => text + &gate::text(judgement),
        }
    }

    fn json(&self, code: u8) -> Value {
        let Report { options, format, data, took, judgement, snapshot, played } = self;
        json!({
            "file": options.file,
            "format": format,
            "calls": played.calls,
            "without_answer": played.without_answer,
            "cut": played.cut,
            "wrong": played.wrong,
            "took_ms": took.as_millis() as u64,
            "compared": snapshot.requests.compared,
            "skipped": snapshot.requests.skipped,
            "not_comparable": snapshot.requests.not_comparable,
            "verdicts": snapshot.verdicts,
            "decisions": snapshot.decisions,
            "data": data,
            "verdict": if played.wrong.is_some() { "none" } else { judgement.verdict.words() },
            "judgement": judgement,
            "exit_code": code,
        })
    }
}
