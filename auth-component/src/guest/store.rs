//! The buckets of `wasi:keyvalue`.

use self::wasi::keyvalue::store;
use crate::grant::StoreUnavailable;
use crate::parity::Parity;
use crate::store::{Bucket, KEYS, SETTINGS, Settings, StoreKeys, StoreTokens};
#[cfg(feature = "introspection")]
use crate::store::{CACHE, Cache, OpaqueTokens};
use crate::{Request, Response, Service, handle};

// One of the two: a component imports what is in its world's interface.
#[cfg(feature = "introspection")]
wit_bindgen::generate!({ world: "keeper", path: "wit/cache.wit" });
#[cfg(not(feature = "introspection"))]
wit_bindgen::generate!({ world: "reader", path: "wit/store.wit" });

pub(super) fn answer(request: &Request, now: u64) -> Response {
    let settings = Opened::new(SETTINGS);
    match Settings::read(&settings) {
        Ok(read) => {
            let keys = StoreKeys { bucket: &Opened::new(KEYS), settings: &read };
            let tokens = StoreTokens { bucket: &settings, settings: &read };
            #[cfg(feature = "introspection")]
            if let Some(endpoint) = &read.introspection {
                let (outbound, cache) = (&super::outbound::Host, &Opened::new(CACHE));
                let tokens = OpaqueTokens { signed: tokens, keys, endpoint, outbound, cache };
                return handle(request, Service { keys: &keys, tokens: &tokens, parity: read.parity }, now);
            }
            handle(request, Service { keys: &keys, tokens: &tokens, parity: read.parity }, now)
        }
        Err(unavailable) => {
            handle(request, Service { keys: &unavailable, tokens: &unavailable, parity: Parity::STRICT }, now)
        }
    }
}

/// Opened when it is first asked.
struct Opened {
    identifier: &'static str,
    bucket: std::cell::OnceCell<store::Bucket>,
}

impl Opened {
    fn new(identifier: &'static str) -> Opened {
        Opened { identifier, bucket: std::cell::OnceCell::new() }
    }
}

impl Bucket for Opened {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.open()?.get(name).map_err(|_| StoreUnavailable)
    }
}

#[cfg(feature = "introspection")]
impl Cache for Opened {
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.open().ok()?.get(name).ok()?
    }

    fn set(&self, name: &str, value: &[u8]) {
        if let Ok(bucket) = self.open() {
            // What cannot be kept is asked for again.
            let _ = bucket.set(name, value);
        }
    }
}

impl Opened {
    fn open(&self) -> Result<&store::Bucket, StoreUnavailable> {
        if self.bucket.get().is_none() {
            // There was none, so that this one is taken.
            let _ = self.bucket.set(store::open(self.identifier).map_err(|_| StoreUnavailable)?);
        }
        self.bucket.get().ok_or(StoreUnavailable)
    }
}
