//! What each side issued to a client, so that a mirrored call carries the other side's token instead of the serving side's.
//!
//! Both sides make tokens, cookies and the like of their own; a client has only those of the side that served it. What the
//! two issued at the same place of one exchange is a pair, and in later calls the one is replaced by the other. Values are
//! kept in memory alone, and are found by a keyed hash.

mod carried;
mod issued;

use std::collections::HashMap;
use std::hash::Hash as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use lru::LruCache;
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use tokio::sync::watch;

use crate::exchange::{Call, Leg, Side};
use crate::metrics::Metrics;
use crate::random;

use self::carried::rewritten;
use self::issued::{Issued, issued};
pub(crate) use self::issued::{is_token_name, issued_values};

#[derive(Clone, Debug)]
pub struct SessionLimits {
    pub enabled: bool,
    /// Values; the least recently used make room.
    pub entries_max: usize,
    /// For how long a value is known that nobody uses.
    pub ttl: Duration,
    /// For another exchange to give a call its values: how long a leg of this side may take.
    pub wait_max: [Duration; 2],
}

pub(crate) struct Sessions {
    limits: SessionLimits,
    key: [u8; 16],
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

struct State {
    known: LruCache<u128, Counterpart>,
    /// Of all counterparts.
    bytes: usize,
    /// Issued by the serving side in an exchange whose other leg is not complete, which is when the channel closes.
    awaited: HashMap<u128, watch::Receiver<()>>,
}

struct Counterpart {
    /// What the other side issued; the value itself where it issued none or the same. None: it was not asked or failed,
    /// so that it knows nothing of the session.
    value: Option<Box<str>>,
    ends: Instant,
}

impl Counterpart {
    fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.len())
    }
}

/// The call belongs to a session that the other side was never asked to begin: its answer would say nothing.
#[derive(Debug)]
pub(crate) struct Unknown;

/// What the serving side issued in an exchange that is not complete. Whoever waits for it is let go when it is dropped.
pub(crate) struct Issuing {
    sessions: Arc<Sessions>,
    served_by: Side,
    /// None once they are paired.
    served: Vec<Issued>,
    /// Those that others wait for, and whether each is long enough to be of one session alone.
    awaited: Vec<(u128, bool)>,
    _open: Option<watch::Sender<()>>,
}

impl Sessions {
    /// Fails only where the system has no randomness to give.
    pub(crate) fn new(limits: SessionLimits, metrics: Arc<Metrics>) -> std::io::Result<Arc<Sessions>> {
        let key = random::key()?;
        let state = State { known: LruCache::unbounded(), bytes: 0, awaited: HashMap::new() };
        Ok(Arc::new(Sessions { limits, key, state: Mutex::new(state), metrics }))
    }

    /// To be called in the order of the queue: a call that carries what an earlier one was issued then finds it here.
    pub(crate) fn issuing(self: &Arc<Self>, served_by: Side, call: &Call, served: &Leg) -> Issuing {
        let answer = served.outcome.as_ref().ok().filter(|_| self.limits.enabled);
        let served = answer.map(issued).unwrap_or_default();
        let (mut awaited, mut open) = (Vec::new(), None);
        if !served.is_empty() {
            let (sender, receiver) = watch::channel(());
            // A value that the client had before does not begin here: the call would wait for itself.
            let mut carried = Vec::new();
            rewritten(call, &mut |cookie, value| {
                carried.push(self.key(served_by.other(), cookie, value));
                None
            });
            let mut state = self.lock();
            for issued in &served {
                let key = self.key(served_by.other(), issued.cookie.as_deref(), &issued.value);
                if !carried.contains(&key) && !state.known.contains(&key) && !state.awaited.contains_key(&key) {
                    state.awaited.insert(key, receiver.clone());
                    awaited.push((key, issued.value.len() >= VALUE_BYTES_MIN));
                }
            }
            open = Some(sender);
        }
        Issuing { sessions: self.clone(), served_by, served, awaited, _open: open }
    }

    /// The call as the other side is to see it, once that has issued what the call carries.
    ///
    /// Nobody waits in a circle: a call waits only for those that left the queue before it.
    pub(crate) async fn ready(&self, target: Side, call: &Arc<Call>) -> Result<Arc<Call>, Unknown> {
        let awaited = self.awaited(target, call);
        if !awaited.is_empty() {
            self.metrics.stateful.session_calls_waited.inc();
            let complete = async {
                for mut exchange in awaited {
                    // Nothing is ever sent: it ends with the exchange.
                    let _ = exchange.changed().await;
                }
            };
            // After that the call goes as it is, which the other side may refuse.
            let _ = tokio::time::timeout(self.limits.wait_max[target as usize], complete).await;
        }
        let mut state = self.lock();
        if state.known.is_empty() {
            return Ok(call.clone());
        }
        let now = Instant::now();
        let (mut mapped, mut is_unknown) = (0, false);
        let changed = rewritten(call, &mut |cookie, value| {
            let counterpart = state.used(self.key(target, cookie, value), now, self.limits.ttl)?;
            is_unknown |= counterpart.is_none();
            let counterpart = counterpart.filter(|counterpart| *counterpart != value)?.to_owned();
            mapped += 1;
            Some(counterpart)
        });
        self.metrics.stateful.session_values.set(state.known.len() as i64);
        if is_unknown {
            return Err(Unknown);
        }
        let Some(changed) = changed else { return Ok(call.clone()) };
        self.metrics.stateful.session_values_mapped.inc_by(mapped);
        Ok(Arc::new(changed))
    }

