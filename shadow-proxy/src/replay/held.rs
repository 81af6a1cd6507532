//! Replayed answers held against what was recorded, and refusals held back until it is known what they say: a candidate
//! that was never given a credential refuses it rightly.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderName, Method};
use sha2::{Digest as _, Sha256};

use crate::exchange::{Call, Decision, Exchange, Leg, Side, Undetermined};
use crate::shadow::judge::Judge;
use crate::shift::void;

/// Why a call says nothing about the candidate: legacy decides otherwise now than it did when it was recorded.
pub(super) fn void(judge: &Judge, call: &Call, then: &Leg, now: &Leg) -> Option<&'static str> {
    let decided_now = judge.decision(call, now)?;
    let decided_then = match judge.decision(call, then) {
        Some(decided) => decided,
        // A body that was not recorded leaves the status, and one that failed leaves nothing.
        None if now.said().is_some_and(|answer| answer.status.is_success()) => return None,
        None => then.head.as_ref().map(|_| Decision::Allow)?,
    };
    match (decided_then, decided_now) {
        (then, now) if then == now => None,
        (Decision::Allow, Decision::Deny) => Some(void::REFUSED_NOW),
        (Decision::Deny, Decision::Allow) => Some(void::LET_IN_NOW),
        _ => Some(void::OTHERWISE_NOW),
    }
}

/// Refusals of credentials that the candidate has not let in so far.
#[derive(Default)]
pub(super) struct Held(Mutex<State>);

#[derive(Default)]
struct State {
    known: Known,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
}

/// Digests of credentials that the candidate let in, with the paths. A path that refuses nobody tells nothing of a
/// credential: a sign-out answers everybody alike.
#[derive(Default)]
struct Known {
    let_in: HashMap<Digest, HashSet<Path>>,
    refusing: HashSet<Path>,
    entries: usize,
}

/// A method and a path: an endpoint's name may stand for several.
type Path = (Method, Arc<str>);

type Digest = [u8; 32];

struct Waiting {
    exchange: Exchange,
    credentials: Vec<Digest>,
    lack: Lack,
}

/// A credential that a candidate may not have been given.
#[derive(Clone, Copy)]
pub(super) enum Lack {
    /// The stand-in of a capture, which has to be installed.
    StandIn,
    /// The cookie of a session that legacy began before the recording.
    Session,
}

impl Held {
    /// Judges at once what is no refusal, and what nobody could hold the lack of a credential against.
    pub(super) fn judge(&self, judge: &Judge, exchange: Exchange, lack: Option<Lack>) {
        let call = &exchange.call;
        let decided = |side| judge.decision(call, exchange.leg(side));
        let credentials = credentials(call);
        let by_candidate = decided(Side::Candidate);
        let path = (call.method.clone(), call.uri.path().into());
        match by_candidate {
            Some(Decision::Allow) => self.lock().known.lets_in(&path, &credentials),
            Some(Decision::Deny) => self.lock().known.refuses(path),
            _ => {}
        }
        let may_lack = match lack {
            Some(Lack::StandIn) => !credentials.is_empty(),
            Some(Lack::Session) => is_of_session(call),
            None => false,
        };
        let Some(lack) = lack.filter(|_| may_lack && by_candidate == Some(Decision::Deny)) else {
            return judge.judge(&exchange);
        };
        // A status alone decides where the body was not recorded.
        let was_let_in = match decided(Side::Legacy) {
            Some(decided) => decided == Decision::Allow,
            None => exchange.leg(Side::Legacy).said().is_some_and(|answer| answer.status.is_success()),
        };
        let statuses =
            [Side::Legacy, Side::Candidate].map(|side| exchange.leg(side).said().map(|answer| answer.status));
        // Who knows the credential may refuse it otherwise: 403, or 423.
        let is_told_apart = matches!(lack, Lack::StandIn) && statuses[0].is_some() && statuses[0] != statuses[1];
        if !was_let_in && !is_told_apart {
            return judge.judge(&exchange);
        }
        let waiting = Waiting { exchange, credentials, lack };
        let mut state = self.lock();
        let bytes = waiting.bytes();
        if state.waiting.len() < WAITING_MAX && state.waiting_bytes + bytes <= WAITING_BYTES_MAX {
            state.waiting_bytes += bytes;
            return state.waiting.push(waiting);
        }
        let is_known = state.known.has(&waiting.credentials);
        drop(state);
        waiting.settle(judge, is_known);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it is held")
    }

