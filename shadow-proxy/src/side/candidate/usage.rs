//! What the instances of a component hold at this moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Default)]
pub struct Usage {
    instances: AtomicUsize,
    memory_bytes: AtomicUsize,
}

impl Usage {
    /// At work and waiting.
    pub fn instances(&self) -> usize {
        self.instances.load(Ordering::Relaxed)
    }

    /// Linear memory of all of them.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes.load(Ordering::Relaxed)
    }
}

/// What one instance holds; given back when it is dropped.
pub struct Share {
    usage: Arc<Usage>,
    memory_bytes: usize,
}

impl Share {
    pub fn of(usage: &Arc<Usage>) -> Share {
        usage.instances.fetch_add(1, Ordering::Relaxed);
        Share { usage: usage.clone(), memory_bytes: 0 }
    }

    pub fn grow(&mut self, bytes: usize) {
        self.memory_bytes += bytes;
        self.usage.memory_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.usage.instances.fetch_sub(1, Ordering::Relaxed);
        self.usage.memory_bytes.fetch_sub(self.memory_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_instance_holds_is_given_back_with_it() {
        let usage = Arc::new(Usage::default());
        let (mut one, other) = (Share::of(&usage), Share::of(&usage));
        one.grow(131_072);
        one.grow(65_536);
        assert_eq!((usage.instances(), usage.memory_bytes()), (2, 196_608));
        drop(one);
        assert_eq!((usage.instances(), usage.memory_bytes()), (1, 0));
        drop(other);
        assert_eq!(usage.instances(), 0);
    }
}
