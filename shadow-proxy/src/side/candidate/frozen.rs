//! Time and randomness that are the same whenever a call is repeated, for replays. A guest cannot tell: the clocks answer,
//! the one for intervals goes on with each look at it, and random bytes look random.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand_core::TryRng;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// What a call sees as now and as chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the Unix epoch.
    pub time: Duration,
    pub seed: u64,
}

/// Those of one instance, set anew for each call.
#[derive(Clone, Default)]
pub struct Frozen(Arc<State>);

#[derive(Default)]
struct State {
    time_us: AtomicU64,
    looks: AtomicU64,
    random: AtomicU64,
}

impl Frozen {
    pub fn give(&self, wasi: &mut WasiCtxBuilder) {
        wasi.wall_clock(self.clone()).monotonic_clock(self.clone());
        wasi.secure_random(self.clone()).insecure_random(self.clone()).insecure_random_seed(u128::from(STEP));
    }

    pub fn set(&self, moment: Moment) {
        self.0.time_us.store(moment.time.as_micros() as u64, Ordering::Relaxed);
        self.0.looks.store(0, Ordering::Relaxed);
        self.0.random.store(moment.seed, Ordering::Relaxed);
    }

    pub fn time(&self) -> Duration {
        Duration::from_micros(self.0.time_us.load(Ordering::Relaxed))
    }
}

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        self.time()
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        LOOK_NS
    }

    fn now(&self) -> u64 {
        self.0.looks.fetch_add(1, Ordering::Relaxed) * LOOK_NS
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): nothing is kept secret with it.
impl TryRng for Frozen {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| (number >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let state = self.0.random.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
/// How far the clock for intervals goes with each look.
const LOOK_NS: u64 = 1_000;
