//! Requests of a component to the outside: to the one address that is configured, and else nowhere.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Response, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

use crate::clock::Rarely;
use crate::metrics::Metrics;
use crate::side::headers::end_to_end;
use crate::side::remote::plain_client;

/// What one address is asked through. Shared by all instances and threads.
pub struct Outbound {
    url: Uri,
    deadline: Duration,
    client: reqwest::Client,
    /// One permit for each request on its way.
    slots: Arc<Semaphore>,
    runtime: Handle,
    /// The thread runs for as long as this is there.
    _running: oneshot::Sender<()>,
    metrics: Arc<Metrics>,
    said: Rarely,
}

/// Of one store; without an address every request is refused.
pub struct Door(pub Option<Arc<Outbound>>);

const REQUEST_BYTES_MAX: usize = 16 << 10;
/// More than the component reads, so that it can tell.
const RESPONSE_BYTES_MAX: usize = 32 << 10;
/// Below the 5 s after which Node closes.
const IDLE: Duration = Duration::from_secs(4);
const SAY: Duration = Duration::from_secs(60);

impl Outbound {
    /// `deadline` is for the whole of a request; while `requests_max` are on their way, others are refused at once.
    ///
    /// # Errors
    /// The platform's TLS roots cannot be read, or no thread can be started.
    pub fn new(url: Uri, deadline: Duration, requests_max: usize, metrics: Arc<Metrics>) -> anyhow::Result<Outbound> {
        let client = plain_client()
            .timeout(deadline)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(requests_max)
            .build()
            .context("no HTTP client for auth.introspection.url; are the system's TLS certificates installed?")?;
        let (runtime, running) = start_thread()?;
        let (slots, said) = (Arc::new(Semaphore::new(requests_max)), Rarely::every(SAY));
        Ok(Outbound { url, deadline, client, slots, runtime, _running: running, metrics, said })
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
                    "the introspection endpoint did not say whether a token is good; check auth.introspection: url, \
                     client_id, client_secret_file"
                );
            }
        }
        Ok(answer)
    }

    async fn exchange(&self, request: http::Request<WasiBody>) -> Result<Response<Bytes>> {
        let slot = self.slots.clone().try_acquire_owned().map_err(|_| Error::ConnectionLimitReached)?;
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, REQUEST_BYTES_MAX).collect().await;
        let body = body.map_err(|_| Error::HttpRequestBodySize(None))?.to_bytes();
        let request = self.client.request(parts.method, self.url.to_string()).headers(parts.headers).body(body);
        // Whoever asked may be gone before the answer is there: the place is taken until then.
        let asked = self.runtime.spawn(async move {
            let _slot = slot;
            ask(request).await
        });
        asked.await.map_err(|_| Error::ConnectionTerminated)?
    }

    fn failed(&self, error: Error) -> Error {
        self.metrics.introspections_failed.inc();
        if self.said.is_due() {
            tracing::warn!(
                ?error,
                "the introspection endpoint did not answer; check auth.introspection.url and its service"
            );
        }
        error
    }

    fn allows(&self, uri: &Uri) -> bool {
        let place = |uri: &Uri| (uri.scheme().cloned(), uri.authority().cloned(), uri.path_and_query().cloned());
        place(uri) == place(&self.url)
    }
}

/// Connections are served by a thread of their own, so that no thread which serves clients waits for another, or for the
/// mirror's.
fn start_thread() -> anyhow::Result<(Handle, oneshot::Sender<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (running, ended) = oneshot::channel();
    std::thread::Builder::new().name("introspection".to_owned()).spawn(move || {
        // An error: the sender is gone.
        let _ = runtime.block_on(ended);
    })?;
    Ok((handle, running))
}

async fn ask(request: reqwest::RequestBuilder) -> Result<Response<Bytes>> {
    let again = request.try_clone();
    let response = match (request.send().await, again) {
        // A kept connection that was just closed: asking twice changes nothing.
        (Err(error), Some(again)) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
            again.send().await
        }
        (first, _) => first,
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
            Outbound::new(Uri::from_static(url), deadline, 1, Arc::default()).expect("a client")
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
