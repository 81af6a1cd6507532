//! The lean generator: one thread, kept connections, HTTP/1.1. Open loop (requests go when they are planned,
//! whatever the answers do) or closed loop (each connection asks again when it has its answer).

pub(crate) mod arrivals;
pub(crate) mod connection;
mod floor;
pub(crate) mod pacer;
mod tls;

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};
use tokio::task::LocalSet;

use crate::contract::Case;
use crate::interrupt;
use crate::tally::Tally;

use self::arrivals::Arrivals;
use self::connection::Target;
use self::floor::Floor;
use self::pacer::{Mix, Pacer};

/// A planned request that no connection was free for this long after the end stays unsent.
const LATE_MAX: Duration = Duration::from_millis(250);
/// How long answers are still waited for after the end, and when the run is ended early.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
const LAST_ANSWERS_EARLY: Duration = Duration::from_secs(2);
/// Open before the first request, so that it does not pay for connecting.
const OPEN_AHEAD: usize = 4;
const LOOK_EVERY: Duration = Duration::from_millis(50);
const SLICES_MAX: u64 = 300;
/// With less than this in flight nothing is called a backlog.
const BACKLOG_MIN: usize = 50;
const BACKLOG_GROWS_SECONDS: u32 = 5;

pub(crate) struct Order<'a> {
    pub(crate) target: &'a Target,
    pub(crate) cases: &'a [Case],
    pub(crate) drive: Drive,
    pub(crate) mix: Mix,
    /// Ends the run when what is in flight has grown for 5 seconds: the service will not catch up.
    pub(crate) until_backlog: bool,
}

pub(crate) enum Drive {
    Open { arrivals: Arrivals, connections_max: usize },
    Closed { connections: usize, time: Duration },
}

/// What was found, before it is judged.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) tally: Tally,
    pub(crate) started_at: SystemTime,
    /// From the start to the end of the last request.
    pub(crate) lasted: Duration,
    /// From the start to the end of the plan.
    pub(crate) plan: Duration,
    /// From the start to the last send.
    pub(crate) last_sent: Duration,
    pub(crate) planned: Option<u64>,
    pub(crate) sent: u64,
    pub(crate) queued_at_cap: u64,
    pub(crate) connections: usize,
    pub(crate) slice: Duration,
    /// Summed over time: how many requests were in flight or waiting, in request seconds.
    pub(crate) in_flight_seconds: f64,
    /// CPU time of this process meanwhile.
    pub(crate) generator_cpu: Duration,
    /// Neither a person nor a backlog ended it.
    pub(crate) complete: bool,
}

/// Runs to the end, or until the person has had enough; `look` is told of the run about 20 times a second.
pub(crate) fn run(order: Order<'_>, look: &mut dyn FnMut(Duration, &Tally)) -> anyhow::Result<Heard> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the event loop; allow this process more open files")?;
    LocalSet::new().block_on(&runtime, attack(order, look))
}

async fn attack(order: Order<'_>, look: &mut dyn FnMut(Duration, &Tally)) -> anyhow::Result<Heard> {
    let Order { target, cases, drive, mix, until_backlog } = order;
    let slice = match &drive {
        Drive::Open { arrivals, .. } => slice(arrivals.lasts()),
        Drive::Closed { time, .. } => slice(*time),
    };
    let cap = match &drive {
        Drive::Open { connections_max, .. } => *connections_max,
        Drive::Closed { connections, .. } => *connections,
    };
    let floor = Rc::new(Floor::new(target, cases, cap, slice)?);
    let planned = match &drive {
        Drive::Open { arrivals, .. } => Some(arrivals.planned()),
        Drive::Closed { .. } => None,
    };
    floor.open_ahead(if planned.is_some() { OPEN_AHEAD.min(cap) } else { cap }).await;
    let (started_at, cpu_before) = (SystemTime::now(), cpu());
    let plan = match drive {
        Drive::Open { arrivals, .. } => {
            let lasts = arrivals.lasts();
            let start = floor.start();
            let pacer = Pacer::start(&arrivals, mix, start).context("cannot start the pacing thread")?;
            tokio::task::spawn_local(Rc::clone(&floor).serve(pacer));
            lasts
        }
        Drive::Closed { time, .. } => {
            floor.start();
            floor.loop_until(time, mix);
            time
        }
    };
    let complete = watch(&floor, plan, until_backlog, look).await;
    let generator_cpu = cpu().saturating_sub(cpu_before);
    let of_engine = Heard::of_nothing(Tally::new(0, slice), slice);
    Ok(floor.close(Heard { started_at, plan, planned, generator_cpu, complete, ..of_engine }))
}

