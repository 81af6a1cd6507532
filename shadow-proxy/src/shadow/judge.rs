//! What becomes of an exchange: compared, counted, redacted, kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::clock::now_ms;
use crate::exchange::{Answer, Call, Cell, Decision, Difference, Exchange, Leg, Side, Undetermined, Verdict};
use crate::metrics::Metrics;
use crate::shift::voices::Against;
use crate::shift::watch::Watch;

use super::again::{Again, Ask, is_rate_limited};
use super::capture::Capture;
use super::compare::{Comparer, Comparison, NotComparable};
use super::endpoint::Endpoints;
use super::flip::Looks;
use super::record::{Recorder, Row, Shown};
use super::redact::{Redactor, ShownDifference};
use super::refusal;
use super::route_class::{RouteClass, Routes};
use super::rules::Day;
use super::session::Sessions;
use super::shape::{Shape, Shapes};
use super::undetermined::{Pair, is_flip, undetermined};
use super::version::{Seen, Versions};

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
    /// Where the candidate says which version it is.
    pub versions: Option<Versions>,
    pub looks: Looks,
    /// Of live traffic.
    pub watch: Option<Arc<Watch>>,
    /// Besides the samples of findings, one exchange in so many is kept whole; 0 keeps none.
    pub keep_match_every: u64,
    pub besides: AtomicU64,
}

impl Judge {
    /// Whom to ask for the mirrored leg of a call.
    pub fn ask(&self, served_by: Side, call: &Call, served: &Leg) -> Ask {
        if !self.is_askable(call) {
            return Ask::Once;
        }
        let endpoint = self.endpoint(call);
        self.learn_rate_limit(&endpoint, served_by, served);
        self.again.ask(served_by, &endpoint)
    }

    /// Asking twice where a client's requests are counted would use up what it may ask.
    fn learn_rate_limit(&self, endpoint: &str, served_by: Side, leg: &Leg) {
        if leg.outcome.as_ref().is_ok_and(is_rate_limited) && self.again.learn_rate_limited(endpoint) {
            self.metrics.rate_limited.learn(endpoint);
            tracing::info!(
                endpoint,
                side = served_by.name(),
                "its answers count the client's requests (429, or headers of a rate limit): no call of this endpoint is \
                 asked twice; noise.rate_limited = true asks all the same"
            );
        }
    }

    /// Whether the side that served might be asked the same twice.
    pub(super) fn is_askable(&self, call: &Call) -> bool {
        self.again.is_on() && self.is_safe(call)
    }

