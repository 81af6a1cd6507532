//! When requests are sent, and when there are no more. Without a rate each user sends as soon as it has its answer.
//! With one, the times are planned ahead from the start (request i at i / rate) and do not wait for answers: an
//! answer that comes late makes later requests late, and their latency, which counts from the plan, says so.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use crate::deck::Deck;

/// How soon the pacing thread sees that the run was ended.
const NAP_MAX: Duration = Duration::from_millis(50);
/// A planned request whose turn has not come this long after the end stays unsent.
const LATE_MAX: Duration = Duration::from_millis(250);

/// What ends the run, and how fast it goes. At least one of `requests` and `time` is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) requests: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) rate: Option<f64>,
}

impl Pace {
    /// How many requests the run has, where that is known ahead.
    pub(crate) fn planned(&self) -> Option<u64> {
        let in_time = self.rate.zip(self.time).map(|(rate, time)| {
            // Every request that is due before the end. The subtraction hides what the multiplication rounds up.
            (rate * time.as_secs_f64() - 1e-9).ceil() as u64
        });
        match (self.requests, in_time) {
            (Some(requests), Some(in_time)) => Some(requests.min(in_time)),
            (requests, in_time) => requests.or(in_time),
        }
    }

    /// When request `index` is due, counted from the start; `None` = as soon as a user is free.
    fn due(&self, index: u64) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64(index as f64 / rate))
    }

    fn is_over(&self, elapsed: Duration) -> bool {
        let late = if self.rate.is_some() { LATE_MAX } else { Duration::ZERO };
        self.time.is_some_and(|time| elapsed >= time + late)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) case: usize,
    /// When the request should be sent; latency counts from here.
    pub(crate) due: Instant,
}

/// Hands out the turns of one run to all of its users.
#[derive(Debug)]
pub(crate) struct Schedule {
    pace: Pace,
    users: usize,
    deal: Mutex<Deal>,
    start: OnceLock<Instant>,
    /// With a rate: one permit for each request that is due and not yet taken.
    due: Semaphore,
    stopped: watch::Sender<bool>,
}

#[derive(Debug)]
struct Deal {
    deck: Deck,
    dealt: u64,
}

impl Schedule {
    pub(crate) fn new(pace: Pace, users: usize, deck: Deck) -> Self {
        Self {
            pace,
            users,
            deal: Mutex::new(Deal { deck, dealt: 0 }),
            start: OnceLock::new(),
            due: Semaphore::new(0),
            stopped: watch::Sender::new(false),
        }
    }

    /// The run starts with the first user that says so; later ones join it.
    pub(crate) fn begin(self: &Arc<Self>) {
        self.start.get_or_init(|| {
            let start = Instant::now();
            if self.pace.rate.is_some() {
                let schedule = Arc::clone(self);
                thread::spawn(move || schedule.release(start));
            }
            start
        });
    }

    /// The next request, once it is due; `None` when there are no more.
    pub(crate) async fn next(&self) -> Option<Turn> {
        let start = *self.start.get()?;
        if self.pace.rate.is_some() {
            self.due.acquire().await.ok()?.forget();
        }
        if self.stopped() || self.pace.is_over(start.elapsed()) {
            return None;
        }
        let mut deal = self.deal.lock().unwrap_or_else(PoisonError::into_inner);
        if self.pace.planned().is_some_and(|planned| deal.dealt >= planned) {
            return None;
        }
        let due = self.pace.due(deal.dealt).map_or_else(Instant::now, |offset| start + offset);
        deal.dealt += 1;
        Some(Turn { case: deal.deck.deal(), due })
    }

    /// No further turns, and `ended_early` ends.
    pub(crate) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    pub(crate) fn stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    pub(crate) async fn ended_early(&self) {
        // The sender lives as long as the schedule, so that this waits for nothing else.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    pub(crate) fn start(&self) -> Option<Instant> {
        self.start.get().copied()
    }

