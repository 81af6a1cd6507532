//! The memory all clients together may hold in buffered bodies.

use crate::metrics::Level;

/// The level is the metric itself, so that what is shown is what is enforced.
#[derive(Clone)]
pub struct Budget {
    used: Level,
    bytes_max: usize,
}

impl Budget {
    pub fn new(used: Level, bytes_max: usize) -> Budget {
        Budget { used, bytes_max }
    }

    pub fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

/// What one request holds of the budget, given back when it is dropped.
pub struct Share {
    budget: Budget,
    bytes: i64,
}

impl Share {
    /// `false` when the budget does not have so many bytes left; nothing is taken then.
    pub fn take(&mut self, bytes: usize) -> bool {
        let bytes = bytes as i64;
        let before = self.budget.used.inc_by(bytes);
        if before + bytes > self.budget.bytes_max as i64 {
            self.budget.used.dec_by(bytes);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.used.dec_by(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_over_and_gets_everything_back() {
        let used = Level::default();
        let budget = Budget::new(used.clone(), 100);
        let mut first = budget.share();
        let mut second = budget.share();
        assert!(first.take(60));
        assert!(!second.take(41));
        assert!(second.take(40));
        assert_eq!(used.get(), 100);
        drop(first);
        assert_eq!(used.get(), 40);
        drop(second);
        assert_eq!(used.get(), 0);
    }
}
