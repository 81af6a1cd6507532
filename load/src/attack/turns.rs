//! Whose turn it is in a closed loop: each user sends as soon as it has its answer, until there are no more requests
//! or no more time.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::deck::Deck;

/// What ends the run. At least one of the two is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) requests: Option<u64>,
    pub(crate) time: Option<Duration>,
}

/// Hands out the turns of one run to all of its users.
#[derive(Debug)]
pub(crate) struct Turns {
    end: End,
    deal: Mutex<Deal>,
    start: OnceLock<Instant>,
    stopped: watch::Sender<bool>,
}

#[derive(Debug)]
struct Deal {
    deck: Deck,
    dealt: u64,
}

impl Turns {
    pub(crate) fn new(end: End, deck: Deck) -> Self {
        let deal = Mutex::new(Deal { deck, dealt: 0 });
        Self { end, deal, start: OnceLock::new(), stopped: watch::Sender::new(false) }
    }

    /// The run starts with the first user that says so; later ones join it.
    pub(crate) fn begin(&self) {
        self.start.get_or_init(Instant::now);
    }

    /// The case of the next request; `None` when there are no more.
    pub(crate) fn next(&self) -> Option<usize> {
        let start = self.start.get()?;
        if self.stopped() || self.end.time.is_some_and(|time| start.elapsed() >= time) {
            return None;
        }
        let mut deal = self.deal.lock().unwrap_or_else(PoisonError::into_inner);
        if self.end.requests.is_some_and(|requests| deal.dealt >= requests) {
            return None;
        }
        deal.dealt += 1;
        Some(deal.deck.deal())
    }

    /// No further turns, and `ended_early` ends.
    pub(crate) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    pub(crate) fn stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    pub(crate) async fn ended_early(&self) {
        // The sender lives as long as the turns, so that this waits for nothing else.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    pub(crate) fn start(&self) -> Option<Instant> {
        self.start.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(requests: Option<u64>, time: Option<Duration>) -> Turns {
        Turns::new(End { requests, time }, Deck::new(&[1], 1))
    }

    #[test]
    fn there_are_as_many_turns_as_requests_and_none_before_the_start() {
        let turns = turns(Some(3), None);
        assert_eq!(turns.next(), None);
        turns.begin();
        assert_eq!((0..10).filter_map(|_| turns.next()).count(), 3);
    }

    #[test]
    fn time_and_a_stop_end_it() {
        let over = turns(None, Some(Duration::ZERO));
        over.begin();
        assert_eq!(over.next(), None);
        let stopped = turns(None, Some(Duration::from_secs(3_600)));
        stopped.begin();
        assert_eq!(stopped.next(), Some(0));
        stopped.stop();
        assert_eq!(stopped.next(), None);
    }
}
