//! Instances waiting for a call.

use std::sync::{Arc, Mutex};

use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};

use super::Grants;
use super::limits::{self, Guest, Instances, Limits};
use super::usage::Usage;

/// Instances kept ready. More would not be faster: each thread serves one call at a time.
const READY: usize = 8;

pub struct Instance {
    pub store: Store<Guest>,
    pub proxy: Proxy,
    pub calls: u32,
}

impl Instance {
    pub async fn new(
        pre: &ProxyPre<Guest>,
        limits: &Limits,
        grants: Grants,
        usage: &Arc<Usage>,
    ) -> wasmtime::Result<Instance> {
        let mut store = Store::new(pre.engine(), Guest::new(limits, grants, usage));
        limits::confine(&mut store);
        limits::arm(&mut store, limits);
        let proxy = pre.instantiate_async(&mut store).await?;
        store.data_mut().rest();
        Ok(Instance { store, proxy, calls: 0 })
    }
}

/// A last-in first-out stack: the newest instance's memory is the warmest.
pub struct Stock {
    ready: Mutex<Vec<Instance>>,
    capacity: usize,
    pub usage: Arc<Usage>,
}

impl Stock {
    pub fn new(limits: &Limits) -> Stock {
        // Reused instances are kept for as many calls as can run at once, fresh ones only to be a step ahead.
        let capacity = match limits.instances {
            Instances::Fresh => READY.min(limits.calls_max),
            Instances::Reuse(_) => limits.calls_max,
        };
        Stock { ready: Mutex::new(Vec::with_capacity(capacity)), capacity, usage: Arc::default() }
    }

    /// How many to make before the first call.
    pub fn capacity(&self) -> usize {
        self.capacity.min(READY)
    }

    pub fn is_full(&self) -> bool {
        self.lock().len() >= self.capacity
    }

    pub fn take(&self) -> Option<Instance> {
        self.lock().pop()
    }

    /// Keeps an instance, or drops it when there are enough.
    pub fn put(&self, instance: Instance) {
        let mut ready = self.lock();
        if ready.len() < self.capacity {
            ready.push(instance);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Instance>> {
        self.ready.lock().expect("nothing panics while it holds the stock")
    }
}
