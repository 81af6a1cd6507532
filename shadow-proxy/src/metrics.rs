//! Every metric in one place. The second column of `register` is the metric's help text.
//!
//! At rest `received = mirrored + skipped + dropped` and `mirrored = compared + not_comparable`; before that `serving`
//! requests are missing from the first sum, and those being compared from the second.

mod latency;
mod shift;
mod show;
mod stateful;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram as Buckets, exponential_buckets};
use prometheus_client::registry::Registry;
use serde::Serialize;

use crate::exchange::{Cell, Decision, Side, Verdict};

use self::latency::Latency;
pub use self::latency::Percentiles;
use self::shift::Shift;
use self::show::Show;
use self::stateful::Stateful;

/// Why a request is not mirrored, although there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The request or its answer is larger than `body_bytes_max`.
    BodyTooLarge,
    /// The memory for buffered bodies is used up.
    NoMemory,
    /// The client left before its answer was complete.
    ClientGone,
    /// The request body did not arrive in time.
    ClientSlow,
    /// No answer to compare with: the serving side failed and nobody could stand in.
    ServedFailed,
    /// Never mirrored: `CONNECT`, and whatever else asks for a host instead of a path.
    Method,
    /// Its route is not mirrored.
    Route,
    /// The candidate served it, and legacy would do it once more.
    Unsafe,
    /// Mirroring is switched off.
    Off,
}

impl Skip {
    pub const ALL: [(Skip, &'static str); 9] = [
        (Skip::BodyTooLarge, "body_too_large"),
        (Skip::NoMemory, "no_memory"),
        (Skip::ClientGone, "client_gone"),
        (Skip::ClientSlow, "client_slow"),
        (Skip::ServedFailed, "served_failed"),
        (Skip::Method, "method"),
        (Skip::Route, "route"),
        (Skip::Unsafe, "unsafe"),
        (Skip::Off, "off"),
    ];
}

/// Why a request that should be mirrored is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    QueueCount,
    QueueBytes,
}

