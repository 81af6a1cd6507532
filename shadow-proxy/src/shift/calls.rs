//! The last calls of a side, and which of them failed.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// So many are the last ones.
pub(super) const CALLS: u32 = 20;

/// The calls that the candidate was chosen to serve, and which of the last ones it failed.
#[derive(Debug, Default)]
pub(super) struct Calls {
    count: AtomicU64,
    /// The number of the call and its client, the oldest first. Without a client each is one of its own.
    failures: Mutex<VecDeque<(u64, Option<u64>)>>,
}

pub(super) struct Failures {
    pub failed: u32,
    /// Of each client two at most, so that it takes three of them.
    pub weighed: u32,
}

impl Calls {
    /// Its number, from 0.
    pub(super) fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn failed(&self, number: u64, client: Option<u64>) -> Failures {
        let mut failures = self.failures.lock().expect("nothing panics while it counts");
        failures.push_back((number, client));
        failures.retain(|(failed, _)| failed + u64::from(CALLS) > number);
        let before =
            |at: usize, client: &Option<u64>| failures.iter().take(at).filter(|(_, other)| other == client).count();
        let counts = |(at, (_, client)): &(usize, &(u64, Option<u64>))| client.is_none() || before(*at, client) < 2;
        let weighed = failures.iter().enumerate().filter(counts).count();
        Failures { failed: failures.len() as u32, weighed: weighed as u32 }
    }

    pub(super) fn forget(&self) {
        self.count.store(0, Ordering::Relaxed);
        self.failures.lock().expect("nothing panics while it counts").clear();
    }
}

/// How many failures of legacy alone there are in so many calls: of the last ones, or on average where that is more.
#[derive(Debug, Default)]
pub(super) struct Alone {
    last: LastCalls,
    /// Of the last few hundred, in parts per million.
    mean_ppm: AtomicU32,
}

impl Alone {
    pub(super) fn add(&self, is_failed: bool) {
        self.last.add(is_failed);
        // One thread writes it.
        let mean = self.mean_ppm.load(Ordering::Relaxed);
        let more = if is_failed { 1_000_000 } else { 0 };
        self.mean_ppm.store(mean - mean / MEAN_OF + more / MEAN_OF, Ordering::Relaxed);
    }

    /// Failures of the candidate alone from which on chance does not explain them, where both lose as many: the number
    /// expected and five standard deviations of a difference of two such numbers.
    pub(super) fn not_by_chance(&self) -> u32 {
        let calls = f64::from(CALLS);
        let mean = f64::from(self.mean_ppm.load(Ordering::Relaxed)) / 1e6;
        let rate = mean.max(f64::from(self.last.failed()) / calls);
        let most = calls * rate + 5.0 * (2.0 * calls * rate * (1.0 - rate)).sqrt();
        most.min(calls).ceil() as u32
    }

    pub(super) fn forget(&self) {
        self.last.forget();
    }
}

const MEAN_OF: u32 = 256;

/// The last calls, a bit for each, the newest lowest, with a one above the oldest.
#[derive(Debug)]
pub(super) struct LastCalls(AtomicU32);

impl Default for LastCalls {
    fn default() -> Self {
        LastCalls(AtomicU32::new(1))
    }
}

impl LastCalls {
    /// How many of them failed, with this one.
    pub(super) fn add(&self, is_failed: bool) -> u32 {
        let with = |bits: u32| {
            let more = bits << 1 | u32::from(is_failed);
            if more < 1 << (CALLS + 1) { more } else { more & ((1 << CALLS) - 1) | 1 << CALLS }
        };
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| Some(with(bits)));
        with(before.unwrap_or(1)).count_ones() - 1
    }

    pub(super) fn failed(&self) -> u32 {
        self.0.load(Ordering::Relaxed).count_ones() - 1
    }

    pub(super) fn calls(&self) -> u32 {
        self.0.load(Ordering::Relaxed).ilog2()
    }

    pub(super) fn forget(&self) {
        self.0.store(1, Ordering::Relaxed);
    }
}
