//! Endpoints of which no call is asked twice, because their answers count the client's requests.

use std::collections::BTreeSet;
use std::sync::Mutex;

use prometheus_client::registry::Registry;

use super::{Level, new};

pub struct RateLimited {
    count: Level,
    endpoints: Mutex<BTreeSet<String>>,
}

impl RateLimited {
    pub fn new(r: &mut Registry) -> RateLimited {
        let count = new(
            r,
            "rate_limited_endpoints",
            "Endpoints whose answers count the client's requests, and which are therefore never asked twice",
        );
        RateLimited { count, endpoints: Mutex::default() }
    }

    pub fn learn(&self, endpoint: &str) {
        let mut endpoints = self.endpoints.lock().expect("nothing panics while it counts");
        endpoints.insert(endpoint.to_owned());
        self.count.set(endpoints.len() as i64);
    }

    pub fn endpoints(&self) -> BTreeSet<String> {
        self.endpoints.lock().expect("nothing panics while it counts").clone()
    }
}
