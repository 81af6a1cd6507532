//! The worth of a flipped decision where calls of one group overlap: found out before the exchange is judged.

use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName};
use siphasher::sip::SipHasher24;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::exchange::{Call, Cell, Decision, Exchange, Leg, Side, Undetermined};

use super::judge::Judge;
use super::races::{Flip, Group, Outcome, Races, Seen, Ticket};

/// Where a call stands among the others of its group.
pub struct Standing {
    pub group: Group,
    /// Of a call that may change something.
    pub ticket: Option<Ticket<Leg>>,
}

/// What all mirrored calls share.
#[derive(Clone)]
pub(super) struct Order {
    pub races: Arc<Races<Leg>>,
    /// For flips that wait for the calls they overlap.
    places: Arc<Semaphore>,
}

impl Order {
    pub(super) fn new(races: Arc<Races<Leg>>) -> Order {
        Order { races, places: Arc::new(Semaphore::new(WAITING_MAX)) }
    }

    /// Gives an exchange the leg that is its own, and the doubt that is left of its decisions. `slot` is given back while
    /// it waits: those it waits for need one.
    pub(super) async fn settle(
        &self,
        exchange: &mut Exchange,
        Standing { group, ticket }: Standing,
        ended: Instant,
        judge: &Judge,
        slot: &mut Option<OwnedSemaphorePermit>,
    ) {
        let seen = Seen { begun: exchange.begun, ended, whole: whole(&exchange.call) };
        let own = ticket.as_ref().map(Ticket::number);
        if exchange.doubt.is_some() || !self.races.concern(group, own, seen) {
            let refused = [Side::Legacy, Side::Candidate].map(|side| is_refused(exchange.leg(side)));
            done(ticket, exchange, seen, refused);
            return;
        }
        let decisions = judge.decisions(exchange);
        let refused = decisions.map(|(legacy, candidate)| [legacy, candidate].map(|by| by == Decision::Deny));
        done(ticket, exchange, seen, refused.unwrap_or([false; 2]));
        let flip = match decisions.map(|(legacy, candidate)| Cell::of(legacy, candidate)) {
            Some(Cell::AllowDeny) => Flip::Lockout,
            Some(Cell::DenyAllow) => Flip::Breach,
            _ => return,
        };
        let outcome = match self.races.flipped(group, own, seen, flip, exchange.mirrored.clone()) {
            Outcome::Waits(number) => self.wait(group, number, slot).await,
            outcome => outcome,
        };
        match outcome {
            Outcome::Stays(leg) => exchange.mirrored = leg,
            Outcome::Doubted(leg, why) => (exchange.mirrored, exchange.doubt) = (leg, Some(why)),
            Outcome::Waits(_) => {}
        }
    }

    async fn wait(&self, group: Group, number: u64, slot: &mut Option<OwnedSemaphorePermit>) -> Outcome<Leg> {
        let place = self.places.clone().try_acquire_owned().ok();
        let until = Instant::now() + WAIT_MAX;
        loop {
            let is_late = place.is_none() || Instant::now() >= until;
            if let Some(outcome) = self.races.look_again(group, number, is_late) {
                return outcome;
            }
            if is_late {
                // The group made room for others meanwhile.
                return Outcome::Waits(number);
            }
            drop(slot.take());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Until no flip waits.
    pub(super) async fn settled(&self) {
        let _ = self.places.acquire_many(WAITING_MAX as u32).await;
    }
}

/// A change that was done out of its turn, or that a side may have done without an answer, leaves the sides apart: its
/// ticket is dropped.
fn done(ticket: Option<Ticket<Leg>>, exchange: &Exchange, seen: Seen, refused: [bool; 2]) {
    let is_known = exchange.served.outcome.is_ok() && exchange.mirrored.outcome.is_ok();
    if let Some(ticket) = ticket.filter(|_| is_known && exchange.doubt != Some(Undetermined::OrderUnknown)) {
        ticket.done(seen, refused);
    }
}

fn is_refused(leg: &Leg) -> bool {
    leg.outcome.as_ref().is_ok_and(|answer| matches!(answer.status.as_u16(), 401 | 403))
}

/// The same number for calls that a service cannot tell apart: all but what each request has of its own.
fn whole(call: &Call) -> u64 {
    // It is compared within one session only, and nobody but its client could make two calls collide.
    let mut hasher = SipHasher24::new();
    (&call.method, call.uri.path_and_query().map(|target| target.as_str()), &call.body).hash(&mut hasher);
    for (name, value) in &call.headers {
        let is_told_apart = matches!(*name, AUTHORIZATION | COOKIE | CONTENT_TYPE) || is_own(name);
        if is_told_apart {
            (name.as_str(), value.as_bytes()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Headers by which services decide, and not those in which proxies count and trace.
fn is_own(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-") && !TRACES.iter().any(|trace| name.starts_with(trace))
}

const TRACES: [&str; 6] = ["x-request-", "x-correlation-", "x-forwarded-", "x-b3-", "x-amzn-", "x-cloud-"];
const WAITING_MAX: usize = 1_024;
/// A client may read the answer of a call for long; then the flip is decided by what is known.
const WAIT_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    use super::*;

    #[test]
    fn calls_are_the_same_whatever_each_request_has_of_its_own() {
        let call = |method: Method, target: &str, headers: &[(&'static str, &'static str)], body: &'static str| {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")))
                .collect();
            Call { method, uri: target.parse().expect("a target"), headers, body: Bytes::from_static(body.as_bytes()) }
        };
        let usual = whole(&call(Method::POST, "/a?b=1", &[("cookie", "sid=1"), ("x-request-id", "1")], "{}"));
        for (method, target, headers, body, is_same) in [
            (Method::POST, "/a?b=1", &[("cookie", "sid=1"), ("x-request-id", "2")][..], "{}", true),
            (Method::POST, "/a?b=1", &[("cookie", "sid=1"), ("user-agent", "another")], "{}", true),
            (Method::PUT, "/a?b=1", &[("cookie", "sid=1")], "{}", false),
            (Method::POST, "/a?b=2", &[("cookie", "sid=1")], "{}", false),
            (Method::POST, "/a?b=1", &[("cookie", "sid=2")], "{}", false),
            (Method::POST, "/a?b=1", &[("cookie", "sid=1"), ("x-original-method", "PUT")], "{}", false),
            (Method::POST, "/a?b=1", &[("cookie", "sid=1")], "{ }", false),
        ] {
            assert_eq!(whole(&call(method, target, headers, body)) == usual, is_same, "{target} {headers:?} {body}");
        }
    }
}