impl Heard {
    /// Of a run that found `tally` in `slice`s, before anything else is said about it.
    pub(crate) fn of_nothing(tally: Tally, slice: Duration) -> Self {
        Self {
            tally,
            slice,
            started_at: SystemTime::UNIX_EPOCH,
            lasted: Duration::ZERO,
            plan: Duration::ZERO,
            last_sent: Duration::ZERO,
            planned: None,
            sent: 0,
            queued_at_cap: 0,
            connections: 0,
            in_flight_seconds: 0.0,
            generator_cpu: Duration::ZERO,
            complete: false,
        }
    }
}

/// A second, or as many as keep the number of slices down.
fn slice(lasts: Duration) -> Duration {
    Duration::from_secs(lasts.as_secs().div_ceil(SLICES_MAX).max(1))
}

/// Until all is answered: whether the plan was carried out.
async fn watch(floor: &Rc<Floor>, plan: Duration, until_backlog: bool, look: &mut dyn FnMut(Duration, &Tally)) -> bool {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    let mut backlog = Backlog::default();
    let mut ended: Option<(Instant, bool)> = None;
    loop {
        tick.tick().await;
        let elapsed = floor.elapsed();
        floor.with_tally(|tally| look(elapsed, tally));
        if let Some((since, complete)) = ended {
            let patience = if complete { LAST_ANSWERS } else { LAST_ANSWERS_EARLY };
            if floor.in_flight() == 0 || since.elapsed() > patience {
                return complete;
            }
            continue;
        }
        backlog.look(elapsed, floor.in_flight());
        if interrupt::requested() || (until_backlog && backlog.grew) {
            floor.stop();
            ended = Some((Instant::now(), false));
        } else if floor.is_done() || elapsed > plan + LATE_MAX {
            floor.stop();
            ended = Some((Instant::now(), true));
        }
    }
}

/// Whether what is in flight has grown each second for a while.
#[derive(Default)]
struct Backlog {
    second: u64,
    before: usize,
    seconds: u32,
    grew: bool,
}

impl Backlog {
    fn look(&mut self, elapsed: Duration, in_flight: usize) {
        if elapsed.as_secs() == self.second {
            return;
        }
        self.second = elapsed.as_secs();
        let grows = in_flight > self.before && in_flight >= BACKLOG_MIN;
        self.seconds = if grows { self.seconds + 1 } else { 0 };
        self.before = in_flight;
        self.grew |= self.seconds >= BACKLOG_GROWS_SECONDS;
    }
}

/// CPU time of this process so far.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_what_grows_five_seconds_on_end() {
        let grew = |in_flight: &[usize]| {
            let mut backlog = Backlog::default();
            for (second, in_flight) in in_flight.iter().enumerate() {
                backlog.look(Duration::from_millis(second as u64 * 1_000 + 1_010), *in_flight);
            }
            backlog.grew
        };
        assert!(grew(&[60, 70, 80, 90, 100]));
        assert!(!grew(&[60, 70, 80, 80, 100, 110]), "it paused");
        assert!(!grew(&[1, 2, 3, 4, 5, 6, 7]), "too little");
    }

    #[test]
    fn long_runs_have_longer_slices() {
        for (seconds, slice_seconds) in [(0, 1), (60, 1), (300, 1), (301, 2), (86_400, 288)] {
            assert_eq!(slice(Duration::from_secs(seconds)), Duration::from_secs(slice_seconds));
        }
    }
}
