//! A candidate elsewhere, `--candidate-url`: never on the client's path unless it is given a weight.

use std::time::Duration;

use anyhow::Context as _;
use http::Uri;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use reqwest::redirect::Policy;

use crate::exchange::{Answer, Call, Failure};

use super::headers::end_to_end;

#[derive(Clone)]
pub struct Remote {
    client: reqwest::Client,
    /// `http://HOST:PORT`, without a path.
    origin: String,
    body_bytes_max: usize,
}

#[derive(Clone, Debug)]
pub struct RemoteLimits {
    pub connect: Duration,
    pub deadline: Duration,
    pub idle: Duration,
    pub body_bytes_max: usize,
}

impl Remote {
    /// # Errors
    /// The platform's TLS roots cannot be read.
    pub fn new(origin: &Uri, limits: &RemoteLimits) -> anyhow::Result<Remote> {
        // The answer as it is: nothing followed, decoded, remembered, or sent through a proxy of the environment.
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_gzip()
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(limits.connect)
            .timeout(limits.deadline)
            .pool_idle_timeout(limits.idle)
            .build()
            .context("no HTTP client for --candidate-url")?;
        let origin = origin.to_string().trim_end_matches('/').to_owned();
        Ok(Remote { client, origin, body_bytes_max: limits.body_bytes_max })
    }

    pub async fn call(&self, call: &Call) -> Result<Answer, Failure> {
        let target = call.uri.path_and_query().map_or("/", |target| target.as_str());
        let request = self
            .client
            .request(call.method.clone(), format!("{}{target}", self.origin))
            .headers(call.headers.clone())
            .body(call.body.clone());
        let response = http::Response::from(request.send().await.map_err(|error| failure(&error))?);
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, self.body_bytes_max)
            .collect()
            .await
            .map_err(|error| if error.is::<LengthLimitError>() { Failure::TooLarge } else { Failure::Closed })?;
        Ok(Answer { status: parts.status, headers: end_to_end(parts.headers), body: body.to_bytes() })
    }
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        Failure::Connect
    } else if error.is_timeout() {
        Failure::Deadline
    } else {
        Failure::Closed
    }
}
