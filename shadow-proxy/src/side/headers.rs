//! Which headers belong to one connection and are therefore neither forwarded nor compared.

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};

/// In a request or an answer. hyper's own limit is 100, which headers added by proxies in front can exceed; Node's is
/// 2,000.
pub const HEADERS_MAX: usize = 256;

/// RFC 9110 §7.6.1, and those that are sent without being listed in `Connection`. `proxy-authorization` and
/// `proxy-authenticate` pass: this proxy demands no credential, so they are the service's (§11.7). `trailer` describes the
/// message (§6.6.2).
const HOP_BY_HOP: [&str; 7] =
    ["connection", "http2-settings", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

/// The headers of an answer that belong to the message: neither hop-by-hop nor named by its `Connection`.
pub fn end_to_end(headers: HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = connection_names(&headers);
    less(headers, &named)
}

/// The headers of a request that belong to the message. A client's `Connection` can name nothing beyond what is
/// hop-by-hop by itself: a name of its choice could be a credential that had to be refused beside another, or what a
/// proxy in front has added.
pub fn of_request(headers: HeaderMap) -> HeaderMap {
    less(headers, &[])
}

/// Order is kept, which `HeaderMap::remove` would not do.
fn less(headers: HeaderMap, named: &[HeaderName]) -> HeaderMap {
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

/// Whether the sender takes trailers behind the body of the answer (RFC 9110 §10.1.4).
pub fn takes_trailers(headers: &HeaderMap) -> bool {
    has_option(headers, "te") && list(headers, TE).any(|item| item.eq_ignore_ascii_case(b"trailers"))
}

/// The protocols the sender would rather speak on this connection, where it asks to be answered in one of them.
///
/// `h2c` and other versions of HTTP itself are none: a server may always go on with HTTP/1.1 (RFC 9110 §7.8), and what
/// came after a change to them could neither be counted nor compared.
pub fn asks_for_another_protocol(headers: &HeaderMap) -> bool {
    let is_http = |name: &[u8]| [&b"h2c"[..], b"http", b"tls"].iter().any(|known| name.eq_ignore_ascii_case(known));
    let name = |item: &[u8]| item.split(|&byte| byte == b'/').next().unwrap_or_default().to_owned();
    has_option(headers, "upgrade") && list(headers, UPGRADE).any(|item| !item.is_empty() && !is_http(&name(item)))
}

/// Whether `Connection` names an option.
fn has_option(headers: &HeaderMap, option: &str) -> bool {
    list(headers, CONNECTION).any(|item| item.eq_ignore_ascii_case(option.as_bytes()))
}

/// The items of a header that is a list.
fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
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
        // `Connection: close` and `keep-alive` name no header, and the others are never of the connection alone.
        .filter(|name| !matches!(name.as_str(), "close" | "keep-alive" | "authorization" | "host" | "content-length"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: [(&str, &str); 8] = [
        ("host", "h"),
        ("connection", "close, X-Private, Authorization, http2-settings"),
        ("set-cookie", "a=1; Expires=Wed, 01 Jan 2099 00:00:00 GMT"),
        ("x-private", "1"),
        ("keep-alive", "timeout=5"),
        ("http2-settings", "AAMAAABk"),
        ("set-cookie", "b=2"),
        ("authorization", "Bearer x"),
    ];

    fn kept(by: impl Fn(HeaderMap) -> HeaderMap) -> Vec<(String, String)> {
        let name = |name: &str| name.parse::<HeaderName>().expect("a valid name");
        let sent = SENT.map(|(of, value)| (name(of), value.parse().expect("a valid value")));
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name, value);
        }
        let kept = by(headers);
        kept.iter().map(|(name, value)| (name.to_string(), value.to_str().expect("ascii").to_owned())).collect()
    }

    fn of(names: &[usize]) -> Vec<(String, String)> {
        names.iter().map(|&index| (SENT[index].0.to_owned(), SENT[index].1.to_owned())).collect()
    }

    #[test]
    fn another_protocol_is_asked_for_by_name_and_option() {
        for (connection, upgrade, is_asked_for) in [
            ("Upgrade", "websocket", true),
            ("keep-alive, upgrade", "WebSocket", true),
            ("upgrade", "h2c, custom/2", true),
            ("keep-alive", "websocket", false),
            ("Upgrade, HTTP2-Settings", "h2c", false),
            ("upgrade", "HTTP/2.0, TLS/1.0", false),
            ("upgrade", "", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONNECTION, connection.parse().expect("a valid value"));
            headers.insert(UPGRADE, upgrade.parse().expect("a valid value"));
            assert_eq!(asks_for_another_protocol(&headers), is_asked_for, "{connection}: {upgrade}");
        }
    }

    #[test]
    fn trailers_are_taken_where_te_is_an_option_of_the_connection() {
        for (connection, te, are_taken) in [
            ("TE, close", "trailers", true),
            ("te", "gzip;q=0.5, Trailers", true),
            ("te", "gzip", false),
            ("close", "trailers", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONNECTION, connection.parse().expect("a valid value"));
            headers.insert(TE, te.parse().expect("a valid value"));
            assert_eq!(takes_trailers(&headers), are_taken, "{connection}: {te}");
        }
    }

    #[test]
    fn keeps_order_and_repeated_values_and_drops_what_belongs_to_the_connection() {
        assert_eq!(kept(end_to_end), of(&[0, 2, 6, 7]));
    }

    #[test]
    fn a_client_names_nothing_that_is_not_hop_by_hop_by_itself() {
        assert_eq!(kept(of_request), of(&[0, 2, 6, 3, 7]));
    }
}
