//! Which requests are the same again: evidence counts each a few times, so that a health checker cannot buy a verdict.

use std::hash::Hasher as _;
use std::sync::atomic::{AtomicU8, Ordering};

use siphasher::sip::SipHasher24;

use crate::exchange::Call;
use crate::random;

use super::redact::is_secret_like;
use super::rules::VOLATILE_HEADERS;

/// How often each request was seen, as far as it matters; of fixed size, whatever comes.
pub(crate) struct Shapes {
    key: [u8; 16],
    /// By hash. Two requests in one slot count as one: too little evidence then, never too much.
    seen: Box<[AtomicU8]>,
}

impl Shapes {
    /// Fails only where the system has no randomness to give.
    pub(crate) fn new() -> std::io::Result<Shapes> {
        Ok(Shapes { key: random::key()?, seen: (0..SLOTS).map(|_| AtomicU8::new(0)).collect() })
    }

    /// Whether this request is still evidence; asking counts it.
    pub(crate) fn counts(&self, call: &Call) -> bool {
        let slot = &self.seen[(shape(&self.key, call) as usize) % SLOTS];
        slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| (seen < TIMES_MAX).then(|| seen + 1)).is_ok()
    }
}

/// Method, path, headers and body, less what differs between two requests for the same thing: tracing ids, addresses,
/// query values that are no credentials (`?t=1700000000`).
fn shape(key: &[u8; 16], call: &Call) -> u64 {
    let mut hash = SipHasher24::new_with_key(key);
    let mut part = |bytes: &[u8]| {
        hash.write_usize(bytes.len());
        hash.write(bytes);
    };
    part(call.method.as_str().as_bytes());
    part(call.uri.path().as_bytes());
    for pair in call.uri.query().into_iter().flat_map(|query| query.split('&')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        part(name.as_bytes());
        part(if is_secret_like(name) { value.as_bytes() } else { b"" });
    }
    for (name, value) in &call.headers {
        if !VOLATILE_HEADERS.contains(&name.as_str()) && !OF_THE_WAY.contains(&name.as_str()) {
            part(name.as_str().as_bytes());
            part(value.as_bytes());
        }
    }
    part(&call.body);
    hash.finish()
}

/// Headers that tell which way a request came.
const OF_THE_WAY: [&str; 6] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-port", "x-real-ip", "user-agent"];

/// How often the same request is evidence.
const TIMES_MAX: u8 = 32;

/// One byte each.
const SLOTS: usize = 1 << 22;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::*;

    fn call(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Call {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Call { method, uri: uri.parse().unwrap(), headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn the_same_request_counts_a_few_times() {
        let shapes = Shapes::new().unwrap();
        let again = |id: usize| call("GET", &format!("/healthz?t={id}"), &[("x-request-id", &id.to_string())], "");
        assert_eq!((0..10_000).filter(|id| shapes.counts(&again(*id))).count(), usize::from(TIMES_MAX));
        let others = (0..10_000).map(|id| call("GET", "/a", &[("authorization", &format!("Bearer {id}"))], ""));
        let counted = others.filter(|call| shapes.counts(call)).count();
        assert!(counted >= 9_990, "{counted}");
    }

    #[test]
    fn what_makes_another_request() {
        let key = [7; 16];
        let shape = |method, uri, headers: &[_], body| shape(&key, &call(method, uri, headers, body));
        let same = shape("GET", "/a?t=1&token=x", &[("traceparent", "1")], "b");
        assert_eq!(same, shape("GET", "/a?t=2&token=x", &[("traceparent", "2"), ("x-forwarded-for", "::1")], "b"));
        for other in [
            shape("PUT", "/a?t=1&token=x", &[], "b"),
            shape("GET", "/b?t=1&token=x", &[], "b"),
            shape("GET", "/a?t=1&token=y", &[], "b"),
            shape("GET", "/a?t=1", &[], "b"),
            shape("GET", "/a?t=1&token=x", &[("cookie", "a=b")], "b"),
            shape("GET", "/a?t=1&token=x", &[], "c"),
        ] {
            assert_ne!(same, other);
        }
    }
}
