//! The component alone, after cutover: no legacy, no mirror.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};

use crate::exchange::{Call, Failure};
use crate::side::candidate::Embedded;
use crate::side::headers::end_to_end;

use super::answer::{answered, problem};
use super::body::ClientBody;

pub struct Alone {
    pub component: Arc<Embedded>,
    pub body_bytes_max: usize,
    pub body_deadline: Duration,
}

impl Alone {
    pub async fn answer(&self, request: Request<Incoming>) -> Response<ClientBody> {
        let (parts, body) = request.into_parts();
        let body = match self.read(body).await {
            Ok(body) => body,
            Err(response) => return *response,
        };
        let call = Call { method: parts.method, uri: parts.uri, headers: end_to_end(parts.headers), body };
        match self.component.call(&call).await {
            Ok(answer) => answered(&answer),
            Err(failure) => {
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
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let collect = Limited::new(body, self.body_bytes_max).collect();
        match tokio::time::timeout(self.body_deadline, collect).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Box::new(problem(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request body is larger than this service takes.",
            ))),
            Ok(Err(_)) => Err(Box::new(problem(StatusCode::BAD_REQUEST, "The request body is not complete."))),
            Err(_) => Err(Box::new(problem(StatusCode::REQUEST_TIMEOUT, "The request body did not arrive in time."))),
        }
    }
}
