//! Why a request is refused, in the words of RFC 6750 §3.

use crate::bearer::Authorization;
use crate::form;
use crate::grant::{Grant, StoreUnavailable};
use crate::http::{Request, Response};
use crate::service::Service;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No credential: nothing is said about an error (RFC 6750 §3.1).
    Missing,
    /// The credential is malformed or not good; which, the client does not learn.
    InvalidToken,
    /// Several credentials, or what the proxy says cannot be.
    InvalidRequest,
    /// The scopes that were asked for, as they were.
    ScopeMissing(String),
    AudienceOther,
    /// Neither a yes nor a no: a store could not be asked.
    Unavailable,
}

impl From<StoreUnavailable> for Refusal {
    fn from(_: StoreUnavailable) -> Refusal {
        Refusal::Unavailable
    }
}

impl Refusal {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Refusal::Missing | Refusal::InvalidToken => 401,
            Refusal::InvalidRequest => 400,
            Refusal::ScopeMissing(_) | Refusal::AudienceOther => 403,
            Refusal::Unavailable => 503,
        }
    }

    pub(crate) fn error(&self) -> Option<&'static str> {
        match self {
            Refusal::Missing => None,
            Refusal::InvalidToken => Some("invalid_token"),
            Refusal::InvalidRequest => Some("invalid_request"),
            Refusal::ScopeMissing(_) | Refusal::AudienceOther => Some("insufficient_scope"),
            Refusal::Unavailable => Some("temporarily_unavailable"),
        }
    }

    /// Adds what tells the client how to go on: a challenge, or when to come back.
    pub(crate) fn mark(&self, response: Response) -> Response {
        let challenge = match (self, self.error()) {
            (Refusal::Unavailable, _) => return response.with("retry-after", "1"),
            (Refusal::ScopeMissing(scope), Some(error)) => {
                format!("Bearer realm=\"auth\", error=\"{error}\", scope=\"{scope}\"")
            }
            (_, Some(error)) => format!("Bearer realm=\"auth\", error=\"{error}\""),
            (_, None) => "Bearer realm=\"auth\"".to_owned(),
        };
        response.with("www-authenticate", challenge)
    }
}

/// Where a second credential would make the request ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// The query parameter `access_token`, and `X-Api-Key` with another value.
    QueryAndApiKey,
    Query,
    /// Neither is ours.
    Nothing,
}

/// The grant of the one bearer credential of the request.
pub(crate) fn authenticate(request: &Request, beside: Beside, service: Service, now: u64) -> Result<Grant, Refusal> {
    let lines = request.header("authorization");
    let credential = match Authorization::of(&lines) {
        Authorization::Several => return Err(Refusal::InvalidRequest),
        Authorization::None | Authorization::Basic(_) => return Err(Refusal::Missing),
        Authorization::Bearer(credential) => credential,
    };
    if beside != Beside::Nothing && form::names(request.query(), "access_token") {
        return Err(Refusal::InvalidRequest);
    }
    if beside == Beside::QueryAndApiKey && request.header("x-api-key").iter().any(|other| other != credential) {
        return Err(Refusal::InvalidRequest);
    }
    service.grant(credential, now)?.ok_or(Refusal::InvalidToken)
}
