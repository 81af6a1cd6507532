//! A flipped decision is looked at again before it counts: did something end or begin between the two legs?

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::now_ms;
use crate::exchange::{Call, Decision, Exchange, Side, Undetermined};
use crate::side::Sides;

use super::judge::{Judge, Judged};
use super::last_words::LastWords;
use super::undetermined::{is_explained, question};

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
    /// Both sides are asked again where the side that served may be asked twice; where it may not, the claims of a token
    /// are all there is to go by. `calls` are those that legacy and the candidate were asked.
    pub(super) async fn look_again(
        &self,
        exchange: &mut Exchange,
        judged: &Judged,
        sides: &Sides,
        calls: [&Arc<Call>; 2],
    ) {
        let Some(first) = judged.flip().filter(|_| exchange.doubt.is_none()) else { return };
        let before = self.looks.last_words.of(judged.shape());
        let is_suspected = before == Some(first.1);
        let question =
            question(exchange, calls.map(|call| &**call), first, is_suspected, self.looks.clock_tolerance_ms, now_ms());
        let Some(question) = question else { return };
        let place = self.looks.places.try_acquire().ok().filter(|_| self.is_askable(&exchange.call));
        let is_explained = match place {
            None => question.is_claimed,
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
