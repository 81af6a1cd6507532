//! What becomes of an exchange: compared, counted, redacted, kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::now_ms;
use crate::exchange::{Exchange, Side, Verdict};
use crate::metrics::Metrics;

use super::compare::Comparer;
use super::endpoint::Endpoints;
use super::record::{Recorder, Row, Shown};
use super::redact::Redactor;
use super::session::Sessions;

pub struct Judge {
    pub comparer: Comparer,
    pub endpoints: Endpoints,
    pub redactor: Redactor,
    pub sessions: Arc<Sessions>,
    pub recorder: Recorder,
    pub metrics: Arc<Metrics>,
    /// One matching or explained exchange in so many is kept whole; 0 keeps none.
    pub keep_match_every: u64,
    pub matches: AtomicU64,
}

impl Judge {
    pub fn judge(&self, exchange: &Exchange) {
        let endpoint = self.endpoints.name(&exchange.call.method, exchange.call.uri.path());
        let (legacy, candidate) = (exchange.leg(Side::Legacy), exchange.leg(Side::Candidate));
        let mut comparison = match self.comparer.compare(&exchange.call, legacy, candidate, endpoint) {
            Ok(comparison) => comparison,
            Err(reason) => return self.metrics.not_comparable(reason.0),
        };
        comparison.explain(ISSUED, |legacy, candidate| self.sessions.is_pair(legacy, candidate));
        self.metrics.latency(Side::Legacy, legacy.latency);
        self.metrics.latency(Side::Candidate, candidate.latency);
        let keep = comparison.verdict == Verdict::Mismatch || self.is_sampled();
        self.recorder.keep(Row {
            at_ms: now_ms(),
            differences: comparison.differences.iter().map(|difference| self.redactor.difference(difference)).collect(),
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

    fn show(&self, exchange: &Exchange) -> Shown {
        let answer = |side| exchange.leg(side).outcome.as_ref().ok().map(|answer| self.redactor.answer(answer));
        Shown {
            call: self.redactor.call(&exchange.call),
            legacy: answer(Side::Legacy),
            candidate: answer(Side::Candidate),
        }
    }

    fn is_sampled(&self) -> bool {
        self.keep_match_every > 0 && self.matches.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.keep_match_every)
    }
}

/// Explains a token by the other side's token for the same session.
const ISSUED: &str = "starter:issued-token";
