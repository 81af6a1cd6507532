//! Calls of one session that overlap: can the order in which the sides saw them explain decisions that differ?
//!
//! Two tabs of a browser refresh with one token at the same moment. Each side lets one of them in, and nobody but the sides
//! knows whom first. So every call that may change something is known here from its first byte on, by its group: its session,
//! or else the first value that it carries. COMPARISON.md says how a flip among overlapping calls is decided.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use lru::LruCache;

use crate::exchange::Undetermined;

/// The calls that can change what each other sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    pub number: u64,
    /// A session that the proxy saw begin, and not a key that may be everybody's.
    pub is_session: bool,
}

/// `L` is the mirrored leg, which two calls that are the same may exchange.
pub struct Races<L> {
    shards: Box<[Mutex<Shard<L>>]>,
    numbers: AtomicU64,
}

/// Calls by the number of their group.
type Shard<L> = LruCache<u64, Calls<L>>;

/// What is known of a group.
struct Calls<L> {
    changes: Vec<Change>,
    waiting: Vec<Waiting<L>>,
    /// The sides may have come apart: a call was done by one of them alone, or in an order that nobody knows.
    is_apart: bool,
    /// Calls whose flips order explained once.
    raced: Vec<u64>,
}

/// A call that may change something.
struct Change {
    number: u64,
    begun: Instant,
    /// None while its answer is on its way.
    ended: Option<Instant>,
    /// On the side that served, or on legacy once both did it.
    effect: Effect,
    /// The candidate let it in.
    by_candidate: bool,
    /// Both sides did it, or one never will.
    is_done: bool,
    whole: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Unknown,
    /// Who is refused changes nothing.
    None,
    Some,
}

/// A flip that waits for the calls it overlaps.
struct Waiting<L> {
    number: u64,
    seen: Seen,
    flip: Flip,
    leg: L,
    is_matched: bool,
}

/// A call as the client saw it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub begun: Instant,
    /// When the whole answer had been passed on.
    pub ended: Instant,
    /// The same for calls that no service can tell apart.
    pub whole: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flip {
    /// The candidate refuses whom legacy lets in.
    Lockout,
    /// The candidate lets in whom legacy refuses.
    Breach,
}

/// The decision about an exchange among those that overlap it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<L> {
    /// With this leg the decision is what it is.
    Stays(L),
    /// Order could explain it.
    Doubted(L, Undetermined),
    /// Ask again under this number, when others are done.
    Waits(u64),
}

impl<L> Races<L> {
    pub fn new() -> Arc<Races<L>> {
        let shards = (0..SHARDS).map(|_| Mutex::new(LruCache::unbounded())).collect();
        Arc::new(Races { shards, numbers: AtomicU64::new(1) })
    }

    /// A call begins that may change something.
    pub fn begin(self: &Arc<Self>, group: Group, now: Instant) -> Ticket<L> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut shard = self.shard(group);
        if shard.len() >= GROUPS_MAX && !shard.contains(&group.number) {
            shard.pop_lru();
        }
        let calls = shard.get_or_insert_mut(group.number, Calls::default);
        calls.make_room(now);
        let effect = Effect::Unknown;
        calls.changes.push(Change {
            number,
            begun: now,
            ended: None,
            effect,
            by_candidate: false,
            is_done: false,
            whole: 0,
        });
        Ticket { races: self.clone(), group, number, is_done: false }
    }

    /// Whether order may have a part in what was decided about a call; `own` is its ticket's number.
    pub fn concern(&self, group: Group, own: Option<u64>, seen: Seen) -> bool {
        let shard = self.shard(group);
        let calls = shard.peek(&group.number);
        calls.is_some_and(|calls| calls.is_apart || calls.overlapping(own, seen).next().is_some())
    }

    /// Both legs of a flipped call are known.
    pub fn flipped(&self, group: Group, own: Option<u64>, seen: Seen, flip: Flip, mut leg: L) -> Outcome<L> {
        let mut shard = self.shard(group);
        let Some(calls) = shard.get_mut(&group.number) else { return Outcome::Stays(leg) };
        // Which of two equal calls a leg belongs to is only a matter of their order.
        let opposite = calls.waiting.iter_mut().find(|other| {
            !other.is_matched && other.flip != flip && other.seen.whole == seen.whole && overlap(other.seen, seen)
        });
        if let Some(other) = opposite {
            std::mem::swap(&mut other.leg, &mut leg);
            other.is_matched = true;
            return Outcome::Stays(leg);
        }
        if calls.is_apart {
            return Outcome::Doubted(leg, Undetermined::OrderUnknown);
        }
        if calls.overlapping(own, seen).next().is_none() {
            return Outcome::Stays(leg);
        }
        let number = own.unwrap_or_else(|| self.numbers.fetch_add(1, Ordering::Relaxed));
        calls.waiting.push(Waiting { number, seen, flip, leg, is_matched: false });
        Outcome::Waits(number)
    }

    /// None: calls that it overlaps are not done yet. When it is `late` they are waited for no longer.
    pub fn look_again(&self, group: Group, number: u64, late: bool) -> Option<Outcome<L>> {
        let mut shard = self.shard(group);
        let calls = shard.get_mut(&group.number)?;
        let at = calls.waiting.iter().position(|waiting| waiting.number == number)?;
        let Waiting { seen, flip, is_matched, .. } = calls.waiting[at];
        let is_open = calls.overlapping(Some(number), seen).any(|change| !change.is_done);
        if is_open && !late && !is_matched {
            return None;
        }
        let explained = calls.overlapping(Some(number), seen).any(|change| change.explains(seen.whole, flip));
        let leg = calls.waiting.swap_remove(at).leg;
        if is_matched || !explained {
            return Some(Outcome::Stays(leg));
        }
        // Of two races the same call lost both: no order of either explains that.
        let again = calls.raced.contains(&seen.whole);
        if again && !group.is_session && flip == Flip::Breach {
            return Some(Outcome::Stays(leg));
        }
        if calls.raced.len() < RACED_MAX && !again {
            calls.raced.push(seen.whole);
        }
        calls.is_apart |= group.is_session;
        Some(Outcome::Doubted(leg, Undetermined::Raced))
    }

    fn with_change(&self, group: Group, number: u64, change: impl FnOnce(&mut Change)) {
        let mut shard = self.shard(group);
        let calls = shard.get_mut(&group.number);
        if let Some(found) = calls.and_then(|calls| calls.changes.iter_mut().find(|change| change.number == number)) {
            change(found);
        }
    }

    fn shard(&self, group: Group) -> MutexGuard<'_, LruCache<u64, Calls<L>>> {
        let shard = &self.shards[group.number as usize % SHARDS];
        shard.lock().expect("nothing panics while it holds the calls")
    }
}

