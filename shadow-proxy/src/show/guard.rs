//! Who may use the admin port, and from where a browser may be made to.

mod attempts;
mod sessions;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::clock::now_ms;
use crate::metrics::Count;
use crate::random;

use self::attempts::Attempts;
use self::sessions::Sessions;
use super::admin::Admin;

/// What opens the port, and what is remembered of those who came.
pub struct Guard {
    /// SHA-256 of the token that everything but the probes asks for.
    token_digest: Option<[u8; 32]>,
    attempts: Mutex<Attempts>,
    sessions: Mutex<Sessions>,
    /// Of this process alone: forms of another one are not taken.
    forms: Hmac<Sha256>,
    refused: Count,
}

/// Who asks for a page: what the forms on it have to carry.
#[derive(Clone)]
pub struct Visitor {
    pub form_token: String,
    /// Opened by a token, so that it can be closed.
    pub has_session: bool,
}

/// Whether somebody comes in.
pub enum Entry {
    Open(Visitor),
    /// No token, or not this one.
    Closed,
    /// Too many wrong tokens; seconds until the next may be tried.
    Later(u64),
}

impl Guard {
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(token_digest: Option<[u8; 32]>, refused: Count) -> std::io::Result<Guard> {
        let forms = Hmac::new_from_slice(&random::key::<32>()?).expect("HMAC takes keys of any length");
        Ok(Guard { token_digest, attempts: Mutex::default(), sessions: Mutex::default(), forms, refused })
    }

    /// A session for a token; the text is the cookie's value.
    pub fn log_in(&self, address: IpAddr, token: &[u8]) -> Result<String, Entry> {
        let expected = self.token_digest.ok_or(Entry::Closed)?;
        self.try_token(address, token, &expected)?;
        let id = random::key::<32>().map_err(|_| Entry::Closed)?;
        let text = hex(&id);
        self.sessions.lock().expect("nothing panics while it looks").open(digest(text.as_bytes()), now_ms());
        Ok(text)
    }

    pub fn log_out(&self, headers: &HeaderMap) {
        if let Some(id) = session_cookie(headers) {
            self.sessions.lock().expect("as above").close(&digest(id.as_bytes()));
        }
    }

    /// By a token in the header; pages by a session too.
    fn entry(&self, address: IpAddr, headers: &HeaderMap) -> Entry {
        let Some(expected) = self.token_digest else { return self.visitor(b"local", false) };
        if let Some(token) = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer ")) {
            return match self.try_token(address, token, &expected) {
                Ok(()) => self.visitor(b"bearer", false),
                Err(entry) => entry,
            };
        }
        Entry::Closed
    }

    fn page_entry(&self, address: IpAddr, headers: &HeaderMap) -> Entry {
        let session = session_cookie(headers).map(|id| digest(id.as_bytes()));
        match session {
            Some(id) if self.sessions.lock().expect("as above").is_open(&id, now_ms()) => self.visitor(&id, true),
            _ => self.entry(address, headers),
        }
    }

    fn try_token(&self, address: IpAddr, token: &[u8], expected: &[u8; 32]) -> Result<(), Entry> {
        let (now, mut attempts) = (now_ms(), self.attempts.lock().expect("as above"));
        if let Some(wait_ms) = attempts.wait_ms(address, now) {
            self.refused.inc();
            return Err(Entry::Later(wait_ms.div_ceil(1_000)));
        }
        // Of digests, so that it takes as long whatever the token's length.
        if bool::from(digest(token).ct_eq(expected)) {
            attempts.right(address, now);
            return Ok(());
        }
        attempts.wrong(address, now);
        self.refused.inc();
        Err(Entry::Closed)
    }

    fn visitor(&self, who: &[u8], has_session: bool) -> Entry {
        let form_token = hex(&self.forms.clone().chain_update(who).finalize().into_bytes());
        Entry::Open(Visitor { form_token, has_session })
    }
}

/// For programs: asks for the token where one is set, and refuses what a web page of somebody else could make a browser
/// send.
pub async fn programs(
    State(admin): State<Arc<Admin>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    admin.guard.check_host(request.headers())?;
    if request.method() == Method::POST && is_cross_site(request.headers()) {
        return Err(Problem(
            StatusCode::FORBIDDEN,
            "a web page of somebody else sent this; nothing was done".to_owned(),
        ));
    }
    match admin.guard.entry(peer.ip(), request.headers()) {
        Entry::Open(_) => Ok(next.run(request).await),
        Entry::Closed => Err(Problem(StatusCode::UNAUTHORIZED, NO_TOKEN.to_owned())),
        Entry::Later(seconds) => Ok(later(seconds)),
    }
}

/// For people: who has neither token nor session is asked for the token by a page.
pub async fn people(
    State(admin): State<Arc<Admin>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    admin.guard.check_host(request.headers())?;
    if request.method() != Method::GET && !is_same_origin(request.headers()) {
        return Err(Problem(StatusCode::FORBIDDEN, NOT_OURS.to_owned()));
    }
    match admin.guard.page_entry(peer.ip(), request.headers()) {
        Entry::Open(visitor) => {
            request.extensions_mut().insert(visitor);
            Ok(next.run(request).await)
        }
        Entry::Closed => Ok(super::page::ask_for_token(request.uri().path())),
        Entry::Later(seconds) => Ok(later(seconds)),
    }
}

