//! `/auth/forward`, `/auth/nginx`, `/auth/envoy`: one decision in the shape of each proxy.

use std::fmt::Write;

use serde::Serialize;

use crate::grant::Grant;
use crate::http::{Request, Response};
use crate::question::Question;
use crate::refusal::{Beside, Refusal, authenticate};
use crate::service::Service;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// Traefik ForwardAuth, Caddy `forward_auth`.
    Forward,
    /// `auth_request`, which passes on 401 and 403 alone and makes 500 of anything else.
    Nginx,
    /// ext_authz over HTTP, which appends the client's path and query to ours.
    Envoy,
}

pub(crate) fn answer(proxy: Proxy, request: &Request, service: Service, now: u64) -> Response {
    match decide(proxy, request, service, now) {
        Ok(grant) => allow(&grant),
        Err(refusal) => refuse(proxy, &refusal),
    }
}

fn decide(proxy: Proxy, request: &Request, service: Service, now: u64) -> Result<Grant, Refusal> {
    let (question, beside) = match proxy {
        Proxy::Forward => (Question::of_forward(request)?, Beside::Query),
        Proxy::Nginx => (Question::of_nginx(request)?, Beside::Query),
        Proxy::Envoy => (Question::default(), Beside::Nothing),
    };
    let grant = authenticate(request, beside, service, now)?;
    question.check(&grant)?;
    Ok(grant)
}

/// All three names always, so that the proxy overwrites whatever the client sent.
fn allow(grant: &Grant) -> Response {
    let response = Response::empty(200)
        .with("x-auth-request-user", listed(&[&grant.user_id]))
        .with("x-auth-request-email", listed(grant.email.as_slice()))
        .with("x-auth-request-groups", listed(&grant.groups));
    grant.mark(response)
}

/// Texts as a header value that holds nothing but visible ASCII; a comma stands between two and nowhere else.
fn listed(texts: &[impl AsRef<str>]) -> String {
    let is_escaped = |byte: u8| matches!(byte, b'%' | b',' | ..=0x20 | 0x7f..);
    let chars = |text: &str| text.bytes().map(|byte| if is_escaped(byte) { 3 } else { 1 }).sum::<usize>();
    let mut list = String::with_capacity(texts.iter().map(|text| chars(text.as_ref()) + 1).sum());
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            list.push(',');
        }
        for byte in text.as_ref().bytes() {
            match is_escaped(byte) {
                true => write!(list, "%{byte:02X}").expect("a String takes everything"),
                false => list.push(char::from(byte)),
            }
        }
    }
    list
}

fn refuse(proxy: Proxy, refusal: &Refusal) -> Response {
    let status = match (proxy, refusal.status()) {
        (Proxy::Nginx, 400) => 401,
        (_, status) => status,
    };
    let problem = Problem { r#type: "about:blank", title: phrase(status), status, error: refusal.error() };
    let response = refusal.mark(Response::problem(status, &problem));
    match proxy {
        Proxy::Nginx => response
            .with("x-error-status", refusal.status().to_string())
            .with("x-error-code", refusal.error().unwrap_or("missing_credentials")),
        Proxy::Forward | Proxy::Envoy => response,
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        _ => "Service Unavailable",
    }
}

/// RFC 9457.
#[derive(Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_visible_ascii() {
        let no_texts: &[&str] = &[];
        assert_eq!(listed(no_texts), "");
        assert_eq!(listed(&["staff", "ops, europe", "", "a"]), "staff,ops%2C%20europe,,a");
        assert_eq!(listed(&["!~a@b"]), "!~a@b");
        assert_eq!(listed(&["%\u{7f}\r\n\u{20ac}"]), "%25%7F%0D%0A%E2%82%AC");
    }
}
