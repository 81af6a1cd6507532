//! Sending recorded calls: when, in which order, how many at a time.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::source::{Damage, Recorded, Records};
use super::{Legacy, Options};
use crate::config::Config;
use crate::exchange::{Call, Exchange, Leg, Side};
use crate::metrics::Skip;
use crate::shadow::judge::Judge;
use crate::shadow::route_class::RouteClass;
use crate::shadow::session::{Issuing, Sessions, Unknown};
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

/// Both sides, and what knows of their sessions.
pub struct Stage {
    sides: Sides,
    judge: Arc<Judge>,
    /// What legacy issued in the recording, for what it issues now; the judge has the same of the candidate.
    sessions: Arc<Sessions>,
}

/// One call on its way.
struct Act {
    call: Arc<Call>,
    moment: Moment,
    recorded: Option<Leg>,
    is_asked: bool,
    /// What the recording's answer issued, to be paired with what each side issues.
    issuing: [Option<Issuing>; 2],
}

impl Stage {
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(sides: Sides, judge: Judge, config: &Config) -> anyhow::Result<Stage> {
        let sessions = Sessions::new(config.stateful.sessions.clone(), judge.metrics.clone())?;
        Ok(Stage { sides, judge: Arc::new(judge), sessions })
    }

    /// Calls of one session one after the other, others beside them.
    pub async fn play(self, records: Records, options: &Options) -> Played {
        let (stage, mut played) = (Arc::new(self), Played::default());
        let slots = Arc::new(Semaphore::new(options.concurrency));
        let mut before: HashMap<Vec<u8>, JoinHandle<()>> = HashMap::new();
        let mut pace = Pace { speed: options.speed, first: None };
        for recorded in records {
            let recorded = match recorded {
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
            if options.legacy == Legacy::Recorded && recorded.legacy.is_none() {
                played.without_answer += 1;
                continue;
            }
            pace.wait(recorded.time).await;
            let slot = slots.clone().acquire_owned().await.expect("never closed");
            let session = recorded.session.clone();
            let Some(act) = stage.act(recorded, options) else { continue };
            played.calls += 1;
            let (stage, earlier) = (stage.clone(), session.as_ref().and_then(|session| before.remove(session)));
            let task = tokio::spawn(async move {
                if let Some(earlier) = earlier {
                    // One that panicked is over too.
                    let _ = earlier.await;
                }
                stage.perform(act).await;
                drop(slot);
            });
            before.extend(session.map(|session| (session, task)));
            if before.len() > SESSIONS_MAX {
                before.retain(|_, task| !task.is_finished());
            }
        }
        let _ = slots.acquire_many(options.concurrency as u32).await;
        played
    }

    /// In the order of the recording. None for what is never to be sent.
    fn act(&self, recorded: Recorded, options: &Options) -> Option<Act> {
        let Recorded { time, call, legacy, .. } = recorded;
        let metrics = &self.judge.metrics;
        metrics.received.inc();
        if self.judge.routes.class(&call.method, call.uri.path()) == RouteClass::Never {
            metrics.skipped(Skip::Route);
            return None;
        }
        metrics.mirrored.inc();
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let moment = Moment { time: options.clock.or(time).unwrap_or_else(now), seed: options.seed };
        let issuing = [(Side::Candidate, &self.sessions), (Side::Legacy, &self.judge.sessions)]
            .map(|(from, sessions)| legacy.as_ref().map(|leg| sessions.issuing(from, &call, leg)));
        Some(Act { call: Arc::new(call), moment, recorded: legacy, is_asked: options.legacy == Legacy::Asked, issuing })
    }

    /// Both sides at the same time, each with the tokens that it issued itself.
    async fn perform(&self, act: Act) {
        let Act { call, moment, recorded, is_asked, issuing: [by_legacy, by_candidate] } = act;
        let (begun, judge) = (Instant::now(), &self.judge);
        let served = async {
            match recorded.filter(|_| !is_asked) {
                Some(leg) => Ok(leg),
                None => {
                    let own = self.sessions.ready(Side::Legacy, &call).await?;
                    Ok(self.sides.call(Side::Legacy, &own).await)
                }
            }
        };
        let mirrored = async {
            let own = judge.sessions.ready(Side::Candidate, &call).await?;
            Ok(candidate(&self.sides, &own, moment).await)
        };
        let (Ok(served), Ok(mirrored)) = tokio::join!(served, mirrored) as (Result<Leg, Unknown>, Result<Leg, Unknown>)
        else {
            return judge.metrics.not_comparable("session_unknown");
        };
        by_legacy.into_iter().for_each(|issuing| issuing.learn(&served));
        by_candidate.into_iter().for_each(|issuing| issuing.learn(&mirrored));
        if is_asked {
            // So that what the two issue now does not count as a difference.
            judge.sessions.issuing(Side::Legacy, &call, &served).learn(&mirrored);
        }
        judge.judge(&Exchange { begun, call, served_by: Side::Legacy, served, mirrored, again: None });
    }
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
