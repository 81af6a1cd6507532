//! One entry of a HAR as the request that was sent and the answer that came, or why it is neither.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, COOKIE, HOST, PROXY_AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::super::source::{LeftOut, Recorded, Recording};
use super::body;
use crate::exchange::{Answer, Call, Failure, Leg};
use crate::shadow::capture::{format, identity};
use crate::shadow::encode::encoded;
use crate::show::export::har::model::{Entry, Named, Request, Response, Size};
use crate::side::headers::end_to_end;

/// A request that can be sent again.
pub(super) struct Sent {
    pub(super) recorded: Recorded,
    /// In lower case, with a port that is not its scheme's own.
    pub(super) host: String,
    /// Those that HTTP does not allow.
    pub(super) headers_left_out: usize,
}

pub(super) fn sent(entry: Entry) -> Result<Sent, LeftOut> {
    let Entry { started_date_time, time, request, response, connection, .. } = entry;
    let Request { method, url, headers, cookies, body_size, post_data, .. } = request.ok_or(LeftOut::Unreadable)?;
    let method = Method::from_bytes(method.trim().as_bytes()).map_err(|_| LeftOut::Unreadable)?;
    let status = response.as_ref().map_or(Size::default(), |response| response.status);
    if method == Method::CONNECT {
        return Err(LeftOut::Tunnel);
    }
    let (mut headers, headers_left_out) = fields(headers);
    if status.0 == 101 || is_upgrade(&headers) || url.starts_with("ws:") || url.starts_with("wss:") {
        return Err(LeftOut::WebSocket);
    }
    let Address { authority, host, target } = Address::of(&url, &headers)?;
    headers = end_to_end(headers);
    // It was for a proxy on the browser's way.
    headers.remove(PROXY_AUTHORIZATION);
    one_cookie_header(&mut headers, &cookies);
    if !headers.contains_key(HOST) {
        headers.insert(HOST, HeaderValue::from_str(&authority).map_err(|_| LeftOut::Unreadable)?);
    }
    let size = if [Method::GET, Method::HEAD].contains(&method) { Size::default() } else { body_size };
    let body = body::of_request(post_data, &mut headers, size)?;
    let body = if body::is_encoded_still(&headers, &body) { body } else { encoded(&headers, body) };
    if headers.contains_key(CONTENT_LENGTH) || !body.is_empty() {
        headers.insert(CONTENT_LENGTH, body.len().into());
    }
    let call = Call { method, uri: target, headers, body };
    let latency = Duration::try_from_secs_f64(time / 1_000.0).unwrap_or_default();
    let (legacy, more_left_out) = response.and_then(|response| leg(&call.method, response, latency)).unzip();
    let unknown = Leg::failed(Failure::NoAnswer, 0, latency);
    let session = identity(&call, legacy.as_ref().unwrap_or(&unknown)).or(connection.map(String::into_bytes));
    let recorded =
        Recorded { time: self::time(&started_date_time), session, call, legacy, recording: Recording::Browser };
    Ok(Sent { recorded, host, headers_left_out: headers_left_out + more_left_out.unwrap_or_default() })
}

/// None where no answer came. One whose body was not recorded has a head only: what is unknown is not empty.
fn leg(method: &Method, response: Response, latency: Duration) -> Option<(Leg, usize)> {
    let Response { status, headers, cookies, content, body_size, .. } = response;
    let status = u16::try_from(status.0).ok().and_then(|status| StatusCode::from_u16(status).ok())?;
    let (headers, left_out) = fields(headers);
    let mut headers = end_to_end(headers);
    split_set_cookies(&mut headers, cookies.len());
    // RFC 9110 §6.4.1; what an exporter writes there comes from a cache.
    let is_bodiless = *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if is_bodiless {
        return Some((Leg::answered(Answer { status, headers, body: Bytes::new() }, 0, latency), left_out));
    }
    let Some(body) = body::of_response(content, &headers, body_size) else {
        let head = Some(Box::new(Answer { status, headers, body: Bytes::new() }));
        return Some((Leg { head, ..Leg::failed(Failure::NotRecorded, 0, latency) }, left_out));
    };
    let body = if body::is_encoded_still(&headers, &body) { body } else { encoded(&headers, body) };
    if headers.contains_key(CONTENT_LENGTH) {
        // What was encoded again is as long as it is.
        headers.insert(CONTENT_LENGTH, body.len().into());
    }
    Some((Leg::answered(Answer { status, headers, body }, 0, latency), left_out))
}

/// What HTTP allows, without the pseudo-headers of HTTP/2, and how many are left out. Some exporters join the values of
/// a name by line feeds.
fn fields(named: Vec<Named>) -> (HeaderMap, usize) {
    let (mut headers, mut left_out) = (HeaderMap::with_capacity(named.len()), 0);
    for Named { name, value } in named {
        if name.starts_with(':') {
            continue;
        }
        let Some(values) = value else {
            left_out += 1;
            continue;
        };
        for value in values.split('\n') {
            match format::headers(&[(name.clone(), value.trim_matches(['\r', ' ', '\t']).to_owned())]) {
                Ok(one) => {
                    for (name, value) in &one {
                        headers.append(name.clone(), value.clone());
                    }
                }
                Err(_) => left_out += 1,
            }
        }
    }
    (headers, left_out)
}

