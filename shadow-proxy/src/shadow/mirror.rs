//! The queue between the client's path and the mirror, and the thread that works it off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};

use crate::exchange::{Call, Exchange, Leg, Side};
use crate::metrics::{Dropped, Level, Metrics, Skip};
use crate::side::Sides;

use super::again::Ask;
use super::judge::Judge;
use super::route_class::{RouteClass, Routes};
use super::session::{Issuing, Sessions};

/// A served call that waits for its other leg.
pub struct Job {
    begun: Instant,
    call: Arc<Call>,
    served_by: Side,
    served: Leg,
    /// What the candidate did with it already, when legacy came to the rescue.
    candidate_failed: Option<Leg>,
    /// The other side may not be asked, and so will know nothing of a session that begins here.
    is_skipped: bool,
}

impl Job {
    pub fn new(call: Call, served_by: Side, served: Leg) -> Job {
        let now = Instant::now();
        let begun = now.checked_sub(served.latency).unwrap_or(now);
        Job { begun, call: Arc::new(call), served_by, served, candidate_failed: None, is_skipped: false }
    }

    pub fn with_failed(self, candidate_failed: Option<Leg>) -> Job {
        Job { candidate_failed, ..self }
    }

    fn weight_bytes(&self) -> usize {
        self.call.weight_bytes() + self.served.outcome.as_ref().map_or(0, |answer| answer.weight_bytes())
    }
}

#[derive(Clone, Debug)]
pub struct MirrorLimits {
    /// Calls waiting to be mirrored.
    pub queue_max: usize,
    /// Calls and answers that wait or are being mirrored.
    pub queue_bytes_max: usize,
    /// Calls being mirrored at the same time.
    pub concurrency: usize,
    /// For what is queued to be compared once the proxy stops.
    pub drain: Duration,
}

/// The near end: never waits. Cloned for every request.
#[derive(Clone)]
pub struct Mirror(Arc<Near>);

struct Near {
    queue: Option<mpsc::Sender<Queued>>,
    routes: Routes,
    bytes_max: usize,
    metrics: Arc<Metrics>,
}

/// A job with its share of the queue's memory, given back when it is dropped.
struct Queued {
    job: Option<Job>,
    weight: i64,
    bytes: Level,
}

impl Mirror {
    /// Mirrors nothing and counts that.
    pub fn off(routes: Routes, metrics: Arc<Metrics>) -> Mirror {
        Mirror(Arc::new(Near { queue: None, routes, bytes_max: 0, metrics }))
    }

    /// Queues a job; skips and counts it when it may not be asked again, or drops and counts it when the queue is full by
    /// count or by bytes.
    pub fn offer(&self, mut job: Job) {
        let Near { queue, bytes_max, metrics, .. } = &*self.0;
        let Some(queue) = queue else { return metrics.skipped(Skip::Off) };
        let skip = match self.class(&job.call) {
            // Both sides did it already: there is nothing left to ask.
            _ if job.candidate_failed.is_some() => None,
            RouteClass::Never => Some(Skip::Route),
            RouteClass::Isolated if job.served_by == Side::Candidate => Some(Skip::Unsafe),
            RouteClass::Isolated | RouteClass::Safe => None,
        };
        if let Some(skip) = skip {
            metrics.skipped(skip);
            job.is_skipped = true;
        }
        let count = |dropped| {
            if skip.is_none() {
                metrics.dropped(dropped)
            }
        };
        let weight = job.weight_bytes() as i64;
        let before = metrics.queue_bytes.inc_by(weight);
        let queued = Queued { job: Some(job), weight, bytes: metrics.queue_bytes.clone() };
        if before + weight > *bytes_max as i64 {
            return count(Dropped::QueueBytes);
        }
        let Ok(place) = queue.try_reserve() else { return count(Dropped::QueueCount) };
        // Counted before it can be compared, so that nobody ever sees more compared than mirrored.
        if skip.is_none() {
            metrics.mirrored.inc();
        }
        place.send(queued);
    }

    pub fn class(&self, call: &Call) -> RouteClass {
        self.0.routes.class(&call.method, call.uri.path())
    }

    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.bytes.dec_by(self.weight);
    }
}

