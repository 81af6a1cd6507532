//! The buckets of `wasi:keyvalue`.

use self::wasi::keyvalue::store;
use crate::grant::StoreUnavailable;
use crate::parity::Parity;
use crate::store::{Bucket, KEYS, SETTINGS, Settings, StoreKeys, StoreTokens};
use crate::{Request, Response, Service, handle};

wit_bindgen::generate!({ world: "reader", path: "wit/store.wit" });

pub(super) fn answer(request: &Request, now: u64) -> Response {
    let settings = Opened::new(SETTINGS);
    match Settings::read(&settings) {
        Ok(read) => {
            let keys = StoreKeys { bucket: &Opened::new(KEYS), settings: &read };
            let tokens = StoreTokens { bucket: &settings, settings: &read };
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
        if self.bucket.get().is_none() {
            // There was none, so that this one is taken.
            let _ = self.bucket.set(store::open(self.identifier).map_err(|_| StoreUnavailable)?);
        }
        let bucket = self.bucket.get().ok_or(StoreUnavailable)?;
        bucket.get(name).map_err(|_| StoreUnavailable)
    }
}