    /// Once all calls are through.
    pub(super) fn settle(&self, judge: &Judge) {
        let State { known, waiting, .. } = std::mem::take(&mut *self.lock());
        for waiting in waiting {
            let is_known = known.has(&waiting.credentials);
            waiting.settle(judge, is_known);
        }
    }
}

impl Known {
    fn lets_in(&mut self, path: &Path, credentials: &[Digest]) {
        for credential in credentials {
            if self.entries < ENTRIES_MAX && self.let_in.entry(*credential).or_default().insert(path.clone()) {
                self.entries += 1;
            }
        }
    }

    fn refuses(&mut self, path: Path) {
        if self.entries < ENTRIES_MAX && self.refusing.insert(path) {
            self.entries += 1;
        }
    }

    fn has(&self, credentials: &[Digest]) -> bool {
        let is_let_in = |credential: &Digest| {
            self.let_in.get(credential).is_some_and(|paths| paths.iter().any(|path| self.refusing.contains(path)))
        };
        credentials.iter().all(is_let_in)
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        let legs = [Side::Legacy, Side::Candidate].map(|side| self.exchange.leg(side).said());
        self.exchange.call.weight_bytes()
            + legs.into_iter().flatten().map(|answer| answer.weight_bytes()).sum::<usize>()
    }

    fn settle(self, judge: &Judge, is_known: bool) {
        match self.lack {
            _ if is_known => judge.judge(&self.exchange),
            Lack::StandIn => judge.metrics.not_comparable(void::UNKNOWN_CREDENTIAL),
            Lack::Session => {
                judge.judge(&Exchange { doubt: Some(Undetermined::OtherSidesSession), ..self.exchange });
            }
        }
    }
}

/// The headers that may hold a credential; without one, the body of a sign-in.
fn credentials(call: &Call) -> Vec<Digest> {
    let is_plain = |name: &HeaderName| {
        PLAIN.contains(&name.as_str()) || PLAIN_STARTS.iter().any(|start| name.as_str().starts_with(start))
    };
    let headers = call.headers.iter().filter(|(name, _)| !is_plain(name));
    let digest = |name: &str, value: &[u8]| {
        Sha256::new_with_prefix(name).chain_update([0]).chain_update(value).finalize().into()
    };
    let found: Vec<Digest> = headers.map(|(name, value)| digest(name.as_str(), value.as_bytes())).collect();
    let query = call.uri.query().unwrap_or_default();
    match (found.is_empty(), call.body.is_empty() && query.is_empty()) {
        (false, _) => found,
        (true, true) => Vec::new(),
        (true, false) => vec![digest(query, &call.body)],
    }
}

/// A cookie and nothing else lets it in.
fn is_of_session(call: &Call) -> bool {
    call.headers.contains_key(COOKIE)
        && !call.headers.contains_key(AUTHORIZATION)
        && !call.headers.contains_key("x-api-key")
}

/// Hold no credential.
const PLAIN: [&str; 17] = [
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "dnt",
    "host",
    "origin",
    "pragma",
    "priority",
    "referer",
    "traceparent",
    "tracestate",
    "user-agent",
    "via",
    "x-request-id",
];
const PLAIN_STARTS: [&str; 5] = ["accept", "if-", "sec-", "x-forwarded-", "x-original-"];
const ENTRIES_MAX: usize = 1_000_000;
const WAITING_MAX: usize = 100_000;
const WAITING_BYTES_MAX: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    #[test]
    fn the_credentials_of_a_call_are_its_headers_else_its_body() {
        let call = |headers: &[(&'static str, &str)], target: &str, body: &'static str| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            Call { method: Method::POST, uri: target.parse().unwrap(), headers: map, body: Bytes::from(body) }
        };
        let plain =
            [("host", "a"), ("accept-encoding", "gzip"), ("x-forwarded-for", "10.0.0.1"), ("content-length", "2")];
        assert!(credentials(&call(&plain, "/", "")).is_empty());
        let of_body = credentials(&call(&plain, "/login", "{}"));
        assert_eq!(of_body.len(), 1);
        assert_ne!(of_body, credentials(&call(&plain, "/login", "{ }")));
        assert_ne!(of_body, credentials(&call(&plain, "/login?token=1", "{}")));
        let keyed = [("authorization", "Bearer a"), ("cookie", "theme=dark"), ("x-session", "1"), ("host", "a")];
        assert_eq!(credentials(&call(&keyed, "/", "{}")).len(), 3);
        assert!(is_of_session(&call(&keyed[1..], "/", "")) && !is_of_session(&call(&keyed, "/", "")));
    }
}