impl Dropped {
    pub const ALL: [(Dropped, &'static str); 2] =
        [(Dropped::QueueCount, "queue_count"), (Dropped::QueueBytes, "queue_bytes")];
}

pub type Count = Counter<u64, AtomicU64>;
pub type Level = Gauge<i64, AtomicI64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSide {
    side: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

const VERDICTS: [(Verdict, &str); 3] =
    [(Verdict::Match, "match"), (Verdict::Explained, "explained"), (Verdict::Mismatch, "mismatch")];

pub struct Metrics {
    registry: Registry,
    pub received: Count,
    pub serving: Level,
    served: [Count; 2],
    pub rescued: Count,
    pub unanswered: Count,
    pub mirrored: Count,
    skipped: [Count; Skip::ALL.len()],
    dropped: [Count; Dropped::ALL.len()],
    pub compared: Count,
    not_comparable_family: Family<Reason, Count>,
    not_comparable: Mutex<BTreeMap<&'static str, Count>>,
    verdicts: [Count; VERDICTS.len()],
    decisions: [Count; Cell::ALL.len()],
    pub unreadable: Count,
    pub records_lost: Count,
    pub captured: Count,
    pub capture_lost: Count,
    pub recording_fails: Level,
    pub connections: Level,
    pub buffered_bytes: Level,
    pub queue_bytes: Level,
    pub weight_ppm: Level,
    pub sticky_values: Level,
    pub sticky_values_evicted: Count,
    pub keys: Level,
    pub keys_weak: Level,
    pub keys_stale: Level,
    pub key_sets_loaded: Count,
    pub key_sets_refused: Count,
    pub introspections: Count,
    pub introspections_failed: Count,
    pub outbound_refused: Count,
    pub stateful: Stateful,
    pub shift: Shift,
    pub show: Show,
    latency: [Latency; 2],
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut r = Registry::with_prefix("shadow_proxy");
        let sides = |family: &Family<OfSide, Count>| {
            [Side::Legacy, Side::Candidate].map(|side| family.get_or_create_owned(&OfSide { side: side.name() }))
        };
        let served = Family::default();
        register(&mut r, "served", "Requests answered to the client, by the side that answered", &served);
        let skipped = reasons(&mut r, "skipped", "Requests not mirrored on purpose, by reason", Skip::ALL.map(|s| s.1));
        let dropped =
            reasons(&mut r, "dropped", "Requests not mirrored for lack of room, by reason", Dropped::ALL.map(|d| d.1));
        let verdicts = outcomes(&mut r, "verdicts", "Compared exchanges by verdict", VERDICTS.map(|v| v.1));
        let decisions = outcomes(
            &mut r,
            "decisions",
            "Compared exchanges by legacy's and the candidate's decision",
            Cell::ALL.map(Cell::name),
        );
        let seconds =
            Family::<OfSide, Buckets>::new_with_constructor(|| Buckets::new(exponential_buckets(0.000_05, 2.0, 18)));
        register(&mut r, "latency_seconds", "Time to the complete answer, over the mirrored exchanges", &seconds);
        let latency = [Side::Legacy, Side::Candidate]
            .map(|side| Latency::new(seconds.get_or_create_owned(&OfSide { side: side.name() })));
        let not_comparable_family = Family::default();
        register(&mut r, "not_comparable", "Mirrored exchanges without a verdict, by reason", &not_comparable_family);
        Metrics {
            received: new(&mut r, "received", "Requests received"),
            serving: new(&mut r, "serving", "Requests whose client still waits"),
            served: sides(&served),
            rescued: new(&mut r, "rescued", "Requests the candidate failed and legacy answered"),
            unanswered: new(&mut r, "unanswered", "Requests answered 502, 503 or 504 because no side could"),
            mirrored: new(&mut r, "mirrored", "Requests handed to the mirror"),
            skipped,
            dropped,
            compared: new(&mut r, "compared", "Exchanges with a verdict"),
            not_comparable_family,
            not_comparable: Mutex::default(),
            verdicts,
            decisions,
            unreadable: new(
                &mut r,
                "unreadable",
                "Requests that are no HTTP/1, answered 400 or 431 and counted nowhere else",
            ),
            records_lost: new(&mut r, "records_lost", "Exchanges the store could not keep"),
            captured: new(&mut r, "captured", "Exchanges written to the capture"),
            capture_lost: new(&mut r, "capture_lost", "Exchanges that the capture had no room for"),
            recording_fails: new(&mut r, "recording_fails", "1 while the store cannot be written, else 0"),
            connections: new(&mut r, "connections", "Open client connections"),
            buffered_bytes: new(&mut r, "buffered_bytes", "Bodies held in memory for clients being served"),
            queue_bytes: new(&mut r, "queue_bytes", "Calls and answers held for the mirror"),
            weight_ppm: new(&mut r, "weight_ppm", "The candidate's share of the traffic in parts per million"),
            sticky_values: new(&mut r, "sticky_values", "Tokens and cookies by which sessions keep their side"),
            sticky_values_evicted: new(&mut r, "sticky_values_evicted", "Of these, those that made room for others"),
            keys: new(&mut r, "keys", "API keys that a component can look up"),
            keys_weak: new(&mut r, "keys_weak", "Of these, keys that could be found by trying"),
            keys_stale: new(&mut r, "keys_stale", "1 while the key files as they are now are refused, else 0"),
            key_sets_loaded: new(&mut r, "key_sets_loaded", "Times that changed key files came into force"),
            key_sets_refused: new(&mut r, "key_sets_refused", "Times that changed key files were refused"),
            introspections: new(&mut r, "introspections", "Opaque tokens that the issuer was asked about"),
            introspections_failed: new(&mut r, "introspections_failed", "Of these, those without a 200 in time"),
            outbound_refused: new(&mut r, "outbound_refused", "Requests of a component to an address not configured"),
            stateful: Stateful::new(&mut r),
            shift: Shift::new(&mut r),
            show: Show::new(&mut r),
            latency,
            registry: r,
        }
    }
}

impl Metrics {
    pub fn served(&self, side: Side) {
        self.served[side as usize].inc();
    }

    pub fn served_by(&self, side: Side) -> u64 {
        self.served[side as usize].get()
    }

    /// Compared exchanges in which both sides decided so.
    pub fn decided(&self, cell: Cell) -> u64 {
        self.decisions[cell as usize].get()
    }

    pub fn skipped(&self, skip: Skip) {
        self.skipped[skip as usize].inc();
    }

    pub fn dropped(&self, dropped: Dropped) {
        self.dropped[dropped as usize].inc();
    }

    pub fn not_comparable(&self, reason: &'static str) {
        let mut reasons = self.not_comparable.lock().expect("nothing panics while it counts");
        reasons
            .entry(reason)
            .or_insert_with(|| self.not_comparable_family.get_or_create_owned(&Reason { reason }))
            .inc();
    }

    pub fn compared(&self, verdict: Verdict, legacy: Decision, candidate: Decision) {
        self.compared.inc();
        self.verdicts[verdict as usize].inc();
        self.decisions[Cell::of(legacy, candidate) as usize].inc();
    }

    /// A latency of a side, for exchanges in which both sides answered: anything else would compare unlike with unlike.
    pub fn latency(&self, side: Side, latency: Duration) {
        self.latency[side as usize].record(latency);
    }

    /// Of each side, since the last time this was asked.
    pub fn take_latest_latency(&self) -> [Percentiles; 2] {
        self.latency.each_ref().map(Latency::take_latest)
    }

    /// The Prometheus text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    pub fn snapshot(&self) -> Snapshot {
        let named = |names: &[&'static str], counts: &[Count]| -> BTreeMap<String, u64> {
            names.iter().zip(counts).map(|(name, count)| ((*name).to_owned(), count.get())).collect()
        };
        // In the order opposite to counting, so that a sum never exceeds its total.
        let compared = self.compared.get();
        let not_comparable = self.not_comparable_by_reason();
        let mirrored = self.mirrored.get();
        let latency = |side: Side| self.latency[side as usize].percentiles();
        Snapshot {
            requests: Requests {
                in_flight: mirrored.saturating_sub(compared + not_comparable.values().sum::<u64>()),
                compared,
                not_comparable,
                mirrored,
                skipped: named(&Skip::ALL.map(|s| s.1), &self.skipped),
                dropped: named(&Dropped::ALL.map(|d| d.1), &self.dropped),
                served: named(&["legacy", "candidate"], &self.served),
                rescued: self.rescued.get(),
                unanswered: self.unanswered.get(),
                serving: self.serving.get().max(0) as u64,
                received: self.received.get(),
            },
            verdicts: named(&VERDICTS.map(|v| v.1), &self.verdicts),
            decisions: named(&Cell::ALL.map(Cell::name), &self.decisions),
            latency: Latencies { legacy: latency(Side::Legacy), candidate: latency(Side::Candidate) },
            unreadable: self.unreadable.get(),
            records_lost: self.records_lost.get(),
        }
    }

    fn not_comparable_by_reason(&self) -> BTreeMap<String, u64> {
        let seen = self.not_comparable.lock().expect("nothing panics while it counts");
        seen.iter().map(|(reason, count)| ((*reason).to_owned(), count.get())).collect()
    }
}

/// `GET /api/status`, less what only the controller knows.
#[derive(Serialize)]
pub struct Snapshot {
    pub requests: Requests,
    pub verdicts: BTreeMap<String, u64>,
    pub decisions: BTreeMap<String, u64>,
    pub latency: Latencies,
    pub unreadable: u64,
    pub records_lost: u64,
}

#[derive(Serialize)]
pub struct Requests {
    pub received: u64,
    pub serving: u64,
    pub served: BTreeMap<String, u64>,
    pub rescued: u64,
    pub unanswered: u64,
    pub mirrored: u64,
    pub skipped: BTreeMap<String, u64>,
    pub dropped: BTreeMap<String, u64>,
    pub compared: u64,
    pub not_comparable: BTreeMap<String, u64>,
    pub in_flight: u64,
}

#[derive(Serialize)]
pub struct Latencies {
    pub legacy: Percentiles,
    pub candidate: Percentiles,
}

fn new<M: Clone + Default + prometheus_client::registry::Metric>(r: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    register(r, name, help, &metric);
    metric
}

fn reasons<const N: usize>(r: &mut Registry, name: &str, help: &str, reasons: [&'static str; N]) -> [Count; N] {
    let family = Family::<Reason, Count>::default();
    register(r, name, help, &family);
    reasons.map(|reason| family.get_or_create_owned(&Reason { reason }))
}

fn outcomes<const N: usize>(r: &mut Registry, name: &str, help: &str, outcomes: [&'static str; N]) -> [Count; N] {
    let family = Family::<Outcome, Count>::default();
    register(r, name, help, &family);
    outcomes.map(|outcome| family.get_or_create_owned(&Outcome { outcome }))
}

fn register<M: Clone + prometheus_client::registry::Metric>(r: &mut Registry, name: &str, help: &str, metric: &M) {
    r.register(name, help, metric.clone());
}
