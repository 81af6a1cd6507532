//! Calls of one group are asked of the other side in the order in which they were answered, as far as one changes
//! something: calls that only look may be asked together.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;

#[derive(Default)]
pub(crate) struct Turns(HashMap<u64, Turn>);

/// Each channel closes when its call was asked.
#[derive(Default)]
struct Turn {
    change: Option<watch::Receiver<()>>,
    looks: Vec<watch::Receiver<()>>,
}

/// The place of a call behind others. Whoever comes later is let go when it is dropped.
pub(crate) struct Place {
    before: Vec<watch::Receiver<()>>,
    _open: watch::Sender<()>,
}

impl Turns {
    /// To be called in the order of the queue, so that nobody waits in a circle.
    pub(crate) fn place(&mut self, group: u64, changes: bool) -> Place {
        if self.0.len() >= GROUPS_MAX {
            self.0.retain(|_, turn| turn.is_open());
        }
        let (open, place) = watch::channel(());
        let turn = self.0.entry(group).or_default();
        let mut before: Vec<watch::Receiver<()>> = turn.change.iter().cloned().collect();
        if changes {
            before.append(&mut turn.looks);
            turn.change = Some(place);
        } else {
            if turn.looks.len() >= LOOKS_MAX {
                turn.looks.retain(is_open);
            }
            turn.looks.push(place);
        }
        before.retain(is_open);
        Place { before, _open: open }
    }
}

impl Turn {
    fn is_open(&self) -> bool {
        self.change.iter().chain(&self.looks).any(is_open)
    }
}

impl Place {
    /// Whether everybody before it was asked in time.
    pub(crate) async fn reached(&mut self, wait_max: Duration) -> bool {
        if self.before.is_empty() {
            return true;
        }
        let all = async {
            for call in &mut self.before {
                // Nothing is ever sent: it ends with the call.
                let _ = call.changed().await;
            }
        };
        tokio::time::timeout(wait_max, all).await.is_ok()
    }
}

fn is_open(call: &watch::Receiver<()>) -> bool {
    call.has_changed().is_ok()
}

/// Before those that nobody waits for are looked for; open ones are bounded by what is mirrored at the same time.
const GROUPS_MAX: usize = 4_096;
const LOOKS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ready(place: &mut Place) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut reached = std::pin::pin!(place.reached(Duration::from_secs(60)));
        reached.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn calls_that_change_something_are_asked_one_by_one_and_looks_together() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let _entered = runtime.enter();
        let mut turns = Turns::default();
        let (mut look, mut other) = (turns.place(1, false), turns.place(1, false));
        let mut change = turns.place(1, true);
        let (mut later, mut last) = (turns.place(1, false), turns.place(1, true));
        assert!(is_ready(&mut look) && is_ready(&mut other) && is_ready(&mut turns.place(2, true)));
        assert!(!is_ready(&mut change) && !is_ready(&mut later) && !is_ready(&mut last));
        drop((look, other));
        assert!(is_ready(&mut change) && !is_ready(&mut later) && !is_ready(&mut last));
        drop(change);
        assert!(is_ready(&mut later) && !is_ready(&mut last));
        drop(later);
        assert!(is_ready(&mut last));
    }

    #[test]
    fn groups_that_nobody_waits_for_take_no_room() {
        let mut turns = Turns::default();
        for group in 0..100_000 {
            drop(turns.place(group, group % 2 == 0));
        }
        assert!(turns.0.len() <= GROUPS_MAX);
        for _ in 0..100_000 {
            drop(turns.place(7, false));
        }
        assert!(turns.0[&7].looks.len() <= LOOKS_MAX);
    }
}
