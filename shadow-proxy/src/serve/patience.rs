//! A deadline that costs next to nothing while all goes well: a timer runs only where somebody waits.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

#[derive(Default)]
pub struct Patience {
    since: Option<Instant>,
    /// Kept for the next wait; it may ring too early for that one, and is then set again.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Whether the wait that begins with the first of these calls has lasted for `limit`. If not, the task is woken then.
    pub fn is_over(&mut self, context: &mut Context<'_>, limit: Duration) -> bool {
        let now = Instant::now();
        let due = *self.since.get_or_insert(now) + limit;
        if now >= due {
            return true;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        if timer.as_mut().poll(context).is_pending() {
            return false;
        }
        // It rang for an earlier wait.
        timer.as_mut().reset(due);
        timer.as_mut().poll(context).is_ready()
    }

    pub fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// What was waited for is there.
    pub fn end(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[tokio::test]
    async fn each_wait_has_its_own_limit_whatever_timer_an_earlier_one_left() {
        const LONG: Duration = Duration::from_secs(3_600);
        let mut context = Context::from_waker(Waker::noop());
        let mut patience = Patience::default();
        for (limit, is_over) in [(LONG, false), (Duration::ZERO, true), (LONG, false), (LONG * 2, false), (LONG, false)]
        {
            assert_eq!(patience.is_over(&mut context, limit), is_over, "{limit:?}");
            assert!(patience.is_waiting());
            patience.end();
            assert!(!patience.is_waiting());
        }
    }
}