impl<L> Default for Calls<L> {
    fn default() -> Self {
        Calls { changes: Vec::new(), waiting: Vec::new(), is_apart: false, raced: Vec::new() }
    }
}

impl<L> Calls<L> {
    fn overlapping(&self, own: Option<u64>, seen: Seen) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| {
            Some(change.number) != own
                && change.begun < seen.ended
                && change.ended.is_none_or(|ended| seen.begun < ended)
        })
    }

    /// A call that ended a while ago overlaps none that is still to be judged.
    fn make_room(&mut self, now: Instant) {
        self.changes.retain(|change| change.ended.is_none_or(|ended| now < ended + KEPT));
        if self.changes.len() >= CHANGES_MAX {
            self.changes.remove(0);
        }
    }
}

impl Change {
    /// Whether the other order of the two could make the flip.
    ///
    /// A call that was refused changes nothing. And of calls that are the same, one after the other lets in as many in any
    /// order: where the candidate lets in more of them than legacy did, order does not explain it.
    fn explains(&self, whole: u64, flip: Flip) -> bool {
        let is_same = self.is_done && self.whole == whole;
        match flip {
            Flip::Breach => self.effect != Effect::None && !is_same,
            // Also what the candidate alone let in may be why it refuses the other.
            Flip::Lockout => self.effect != Effect::None || self.by_candidate,
        }
    }
}

fn overlap(one: Seen, other: Seen) -> bool {
    one.begun < other.ended && other.begun < one.ended
}

/// A call that may change something, on its way. Dropped before it is done, it was done by one side alone.
pub struct Ticket<L> {
    races: Arc<Races<L>>,
    group: Group,
    number: u64,
    is_done: bool,
}

impl<L> Ticket<L> {
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The side that serves has decided.
    pub fn answered(&self, is_refused: bool) {
        let effect = if is_refused { Effect::None } else { Effect::Some };
        self.races.with_change(self.group, self.number, |change| change.effect = effect);
    }

    /// Both sides did it, and refused it or not: legacy, the candidate.
    pub fn done(mut self, seen: Seen, [by_legacy, by_candidate]: [bool; 2]) {
        self.is_done = true;
        self.races.with_change(self.group, self.number, |change| {
            change.ended = Some(seen.ended);
            change.effect = if by_legacy { Effect::None } else { Effect::Some };
            (change.by_candidate, change.is_done, change.whole) = (!by_candidate, true, seen.whole);
        });
    }
}

impl<L> Drop for Ticket<L> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut shard = self.races.shard(self.group);
        let Some(calls) = shard.get_mut(&self.group.number) else { return };
        let Some(change) = calls.changes.iter_mut().find(|change| change.number == self.number) else { return };
        change.is_done = true;
        change.ended = change.ended.or_else(|| Some(Instant::now()));
        calls.is_apart |= self.group.is_session && change.effect != Effect::None;
    }
}

const SHARDS: usize = 16;
/// Of one shard.
const GROUPS_MAX: usize = 4_096;
/// Of one group.
const CHANGES_MAX: usize = 64;
const RACED_MAX: usize = 64;
/// For calls that wait in the mirror's queue.
const KEPT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
