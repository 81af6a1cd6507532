//! The composition root: makes everything, joins it up, and takes it down in order.

mod candidate;
mod choosing;
mod ending;
mod judging;
mod machine;
mod origin;
mod shifting;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::sync::{oneshot, watch};

use crate::clock::{Rarely, now_ms};
use crate::config::{CandidateConfig, Config};
use crate::keys::{self, live::Live};
use crate::metrics::Metrics;
use crate::serve::accept;
use crate::serve::alone::Alone;
use crate::serve::answer::{Front, FrontLimits};
use crate::serve::budget::Budget;
use crate::serve::route::Choice;
use crate::serve::seat;
use crate::shadow::acceptance::RulesInForce;
use crate::shadow::judge::Judge;
use crate::shadow::mirror::{self, Mirror};
use crate::shadow::record::{Recorder, Store};
use crate::shadow::rules::{Day, accepted};
use crate::shift::lint;
use crate::shift::watch::Watch;
use crate::shift::weight::Weight;
use crate::show;
use crate::show::admin::{self, Admin};
use crate::show::guard::{self, Guard};
use crate::show::page::Page;
use crate::side::candidate::{Grants, Introspection, Outbound, Overlay};
use crate::side::legacy::Legacy;
use crate::side::{Candidate, Sides};

use self::candidate::load;
pub use self::candidate::{built_component, candidate, code, compile, said};
use self::ending::Ending;
use self::judging::NO_RANDOMNESS;
pub use self::judging::judge;
use self::machine::{Signals, bind, cache_home, connection_limits, thread};
pub use self::machine::{log_to_stderr, open_data};
pub use self::origin::origin;
use self::shifting::Shifting;

/// Questions to an issuer at the same time.
const INTROSPECTIONS_MAX: usize = 64;

/// `shadow-proxy run`: returns after a drained SIGTERM or SIGINT.
pub fn run(mut config: Config) -> anyhow::Result<()> {
    log_to_stderr("shadow_proxy=info,warn");
    // Whatever is written from here on is for this user alone, the database that SQLite creates included.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let _lock = open_data(&config.data)?;
    let written = config.comparer.clone();
    config.comparer.rules = accepted::join(config.comparer.rules, &config.data, Day::of_ms(now_ms()))?;
    let metrics = Arc::new(Metrics::default());
    warn_of_development_keys(&config);
    let mut grants = grants(&config, &metrics)?;
    // What the candidate writes while it is tried is for this run alone; after that, in `serve`, nobody would keep it.
    grants.overlay = Some(Arc::new(Overlay::new(metrics.clone())));
    let keys = grants.keys.clone();
    let origin = origin(&config)?;
    let candidate = candidate(&config, grants, Some(&config.compiled()))?;
    let token_digest = config.admin_token_file.as_deref().map(token_digest).transpose()?;
    let choice = Arc::new(choosing::choice(&config.shift.choice, &metrics)?);
    let (recorder, writer) = Recorder::start(&config.data, config.store.clone(), &origin, metrics.clone())?;
    let Shifting { weight, watch, controls, controller } = shifting::start(&config, &origin.build, &metrics)?;
    let listener = bind(config.listen)?;
    let admin_listener = bind(config.admin)?;
    let (listen, admin) = (listener.local_addr()?, admin_listener.local_addr()?);
    let admin_state = Arc::new(Admin {
        metrics: metrics.clone(),
        shift: controls.clone(),
        plan: config.shift.plan.clone(),
        weight: weight.clone(),
        data: config.data.clone(),
        recording: recorder.standing().clone(),
        rules: RulesInForce::new(config.data.clone(), written, config.comparer.clone(), recorder.clone()),
        keys,
        ready: AtomicBool::new(true),
        guard: Guard::new(token_digest, metrics.show.admin_refused.clone()).context(NO_RANDOMNESS)?,
        page: Page::default(),
        usage: match &candidate {
            Candidate::Embedded(component) => Some(component.usage().clone()),
            Candidate::Remote(_) => None,
        },
        base: format!("http://{listen}"),
        gate: config.gate.clone(),
    });

    let sides = SidesMaker { config: &config, candidate };
    let (fronts_running, fronts_ended) = oneshot::channel::<()>();
    let (judge, capturer) =
        judging::live(&config, admin_state.rules.comparer(), recorder.clone(), &metrics, watch.clone())?;
    let (mirror, shadow) = start_mirror(&config, judge, &sides, fronts_ended)?;
    let (stop, stopped) = watch::channel(false);
    let fronts = Fronts { config: &config, mirror, metrics: &metrics, weight, watch, sides: &sides, choice };
    let workers = fronts.start(&listener, &stopped)?;
    drop((listener, fronts));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::spawn(admin::serve(admin_listener, admin_state.clone()));
        let signals = Signals::listen()?;
        say_whose_keys(&config);
        println!("ready listen={listen} admin={admin}");
        signals.any().await;
        admin_state.ready.store(false, Ordering::Relaxed);
        tracing::info!("draining: requests in progress finish, new connections are refused");
        stop.send_replace(true);
        // The admin port answers while the rest ends, so that a probe sees the readiness go.
        let ending = Ending { workers, fronts_running, compared: [shadow, capturer], recorder, controls };
        tokio::task::spawn_blocking(move || ending.wait([writer, controller])).await?;
        anyhow::Ok(())
    })
}

