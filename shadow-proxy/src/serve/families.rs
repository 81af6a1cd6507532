//! The sessions that clients were given, each with the side that began it: its calls go there as long as it lives,
//! although its credential changes on the way.
//!
//! Kept are keyed hashes of the values that an answer issues, in memory alone.

mod shard;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, LOCATION, SET_COOKIE};
use http::{Method, StatusCode};

use crate::exchange::{Call, Side};
use crate::metrics::{Held, Level, Metrics};
use crate::shadow::session::issued_values;

use super::carried::{Values, contains};
use super::identity::Id;

use self::shard::Shard;

pub struct Families {
    /// Several, so that threads rarely meet at a lock.
    shards: Box<[Mutex<Shard>]>,
    /// Of all shards.
    entries: AtomicUsize,
    /// Whether there was a logout.
    has_ended: AtomicBool,
    sessions: AtomicU64,
    /// In seconds without a use that was answered well.
    ttl_s: u32,
    since: Instant,
    metrics: Arc<Metrics>,
}

/// All that one client was given, from its first login on.
pub struct Session {
    number: u64,
    side: Side,
    /// By which the client was known when it began.
    id: Id,
    /// The last use that was not refused, in seconds since the start.
    used_s: AtomicU32,
    /// How many there are of this side.
    held: Level,
}

impl Session {
    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn side(&self) -> Side {
        self.side
    }

    pub fn id(&self) -> Id {
        self.id
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.held.dec();
    }
}

/// An answer, as far as it says something of a session.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    pub by: Side,
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    pub body: &'a Bytes,
}

/// What a call carries, as far as it is known.
#[derive(Default)]
pub struct Found {
    pub session: Option<Arc<Session>>,
    /// Number of the session that a logout ended.
    pub ended: Option<u64>,
    /// The first value of all.
    pub first: Option<u64>,
}

