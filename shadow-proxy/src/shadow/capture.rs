//! Mirrored traffic in files, so that it can be sent again: with stand-ins for every secret, or as it is and sealed.
//!
//! Handing an exchange over never waits. One thread makes the stand-ins and writes; what it has no room for is counted.

mod credential;
mod document;
pub(crate) mod form;
pub(crate) mod format;
pub(crate) mod seal;
pub(crate) mod seeds;
mod spelling;
pub(crate) mod stand_ins;
mod volume;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};

use self::format::{Line, LineCall, LineLeg};
use self::seal::Passphrase;
use self::seeds::Seeds;
use self::stand_ins::StandIns;
use self::volume::Volumes;
use crate::clock::Rarely;
use crate::exchange::{Call, Decision, Exchange, Leg, Side};
use crate::metrics::Metrics;

#[derive(Clone, Debug)]
pub struct CaptureLimits {
    pub dir: PathBuf,
    /// Of one file.
    pub bytes_max: u64,
    /// Of the folder: the oldest go first.
    pub files_max: usize,
    /// Secrets are kept, and the files sealed with the passphrase in this file.
    pub passphrase_file: Option<PathBuf>,
}

/// The near end. Cloned for every judge.
#[derive(Clone)]
pub struct Capture {
    queue: SyncSender<Captured>,
    waiting_bytes: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

/// An exchange that waits to be written.
struct Captured {
    begun: Instant,
    call: Arc<Call>,
    legacy: Leg,
    decision: Decision,
    verdict: String,
    bytes: usize,
}

impl Capture {
    /// Starts the writer, which ends when every near end is gone. `stand_ins` make them, unless secrets are kept.
    ///
    /// # Errors
    /// The folder cannot be written, or the passphrase not be read.
    pub fn start(
        limits: CaptureLimits,
        stand_ins: StandIns,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<(Capture, JoinHandle<()>)> {
        let passphrase = limits.passphrase_file.as_deref().map(Passphrase::read).transpose()?;
        let volumes = Volumes::open(&limits, passphrase).with_context(|| {
            format!(
                "{} cannot be used for a capture; check its permissions, or give another with --capture",
                limits.dir.display()
            )
        })?;
        let (queue, waiting) = sync_channel(WAITING_MAX);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            seeds: (limits.passphrase_file.is_none()).then(|| Seeds::open(&limits.dir)),
            limits,
            volumes,
            stand_ins,
            begun: Instant::now(),
            waiting_bytes: waiting_bytes.clone(),
            metrics: metrics.clone(),
            failure_said: Rarely::every(Duration::from_secs(60)),
        };
        let thread = std::thread::Builder::new().name("capture".to_owned()).spawn(move || writer.run(&waiting))?;
        Ok((Capture { queue, waiting_bytes, metrics }, thread))
    }

    /// Never waits: without room the exchange is counted as lost. `verdict` is its name, or why there is none.
    pub fn keep(&self, exchange: &Exchange, decision: Decision, verdict: impl Into<String>) {
        let legacy = exchange.leg(Side::Legacy).clone();
        let bytes = exchange.call.weight_bytes() + legacy.outcome.as_ref().map_or(0, |answer| answer.weight_bytes());
        let captured = Captured {
            begun: exchange.begun,
            call: exchange.call.clone(),
            legacy,
            decision,
            verdict: verdict.into(),
            bytes,
        };
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > WAITING_BYTES_MAX || self.queue.try_send(captured).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.capture_lost.inc();
        }
    }
}

struct Writer {
    limits: CaptureLimits,
    volumes: Volumes,
    stand_ins: StandIns,
    /// None where secrets are kept: the sides know them.
    seeds: Option<Seeds>,
    begun: Instant,
    waiting_bytes: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
    failure_said: Rarely,
}

impl Writer {
    fn run(mut self, waiting: &Receiver<Captured>) {
        let mut seeds_written = Instant::now();
        while let Ok(first) = waiting.recv() {
            // Not kept before it is flushed.
            let mut written = 0;
            for captured in std::iter::once(first).chain(waiting.try_iter().take(WAITING_MAX)) {
                self.waiting_bytes.fetch_sub(captured.bytes, Ordering::Relaxed);
                let line = self.line(captured);
                written += 1;
                if let Err(error) = self.volumes.write(&line) {
                    self.metrics.capture_lost.inc_by(std::mem::take(&mut written));
                    self.say(&error);
                }
            }
            let flushed = self.volumes.flush();
            let count = if flushed.is_ok() { &self.metrics.captured } else { &self.metrics.capture_lost };
            count.inc_by(written);
            self.checked(flushed);
            if seeds_written.elapsed() > SEEDS_AGE {
                self.write_seeds();
                seeds_written = Instant::now();
            }
        }
        let finished = self.volumes.finish();
        self.checked(finished);
        self.write_seeds();
    }

    fn line(&mut self, captured: Captured) -> String {
        let Captured { begun, call, legacy, decision, verdict, .. } = captured;
        let session = identity(&call, &legacy).map(|identity| self.stand_ins.label(&identity));
        let at_us = begun.saturating_duration_since(self.begun).as_micros() as u64;
        let (call, leg) = match &mut self.seeds {
            None => (LineCall::new(&call, false), LineLeg::new(&legacy, false)),
            Some(seeds) => {
                let (call, call_decoded, seen) = self.stand_ins.call(&call, decision);
                let (outcome, decoded) = match &legacy.outcome {
                    Ok(answer) => {
                        let (answer, decoded) = self.stand_ins.answer(answer);
                        (Ok(answer), decoded)
                    }
                    Err(failure) => (Err(*failure), false),
                };
                seeds.learn(seen, decision, outcome.as_ref().ok());
                let leg = Leg { outcome, latency: legacy.latency };
                (LineCall::new(&call, call_decoded), LineLeg::new(&leg, decoded))
            }
        };
        let line = Line { at_us, session, call, legacy: leg, verdict };
        serde_json::to_string(&line).expect("our own types have string keys and no failing serializer")
    }

    fn write_seeds(&mut self) {
        if let Some(seeds) = &mut self.seeds {
            let written = seeds.write(&self.limits.dir, &self.stand_ins);
            self.checked(written);
        }
    }

    fn checked(&self, result: std::io::Result<()>) {
        if let Err(error) = result {
            self.say(&error);
        }
    }

    fn say(&self, error: &std::io::Error) {
        if self.failure_said.is_due() {
            let folder = self.limits.dir.display();
            tracing::error!(%error, %folder, "traffic is not captured; free space or check permissions");
        }
    }
}

/// What makes calls belong together, so that they keep their order: the credential, else the cookie, also one that the
/// answer has just set.
pub(crate) fn identity(call: &Call, legacy: &Leg) -> Option<Vec<u8>> {
    let first = |headers: &HeaderMap, name: &str| headers.get(name).map(|value| value.as_bytes().to_vec());
    let cookie = |value: Vec<u8>| value.split(|&byte| byte == b';').next().unwrap_or_default().to_vec();
    let set = || first(&legacy.outcome.as_ref().ok()?.headers, SET_COOKIE.as_str());
    first(&call.headers, AUTHORIZATION.as_str())
        .or_else(|| first(&call.headers, "x-api-key"))
        .or_else(|| first(&call.headers, COOKIE.as_str()).or_else(set).map(cookie))
}

/// Exchanges waiting for the writer, and what they may hold.
const WAITING_MAX: usize = 8_192;
const WAITING_BYTES_MAX: usize = 64 << 20;
/// How long what is new in them waits.
const SEEDS_AGE: Duration = Duration::from_secs(5);
