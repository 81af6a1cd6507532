//! Requests of a component to the outside: to the one address that is configured, and else nowhere.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Response, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use reqwest::redirect::Policy;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

use crate::clock::Rarely;
use crate::metrics::Metrics;
use crate::side::headers::end_to_end;

/// What one address is asked through. Shared by all instances and threads.
pub struct Outbound {
    url: Uri,
    deadline: Duration,
    client: reqwest::Client,
    /// One permit for each request on its way.
    slots: Semaphore,
    metrics: Arc<Metrics>,
    said: Rarely,
}

/// Of one store; without an address every request is refused.
pub struct Door(pub Option<Arc<Outbound>>);

const REQUESTS_MAX: usize = 64;
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// More than the component reads, so that it can tell.
const RESPONSE_BYTES_MAX: usize = 32 << 10;
/// Below the 5 s after which Node closes.
const IDLE: Duration = Duration::from_secs(4);
const SAY: Duration = Duration::from_secs(60);

impl Outbound {
    /// `deadline` is for the whole of a request, waiting for its turn included.
    ///
    /// # Errors
    /// The platform's TLS roots cannot be read.
    pub fn new(url: Uri, deadline: Duration, metrics: Arc<Metrics>) -> anyhow::Result<Outbound> {
        // Nothing followed, decoded, remembered, or sent through a proxy of the environment.
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_gzip()
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(deadline)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(REQUESTS_MAX)
            .build()
            .context("no HTTP client for auth.introspection.url; are the system's TLS certificates installed?")?;
        let (slots, said) = (Semaphore::new(REQUESTS_MAX), Rarely::every(SAY));
        Ok(Outbound { url, deadline, client, slots, metrics, said })
    }

    async fn send(&self, request: http::Request<WasiBody>, options: Option<RequestOptions>) -> Result<Response<Bytes>> {
        self.metrics.introspections.inc();
        let asked = options.and_then(|options| Some(options.connect_timeout? + options.first_byte_timeout?));
        let patience = asked.unwrap_or(self.deadline).min(self.deadline);
        let answer = match tokio::time::timeout(patience, self.exchange(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(self.failed(error)),
            Err(_) => return Err(self.failed(Error::ConnectionReadTimeout)),
        };
        if answer.status() != http::StatusCode::OK {
            self.metrics.introspections_failed.inc();
            if self.said.is_due() {
                let status = answer.status().as_u16();
                tracing::warn!(
                    status,
                    "the introspection endpoint refused its client, so nobody knows whether a token is good; check \
                     auth.introspection: url, client_id, client_secret_file"
                );
            }
        }
        Ok(answer)
    }

    async fn exchange(&self, request: http::Request<WasiBody>) -> Result<Response<Bytes>> {
        let _slot = self.slots.acquire().await.map_err(|_| Error::ConnectionLimitReached)?;
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, REQUEST_BYTES_MAX).collect().await;
        let body = body.map_err(|_| Error::HttpRequestBodySize(None))?.to_bytes();
        let ask = || async {
            let request = self.client.request(parts.method.clone(), self.url.to_string());
            request.headers(parts.headers.clone()).body(body.clone()).send().await
        };
        let response = match ask().await {
            // A kept connection that was just closed: asking twice changes nothing.
            Err(error) if error.is_request() && !error.is_connect() && !error.is_timeout() => ask().await,
            first => first,
        };
        let response = response.map_err(|error| {
            let why = error.source().map_or_else(|| "no answer".to_owned(), |source| source.to_string());
            Error::InternalError(Some(why))
        })?;
        let (parts, body) = Response::from(response).into_parts();
        let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { Error::HttpResponseBodySize(None) } else { Error::HttpResponseIncomplete }
        })?;
        let mut response = Response::new(body.to_bytes());
        *response.status_mut() = parts.status;
        *response.headers_mut() = end_to_end(parts.headers);
        Ok(response)
    }

    fn failed(&self, error: Error) -> Error {
        self.metrics.introspections_failed.inc();
        if self.said.is_due() {
            tracing::warn!(?error, "the introspection endpoint did not answer; check auth.introspection.url and its service");
        }
        error
    }

    fn allows(&self, uri: &Uri) -> bool {
        let place = |uri: &Uri| (uri.scheme().cloned(), uri.authority().cloned(), uri.path_and_query().cloned());
        place(uri) == place(&self.url)
    }
}

type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>)>;

impl WasiHttpHooks for Door {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let Some(outbound) = self.0.clone() else { return Box::new(async { Err(Error::HttpRequestDenied) }) };
        if !outbound.allows(request.uri()) {
            outbound.metrics.outbound_refused.inc();
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        Box::new(async move {
            let response = outbound.send(request, options).await?;
            let whole = response.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync());
            // Nothing is left to be done for a body that is complete.
            Ok((whole, Box::new(async { Ok(()) }) as Box<dyn Future<Output = Result<()>> + Send>))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_that_is_configured_is_allowed() {
        let outbound = |url: &'static str| {
            let deadline = Duration::from_millis(500);
            Outbound::new(Uri::from_static(url), deadline, Arc::default()).expect("a client")
        };
        let own = outbound("https://as.example:8443/oauth2/introspect?tenant=1");
        assert!(own.allows(&Uri::from_static("https://as.example:8443/oauth2/introspect?tenant=1")));
        assert!(own.allows(&Uri::from_static("https://AS.example:8443/oauth2/introspect?tenant=1")));
        for other in [
            "http://as.example:8443/oauth2/introspect?tenant=1",
            "https://as.example/oauth2/introspect?tenant=1",
            "https://as.example:844/oauth2/introspect?tenant=1",
            "https://as.example.evil:8443/oauth2/introspect?tenant=1",
            "https://u@as.example:8443/oauth2/introspect?tenant=1",
            "https://as.example:8443/oauth2/introspect",
            "https://as.example:8443/oauth2/introspect?tenant=2",
            "https://as.example:8443/oauth2/introspect/../token",
            "https://as.example:8443/",
            "/oauth2/introspect?tenant=1",
        ] {
            assert!(!own.allows(&Uri::from_static(other)), "{other}");
        }
    }
}
