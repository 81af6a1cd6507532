//! A part of the memory of sessions: bounded, and what is used is not pushed out by what never was.
//!
//! Two lists, as in a segmented LRU cache: a value that was issued stands in `fresh`, and moves to `used` when a call first
//! carries it. Room is made in `fresh`, and there first among the values of whoever has more than a share of all.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

use super::Session;

pub(super) struct Shard {
    fresh: LruCache<u64, Entry>,
    used: LruCache<u64, Entry>,
    entries_max: usize,
    /// Values that a logout took back, and the numbers of their sessions.
    ended: LruCache<u64, u64>,
    /// Values by the client that they were issued to.
    owners: HashMap<u64, usize>,
}

struct Entry {
    /// None: issued to clients of several ids, as a constant is. It tells nobody apart.
    session: Option<Arc<Session>>,
    owner: u64,
}

/// How many values a change added and removed, and how many were refused or had to go before their time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Change {
    pub added: usize,
    pub removed: usize,
    pub evicted: usize,
}

impl Shard {
    pub(super) fn new(entries_max: usize) -> Shard {
        Shard {
            fresh: LruCache::unbounded(),
            used: LruCache::unbounded(),
            entries_max,
            ended: LruCache::new(ENDED_MAX),
            owners: HashMap::new(),
        }
    }

    /// The session of a value that a call carries.
    pub(super) fn used(&mut self, hash: u64) -> Option<Arc<Session>> {
        if let Some(entry) = self.fresh.pop(&hash) {
            self.used.put(hash, entry);
            // So that those who come anew have room for a while.
            if self.used.len() > self.entries_max / 4 * 3
                && let Some((oldest, entry)) = self.used.pop_lru()
            {
                self.fresh.put(oldest, entry);
            }
        }
        self.used.get(&hash).or_else(|| self.fresh.peek(&hash))?.session.clone()
    }

    pub(super) fn put(&mut self, hash: u64, session: &Arc<Session>, is_over: impl Fn(&Session) -> bool) -> Change {
        let known = if self.fresh.contains(&hash) { self.fresh.peek_mut(&hash) } else { self.used.peek_mut(&hash) };
        if let Some(entry) = known {
            let is_same = |known: &Arc<Session>| {
                Arc::ptr_eq(known, session) || (known.side, known.id) == (session.side, session.id)
            };
            if !entry.session.as_ref().is_some_and(is_same) {
                entry.session = None;
            }
            return Change::default();
        }
        let owner = session.id.number();
        let mut change = Change { added: 1, ..Change::default() };
        if self.fresh.len() + self.used.len() >= self.entries_max {
            let Some(gone) = self.room_for(owner) else { return Change { evicted: 1, ..Change::default() } };
            let is_early = self.take(gone).and_then(|entry| entry.session).is_some_and(|session| !is_over(&session));
            (change.removed, change.evicted) = (1, usize::from(is_early));
        }
        *self.owners.entry(owner).or_default() += 1;
        self.fresh.put(hash, Entry { session: Some(session.clone()), owner });
        change
    }

    pub(super) fn remove(&mut self, hash: u64) -> bool {
        self.take(hash).is_some()
    }

    /// Forgets a value, but for the session that it was of.
    pub(super) fn end(&mut self, hash: u64) -> bool {
        let entry = self.take(hash);
        if let Some(session) = entry.as_ref().and_then(|entry| entry.session.as_ref()) {
            self.ended.put(hash, session.number);
        }
        entry.is_some()
    }

    /// Number of the session that a value was of before its logout.
    pub(super) fn ended(&mut self, hash: u64) -> Option<u64> {
        self.ended.get(&hash).copied()
    }

    /// Keeps the sessions that are wanted; how many values went.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&Session) -> bool) -> usize {
        let gone = |(hash, entry): (&u64, &Entry)| {
            entry.session.as_ref().is_some_and(|session| !is_kept(session)).then_some(*hash)
        };
        let gone: Vec<u64> = self.fresh.iter().chain(self.used.iter()).filter_map(gone).collect();
        gone.iter().filter(|hash| self.remove(**hash)).count()
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.fresh.iter().chain(self.used.iter()).filter_map(|(_, entry)| entry.session.as_ref())
    }

    /// The value that makes room; none where the client has its share, and nothing of its own that is old.
    fn room_for(&self, owner: u64) -> Option<u64> {
        let share = (self.entries_max / SHARES).max(SHARE_MIN);
        let is_greedy = |owner: &u64| self.owners.get(owner).is_some_and(|values| *values >= share);
        let oldest = || self.fresh.iter().rev().take(LOOKED_AT).chain(self.used.iter().rev().take(LOOKED_AT));
        if is_greedy(&owner) {
            return oldest().find(|(_, entry)| entry.owner == owner).map(|(hash, _)| *hash);
        }
        let of_greedy = self.fresh.iter().rev().take(LOOKED_AT).find(|(_, entry)| is_greedy(&entry.owner));
        of_greedy.or_else(|| oldest().next()).map(|(hash, _)| *hash)
    }

    fn take(&mut self, hash: u64) -> Option<Entry> {
        let entry = self.fresh.pop(&hash).or_else(|| self.used.pop(&hash))?;
        if let Some(values) = self.owners.get_mut(&entry.owner) {
            *values -= 1;
            if *values == 0 {
                self.owners.remove(&entry.owner);
            }
        }
        Some(entry)
    }
}

/// The calls of one moment: those that overlap a logout, or follow it at once.
const ENDED_MAX: NonZeroUsize = NonZeroUsize::new(1_024).expect("it is not 0");
/// No client pushes others out once it has one part in so many.
const SHARES: usize = 16;
/// Less than the values of a session would tear it.
const SHARE_MIN: usize = 32;
/// Of the oldest values, when room has to be made.
const LOOKED_AT: usize = 256;
