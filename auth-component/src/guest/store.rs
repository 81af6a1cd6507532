//! The buckets of `wasi:keyvalue`.

use self::wasi::keyvalue::store;
use crate::grant::StoreUnavailable;
#[cfg(not(feature = "introspection"))]
use crate::store::handle;
use crate::store::{Bucket, KEYS, Opened, SETTINGS};
#[cfg(feature = "introspection")]
use crate::store::{CACHE, Cache, Outside, handle_asking};
use crate::{Request, Response};

// One of the two: a component imports what is in its world's interface.
#[cfg(feature = "introspection")]
wit_bindgen::generate!({ world: "keeper", path: "wit/cache.wit" });
#[cfg(not(feature = "introspection"))]
wit_bindgen::generate!({ world: "reader", path: "wit/store.wit" });

#[cfg(not(feature = "introspection"))]
pub(super) fn answer(request: &Request, now: u64) -> Response {
    handle(request, &bucket(SETTINGS), &bucket(KEYS), now)
}

#[cfg(feature = "introspection")]
pub(super) fn answer(request: &Request, now: u64) -> Response {
    let outside = Outside { outbound: &super::outbound::Host, cache: &bucket(CACHE) };
    handle_asking(request, &bucket(SETTINGS), &bucket(KEYS), outside, now)
}

fn bucket(identifier: &'static str) -> Opened<store::Bucket, impl Fn() -> Result<store::Bucket, StoreUnavailable>> {
    Opened::by(move || store::open(identifier).map_err(|_| StoreUnavailable))
}

impl Bucket for store::Bucket {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        store::Bucket::get(self, name).map_err(|_| StoreUnavailable)
    }
}

#[cfg(feature = "introspection")]
impl<O: Fn() -> Result<store::Bucket, StoreUnavailable>> Cache for Opened<store::Bucket, O> {
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.bucket().ok()?.get(name).ok()?
    }

    fn set(&self, name: &str, value: &[u8]) {
        if let Ok(bucket) = self.bucket() {
            // What cannot be kept is asked for again.
            let _ = bucket.set(name, value);
        }
    }
}
