//! The account of one request: counted once, whatever becomes of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::clock::now_ms;
use crate::exchange::{Answer, Call, Leg, Sender, Side};
use crate::metrics::Skip;
use crate::shadow::mirror::{Job, Mirror};
use crate::shadow::order::Standing;
use crate::shadow::races::Group;

use super::budget::Share;
use super::families::Said;
use super::route::{Choice, Chosen};
use super::upload::Course;

/// A request that was received: handed to the mirror, skipped with a reason, or dropped without a word, which means
/// that its client is gone.
pub struct Entry {
    mirror: Mirror,
    counted: bool,
    sender: Option<Sender>,
    /// Among the calls of its session, once its side is chosen.
    standing: Option<Standing>,
}

impl Entry {
    pub fn new(mirror: &Mirror) -> Entry {
        mirror.metrics().received.inc();
        mirror.metrics().serving.inc();
        Entry { mirror: mirror.clone(), counted: false, sender: None, standing: None }
    }

    /// From here on others of its group know of it.
    pub fn begin(&mut self, call: &Call, group: Option<Group>) {
        self.standing = group.and_then(|group| self.mirror.begin(call, group));
    }

    /// The side that serves has decided.
    pub fn answered(&self, status: StatusCode) {
        if let Some(ticket) = self.standing.as_ref().and_then(|standing| standing.ticket.as_ref()) {
            ticket.answered(matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN));
        }
    }

    pub fn skip(mut self, why: Skip) {
        self.mirror.metrics().skipped(why);
        self.counted = true;
    }

    pub fn sent_by(&mut self, sender: Sender) {
        self.sender = Some(sender);
    }

    pub fn sender(&self) -> Option<&Sender> {
        self.sender.as_ref()
    }

    /// The mirror counts it from here on.
    pub fn hand_over(mut self, job: Job) {
        self.counted = true;
        self.mirror.offer(job.sent_by(self.sender).standing(self.standing.take()));
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
    pub account: Account,
    /// What the candidate did with the call already, when legacy came to the rescue.
    pub candidate: Option<Leg>,
    /// The body of the call, where it was sent on while it came.
    pub upload: Option<Arc<Course>>,
}

/// To whose session what an answer issues belongs.
pub struct Account {
    pub choice: Arc<Choice>,
    pub chosen: Chosen,
    pub peer: IpAddr,
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

    pub fn finish(mut self, body: Bytes) {
        if let Some(upload) = self.upload.take() {
            match upload.take() {
                // Legacy's time begins with the last byte, as the other side's does.
                Ok((body, whole)) => (self.call.body, self.start) = (body, whole),
                Err(why) => return self.give_up(why),
            }
        }
        self.issued(&body);
        let answer = Answer { status: self.status, headers: self.headers, body };
        let latency = self.start.elapsed();
        let begun_ms = now_ms().saturating_sub(latency.as_millis() as u64);
        let served = Leg::answered(answer, begun_ms, latency);
        self.entry.hand_over(Job::new(self.call, Side::Legacy, served).with_failed(self.candidate));
    }

    fn issued(&self, body: &Bytes) {
        let Account { choice, chosen, peer } = &self.account;
        let said = Said { by: Side::Legacy, status: self.status, headers: &self.headers, body };
        choice.issued(chosen, &self.call, *peer, said);
    }
}