/// `shadow-proxy check`: what only shows when it is loaded, still without a socket.
pub fn check(config: &Config) -> anyhow::Result<()> {
    log_to_stderr("warn");
    accepted::join(config.comparer.rules.clone(), &config.data, Day::of_ms(now_ms()))?;
    config.admin_token_file.as_deref().map(token_digest).transpose()?;
    let metrics = Arc::new(Metrics::default());
    choosing::choice(&config.shift.choice, &metrics)?;
    let grants = grants(config, &metrics)?;
    // Not where nothing is kept yet: it leaves no files.
    let kept = config.compiled();
    candidate(config, grants, kept.is_dir().then_some(&kept)).map(drop)
}

/// What is not wrong with the plan, and still not wise; by the present traffic where a store knows it.
pub fn doubts(config: &Config) -> Vec<String> {
    let traffic = Store::open(&config.data).ok().and_then(|store| show::gate::traffic(&store, now_ms()).ok());
    lint::doubts(&config.shift.plan, traffic.as_ref())
}

/// `shadow-proxy serve`: the component alone.
pub fn serve(config: &Config) -> anyhow::Result<()> {
    log_to_stderr("shadow_proxy=info,warn");
    let file = match &config.candidate {
        CandidateConfig::Built => None,
        CandidateConfig::File(file) => Some(file.as_path()),
        CandidateConfig::Url(_) => bail!("`serve` runs a component, and candidate.url names a service; leave it out"),
    };
    warn_of_development_keys(config);
    let metrics = Arc::new(Metrics::default());
    let grants = grants(config, &metrics)?;
    let component = Arc::new(load(file, config, grants, kept(config).as_deref())?);
    let listener = bind(config.listen)?;
    let listen = listener.local_addr()?;
    let limits = connection_limits(config.connections_max, config.idle, config.drain);
    let FrontLimits { body_bytes_max, body_deadline } = config.front;
    let alone = Arc::new(Alone { component, body_bytes_max, body_deadline });
    let (stop, stopped) = watch::channel(false);
    let workers = seat::seats(config.threads)
        .into_iter()
        .map(|seat| {
            let (listener, alone, metrics) = (listener.try_clone()?, alone.clone(), metrics.clone());
            let (limits, stopped) = (limits.clone(), stopped.clone());
            thread("serve", async move {
                let answer = move |request, _| {
                    let alone = alone.clone();
                    async move { alone.answer(request).await }
                };
                accept::serve(tokio::net::TcpListener::from_std(listener)?, seat, answer, metrics, limits, stopped)
                    .await;
                Ok(())
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    drop(listener);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let signals = Signals::listen()?;
        say_whose_keys(config);
        println!("ready listen={listen}");
        signals.any().await;
        anyhow::Ok(())
    })?;
    stop.send_replace(true);
    for worker in workers {
        let _ = worker.join();
    }
    Ok(())
}

/// Where compiled components are kept by what has no data directory.
pub fn kept(config: &Config) -> Option<PathBuf> {
    config.compiled.clone().or_else(cache_home)
}

/// The sides for one thread: the candidate is shared, the connections to legacy are not.
struct SidesMaker<'a> {
    config: &'a Config,
    candidate: Candidate,
}

impl SidesMaker<'_> {
    fn make(&self) -> Sides {
        Sides {
            legacy: Legacy::new(self.config.legacy.clone(), self.config.legacy_limits.clone()),
            candidate: self.candidate.clone(),
        }
    }
}

/// The threads that clients wait for.
struct Fronts<'a> {
    config: &'a Config,
    mirror: Mirror,
    metrics: &'a Arc<Metrics>,
    weight: Arc<Weight>,
    watch: Arc<Watch>,
    sides: &'a SidesMaker<'a>,
    choice: Arc<Choice>,
}

