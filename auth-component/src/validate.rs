//! `POST /auth/validate`, for callers that hold a credential.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use crate::grant::Grant;
use crate::http::{Request, Response};
use crate::refusal::{Beside, Refusal, authenticate};
use crate::service::Service;

pub(crate) fn answer(request: &Request, service: Service, now: u64) -> Response {
    match authenticate(request, Beside::QueryAndApiKey, service, now) {
        Ok(grant) => grant.mark(Response::json(200, &Validation::of(&grant))),
        Err(refusal) => refuse(&refusal),
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let response = match (refusal.status(), refusal.error()) {
        (401, _) | (_, None) => Response::json(401, &Validation { valid: false, user_id: None, expires_at: None }),
        (status, Some(error)) => Response::json(status, &ErrorBody { error }),
    };
    refusal.mark(response)
}

/// In this order.
#[derive(Serialize)]
struct Validation<'a> {
    valid: bool,
    user_id: Option<&'a str>,
    expires_at: Option<String>,
}

impl<'a> Validation<'a> {
    fn of(grant: &'a Grant) -> Self {
        let text = |ms| humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string();
        Validation { valid: true, user_id: Some(&grant.user_id), expires_at: grant.expires_at_ms.map(text) }
    }
}

#[derive(Serialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: &'static str,
}