    /// Whether the two sides issued these at the same place of one exchange.
    pub(crate) fn is_pair(&self, legacy: &str, candidate: &str) -> bool {
        let mut state = self.lock();
        let now = Instant::now();
        let mut is = |target, from: &str, to: &str| {
            state.used(self.key(target, None, from), now, self.limits.ttl).flatten() == Some(to)
        };
        legacy != candidate && (is(Side::Candidate, legacy, candidate) || is(Side::Legacy, candidate, legacy))
    }

    fn awaited(&self, target: Side, call: &Call) -> Vec<watch::Receiver<()>> {
        let state = self.lock();
        let mut awaited = Vec::new();
        if !state.awaited.is_empty() {
            rewritten(call, &mut |cookie, value| {
                awaited.extend(state.awaited.get(&self.key(target, cookie, value)).cloned());
                None
            });
        }
        awaited
    }

    /// Of what `target` has to see in place of a value.
    fn key(&self, target: Side, cookie: Option<&str>, value: &str) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        (target, cookie, value).hash(&mut hasher);
        hasher.finish128().as_u128()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the values")
    }
}

impl Issuing {
    /// Pairs what the serving side issued with what the other one did.
    pub(crate) fn learn(mut self, mirrored: &Leg) {
        let Ok(answer) = &mirrored.outcome else { return };
        if self.served.is_empty() {
            return;
        }
        let others = issued(answer);
        let now = Instant::now();
        let sessions = self.sessions.clone();
        let mut state = sessions.lock();
        for served in std::mem::take(&mut self.served) {
            let key = sessions.key(self.served_by.other(), served.cookie.as_deref(), &served.value);
            match others.iter().find(|other| other.place == served.place) {
                Some(other) => state.learn(key, Some(&other.value), now, &sessions),
                // Known without a counterpart, so that nobody waits for it again.
                None if state.known.peek(&key).is_none_or(|known| known.value.is_none()) => {
                    state.learn(key, Some(&served.value), now, &sessions);
                }
                None => {}
            }
        }
        sessions.metrics.stateful.session_values.set(state.known.len() as i64);
    }
}

impl Drop for Issuing {
    fn drop(&mut self) {
        if self.awaited.is_empty() {
            return;
        }
        let mut state = self.sessions.lock();
        for &(key, is_long) in &self.awaited {
            state.awaited.remove(&key);
            // The other side began no such session. What is short may be the same for everybody, as a language is.
            if is_long && !self.served.is_empty() {
                state.learn(key, None, Instant::now(), &self.sessions);
            }
        }
    }
}

impl State {
    /// A counterpart whose time begins anew, if the value is known.
    fn used(&mut self, key: u128, now: Instant, ttl: Duration) -> Option<Option<&str>> {
        if self.known.peek(&key)?.ends <= now {
            self.forget(key);
            return None;
        }
        let counterpart = self.known.get_mut(&key)?;
        counterpart.ends = now + ttl;
        Some(counterpart.value.as_deref())
    }

    fn learn(&mut self, key: u128, value: Option<&str>, now: Instant, sessions: &Sessions) {
        let SessionLimits { entries_max, ttl, .. } = sessions.limits;
        self.forget(key);
        let counterpart = Counterpart { value: value.map(Box::from), ends: now + ttl };
        // All live equally long after their last use, so the least recently used ends first.
        while let Some((_, oldest)) = self.known.peek_lru() {
            let is_over = oldest.ends <= now;
            if !is_over && self.known.len() < entries_max && self.bytes + counterpart.bytes() <= BYTES_MAX {
                break;
            }
            if !is_over {
                sessions.metrics.stateful.session_values_evicted.inc();
            }
            self.bytes -= self.known.pop_lru().map_or(0, |(_, oldest)| oldest.bytes());
        }
        self.bytes += counterpart.bytes();
        self.known.put(key, counterpart);
    }

    fn forget(&mut self, key: u128) {
        self.bytes -= self.known.pop(&key).map_or(0, |counterpart| counterpart.bytes());
    }
}

/// Of values; each is bounded too, so that one session does not take the room of all.
const BYTES_MAX: usize = 64 << 20;
const VALUE_BYTES_MAX: usize = 8 << 10;
/// Shorter ones cannot be told apart between sessions.
const VALUE_BYTES_MIN: usize = 16;
/// Of bodies that are looked into.
const BODY_BYTES_MAX: usize = 256 << 10;

#[cfg(test)]
mod tests;