impl Families {
    pub fn new(entries_max: usize, ttl: Duration, metrics: Arc<Metrics>) -> Families {
        let shards = (entries_max / SHARD_ENTRIES_MIN).clamp(1, SHARDS_MAX);
        let shard = || Mutex::new(Shard::new(entries_max.div_ceil(shards)));
        Families {
            shards: (0..shards).map(|_| shard()).collect(),
            entries: AtomicUsize::new(0),
            has_ended: AtomicBool::new(false),
            sessions: AtomicU64::new(0),
            ttl_s: u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX),
            since: Instant::now(),
            metrics,
        }
    }

    /// The session that a call belongs to, by the first known value that it carries.
    pub fn find(&self, values: &Values, call: &Call) -> Found {
        let is_empty = self.entries.load(Ordering::Relaxed) == 0 && !self.has_ended.load(Ordering::Relaxed);
        let (mut left, mut first, mut ended) = (LOOKUPS_MAX, None, None);
        let found = values.carried(call, &mut |hash| {
            first = first.or(Some(hash));
            left -= 1;
            let session = if is_empty {
                None
            } else {
                let mut shard = self.shard(hash);
                ended = ended.or_else(|| shard.ended(hash));
                shard.used(hash)
            };
            match session {
                Some(session) if self.is_over(&session) => {
                    self.forget(hash);
                    ControlFlow::Continue(())
                }
                Some(session) => ControlFlow::Break(Some(session)),
                None if left == 0 || is_empty => ControlFlow::Break(None),
                None => ControlFlow::Continue(()),
            }
        });
        Found { session: found.break_value().flatten(), ended, first }
    }

    /// Takes what an answer issues into the session of the call that got it, or into a new one of the side that answered.
    ///
    /// What the call had already is left out: a constant that all clients have would otherwise gather them.
    pub fn learn(
        &self,
        values: &Values,
        known: Option<&Arc<Session>>,
        own: impl FnOnce() -> Id,
        call: &Call,
        said: Said,
    ) {
        let known = known.filter(|session| session.side == said.by);
        if let Some(session) = known.filter(|_| !is_refusal(said.status)) {
            session.used_s.store(self.now_s(), Ordering::Relaxed);
        }
        let Some(body) = read_of(call, said.headers, said.body) else { return };
        self.forget_deleted(values, call, said.headers);
        let issued = issued_values(said.headers, &body);
        if issued.is_empty() {
            return;
        }
        let mut carried = Vec::new();
        let _: ControlFlow<()> = values.carried(call, &mut |hash| {
            carried.push(hash);
            if carried.len() < LOOKUPS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let mut issued = issued.iter().map(|value| values.hash(value.as_bytes()));
        let Some(first) = issued.find(|hash| !carried.contains(hash)) else { return };
        let session = known.cloned().unwrap_or_else(|| self.begin(said.by, own()));
        for hash in std::iter::once(first).chain(issued.filter(|hash| !carried.contains(hash))) {
            let change = self.shard(hash).put(hash, &session, |session| self.is_over(session));
            self.count(change);
        }
    }

    /// How many sessions each side holds, and how they are used: legacy's, the candidate's.
    pub fn held(&self) -> [Held; 2] {
        let now_s = self.now_s();
        let mut last = [None::<u32>; 2];
        let mut active = [const { Vec::new() }; 2];
        for shard in &self.shards {
            let mut shard = shard.lock().expect("nothing panics while it holds the values");
            let gone = shard.retain(|session| !self.is_over(session));
            self.count(shard::Change { added: 0, removed: gone, evicted: 0 });
            for session in shard.sessions() {
                let (side, used_s) = (session.side as usize, session.used_s.load(Ordering::Relaxed));
                last[side] = last[side].max(Some(used_s));
                if now_s.saturating_sub(used_s) < ACTIVE_S {
                    active[side].push(session.number);
                }
            }
        }
        let mut number = active.into_iter().map(|mut numbers: Vec<u64>| {
            numbers.sort_unstable();
            numbers.dedup();
            numbers.len() as u64
        });
        [Side::Legacy, Side::Candidate].map(|side| Held {
            held: self.metrics.stateful.sticky_sessions[side as usize].get().max(0) as u64,
            active: number.next().unwrap_or_default(),
            last_used_s: last[side as usize].map(|used_s| u64::from(now_s.saturating_sub(used_s))),
        })
    }

    fn begin(&self, side: Side, id: Id) -> Arc<Session> {
        let held = self.metrics.stateful.sticky_sessions[side as usize].clone();
        held.inc();
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        Arc::new(Session { number, side, id, used_s: AtomicU32::new(self.now_s()), held })
    }

    /// A logout takes its cookies back. Who carries them still is in no session, but in its group: the mirror has to know
    /// that the other side is asked to log out first.
    fn forget_deleted(&self, values: &Values, call: &Call, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            let name = cookie.as_bytes().split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
            if is_deleted(cookie.as_bytes())
                && let Some(hash) = values.cookie(call, name)
            {
                self.has_ended.store(true, Ordering::Relaxed);
                let removed = usize::from(self.shard(hash).end(hash));
                self.count(shard::Change { added: 0, removed, evicted: 0 });
            }
        }
    }

    fn forget(&self, hash: u64) {
        let removed = usize::from(self.shard(hash).remove(hash));
        self.count(shard::Change { added: 0, removed, evicted: 0 });
    }

    fn count(&self, shard::Change { added, removed, evicted }: shard::Change) {
        if added + removed > 0 {
            let before = self.entries.fetch_add(added, Ordering::Relaxed);
            let entries = before + added - removed;
            self.entries.fetch_sub(removed, Ordering::Relaxed);
            self.metrics.sticky_values.set(entries as i64);
        }
        if evicted > 0 {
            self.metrics.sticky_values_evicted.inc_by(evicted as u64);
        }
    }

    fn is_over(&self, session: &Session) -> bool {
        self.now_s().saturating_sub(session.used_s.load(Ordering::Relaxed)) > self.ttl_s
    }

    fn now_s(&self) -> u32 {
        self.since.elapsed().as_secs() as u32
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[(hash >> 32) as usize % self.shards.len()];
        shard.lock().expect("nothing panics while it holds the values")
    }
}

/// The session may be over: such a use does not keep it alive.
fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// An empty value or `Max-Age=0`, or `Expires` at the epoch, as libraries write it.
fn is_deleted(cookie: &[u8]) -> bool {
    let mut parts = cookie.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let is_empty = parts.next().is_some_and(|pair| pair.ends_with(b"="));
    is_empty || parts.any(|part| part.eq_ignore_ascii_case(b"max-age=0") || part.ends_with(b"1970 00:00:00 GMT"))
}

/// The part of an answer's body that is looked into; none where nothing of the answer is.
fn read_of(call: &Call, headers: &HeaderMap, body: &Bytes) -> Option<Bytes> {
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|value| contains(value, b"json"));
    // What can be asked for again and again issues nothing, but for cookies.
    let is_issuing = !matches!(call.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if is_issuing && is_json && body.len() <= ANSWER_BYTES_MAX {
        return Some(body.clone());
    }
    (headers.contains_key(SET_COOKIE) || headers.contains_key(LOCATION)).then(Bytes::new)
}

const ANSWER_BYTES_MAX: usize = 64 << 10;
/// For one call.
const LOOKUPS_MAX: usize = 32;
const SHARDS_MAX: usize = 16;
const SHARD_ENTRIES_MIN: usize = 1_024;
/// A session used within this time is in use.
const ACTIVE_S: u32 = 300;
