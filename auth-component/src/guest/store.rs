//! The buckets of `wasi:keyvalue`.

use self::wasi::keyvalue::store;
use crate::grant::StoreUnavailable;
use crate::store::{Bucket, KEYS, Opened, SETTINGS, handle};
use crate::{Request, Response};

wit_bindgen::generate!({ world: "reader", path: "wit/store.wit" });

pub(super) fn answer(request: &Request, now: u64) -> Response {
    let bucket = |identifier| Opened::by(move || store::open(identifier).map_err(|_| StoreUnavailable));
    handle(request, &bucket(SETTINGS), &bucket(KEYS), now)
}

impl Bucket for store::Bucket {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        store::Bucket::get(self, name).map_err(|_| StoreUnavailable)
    }
}