/// HTTP/2 sends a cookie in crumbs, which go over HTTP/1.1 as one header (RFC 9113 §8.2.3). Where only the parsed cookies
/// were recorded they are written again.
fn one_cookie_header(headers: &mut HeaderMap, cookies: &[Named]) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    let joined = match crumbs.len() {
        1 => return,
        0 => {
            let pair = |Named { name, value }: &Named| Some(format!("{name}={}", value.as_deref()?));
            cookies.iter().filter_map(pair).collect::<Vec<_>>().join("; ").into_bytes()
        }
        _ => crumbs.join(&b"; "[..]),
    };
    if let Some(value) = HeaderValue::from_bytes(&joined).ok().filter(|value| !value.is_empty()) {
        headers.insert(COOKIE, value);
    }
}

/// Some exporters join cookies by commas, which dates have too: split only where as many come out as were parsed.
fn split_set_cookies(headers: &mut HeaderMap, count: usize) {
    let lines: Vec<&str> = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
    let [line] = lines[..] else { return };
    let is_start = |part: &str| {
        let name = part.split_once('=').map_or("", |(name, _)| name.trim_start());
        HeaderName::from_bytes(name.as_bytes()).is_ok()
    };
    let mut cookies: Vec<String> = Vec::new();
    for part in line.split(',') {
        match cookies.last_mut() {
            Some(cookie) if !is_start(part) => *cookie += &format!(",{part}"),
            _ => cookies.push(part.trim().to_owned()),
        }
    }
    if cookies.len() < 2 || cookies.len() != count {
        return;
    }
    headers.remove(SET_COOKIE);
    for value in cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.append(SET_COOKIE, value);
    }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(http::header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// A URL in its parts.
struct Address {
    authority: String,
    host: String,
    target: Uri,
}

impl Address {
    fn of(url: &str, headers: &HeaderMap) -> Result<Address, LeftOut> {
        let url = url.split('#').next().unwrap_or_default().trim();
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest.to_owned()),
            None if url.starts_with('/') => {
                // Only a path: its host stands in a header.
                let host = headers.get(HOST).and_then(|host| host.to_str().ok()).ok_or(LeftOut::NotHttp)?;
                ("http".to_owned(), format!("{host}{url}"))
            }
            None => return Err(LeftOut::NotHttp),
        };
        let default_port = match scheme.as_str() {
            "http" => ":80",
            "https" => ":443",
            _ => return Err(LeftOut::NotHttp),
        };
        let end = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or_default();
        if authority.is_empty() || authority.parse::<http::uri::Authority>().is_err() {
            return Err(LeftOut::Unreadable);
        }
        let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(LeftOut::Unreadable);
        }
        let host = authority.to_ascii_lowercase();
        let host = host.strip_suffix(default_port).unwrap_or(&host).to_owned();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Address { authority: authority.to_owned(), host, target: self::target(&target).ok_or(LeftOut::Unreadable)? })
    }
}

/// As `--host` names it: also as a URL.
pub(super) fn host_of(text: &str) -> String {
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let address = Address::of(&url, &HeaderMap::new());
    address.map_or_else(|_| text.to_ascii_lowercase(), |address| address.host)
}

/// Some exporters decode what a browser encodes before it sends it.
fn target(target: &str) -> Option<Uri> {
    let is_odd = |c: char| !c.is_ascii() || c.is_ascii_control() || " \"<>`".contains(c);
    target.parse().ok().filter(|_| target.is_ascii()).or_else(|| {
        let mut spelled = String::with_capacity(target.len());
        for c in target.chars() {
            if is_odd(c) {
                let mut bytes = [0; 4];
                spelled.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")));
            } else {
                spelled.push(c);
            }
        }
        spelled.parse().ok()
    })
}

/// RFC 3339 with any offset, which is what HAR wants; some write it without its colon.
fn time(text: &str) -> Option<Duration> {
    let since = |utc: &str| humantime::parse_rfc3339(utc).ok()?.duration_since(std::time::UNIX_EPOCH).ok();
    if text.ends_with(['Z', 'z']) {
        return since(text);
    }
    let at = text.rfind(['+', '-']).filter(|at| *at > 10)?;
    let (local, offset) = text.split_at(at);
    let digits: String = offset[1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = digits.split_at_checked(2)?;
    let offset_s = hours.parse::<u64>().ok()? * 3_600 + minutes.parse::<u64>().ok()? * 60;
    let local = since(&format!("{local}Z"))?;
    if offset.starts_with('-') {
        local.checked_add(Duration::from_secs(offset_s))
    } else {
        local.checked_sub(Duration::from_secs(offset_s))
    }
}