impl Fronts<'_> {
    fn start(&self, listener: &TcpListener, stopped: &watch::Receiver<bool>) -> anyhow::Result<Vec<JoinHandle<()>>> {
        let Config { connections_max, idle, drain, buffered_bytes_max, .. } = *self.config;
        let limits = connection_limits(connections_max, idle, drain);
        let budget = Budget::new(self.metrics.buffered_bytes.clone(), buffered_bytes_max);
        seat::seats(self.config.threads)
            .into_iter()
            .map(|seat| {
                let front = Arc::new(Front {
                    sides: self.sides.make(),
                    mirror: self.mirror.clone(),
                    weight: self.weight.clone(),
                    watch: self.watch.clone(),
                    choice: self.choice.clone(),
                    metrics: self.metrics.clone(),
                    budget: budget.clone(),
                    limits: self.config.front.clone(),
                    unanswered_said: Rarely::every(Duration::from_secs(10)),
                });
                let listener = listener.try_clone()?;
                let (limits, stopped) = (limits.clone(), stopped.clone());
                thread("serve", async move {
                    let metrics = front.metrics.clone();
                    let answer = move |request, peer| {
                        let front = front.clone();
                        async move { front.answer(request, peer).await }
                    };
                    accept::serve(tokio::net::TcpListener::from_std(listener)?, seat, answer, metrics, limits, stopped)
                        .await;
                    Ok(())
                })
            })
            .collect()
    }
}

fn start_mirror(
    config: &Config,
    judge: Judge,
    sides: &SidesMaker,
    fronts_ended: oneshot::Receiver<()>,
) -> anyhow::Result<(Mirror, Option<JoinHandle<()>>)> {
    let (routes, metrics) = (config.stateful.routes.clone(), judge.metrics.clone());
    let Some(limits) = &config.mirror else { return Ok((Mirror::off(routes, metrics), None)) };
    let (mirror, worker) = mirror::queue(limits.clone(), routes, judge, metrics);
    let sides = sides.make();
    let shadow = thread("shadow", async move {
        // Whatever the mirror does, a thread that a client waits for goes first.
        let _ = rustix::process::setpriority_process(None, 10);
        worker.run(sides, fronts_ended).await;
        Ok(())
    })?;
    Ok((mirror, Some(shadow)))
}

pub fn grants(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Grants> {
    let Some(sources) = &config.auth else { return Ok(Grants::default()) };
    let keys = Live::start(sources.clone(), metrics.clone())?;
    let introspection = sources.introspection.as_ref().map(|keys::Introspection { deadline, endpoint, .. }| {
        // An issuer that hangs takes at most half of the places for calls: the others know their keys without it.
        let requests_max = (config.candidate_limits.calls_max / 2).clamp(1, INTROSPECTIONS_MAX);
        let outbound = Outbound::new(endpoint.url.parse()?, *deadline, requests_max, metrics.clone())?;
        let lifetime = Duration::from_secs(endpoint.cache_s_max.max(endpoint.negative_s));
        anyhow::Ok(Arc::new(Introspection::new(outbound, lifetime)))
    });
    Ok(Grants { keys: Some(keys), introspection: introspection.transpose()?, ..Grants::default() })
}

/// Also where RUST_LOG asks for errors alone: whoever made it so may not know whom the service lets in.
fn warn_of_development_keys(config: &Config) {
    if !has_development_keys(config) || config.listen.ip().is_loopback() {
        return;
    }
    let warning = format!(
        "{} can be reached from other machines, and the component has the keys for development, which are public: anybody \
         gets in with them; name your own under [auth] (`shadow-proxy keys import` makes the files), or listen on 127.0.0.1",
        config.listen
    );
    if tracing::enabled!(tracing::Level::WARN) {
        tracing::warn!("{warning}");
    } else {
        eprintln!("warning: {warning}");
    }
}

fn has_development_keys(config: &Config) -> bool {
    matches!(config.candidate, CandidateConfig::Built) && config.auth.is_none()
}

/// For whoever forgot `--config`: a proxy of another kind may stand in front, so that loopback is no wall.
fn say_whose_keys(config: &Config) {
    if has_development_keys(config) && config.listen.ip().is_loopback() {
        tracing::info!("the component has the keys for development, which are public; name your own under [auth]");
    }
}

fn token_digest(file: &Path) -> anyhow::Result<[u8; 32]> {
    let token = std::fs::read(file).with_context(|| format!("admin_token_file {} cannot be read", file.display()))?;
    ensure!(
        token.trim_ascii().len() >= 16,
        "the token in {} is shorter than 16 characters; make a longer one",
        file.display()
    );
    Ok(guard::digest(&token))
}
