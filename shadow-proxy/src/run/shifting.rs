//! What moves the weight, and what it asks.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use http::Uri;

use crate::clock::now_ms;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::shadow::record::Store;
use crate::shift::controller::{Controller, Controls, Sources};
use crate::shift::history::History;
use crate::shift::hooks::Hooks;
use crate::shift::journal::Journal;
use crate::shift::watch::Watch;
use crate::shift::weight::Weight;
use crate::show::gate;

use super::machine::unusable;

/// A running controller, and what it shares with the threads that serve.
pub struct Shifting {
    pub weight: Arc<Weight>,
    pub watch: Arc<Watch>,
    pub controls: Controls,
    pub controller: JoinHandle<()>,
}

/// Puts the journal's weight in force, if this candidate may have it.
pub fn start(config: &Config, candidate: &str, metrics: &Arc<Metrics>) -> anyhow::Result<Shifting> {
    let journal = Journal::open(&config.data, candidate, now_ms()).with_context(|| unusable(&config.data))?;
    let weight = Arc::new(Weight::default());
    let watch = Arc::new(Watch::new(&config.shift.plan, weight.clone(), metrics.clone()));
    let (data, legacy, patience) = (config.data.clone(), config.legacy.clone(), config.legacy_limits.connect);
    let sources = Sources {
        evidence: Box::new(move |now_ms| gate::evidence(&Store::open(&data)?, now_ms)),
        legacy_up: Box::new(move || takes_connections(&legacy, patience)),
    };
    let controller = Controller {
        plan: config.shift.plan.clone(),
        candidate: candidate.to_owned(),
        shared: Box::new(journal),
        weight: weight.clone(),
        watch: watch.clone(),
        metrics: metrics.clone(),
        sources,
        hooks: Hooks::start(config.shift.hooks.clone(), metrics.clone())?,
        history: History::open(&config.data, now_ms()),
    };
    let (controls, controller) = controller.start()?;
    let weight_ppm = controls.state().weight_ppm;
    if weight_ppm > 0 {
        tracing::info!(weight_ppm, "the weight that the journal has is in force");
    }
    Ok(Shifting { weight, watch, controls, controller })
}

/// Sends nothing: whether somebody listens is all that is asked.
fn takes_connections(legacy: &Uri, patience: Duration) -> bool {
    let host = legacy.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let addresses = (host, legacy.port_u16().unwrap_or(80)).to_socket_addrs();
    addresses.is_ok_and(|mut all| all.any(|address| TcpStream::connect_timeout(&address, patience).is_ok()))
}
