//! The component alone, after cutover: no legacy, no mirror.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::exchange::{Call, Failed, Failure};
use crate::side::candidate::Embedded;
use crate::side::headers::of_request;

use super::answer::{answered, asks_for_a_host, problem};
use super::body::ClientBody;
use super::receive::{Patience, Received, read};

pub struct Alone {
    pub component: Arc<Embedded>,
    pub body_bytes_max: usize,
    /// The longest a client may pause while it sends a body.
    pub body_pause_max: Duration,
}

impl Alone {
    pub async fn answer(&self, request: Request<Incoming>) -> Response<ClientBody> {
        let (parts, body) = request.into_parts();
        if let Some(response) = asks_for_a_host(&parts.method, &parts.uri) {
            return *response;
        }
        let body = match self.read(body).await {
            Ok(body) => body,
            Err(response) => return *response,
        };
        let call = Call { method: parts.method, uri: parts.uri, headers: of_request(parts.headers), body };
        match self.component.call(&call).await {
            Ok(answer) => answered(&answer),
            Err(Failed { failure, .. }) => {
                let status = match failure {
                    Failure::Deadline => StatusCode::GATEWAY_TIMEOUT,
                    Failure::Busy => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                problem(status, &format!("The component {failure}."))
            }
        }
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Box<Response<ClientBody>>> {
        let patience = Patience { pause_max: self.body_pause_max, whole: None };
        let (status, detail) = match read(body, self.body_bytes_max, patience, |_| true).await {
            Received::Whole { body, .. } => return Ok(body),
            Received::Part { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "The request body is larger than this service takes.")
            }
            Received::TooSlow => (StatusCode::REQUEST_TIMEOUT, "The request body did not arrive in time."),
            Received::ClientGone => {
                (StatusCode::BAD_REQUEST, "The request body is incomplete, or its chunks are malformed.")
            }
        };
        Err(Box::new(problem(status, detail)))
    }
}
