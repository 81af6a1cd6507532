//! `legacy.forwarded`: whether the services are told whose request it is.

use std::net::IpAddr;

use http::header::{Entry, FORWARDED, HeaderMap, HeaderName, HeaderValue};

/// Adds the client's address to `X-Forwarded-For`, which most services read, and to `Forwarded` (RFC 7239). What earlier
/// proxies wrote stays before it.
pub fn append(headers: &mut HeaderMap, peer: IpAddr) {
    // A listener for both families sees clients of the older one as `::ffff:192.0.2.1`.
    let peer = peer.to_canonical();
    append_item(headers, X_FORWARDED_FOR, &peer.to_string());
    let node = match peer {
        IpAddr::V4(peer) => format!("for={peer}"),
        IpAddr::V6(peer) => format!("for=\"[{peer}]\""),
    };
    append_item(headers, FORWARDED, &node);
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// To the last line of a header that is a list: lines of one name are one list (RFC 9110 §5.3).
fn append_item(headers: &mut HeaderMap, name: HeaderName, item: &str) {
    let joined = |before: &[u8]| match before.trim_ascii() {
        b"" => HeaderValue::from_str(item),
        before => HeaderValue::from_bytes(&[before, b", ", item.as_bytes()].concat()),
    };
    match headers.entry(name) {
        Entry::Occupied(mut lines) => {
            let last = lines.iter_mut().last().expect("a name that is there has a value");
            *last = joined(last.as_bytes()).expect("two valid values and a comma are one");
        }
        Entry::Vacant(none) => {
            none.insert(joined(b"").expect("an address has only visible ASCII characters"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_the_last_of_the_list() {
        for (before, peer, expected) in [
            (&[][..], "192.0.2.1", &[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")][..]),
            (&[], "::ffff:192.0.2.1", &[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")]),
            (&[], "2001:db8::1", &[("x-forwarded-for", "2001:db8::1"), ("forwarded", "for=\"[2001:db8::1]\"")]),
            (
                &[("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9;proto=https")],
                "192.0.2.1",
                &[
                    ("x-forwarded-for", "203.0.113.9, 192.0.2.1"),
                    ("forwarded", "for=203.0.113.9;proto=https, for=192.0.2.1"),
                ],
            ),
            (
                &[("x-forwarded-for", "a"), ("x-forwarded-for", "b"), ("x-forwarded-for", "")],
                "192.0.2.1",
                &[
                    ("x-forwarded-for", "a"),
                    ("x-forwarded-for", "b"),
                    ("x-forwarded-for", "192.0.2.1"),
                    ("forwarded", "for=192.0.2.1"),
                ],
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in before {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            append(&mut headers, peer.parse().unwrap());
            let lines: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            assert_eq!(lines, expected);
        }
    }
}
