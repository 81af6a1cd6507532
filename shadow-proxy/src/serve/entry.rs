//! The account of one request: counted once, whatever becomes of it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::exchange::{Answer, Call, Leg, Side};
use crate::metrics::Skip;
use crate::shadow::mirror::{Job, Mirror};

use super::budget::Share;
use super::identity::Id;
use super::route::Choice;

/// A request that was received: handed to the mirror, skipped with a reason, or dropped without a word, which means
/// that its client is gone.
pub struct Entry {
    mirror: Mirror,
    counted: bool,
}

impl Entry {
    pub fn new(mirror: &Mirror) -> Entry {
        mirror.metrics().received.inc();
        mirror.metrics().serving.inc();
        Entry { mirror: mirror.clone(), counted: false }
    }

    pub fn skip(mut self, why: Skip) {
        self.mirror.metrics().skipped(why);
        self.counted = true;
    }

    /// The mirror counts it from here on.
    pub fn hand_over(mut self, job: Job) {
        self.counted = true;
        self.mirror.offer(job);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.counted {
            self.mirror.metrics().skipped(Skip::ClientGone);
        }
        self.mirror.metrics().serving.dec();
    }
}

/// An answer by legacy that is still on its way to the client.
pub struct Unfinished {
    pub entry: Entry,
    pub share: Share,
    pub call: Call,
    pub start: Instant,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// To which what it issues belongs; none where sessions have no side.
    pub family: Option<(Arc<Choice>, Id)>,
    /// What the candidate did with the call already, when legacy came to the rescue.
    pub candidate: Option<Leg>,
}

impl Unfinished {
    /// Counts bytes of the answer against the budget.
    pub fn hold(&mut self, bytes: usize) -> bool {
        self.share.take(bytes)
    }

    pub fn give_up(self, why: Skip) {
        // Its cookies are known all the same.
        self.issued(&Bytes::new());
        self.entry.skip(why);
    }

    pub fn finish(self, body: Bytes) {
        self.issued(&body);
        let answer = Answer { status: self.status, headers: self.headers, body };
        let served = Leg { outcome: Ok(answer), latency: self.start.elapsed() };
        self.entry.hand_over(Job::new(self.call, Side::Legacy, served).with_failed(self.candidate));
    }

    fn issued(&self, body: &Bytes) {
        if let Some((choice, id)) = &self.family {
            choice.issued(Some(*id), &self.call, &self.headers, body);
        }
    }
}