/// Longer than the time between calls when there are many, shorter than anybody notices.
const REST: Duration = Duration::from_millis(1);

/// The far end, to be run on a thread of its own.
pub struct Worker {
    queue: mpsc::Receiver<Queued>,
    judge: Arc<Judge>,
    sessions: Arc<Sessions>,
    limits: MirrorLimits,
}

pub fn queue(limits: MirrorLimits, routes: Routes, judge: Judge, metrics: Arc<Metrics>) -> (Mirror, Worker) {
    let (sender, receiver) = mpsc::channel(limits.queue_max);
    let near = Near { queue: Some(sender), routes, bytes_max: limits.queue_bytes_max, metrics };
    let sessions = judge.sessions.clone();
    (Mirror(Arc::new(near)), Worker { queue: receiver, judge: Arc::new(judge), sessions, limits })
}

impl Worker {
    /// Works until every near end is gone and the queue is empty. Once `fronts_ended` nothing new comes, and what is
    /// queued has the drain time to be compared.
    pub async fn run(mut self, sides: Sides, fronts_ended: impl Future) {
        let drain = self.limits.drain;
        let time_is_over = async {
            fronts_ended.await;
            tokio::time::sleep(drain).await;
        };
        tokio::select! {
            () = self.work(sides) => {}
            () = time_is_over => tracing::warn!(waiting = self.queue.len(), "the drain time is over; what waits is not compared"),
        }
    }

    async fn work(&mut self, sides: Sides) {
        let slots = Arc::new(Semaphore::new(self.limits.concurrency));
        loop {
            // First, so that what waits for a slot waits in the queue, where it is counted.
            let slot = slots.clone().acquire_owned().await.expect("never closed");
            let Some(mut queued) = self.next().await else { break };
            let job = queued.job.take().expect("taken once");
            let issuing = self.sessions.issuing(job.served_by, &job.call, &job.served);
            if job.is_skipped {
                continue;
            }
            let (sides, judge) = (sides.clone(), self.judge.clone());
            tokio::spawn(async move {
                mirror(job, issuing, &sides, &judge).await;
                drop(queued);
                drop(slot);
            });
        }
        let _ = slots.acquire_many(self.limits.concurrency as u32).await;
    }

    /// A thread that sleeps until the next call has to be woken by the thread that a client waits for. So it rests a
    /// moment first: in dense traffic the next calls are there by then, and nobody had to wake it.
    async fn next(&mut self) -> Option<Queued> {
        if let Ok(queued) = self.queue.try_recv() {
            return Some(queued);
        }
        tokio::time::sleep(REST).await;
        self.queue.recv().await
    }
}

async fn mirror(job: Job, issuing: Issuing, sides: &Sides, judge: &Judge) {
    let Job { begun, call, served_by, served, candidate_failed, .. } = job;
    let (mirrored, again) = match candidate_failed {
        Some(leg) => (leg, None),
        None => {
            let Ok(mapped) = judge.sessions.ready(served_by.other(), &call).await else {
                return judge.metrics.not_comparable("session_unknown");
            };
            let other = sides.call(served_by.other(), &mapped);
            asked(other, sides.call(served_by, &call), judge.ask(served_by, &call)).await
        }
    };
    issuing.learn(&mirrored);
    judge.judge(&Exchange { begun, call, served_by, served, mirrored, again });
}

/// The mirrored leg, and a second one of the side that served where it is asked again: at the same time, in either order,
/// so that neither answer is always the later one.
async fn asked(mirrored: impl Future<Output = Leg>, again: impl Future<Output = Leg>, ask: Ask) -> (Leg, Option<Leg>) {
    match ask {
        Ask::Once => (mirrored.await, None),
        Ask::MirrorFirst => {
            let (mirrored, again) = tokio::join!(biased; mirrored, again);
            (mirrored, Some(again))
        }
        Ask::ServerFirst => {
            let (again, mirrored) = tokio::join!(biased; again, mirrored);
            (mirrored, Some(again))
        }
    }
}