    pub(super) fn is_safe(&self, call: &Call) -> bool {
        self.routes.class(&call.method, call.uri.path()) == RouteClass::Safe
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

    /// What both sides decided; none where the answers cannot be compared.
    pub(super) fn decisions(&self, exchange: &Exchange) -> Option<(Decision, Decision)> {
        let (legacy, candidate) = (exchange.leg(Side::Legacy), exchange.leg(Side::Candidate));
        let endpoint = self.endpoint(&exchange.call);
        let comparer = self.comparer.load();
        let comparison = comparer.compare(&exchange.call, legacy, candidate, &endpoint, Day::of_ms(now_ms())).ok()?;
        Some((comparison.legacy, comparison.candidate))
    }

    /// What one answer to a call decides; none where there is none, or where a body that was not recorded could.
    pub fn decision(&self, call: &Call, leg: &Leg) -> Option<Decision> {
        let compared = self.comparer.load().compare(call, leg, leg, &self.endpoint(call), Day::of_ms(now_ms()));
        compared.ok().map(|comparison| comparison.legacy)
    }

    pub fn judge(&self, exchange: &Exchange) {
        self.settle(exchange, self.compare(exchange));
    }

    /// Counts nothing that a second look could change.
    pub(super) fn compare(&self, exchange: &Exchange) -> Judged {
        let (legacy, candidate) = (exchange.leg(Side::Legacy), exchange.leg(Side::Candidate));
        self.learn(&exchange.call, legacy);
        let endpoint = self.endpoint(&exchange.call);
        if let Some(again) = &exchange.again {
            self.learn_rate_limit(&endpoint, exchange.served_by, again);
        }
        let today = Day::of_ms(now_ms());
        let comparer = self.comparer.load_full();
        let mut compared = comparer.compare(&exchange.call, legacy, candidate, &endpoint, today);
        let client = self.client(exchange, compared.as_ref().ok().map(|comparison| comparison.legacy));
        if let Some(watch) = &self.watch {
            watch.exchange(exchange, client);
        }
        if let Ok(comparison) = &mut compared {
            comparison.explain(ISSUED, |legacy, candidate| self.sessions.is_pair(legacy, candidate));
        }
        Judged { compared, comparer, endpoint, today, client, shape: self.shapes.of(&exchange.call) }
    }

    /// Counts the exchange and hands it to whoever keeps it.
    pub(super) fn settle(&self, exchange: &Exchange, judged: Judged) {
        let Judged { compared, comparer, endpoint, today, client, shape } = judged;
        let (legacy, candidate) = (exchange.leg(Side::Legacy), exchange.leg(Side::Candidate));
        let is_past = self.is_of_past_version(candidate);
        let mut comparison = match compared {
            Ok(comparison) => comparison,
            Err(reason) => {
                let decision = self.decision(&exchange.call, legacy).unwrap_or(Decision::Neither);
                self.captured(exchange, decision, format!("not_comparable:{}", reason.0));
                return self.metrics.not_comparable(reason.0);
            }
        };
        if let Some(why) = undetermined(exchange, comparison.cell()) {
            comparison.undetermine(why);
        } else {
            self.looks.last_words.add(shape, comparison.legacy);
            if let Some(watch) = &self.watch {
                watch.decided(comparison.cell(), client);
            }
        }
        if is_past {
            self.captured(exchange, comparison.legacy, format!("not_comparable:{PAST_VERSION}"));
            return self.metrics.not_comparable(PAST_VERSION);
        }
        if legacy.outcome.is_ok() && candidate.outcome.is_ok() {
            self.metrics.latency(Side::Legacy, legacy.latency);
            self.metrics.latency(Side::Candidate, candidate.latency);
        }
        let verdict = comparison.undetermined.map_or(comparison.verdict.name(), Undetermined::rule);
        self.captured(exchange, comparison.legacy, verdict);
        let is_parsers = refusal::is_parsers(legacy, candidate, comparison.legacy);
        self.let_in(exchange, comparison.cell());
        let mut differences = self.outlines(&comparison.differences);
        let samples = self.recorder.samples(&endpoint, &differences);
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
            counts: !is_parsers
                && (legacy.outcome.is_ok() || comparison.verdict == Verdict::Mismatch)
                && self.counts(client, shape, &comparison),
            is_parsers: is_parsers && self.is_heard(client, Against::Parser),
            askable: exchange.served_by == Side::Legacy
                && self.is_askable(&exchange.call)
                && self.again.may_ask(&endpoint),
            again: legacy_again.and_then(|again| self.own_differences(&comparer, exchange, again, &endpoint, today)),
            verdict: comparison.verdict,
            served_by: exchange.served_by,
            legacy: comparison.legacy,
            candidate: comparison.candidate,
            legacy_us: legacy.latency.as_micros() as u64,
            candidate_us: candidate.latency.as_micros() as u64,
            shown: keep.then(|| self.show(exchange)),
            endpoint: endpoint.as_ref().into(),
        });
        // Last, so that "nothing in flight" means "handed to the store".
        self.metrics.compared(comparison.verdict, comparison.cell(), comparison.undetermined);
    }

    /// Who sent it, for the weighing of evidence; none for what is replayed.
    fn client(&self, exchange: &Exchange, legacy: Option<Decision>) -> Option<u64> {
        let is_let_in = match legacy {
            Some(Decision::Allow) => Some(true),
            Some(Decision::Deny | Decision::Neither) => Some(false),
            Some(Decision::Error) | None => None,
        };
        self.watch.as_ref()?.client(exchange, is_let_in)
    }

    /// A client whom both sides let in is one of the split check.
    fn let_in(&self, exchange: &Exchange, cell: Cell) {
        if cell == Cell::AllowAllow
            && let (Some(watch), Some(drawn)) = (&self.watch, exchange.sender.and_then(|sender| sender.drawn))
        {
            watch.let_in(&drawn);
        }
    }

    /// Whether one more pair of a client is evidence: see [`Voices`](crate::shift::voices::Voices).
    fn counts(&self, client: Option<u64>, shape: Shape, comparison: &Comparison) -> bool {
        if comparison.undetermined.is_some() || !self.shapes.counts(shape) {
            return false;
        }
        match (client, &self.watch, comparison.verdict) {
            (Some(_), _, Verdict::Mismatch) => self.is_heard(client, Against::Mismatch),
            (Some(client), Some(watch), _) => watch.of_evidence().counts(client),
            _ => true,
        }
    }

    fn is_heard(&self, client: Option<u64>, what: Against) -> bool {
        let (Some(client), Some(watch)) = (client, &self.watch) else { return true };
        watch.of_evidence().counts_against(client, what)
    }

    /// Whether the answer is of a version that the evidence is not about any more. A new one begins it anew.
    fn is_of_past_version(&self, candidate: &Leg) -> bool {
        let (Some(versions), Ok(answer)) = (&self.versions, &candidate.outcome) else { return false };
        match versions.look(answer) {
            Seen::Present => false,
            Seen::First(version) => {
                self.recorder.version_is(version);
                false
            }
            Seen::New { from, to } => {
                self.recorder.begin_version(to.clone());
                if let Some(watch) = &self.watch {
                    watch.of_evidence().forget();
                    watch.candidate_changed(from, to);
                }
                false
            }
            Seen::Past => true,
        }
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
        let answer = |side| exchange.leg(side).said().map(|answer| self.redactor.answer(answer));
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

/// An exchange that is compared and not counted yet.
pub(super) struct Judged {
    compared: Result<Comparison, NotComparable>,
    comparer: Arc<Comparer>,
    endpoint: Arc<str>,
    today: Day,
    client: Option<u64>,
    shape: Shape,
}

impl Judged {
    /// Both decisions, where one side lets in whom the other refuses.
    pub(super) fn flip(&self) -> Option<Pair> {
        let comparison = self.compared.as_ref().ok()?;
        is_flip(comparison.cell()).then_some((comparison.legacy, comparison.candidate))
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// What another leg of the same call decides; none where there is no answer.
    pub(super) fn decision(&self, leg: &Leg) -> Option<Decision> {
        self.comparer.decision(leg, &self.endpoint)
    }
}

/// Reason why an answer is not compared: a version of before gave it. What it decides still pulls the brake.
const PAST_VERSION: &str = "candidate_past_version";

/// Explains a token by the other side's token for the same session.
const ISSUED: &str = "starter:issued-token";
