//! What a guest may use, and the state of a store that enforces it.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::time::ClockId;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::keys::Set;

use super::Grants;
use super::frozen::{Frozen, Moment};
use super::keyvalue::KeyValue;
use super::outbound::Door;
use super::usage::{Share, Usage};

/// How long an instance lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// One call each: no request can see what another left behind.
    Fresh,
    /// Up to so many calls each, one at a time. Faster, and without isolation between requests.
    Reuse(u32),
}

impl Instances {
    pub fn may_serve_again(self, calls: u32) -> bool {
        matches!(self, Instances::Reuse(max) if calls < max)
    }
}

impl FromStr for Instances {
    type Err = String;

    fn from_str(text: &str) -> Result<Instances, String> {
        let reuse = text.strip_prefix("reuse=").and_then(|calls| calls.parse().ok()).filter(|&calls| calls > 0);
        match (text, reuse) {
            ("fresh", _) => Ok(Instances::Fresh),
            (_, Some(calls)) => Ok(Instances::Reuse(calls)),
            _ => Err(format!("`{text}` is neither `fresh` nor `reuse=N`; for example `reuse=1000`")),
        }
    }
}

/// The caps on one component. Every one of them has a test that runs into it.
#[derive(Clone, Debug)]
pub struct Limits {
    pub instances: Instances,
    /// Calls in progress at the same time, over all threads.
    pub calls_max: usize,
    /// Linear memory of one instance.
    pub memory_bytes_max: usize,
    /// From the call to the complete answer, waiting included.
    pub deadline: Duration,
    /// CPU time of one call, looked at in every tick.
    pub cpu_max: Duration,
    /// How often a computing guest lets other requests of its thread run.
    pub tick: Duration,
    /// Answer body.
    pub body_bytes_max: usize,
}

/// What a guest may make the host copy in one call.
const HOSTCALL_BYTES_MAX: usize = 8 << 20;
/// Handles a guest may hold, and entries of the resource table.
const HANDLES_MAX: usize = 256;

/// The state of one store. Nothing in it reaches outside but by its grants: no files, no sockets, no environment.
pub struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    door: Door,
    grants: Grants,
    frozen: Option<Frozen>,
    /// In force when this call began.
    set: Option<Arc<Set>>,
    memory_bytes_max: usize,
    /// The guest asked for more than its cap, which is how a trap that follows is explained.
    pub memory_refused: bool,
    tick: Duration,
    cpu_left: Duration,
    /// Of the thread, at the last tick of this call.
    cpu_seen: Option<Duration>,
    share: Share,
}

impl Guest {
    pub fn new(limits: &Limits, grants: Grants, usage: &Arc<Usage>) -> Guest {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let frozen = grants.frozen.then(Frozen::default);
        let mut wasi = WasiCtx::builder();
        if let Some(frozen) = &frozen {
            frozen.give(&mut wasi);
        }
        Guest {
            table,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            door: Door(grants.introspection.as_ref().map(|introspection| introspection.outbound.clone())),
            grants,
            frozen,
            set: None,
            memory_bytes_max: limits.memory_bytes_max,
            memory_refused: false,
            tick: limits.tick,
            cpu_left: Duration::ZERO,
            cpu_seen: None,
            share: Share::of(usage),
        }
    }

    /// What is now for the call that begins.
    pub fn begin(&self, moment: Option<Moment>) -> SystemTime {
        match (&self.frozen, moment) {
            (Some(frozen), Some(moment)) => {
                frozen.set(moment);
                SystemTime::UNIX_EPOCH + frozen.time()
            }
            _ => SystemTime::now(),
        }
    }

    fn arm(&mut self, cpu_max: Duration) {
        self.cpu_left = cpu_max;
        self.cpu_seen = None;
        self.set = self.grants.keys.as_ref().map(|keys| keys.set());
    }

    /// Until the next call: keys that are no longer in force are not kept for it.
    pub fn rest(&mut self) {
        self.set = None;
    }

    /// Counts the CPU time its thread got since the last tick: none when others had the core, and no more than a tick,
    /// for then it was another request of this thread that got it. The first tick of a call may come at once, so it
    /// counts nothing.
    fn is_out_of_cpu(&mut self) -> bool {
        let now = thread_cpu();
        let since = self.cpu_seen.map_or(Duration::ZERO, |seen| now.saturating_sub(seen));
        self.cpu_seen = Some(now);
        self.cpu_left = self.cpu_left.saturating_sub(since.min(self.tick));
        self.cpu_left.is_zero()
    }

    pub fn key_value(&mut self) -> KeyValue<'_> {
        let kept = self.grants.introspection.as_ref().map(|introspection| &introspection.kept);
        let overlay = self.grants.overlay.as_deref();
        KeyValue { table: &mut self.table, set: self.set.as_deref(), overlay, kept }
    }

    pub fn live_resources(&self) -> bool {
        !self.table.is_empty()
    }
}

/// What this thread has computed so far.
fn thread_cpu() -> Duration {
    Duration::try_from(rustix::time::clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Arms a store for one call: a parked store's deadline lies in the past.
pub fn arm(store: &mut wasmtime::Store<Guest>, limits: &Limits) {
    let guest = store.data_mut();
    guest.arm(limits.cpu_max);
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
}

/// Sets up what holds for the whole life of a store.
pub fn confine(store: &mut wasmtime::Store<Guest>) {
    store.limiter(|guest| guest);
    store.set_max_component_handles(HANDLES_MAX);
    store.epoch_deadline_callback(|mut store| {
        if store.data_mut().is_out_of_cpu() {
            return Ok(UpdateDeadline::Interrupt);
        }
        // tokio's own: `UpdateDeadline::Yield` wakes itself at once, and tokio looks for input and timers only after
        // dozens of such turns.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.memory_bytes_max;
        self.memory_refused |= !allowed;
        if allowed {
            self.share.grow(desired.saturating_sub(current));
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 20_000)
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.door }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_out_of_cpu_by_what_it_computed_not_by_when_a_tick_came() {
        let tick = Duration::from_millis(5);
        let limits = Limits {
            instances: Instances::Fresh,
            calls_max: 1,
            memory_bytes_max: 0,
            deadline: tick,
            cpu_max: tick,
            tick,
            body_bytes_max: 0,
        };
        let mut guest = Guest::new(&limits, Grants::default(), &Arc::default());
        guest.arm(tick);
        assert!(!guest.is_out_of_cpu(), "the first tick says nothing");
        let start = thread_cpu();
        while thread_cpu() - start < tick {
            std::hint::spin_loop();
        }
        assert!(guest.is_out_of_cpu());
        guest.arm(tick);
        assert!(!guest.is_out_of_cpu(), "the next call has its own");
    }

    #[test]
    fn instances_are_fresh_or_reused_so_many_times() {
        assert_eq!("fresh".parse(), Ok(Instances::Fresh));
        assert_eq!("reuse=7".parse(), Ok(Instances::Reuse(7)));
        for bad in ["", "reuse", "reuse=0", "reuse=-1", "Fresh"] {
            let error = bad.parse::<Instances>().expect_err("not a mode");
            assert!(error.ends_with("for example `reuse=1000`"), "{error}");
        }
        assert!(!Instances::Fresh.may_serve_again(0));
        assert!(Instances::Reuse(2).may_serve_again(1));
        assert!(!Instances::Reuse(2).may_serve_again(2));
    }
}
