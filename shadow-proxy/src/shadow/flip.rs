//! A flipped decision is looked at again before it counts: did something end or begin between the two legs?

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::now_ms;
use crate::exchange::{Call, Decision, Exchange, Side, Undetermined};
use crate::side::{Candidate, Sides};

use super::judge::{Judge, Judged};
use super::last_words::LastWords;
use super::undetermined::{Pair, is_explained, question};

/// What looking again needs.
pub(crate) struct Looks {
    /// By how much the clocks of the two sides may be apart.
    clock_tolerance_ms: u64,
    pub(super) last_words: LastWords,
    places: Semaphore,
}

impl Looks {
    pub(crate) fn new(clock_tolerance_ms: u64) -> Looks {
        Looks { clock_tolerance_ms, last_words: LastWords::default(), places: Semaphore::new(LOOKS_MAX) }
    }
}

impl Judge {
    /// Names the doubt of an exchange whose decisions differ, where time explains that.
    ///
    /// A component is asked as of the moments of legacy's leg. Else both sides are asked again where the side that served
    /// may be asked twice; where it may not, the claims of a token are all there is to go by. `calls` are those that legacy
    /// and the candidate were asked.
    pub(super) async fn look_again(
        &self,
        exchange: &mut Exchange,
        judged: &Judged,
        sides: &Sides,
        calls: [&Arc<Call>; 2],
    ) {
        let Some(first) = judged.flip().filter(|_| exchange.doubt.is_none()) else { return };
        let before = self.looks.last_words.of(judged.shape());
        let (is_suspected, tolerance_ms) = (before == Some(first.1), self.looks.clock_tolerance_ms);
        let asked = calls.map(|call| &**call);
        let question = question(exchange, asked, first, is_suspected, tolerance_ms, now_ms());
        let Some(question) = question else { return };
        let can_be_told_the_time = self.is_safe(&exchange.call) && matches!(sides.candidate, Candidate::Embedded(_));
        if can_be_told_the_time
            && self.is_of_its_time(exchange, judged, sides, (asked[1], first), question.over_ms).await
        {
            exchange.doubt = Some(Undetermined::ExpiredBetween);
            return;
        }
        let place = self.looks.places.try_acquire().ok().filter(|_| self.is_askable(&exchange.call));
        let is_explained = match place {
            None => question.is_claimed && !can_be_told_the_time,
            Some(_place) => {
                tokio::time::sleep(Duration::from_millis(question.ask_at_ms.saturating_sub(now_ms()))).await;
                match self.asked_again(judged, sides, calls).await {
                    Some(again) => is_explained(question, first, again, before),
                    None => question.is_claimed,
                }
            }
        };
        if is_explained {
            exchange.doubt = Some(Undetermined::ExpiredBetween);
        }
    }

    /// Whether the component decides as before where it has its own time, and as legacy did once legacy had answered and
    /// what a token claims is over: then it is time that decides, and neither chance nor the component.
    ///
    /// Whom it refuses may also have been let in by a clock that is behind. Whom it lets in is not excused so: the token
    /// may only just have begun.
    async fn is_of_its_time(
        &self,
        exchange: &Exchange,
        judged: &Judged,
        sides: &Sides,
        (call, (legacys, own)): (&Call, Pair),
        over_ms: u64,
    ) -> bool {
        let (legacy, candidate) = (exchange.leg(Side::Legacy), exchange.leg(Side::Candidate));
        let tolerance_ms = self.looks.clock_tolerance_ms;
        let earliest_ms = legacy.begun_ms.saturating_sub(tolerance_ms);
        let answered_ms = legacy.begun_ms + legacy.latency.as_millis() as u64 + 1;
        let latest_ms = over_ms.max(answered_ms + tolerance_ms);
        let mut decided = [None; 3];
        for (decision, time_ms) in decided.iter_mut().zip([candidate.begun_ms, earliest_ms, latest_ms]) {
            *decision = judged.decision(&sides.call_at(Side::Candidate, call, time_ms).await);
        }
        let [again, earliest, latest] = decided;
        let is_excused = latest == Some(legacys) || own == Decision::Deny && earliest == Some(legacys);
        again == Some(own) && is_excused
    }

    /// What both decide now; none where one of them does not answer.
    async fn asked_again(
        &self,
        judged: &Judged,
        sides: &Sides,
        calls: [&Arc<Call>; 2],
    ) -> Option<(Decision, Decision)> {
        let [legacy, candidate] = calls;
        let both = async { tokio::join!(sides.call(Side::Legacy, legacy), sides.call(Side::Candidate, candidate)) };
        let (legacy, candidate) = tokio::time::timeout(ASKED_MAX, both).await.ok()?;
        Some((judged.decision(&legacy)?, judged.decision(&candidate)?))
    }
}

/// Looks at the same time: with a candidate that decides otherwise each time, more would only be a load.
const LOOKS_MAX: usize = 8;

/// A fifth of a second: more than clocks kept by NTP are apart, and less than the second in which tokens count time.
pub(crate) const CLOCK_TOLERANCE_MS: u64 = 200;

const ASKED_MAX: Duration = Duration::from_secs(2);
