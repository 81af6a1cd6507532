//! `shadow-proxy replay`: recorded calls once more, to both sides, and judged like those of live traffic.

pub mod finding;
mod gor;
mod har;
mod held;
mod own;
mod play;
mod report;
mod source;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arc_swap::ArcSwap;

use crate::clock::now_ms;
use crate::config::Config;
use crate::exchange::Cell;
use crate::metrics::Metrics;
use crate::run;
use crate::shadow::record::{Origin, Recorder, Store};
use crate::shadow::rules::{Day, accepted};
use crate::shift::gate::{Judgement, Verdict, grouped};
use crate::show::gate;
use crate::side::Sides;
use crate::side::candidate::{Grants, Instances, Overlay};

pub use self::har::Hosts;
pub use self::play::Speed;
use self::report::Report;

pub struct Options {
    pub file: PathBuf,
    pub passphrase_file: Option<PathBuf>,
    pub legacy: Legacy,
    /// Of a HAR; empty: the host of most of its entries.
    pub hosts: Hosts,
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
    let source = source::open(&options.file, options.passphrase_file.as_deref(), &options.hosts)?;
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
    let snapshot = metrics.snapshot();
    let judgement = gate::judgement(&Store::open(&config.data)?, &config.gate, now_ms())?;
    let let_in = snapshot.decisions.cells.get(Cell::AllowAllow.name()).copied().unwrap_or(0);
    let judgement = if let_in == 0 { with_nobody_let_in(judgement, played.unrecorded) } else { judgement };
    // Where the file cannot be read to its end by a mistake in it, nothing is said about the candidate.
    let code = if played.wrong.is_some() { USAGE } else { judgement.verdict.exit_code() };
    let took = begun.elapsed();
    let report = Report { options, format, data: &config.data, took, judgement, snapshot, played };
    Ok(Outcome { text: if options.json { format!("{:#}\n", report.json(code)) } else { report.text() }, code })
}

/// Two services that refuse everything are equal. Only the recorded answers can tell that this is right.
fn with_nobody_let_in(judgement: Judgement, unrecorded: u64) -> Judgement {
    if judgement.verdict != Verdict::Go || unrecorded == 0 {
        return judgement;
    }
    let reason = format!(
        "nobody was let in, and {} calls have no recorded answer that could say whether this is right: give both sides \
         the keys and users of the recording, or replay a capture",
        grouped(unrecorded)
    );
    Judgement { verdict: Verdict::NotEnough, reasons: vec![reason], ..judgement }
}

/// What makes the sides, once there is a runtime: connections belong to it. And what the records are about.
fn sides(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<(impl Fn() -> Sides + use<>, Origin)> {
    let overlay = Some(Arc::new(Overlay::new(metrics.clone())));
    let grants = Grants { frozen: true, overlay, ..run::grants(config, metrics)? };
    let origin = run::origin(config)?;
    let candidate = run::candidate(config, grants, run::kept(config).as_deref())?;
    let (legacy, limits) = (config.legacy.url.clone(), config.legacy.limits.clone());
    let tls = run::legacy_tls(config)?;
    let make = move || Sides {
        legacy: crate::side::legacy::Legacy::new(legacy.clone(), limits.clone(), tls.clone()),
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