    /// The pacing thread: tokio's timers are up to 2 ms late, a thread that sleeps is late by a tenth of that.
    fn release(&self, start: Instant) {
        // Only precision is lost where the kernel refuses.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let planned = self.pace.planned().unwrap_or(u64::MAX);
        let mut released = 0;
        while released < planned && !self.stopped() && !self.pace.is_over(start.elapsed()) {
            let wait = self.pace.due(released).unwrap_or_default().saturating_sub(start.elapsed());
            if wait.is_zero() {
                self.due.add_permits(1);
                released += 1;
            } else {
                thread::sleep(wait.min(NAP_MAX));
            }
        }
        // Whoever waits for a turn now learns that there is none.
        self.due.add_permits(self.users);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(requests: Option<u64>, time_ms: Option<u64>, rate: Option<f64>) -> Pace {
        Pace { requests, time: time_ms.map(Duration::from_millis), rate }
    }

    #[test]
    fn the_number_of_requests_is_known_where_it_can_be() {
        for (pace, planned) in [
            (pace(Some(10), None, None), Some(10)),
            (pace(None, Some(1_000), None), None),
            (pace(Some(10), Some(1_000), None), Some(10)),
            (pace(None, Some(1_000), Some(100.0)), Some(100)),
            (pace(None, Some(30_000), Some(0.1)), Some(3)),
            (pace(None, Some(1_000), Some(0.5)), Some(1)),
            (pace(None, Some(1_500), Some(1.0)), Some(2)),
            (pace(Some(10), Some(1_000), Some(100.0)), Some(10)),
            (pace(Some(1_000), Some(1_000), Some(100.0)), Some(100)),
        ] {
            assert_eq!(pace.planned(), planned, "{pace:?}");
        }
    }

    #[test]
    fn times_are_planned_from_the_start_so_that_errors_do_not_add_up() {
        let pace = pace(Some(1), None, Some(3.0));
        assert_eq!(pace.due(0), Some(Duration::ZERO));
        assert_eq!(pace.due(3), Some(Duration::from_secs(1)));
        assert_eq!(pace.due(3_000_000), Some(Duration::from_secs(1_000_000)));
    }

    fn schedule(pace: Pace) -> Arc<Schedule> {
        Arc::new(Schedule::new(pace, 4, Deck::new(&[1], 1)))
    }

    async fn turns(schedule: &Arc<Schedule>) -> Vec<Turn> {
        schedule.begin();
        let users: Vec<_> = (0..4)
            .map(|_| {
                let schedule = Arc::clone(schedule);
                tokio::spawn(async move {
                    let mut turns = Vec::new();
                    while let Some(turn) = schedule.next().await {
                        turns.push(turn);
                    }
                    turns
                })
            })
            .collect();
        let mut all = Vec::new();
        for user in users {
            all.extend(user.await.expect("no user panics"));
        }
        all.sort_by_key(|turn| turn.due);
        all
    }

    #[tokio::test]
    async fn exactly_as_many_turns_as_were_asked_for() {
        for pace in [pace(Some(1_001), None, None), pace(Some(101), None, Some(50_000.0))] {
            assert_eq!(turns(&schedule(pace)).await.len() as u64, pace.requests.unwrap_or_default());
        }
    }

    #[tokio::test]
    async fn with_a_rate_turns_are_due_as_planned_and_never_early() {
        let schedule = schedule(pace(None, Some(100), Some(500.0)));
        let turns = turns(&schedule).await;
        let start = schedule.start().expect("it began");
        assert_eq!(turns.len(), 50);
        for (index, turn) in turns.iter().enumerate() {
            assert_eq!(turn.due, start + Duration::from_millis(2 * index as u64));
        }
        assert!(start.elapsed() >= Duration::from_millis(98));
    }

    #[tokio::test]
    async fn a_stopped_run_has_no_more_turns_and_nobody_waits() {
        let schedule = schedule(pace(None, Some(60_000), Some(0.001)));
        schedule.begin();
        assert!(schedule.next().await.is_some(), "the first is due at once");
        let waiting = tokio::spawn({
            let schedule = Arc::clone(&schedule);
            async move { schedule.next().await.is_none() }
        });
        schedule.stop();
        schedule.ended_early().await;
        assert!(waiting.await.expect("no panic"));
        assert!(schedule.next().await.is_none());
    }
}
