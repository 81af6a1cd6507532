//! The pacing thread: it sleeps to the absolute time of each request and lets it go. A tokio timer would be up to 2 ms
//! late, a thread that sleeps with the least timer slack is late by a twentieth of that.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::deck::Deck;

use super::arrivals::Arrivals;

/// How soon the thread sees that the run was ended.
const NAP_MAX: Duration = Duration::from_millis(50);

/// A request whose time has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    /// Counted from the start of the run.
    pub(crate) at: Duration,
    pub(crate) case: usize,
}

/// Which case a request is: dealt, or as it was captured.
#[derive(Debug)]
pub(crate) enum Mix {
    Dealt(Deck),
    /// Request i is case i.
    InOrder,
}

impl Mix {
    pub(crate) fn case(&mut self, index: usize) -> usize {
        match self {
            Mix::Dealt(deck) => deck.deal(),
            Mix::InOrder => index,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Pacer {
    pub(crate) due: UnboundedReceiver<Due>,
    stop: Arc<AtomicBool>,
}

impl Pacer {
    /// Lets the requests go, the first at `start`; the channel ends after the last. It holds what the event loop has
    /// not taken yet, which is never more than what was due meanwhile.
    pub(crate) fn start(arrivals: &Arrivals, mix: Mix, start: Instant) -> std::io::Result<Self> {
        let (sender, due) = unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (offsets, stopped) = (arrivals.offsets(), Arc::clone(&stop));
        let pacing = move || release(offsets, mix, start, &sender, &stopped);
        thread::Builder::new().name("pacer".to_owned()).spawn(pacing)?;
        Ok(Self { due, stop })
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn release(
    offsets: impl Iterator<Item = Duration>,
    mut mix: Mix,
    start: Instant,
    due: &UnboundedSender<Due>,
    stop: &AtomicBool,
) {
    // Only precision is lost where the kernel refuses.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    for (index, at) in offsets.enumerate() {
        loop {
            let wait = (start + at).saturating_duration_since(Instant::now());
            if stop.load(Ordering::Relaxed) {
                return;
            }
            if wait.is_zero() {
                break;
            }
            thread::sleep(wait.min(NAP_MAX));
        }
        if due.send(Due { at, case: mix.case(index) }).is_err() {
            return;
        }
    }
}
