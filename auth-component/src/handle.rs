//! Routes and answers.

use serde::Serialize;

use crate::bearer::{self, Credential};
use crate::http::{Request, Response};
use crate::keys::{Grant, Keys};

/// The answer to one request. `now` is in seconds since the Unix epoch.
///
/// Routes: `POST /auth/validate`, `GET|HEAD /healthz`. Challenges follow RFC 6750 §3.
pub fn handle(request: &Request, keys: &dyn Keys, now: u64) -> Response {
    match (request.path(), request.method) {
        ("/auth/validate", "POST") => validate(request, keys, now),
        ("/auth/validate", method) => method_not_allowed(method, "POST"),
        ("/healthz", "GET") => Response::json(200, &Health { status: "ok" }),
        ("/healthz", "HEAD") => Response::json(200, &Health { status: "ok" }).without_body(),
        ("/healthz", method) => method_not_allowed(method, "GET, HEAD"),
        (_, method) => refuse(method, 404, "not_found"),
    }
}

fn validate(request: &Request, keys: &dyn Keys, now: u64) -> Response {
    let lines = request.headers.values("authorization");
    match bearer::credential(&lines) {
        Credential::Key(key) => match keys.find(key).filter(|grant| now < grant.expires_at) {
            Some(grant) => Response::json(200, &Validation::of(&grant)),
            None => unauthorized("Bearer realm=\"auth\", error=\"invalid_token\""),
        },
        Credential::Malformed => unauthorized("Bearer realm=\"auth\", error=\"invalid_token\""),
        Credential::None => unauthorized("Bearer realm=\"auth\""),
        Credential::Several => Response::json(400, &Refusal { error: "invalid_request" })
            .with("www-authenticate", "Bearer realm=\"auth\", error=\"invalid_request\""),
    }
}

fn unauthorized(challenge: &str) -> Response {
    Response::json(401, &Validation { valid: false, user_id: None, expires_at: None })
        .with("www-authenticate", challenge)
}

fn method_not_allowed(method: &str, allow: &str) -> Response {
    refuse(method, 405, "method_not_allowed").with("allow", allow)
}

fn refuse(method: &str, status: u16, error: &'static str) -> Response {
    let response = Response::json(status, &Refusal { error });
    if method == "HEAD" { response.without_body() } else { response }
}

#[derive(Serialize)]
struct Validation<'a> {
    valid: bool,
    user_id: Option<&'a str>,
    expires_at: Option<String>,
}

impl<'a> Validation<'a> {
    fn of(grant: &'a Grant) -> Self {
        let expires_at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(grant.expires_at);
        Validation {
            valid: true,
            user_id: Some(grant.user_id),
            expires_at: Some(humantime::format_rfc3339_millis(expires_at).to_string()),
        }
    }
}

#[derive(Serialize)]
struct Refusal {
    error: &'static str,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}
