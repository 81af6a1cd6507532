//! The time of day, and what is to happen only now and then. What decides takes `now` as an argument instead.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// At most once in an interval: what fails for every request must not fill the log.
pub struct Rarely {
    last: Mutex<Option<Instant>>,
    interval: Duration,
}

impl Rarely {
    pub const fn every(interval: Duration) -> Rarely {
        Rarely { last: Mutex::new(None), interval }
    }

    /// Whether the interval has passed since this was last true.
    pub fn is_due(&self) -> bool {
        let mut last = self.last.lock().expect("nothing panics while it holds an instant");
        let due = last.is_none_or(|last| last.elapsed() > self.interval);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}
