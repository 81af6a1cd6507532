//! A candidate elsewhere, `--candidate-url`: never on the client's path unless it is given a weight.

use anyhow::Context as _;
use http::Uri;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use reqwest::redirect::Policy;

use crate::exchange::{Answer, Call, Failure};

use super::headers::end_to_end;
use super::legacy::{Legacy, LegacyLimits};

#[derive(Clone)]
pub enum Remote {
    /// Asked in the same way as legacy, byte for byte.
    Plain(Box<Legacy>),
    Tls(Tls),
}

/// Behind https, by reqwest, which is not exact: it resolves dot segments in the path and adds `accept: */*`.
#[derive(Clone)]
pub struct Tls {
    client: reqwest::Client,
    /// `https://HOST:PORT`, without a path.
    origin: String,
    body_bytes_max: usize,
}

impl Remote {
    /// # Errors
    /// The platform's TLS roots cannot be read.
    pub fn new(origin: &Uri, limits: LegacyLimits) -> anyhow::Result<Remote> {
        if origin.scheme_str() == Some("http") {
            return Ok(Remote::Plain(Box::new(Legacy::new(origin.clone(), limits))));
        }
        let client = plain_client()
            .connect_timeout(limits.connect)
            .timeout(limits.deadline)
            .pool_idle_timeout(limits.idle)
            .build()
            .context("no HTTP client for --candidate-url")?;
        let origin = origin.to_string().trim_end_matches('/').to_owned();
        Ok(Remote::Tls(Tls { client, origin, body_bytes_max: limits.body_bytes_max }))
    }

    pub async fn call(&self, call: &Call) -> Result<Answer, Failure> {
        match self {
            Remote::Plain(client) => client.call(call).await,
            Remote::Tls(client) => client.call(call).await,
        }
    }
}

/// Takes the answer as it is: nothing followed, decoded, remembered, or sent through a proxy of the environment.
pub fn plain_client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().redirect(Policy::none()).no_gzip().no_proxy().http1_only().tcp_nodelay(true)
}

impl Tls {
    async fn call(&self, call: &Call) -> Result<Answer, Failure> {
        let target = call.uri.path_and_query().map_or("/", |target| target.as_str());
        let request = self
            .client
            .request(call.method.clone(), format!("{}{target}", self.origin))
            .headers(call.headers.clone())
            .body(call.body.clone());
        let response = http::Response::from(request.send().await.map_err(|error| failure(&error))?);
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, self.body_bytes_max).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return Failure::TooLarge;
            }
            error.downcast_ref().map_or(Failure::Closed, failure)
        })?;
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
