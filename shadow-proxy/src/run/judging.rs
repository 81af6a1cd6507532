//! What judges exchanges, live or replayed, and what captures the live ones.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use anyhow::Context as _;
use arc_swap::ArcSwap;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::shadow::again::Again;
use crate::shadow::capture::Capture;
use crate::shadow::capture::form::Keyed;
use crate::shadow::capture::stand_ins::StandIns;
use crate::shadow::compare::Comparer;
use crate::shadow::judge::Judge;
use crate::shadow::record::Recorder;
use crate::shadow::redact::Redactor;
use crate::shadow::session::Sessions;
use crate::shadow::shape::Shapes;
use crate::shift::watch::Watch;

use super::origin::aa_pairs;

/// Judges as the configuration says, by these rules.
pub fn judge(
    config: &Config,
    comparer: Arc<ArcSwap<Comparer>>,
    recorder: Recorder,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Judge> {
    Ok(Judge {
        comparer,
        routes: config.stateful.routes.clone(),
        again: Again::new(config.again.clone(), aa_pairs(&config.data)?).context(NO_RANDOMNESS)?,
        shapes: Shapes::new().context(NO_RANDOMNESS)?,
        endpoints: config.endpoints.clone(),
        redactor: Redactor::new(&config.words, &config.endpoints).context(NO_RANDOMNESS)?,
        sessions: Sessions::new(config.stateful.sessions.clone(), metrics.clone()).context(NO_RANDOMNESS)?,
        recorder,
        capture: None,
        metrics: metrics.clone(),
        watch: None,
        keep_match_every: config.keep_match_every,
        besides: AtomicU64::new(0),
    })
}

/// The same for live traffic, which is captured where that is wanted: then by the thread beside it.
pub fn live(
    config: &Config,
    comparer: Arc<ArcSwap<Comparer>>,
    recorder: Recorder,
    metrics: &Arc<Metrics>,
    watch: Arc<Watch>,
) -> anyhow::Result<(Judge, Option<JoinHandle<()>>)> {
    let (capture, thread) = start_capture(config, metrics)?.unzip();
    Ok((Judge { capture, watch: Some(watch), ..judge(config, comparer, recorder, metrics)? }, thread))
}

/// None where nothing is to be captured.
fn start_capture(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Option<(Capture, JoinHandle<()>)>> {
    let Some(limits) = &config.capture else { return Ok(None) };
    let (keyed, signatures) = (Keyed::new().context(NO_RANDOMNESS)?, config.comparer.signatures.clone());
    let stand_ins = StandIns::new(keyed, &config.words, &config.endpoints, signatures);
    Capture::start(limits.clone(), stand_ins, metrics.clone()).map(Some)
}

pub const NO_RANDOMNESS: &str = "the system has no randomness for keys";
