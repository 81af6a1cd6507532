//! Which headers belong to one connection and are therefore neither forwarded nor compared.

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

/// In a request or an answer. hyper's own limit is 100, which headers added by proxies in front can exceed; Node's is
/// 2,000.
pub const HEADERS_MAX: usize = 256;

/// RFC 9110 §7.6.1, and `keep-alive` and `proxy-connection`, which are sent without being listed in `Connection`.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The headers that belong to the message. Order is kept, which `HeaderMap::remove` would not do.
pub fn end_to_end(headers: HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = connection_names(&headers);
    if named.is_empty() && !headers.keys().any(is_hop_by_hop) {
        return headers;
    }
    let mut kept = HeaderMap::with_capacity(headers.len());
    let mut last = None;
    for (name, value) in headers {
        // `into_iter` gives the name once for several values in a row.
        if name.is_some() {
            last = name;
        }
        let name = last.as_ref().expect("the first item of a header map has a name");
        if !is_hop_by_hop(name) && !named.contains(name) {
            kept.append(name.clone(), value);
        }
    }
    kept
}

/// How a body of unknown total length came, which is then how it must be sent on: in chunks, and what is in them may be
/// coded (`gzip, chunked`), which is nobody's to undo on the way.
pub fn transfer_encoding(headers: &HeaderMap) -> Option<HeaderValue> {
    let values: Vec<&[u8]> = headers.get_all(TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes).collect();
    let is_chunked = values.last()?.to_ascii_lowercase().ends_with(b"chunked");
    HeaderValue::from_bytes(&values.join(&b", "[..])).ok().filter(|_| is_chunked)
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&name.as_str())
}

fn connection_names(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        // `Connection: close` and `keep-alive` name no header; never let a client strip the credential from the call.
        .filter(|name| !matches!(name.as_str(), "close" | "keep-alive" | "authorization" | "host" | "content-length"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_repeated_values_and_drops_what_belongs_to_the_connection() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "h"),
            ("connection", "close, X-Private, Authorization"),
            ("set-cookie", "a=1; Expires=Wed, 01 Jan 2099 00:00:00 GMT"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("set-cookie", "b=2"),
            ("authorization", "Bearer x"),
        ] {
            headers.append(name, value.parse().expect("a valid value"));
        }
        let kept: Vec<(String, String)> = end_to_end(headers)
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("ascii").to_owned()))
            .collect();
        let kept: Vec<(&str, &str)> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            kept,
            [
                ("host", "h"),
                ("set-cookie", "a=1; Expires=Wed, 01 Jan 2099 00:00:00 GMT"),
                ("set-cookie", "b=2"),
                ("authorization", "Bearer x"),
            ]
        );
    }
}
