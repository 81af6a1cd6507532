//! Sending recorded calls: when, in which order, how many at a time.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::source::{Damage, Recorded, Records};
use super::{Legacy, Options};
use crate::exchange::{Call, Exchange, Leg, Side};
use crate::shadow::judge::Judge;
use crate::side::candidate::Moment;
use crate::side::{Candidate, Sides};

/// How fast, compared with the recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the sides answer.
    Max,
    /// 1 is as it was.
    Times(f64),
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        match (text, text.parse::<f64>()) {
            ("max", _) => Ok(Speed::Max),
            ("recorded", _) => Ok(Speed::Times(1.0)),
            (_, Ok(times)) if times.is_finite() && (0.001..=1_000_000.0).contains(&times) => Ok(Speed::Times(times)),
            _ => Err(format!("`{text}` is neither `recorded`, a number of times as fast, nor `max`; for example `10`")),
        }
    }
}

/// What was sent, and where reading ended.
#[derive(Default)]
pub struct Played {
    pub calls: u64,
    /// With `Legacy::Recorded`: left out.
    pub without_answer: u64,
    pub cut: Option<String>,
    pub wrong: Option<String>,
}

/// Calls of one session one after the other, others beside them.
pub async fn play(records: Records, sides: Sides, judge: &Arc<Judge>, options: &Options) -> Played {
    let mut played = Played::default();
    let slots = Arc::new(Semaphore::new(options.concurrency));
    let mut sessions: HashMap<Vec<u8>, JoinHandle<()>> = HashMap::new();
    let mut pace = Pace { speed: options.speed, first: None };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for recorded in records {
        let Recorded { time, session, call, legacy } = match recorded {
            Ok(recorded) => recorded,
            Err(Damage::Cut(why)) => {
                // The file after it, where there is one, is whole.
                played.cut = Some(why);
                continue;
            }
            Err(Damage::Wrong(why)) => {
                played.wrong = Some(why);
                break;
            }
        };
        let legacy = match options.legacy {
            Legacy::Asked => None,
            Legacy::Recorded if legacy.is_none() => {
                played.without_answer += 1;
                continue;
            }
            Legacy::Recorded => legacy,
        };
        pace.wait(time).await;
        let slot = slots.clone().acquire_owned().await.expect("never closed");
        played.calls += 1;
        let moment = Moment { time: options.clock.or(time).unwrap_or(now), seed: options.seed };
        let before = session.as_ref().and_then(|session| sessions.remove(session));
        let (sides, judge) = (sides.clone(), judge.clone());
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                // One that panicked is over too.
                let _ = before.await;
            }
            exchange(call, legacy, moment, &sides, &judge).await;
            drop(slot);
        });
        if let Some(session) = session {
            sessions.insert(session, task);
        }
        if sessions.len() > SESSIONS_MAX {
            sessions.retain(|_, task| !task.is_finished());
        }
    }
    let _ = slots.acquire_many(options.concurrency as u32).await;
    played
}

/// Both sides at the same time.
async fn exchange(call: Call, legacy: Option<Leg>, moment: Moment, sides: &Sides, judge: &Judge) {
    judge.metrics.received.inc();
    judge.metrics.mirrored.inc();
    let begun = Instant::now();
    let served = async {
        match legacy {
            Some(leg) => leg,
            None => sides.call(Side::Legacy, &call).await,
        }
    };
    let (served, mirrored) = tokio::join!(served, candidate(sides, &call, moment));
    let call = Arc::new(call);
    judge.judge(&Exchange { begun, call, served_by: Side::Legacy, served, mirrored, again: None });
}

/// At the time of the recording, where it is a component.
pub(super) async fn candidate(sides: &Sides, call: &Call, moment: Moment) -> Leg {
    let Candidate::Embedded(component) = &sides.candidate else { return sides.call(Side::Candidate, call).await };
    let start = Instant::now();
    let outcome = component.call_at(call, moment).await;
    Leg { outcome, latency: start.elapsed() }
}

struct Pace {
    speed: Speed,
    /// When the first call was recorded, and when it was sent.
    first: Option<(Duration, tokio::time::Instant)>,
}

impl Pace {
    async fn wait(&mut self, time: Option<Duration>) {
        let (Speed::Times(times), Some(time)) = (self.speed, time) else { return };
        let (first, start) = *self.first.get_or_insert_with(|| (time, tokio::time::Instant::now()));
        let since = time.saturating_sub(first).as_secs_f64() / times;
        tokio::time::sleep_until(start + Duration::from_secs_f64(since.min(YEAR_S))).await;
    }
}

/// More sessions than that are looked through for finished ones.
const SESSIONS_MAX: usize = 10_000;
const YEAR_S: f64 = 3.2e7;
