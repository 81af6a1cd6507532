//! Sending recorded calls: when, in which order, how many at a time.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::header::{CONTENT_LENGTH, SET_COOKIE};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::held::{self, Held, Lack};
use super::source::{Damage, LeftOut, Recorded, Recording, Records};
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
    /// Sent without a recorded answer to hold legacy's against.
    pub unrecorded: u64,
    /// How many, and the first place.
    pub left_out: BTreeMap<LeftOut, (u64, String)>,
    pub cut: Option<String>,
    pub wrong: Option<String>,
}

/// Both sides, and what knows of their sessions.
pub struct Stage {
    sides: Sides,
    judge: Arc<Judge>,
    /// What legacy issued in the recording, for what it issues now; the judge has the same of the candidate.
    sessions: Arc<Sessions>,
    held: Held,
}

/// One call on its way.
struct Act {
    call: Arc<Call>,
    moment: Moment,
    recorded: Option<Leg>,
    is_asked: bool,
    recording: Recording,
    /// What the recording's answer issued, to be paired with what each side issues.
    issuing: [Option<Issuing>; 2],
}

impl Stage {
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(sides: Sides, judge: Judge, config: &Config) -> anyhow::Result<Stage> {
        let sessions = Sessions::new(config.stateful.sessions.clone(), judge.metrics.clone())?;
        Ok(Stage { sides, judge: Arc::new(judge), sessions, held: Held::default() })
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
                Err(Damage::LeftOut(what, place)) => {
                    played.left_out.entry(what).or_insert((0, place)).0 += 1;
                    continue;
                }
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
            let is_unrecorded = recorded.legacy.as_ref().is_none_or(|leg| leg.said().is_none());
            let Some(act) = stage.act(recorded, options) else { continue };
            played.calls += 1;
            played.unrecorded += u64::from(is_unrecorded);
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
        stage.held.settle(&stage.judge);
        played
    }

    /// In the order of the recording. None for what is never to be sent.
    fn act(&self, recorded: Recorded, options: &Options) -> Option<Act> {
        let Recorded { time, call, legacy, recording, .. } = recorded;
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
        let is_asked = options.legacy == Legacy::Asked;
        Some(Act { call: Arc::new(call), moment, recorded: legacy, is_asked, recording, issuing })
    }

    /// Both sides at the same time, each with the tokens that it issued itself.
    async fn perform(&self, act: Act) {
        let Act { call, moment, recorded, is_asked, recording, issuing: [by_legacy, by_candidate] } = act;
        let (begun, judge) = (Instant::now(), &self.judge);
        let served = async {
            match recorded.as_ref().filter(|_| !is_asked) {
                Some(leg) => Ok(Leg { begun_ms: moment.time.as_millis() as u64, ..leg.clone() }),
                None => {
                    let own = self.sessions.ready(Side::Legacy, &call).await?.call;
                    Ok(self.sides.call(Side::Legacy, &own).await)
                }
            }
        };
        let mirrored = async {
            let own = judge.sessions.ready(Side::Candidate, &call).await?.call;
            // Then it carries what the candidate itself issued.
            let is_mapped = !Arc::ptr_eq(&own, &call);
            Ok((candidate(&self.sides, &own, moment).await, is_mapped))
        };
        let (Ok(served), Ok((mut mirrored, is_mapped))) =
            tokio::join!(served, mirrored) as (Result<Leg, Unknown>, Result<(Leg, bool), Unknown>)
        else {
            return judge.metrics.not_comparable("session_unknown");
        };
        by_legacy.into_iter().for_each(|issuing| issuing.learn(&served));
        by_candidate.into_iter().for_each(|issuing| issuing.learn(&mirrored));
        if is_asked {
            // So that what the two issue now does not count as a difference.
            judge.sessions.issuing(Side::Legacy, &call, &served).learn(&mirrored);
        }
        if let Some(then) = recorded.filter(|_| is_asked)
            && let Some(why) = held::void(judge, &call, &then, &served)
        {
            return judge.metrics.not_comparable(why);
        }
        if !is_asked && recording == Recording::Browser {
            leave_out_unrecorded(&served, &mut mirrored);
        }
        let exchange =
            Exchange { begun, call, sender: None, served_by: Side::Legacy, served, mirrored, again: None, doubt: None };
        let lack = match recording {
            _ if is_mapped => None,
            // Where legacy is asked it knows the stand-ins that it lets in, and so should the candidate.
            Recording::StandIns if !is_asked => Some(Lack::StandIn),
            _ => Some(Lack::Session),
        };
        self.held.judge(judge, exchange, lack);
    }
}

/// At the time of the recording, where it is a component.
pub(super) async fn candidate(sides: &Sides, call: &Call, moment: Moment) -> Leg {
    let Candidate::Embedded(component) = &sides.candidate else { return sides.call(Side::Candidate, call).await };
    let start = Instant::now();
    let asked = component.call_at(call, moment).await;
    Leg::of(asked, moment.time.as_millis() as u64, start.elapsed())
}

/// An answer recorded without cookies may have set some, and one over HTTP/2 needs no length: nothing is known of them.
fn leave_out_unrecorded(recorded: &Leg, candidate: &mut Leg) {
    let (Some(recorded), Ok(candidate)) = (recorded.said(), &mut candidate.outcome) else { return };
    for name in [SET_COOKIE, CONTENT_LENGTH] {
        if !recorded.headers.contains_key(&name) {
            candidate.headers.remove(name);
        }
    }
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