impl Guard {
    /// A page that rebinds its own name to this address still sends its own name.
    fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.token_digest.is_some() || is_named_locally(headers) {
            return Ok(());
        }
        let reason = "without a token this port answers only to an IP address or localhost as its host name; use one, or set admin_token_file";
        Err(Problem(StatusCode::FORBIDDEN, reason.to_owned()))
    }
}

impl Visitor {
    /// A form that this process made for this visitor.
    pub fn has_made(&self, form_token: &str) -> bool {
        form_token.as_bytes().ct_eq(self.form_token.as_bytes()).into()
    }
}

/// Comparing digests tells nothing about the token, however long it takes.
pub fn digest(token: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    Sha256::digest(token.trim_ascii()).into()
}

/// What a browser says of where a request comes from. It says nothing of the kind when it is no browser, and then no form
/// of ours was sent.
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text(ORIGIN.as_str()), text(HOST.as_str())) {
        (Some(site), ..) => site == "same-origin",
        (None, Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
        }
        _ => false,
    }
}

/// Programs send no such header.
fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

fn is_named_locally(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

/// 429 (RFC 6585).
pub fn later(seconds: u64) -> Response {
    let reason = format!("too many wrong tokens; try again in {seconds} seconds");
    let mut response = Problem(StatusCode::TOO_MANY_REQUESTS, reason).into_response();
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub const COOKIE_NAME: &str = "shadow_proxy_session";
pub use self::sessions::LIFETIME_MS as SESSION_MS;
const NO_TOKEN: &str = "send `Authorization: Bearer TOKEN`, or use --token-file";
const NOT_OURS: &str =
    "this form was not sent from this page, so nothing was done; open the page and send it from there";

/// RFC 9457.
pub struct Problem(pub StatusCode, pub String);

impl Problem {
    pub fn internal(error: &anyhow::Error) -> Problem {
        Problem(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Problem(status, detail) = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let body = json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
        (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (axum::http::HeaderName::from_static(name), axum::http::HeaderValue::from_static(value))
        };
        pairs.iter().map(header).collect()
    }

    #[test]
    fn a_form_comes_from_the_page_itself_or_is_refused() {
        for (sent, is_ours) in [
            (&[("host", "127.0.0.1:9090")][..], false),
            (&[("host", "a:1"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "a:1"), ("sec-fetch-site", "same-origin"), ("origin", "null")], true),
            (&[("host", "a:1"), ("sec-fetch-site", "same-site"), ("origin", "http://a:1")], false),
            (&[("host", "a:1"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "a:1"), ("sec-fetch-site", "none")], false),
            (&[("host", "a:1"), ("origin", "http://a:1")], true),
            (&[("host", "A:1"), ("origin", "https://a:1")], true),
            (&[("host", "a:1"), ("origin", "http://a:2")], false),
            (&[("host", "a:1"), ("origin", "null")], false),
            (&[("origin", "http://a:1")], false),
        ] {
            assert_eq!(is_same_origin(&headers(sent)), is_ours, "{sent:?}");
        }
    }

    #[test]
    fn a_session_opens_pages_and_nothing_else_and_ends() {
        let guard = Guard::new(Some(digest(b"0123456789abcdef")), Count::default()).expect("there is randomness");
        let address = IpAddr::from([127, 0, 0, 1]);
        assert!(matches!(guard.log_in(address, b"0123456789abcdeX"), Err(Entry::Closed)));
        let id = guard.log_in(address, b"0123456789abcdef\n").ok().expect("this is the token");
        let cookie = format!("a=b; {COOKIE_NAME}={id}");
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.parse().expect("a header"));
        assert!(matches!(guard.page_entry(address, &headers), Entry::Open(Visitor { has_session: true, .. })));
        assert!(matches!(guard.entry(address, &headers), Entry::Closed), "programs send the token");
        guard.log_out(&headers);
        assert!(matches!(guard.page_entry(address, &headers), Entry::Closed));
    }

    #[test]
    fn guessing_is_slow() {
        let refused = Count::default();
        let guard = Guard::new(Some(digest(b"0123456789abcdef")), refused.clone()).expect("there is randomness");
        let address = IpAddr::from([10, 0, 0, 7]);
        let wrong = (0..1_000).take_while(|_| matches!(guard.log_in(address, b"wrong"), Err(Entry::Closed))).count();
        assert_eq!(wrong, 20);
        assert!(
            matches!(guard.log_in(address, b"0123456789abcdef"), Err(Entry::Later(1..=60))),
            "not even the right one"
        );
        assert!(guard.log_in(IpAddr::from([10, 0, 0, 8]), b"0123456789abcdef").is_ok(), "others may");
        assert_eq!(refused.get(), 22);
    }

    #[test]
    fn a_form_is_of_one_visitor_and_one_process() {
        let guard = || Guard::new(None, Count::default()).expect("there is randomness");
        let visitor = |guard: &Guard, who: &[u8]| match guard.visitor(who, false) {
            Entry::Open(visitor) => visitor,
            _ => unreachable!("nobody else is made"),
        };
        let (one, other) = (guard(), guard());
        let local = visitor(&one, b"local");
        assert!(local.has_made(&visitor(&one, b"local").form_token));
        assert!(!local.has_made(&visitor(&one, b"bearer").form_token));
        assert!(!local.has_made(&visitor(&other, b"local").form_token));
        assert!(!local.has_made(""));
    }
}
