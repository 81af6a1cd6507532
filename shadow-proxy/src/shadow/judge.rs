//! What becomes of an exchange: compared, counted, redacted, kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::clock::now_ms;
use crate::exchange::{Answer, Call, Cell, Decision, Difference, Exchange, Leg, Side};
use crate::metrics::Metrics;
use crate::shift::watch::Watch;

use super::again::{Again, Ask};
use super::capture::Capture;
use super::compare::Comparer;
use super::endpoint::Endpoints;
use super::record::{Recorder, Row, Shown};
use super::redact::{Redactor, ShownDifference};
use super::route_class::{RouteClass, Routes};
use super::rules::Day;
use super::session::Sessions;
use super::shape::Shapes;

pub struct Judge {
    /// Its rules change when somebody accepts one.
    pub comparer: Arc<ArcSwap<Comparer>>,
    pub endpoints: Endpoints,
    pub routes: Routes,
    pub again: Again,
    pub shapes: Shapes,
    pub redactor: Redactor,
    pub sessions: Arc<Sessions>,
    pub recorder: Recorder,
    pub capture: Option<Capture>,
    pub metrics: Arc<Metrics>,
    /// Of live traffic.
    pub watch: Option<Arc<Watch>>,
    /// Besides the samples of findings, one exchange in so many is kept whole; 0 keeps none.
    pub keep_match_every: u64,
    pub besides: AtomicU64,
}

impl Judge {
    /// Whom to ask for the mirrored leg of a call.
    pub fn ask(&self, served_by: Side, call: &Call) -> Ask {
        if self.is_askable(call) { self.again.ask(served_by, &self.endpoint(call)) } else { Ask::Once }
    }

    /// Whether the side that served might be asked the same twice.
    fn is_askable(&self, call: &Call) -> bool {
        self.again.is_on() && self.routes.class(&call.method, call.uri.path()) == RouteClass::Safe
    }

    fn endpoint(&self, call: &Call) -> Arc<str> {
        let path = call.uri.path();
        self.endpoints.name(&call.method, path, || self.redactor.template(path))
    }

    /// What legacy knows nothing of gets no name of its own: whoever tries all paths would use the names up.
    fn learn(&self, call: &Call, legacy: &Leg) {
        let path = call.uri.path();
        let is_known = |answer: &Answer| !matches!(answer.status.as_u16(), 404 | 405 | 500..);
        if legacy.outcome.as_ref().is_ok_and(is_known) {
            self.endpoints.learn(path, || self.redactor.template(path));
        }
    }

    pub fn judge(&self, exchange: &Exchange) {
        let (legacy, candidate) = (exchange.leg(Side::Legacy), exchange.leg(Side::Candidate));
        self.learn(&exchange.call, legacy);
        if let Some(watch) = &self.watch {
            watch.exchange(exchange);
        }
        let endpoint = &*self.endpoint(&exchange.call);
        let today = Day::of_ms(now_ms());
        let comparer = self.comparer.load();
        let mut comparison = match comparer.compare(&exchange.call, legacy, candidate, endpoint, today) {
            Ok(comparison) => comparison,
            Err(reason) => {
                self.captured(exchange, Decision::Neither, format!("not_comparable:{}", reason.0));
                return self.metrics.not_comparable(reason.0);
            }
        };
        comparison.explain(ISSUED, |legacy, candidate| self.sessions.is_pair(legacy, candidate));
        if let Some(watch) = &self.watch {
            watch.decided(Cell::of(comparison.legacy, comparison.candidate));
        }
        self.metrics.latency(Side::Legacy, legacy.latency);
        self.metrics.latency(Side::Candidate, candidate.latency);
        self.captured(exchange, comparison.legacy, comparison.verdict.name());
        let mut differences = self.outlines(&comparison.differences);
        let samples = self.recorder.samples(endpoint, &differences);
        let keep = !samples.is_empty() || self.is_due();
        if keep {
            differences =
                comparison.differences.iter().map(|difference| self.redactor.difference(difference)).collect();
        }
        // What differs from the candidate by habit is no noise of legacy's.
        let legacy_again = exchange.again.as_ref().filter(|_| exchange.served_by == Side::Legacy);
        self.recorder.keep(Row {
            at_ms: now_ms(),
            differences,
            samples,
            counts: self.shapes.counts(&exchange.call),
            askable: exchange.served_by == Side::Legacy && self.is_askable(&exchange.call),
            again: legacy_again.and_then(|again| self.own_differences(&comparer, exchange, again, endpoint, today)),
            verdict: comparison.verdict,
            served_by: exchange.served_by,
            legacy: comparison.legacy,
            candidate: comparison.candidate,
            legacy_us: legacy.latency.as_micros() as u64,
            candidate_us: candidate.latency.as_micros() as u64,
            shown: keep.then(|| self.show(exchange)),
            endpoint: endpoint.into(),
        });
        // Last, so that "nothing in flight" means "handed to the store".
        self.metrics.compared(comparison.verdict, comparison.legacy, comparison.candidate);
    }

    fn captured(&self, exchange: &Exchange, legacy: Decision, verdict: impl Into<String>) {
        if let Some(capture) = &self.capture {
            capture.keep(exchange, legacy, verdict);
        }
    }

    /// Where legacy's second answer differs from its first; none where there is nothing to compare.
    fn own_differences(
        &self,
        comparer: &Comparer,
        exchange: &Exchange,
        again: &Leg,
        endpoint: &str,
        today: Day,
    ) -> Option<Vec<ShownDifference>> {
        let comparison = comparer.compare(&exchange.call, &exchange.served, again, endpoint, today).ok()?;
        Some(self.outlines(&comparison.differences))
    }

    fn outlines(&self, differences: &[Difference]) -> Vec<ShownDifference> {
        differences.iter().map(|difference| self.redactor.outline(difference)).collect()
    }

    fn show(&self, exchange: &Exchange) -> Shown {
        let answer = |side| exchange.leg(side).outcome.as_ref().ok().map(|answer| self.redactor.answer(answer));
        Shown {
            call: self.redactor.call(&exchange.call),
            legacy: answer(Side::Legacy),
            candidate: answer(Side::Candidate),
        }
    }

    fn is_due(&self) -> bool {
        self.keep_match_every > 0 && self.besides.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.keep_match_every)
    }
}

/// Explains a token by the other side's token for the same session.
const ISSUED: &str = "starter:issued-token";
