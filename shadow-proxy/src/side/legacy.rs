//! The client of the legacy service, on the path of every client: hyper-util's pool, one for each thread.

mod connect;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::{PathAndQuery, Scheme};
use http::{Extensions, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::client::legacy::{Client, Error, connect as pool};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::exchange::{Answer, Call, Failed, Failure};

use self::connect::{Connector, History};
use super::headers::{HEADERS_MAX, end_to_end};
use super::tls::Tls;

#[derive(Clone, Debug)]
pub struct LegacyLimits {
    /// For the TCP connection, and for the TLS handshake after it.
    pub connect: Duration,
    /// From the request to the head of the answer, and for a whole buffered answer.
    pub deadline: Duration,
    /// Below the service's own keep-alive time (5 s in Node), or requests meet connections that are just closing.
    pub idle: Duration,
    pub body_bytes_max: usize,
}

#[derive(Clone)]
pub struct Legacy {
    client: Client<Connector, OutgoingBody>,
    origin: Uri,
    limits: LegacyLimits,
}

/// Why a request brought no answer, and whether nobody has seen it.
struct Lost {
    failure: Failure,
    /// The connection had brought answers before and was closed when the request reached it. The service closes a
    /// connection that is idle for too long, and the request was on its way then.
    met_closing_connection: bool,
}

impl Legacy {
    /// `origin` is `http://HOST:PORT`, or https with `tls`. The connections made belong to the runtime this is used on.
    pub fn new(origin: Uri, limits: LegacyLimits, tls: Option<Tls>) -> Legacy {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits.idle)
            .http1_preserve_header_case(true)
            .http1_max_headers(HEADERS_MAX)
            // RFC 9112 §5.1 and §5.2: a proxy mends `Name : value` and folded lines of an answer.
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            // A request without `Host` is legacy's to refuse.
            .set_host(false)
            .build(Connector::new(tls, limits.connect));
        Legacy { client, origin, limits }
    }

    /// Sends a call and returns as soon as the head of the answer is there; its body follows.
    pub async fn send(&self, call: &Call, framing: Framing) -> Result<Response<Incoming>, Failure> {
        self.in_time(async { self.ask(call, framing).await.map_err(|lost| lost.failure) }).await
    }

    /// Sends a call that may reach the service twice: once more where it met a connection that was just closing.
    pub async fn send_repeatable(&self, call: &Call, framing: Framing) -> Result<Response<Incoming>, Failure> {
        let asked = async {
            match self.ask(call, framing.clone()).await {
                Err(lost) if lost.met_closing_connection => self.ask(call, framing).await,
                asked => asked,
            }
        };
        self.in_time(async { asked.await.map_err(|lost| lost.failure) }).await
    }

    /// Sends a request whose body is still being received. How long that takes is between the client and the service; the
    /// deadline begins when the body is `whole`.
    pub async fn send_streaming(
        &self,
        call: &Call,
        framing: Framing,
        body: StreamedBody,
        whole: impl Future<Output = ()>,
    ) -> Result<Response<Incoming>, Failure> {
        let sent = self.dispatch(self.request(call, framing, OutgoingBody::Streaming(body)));
        let too_late = async {
            whole.await;
            tokio::time::sleep(self.limits.deadline).await;
        };
        tokio::select! {
            sent = sent => sent.map_err(|lost| lost.failure),
            () = too_late => Err(Failure::Deadline),
        }
    }

    /// Asks and waits for the whole answer: for the mirror, which has nobody to stream to.
    pub async fn call(&self, call: &Call) -> Result<Answer, Failed> {
        // Only HTTP/1.0 has requests without `Host`; legacy refuses them under any later version.
        let version = if call.headers.contains_key(HOST) { Version::HTTP_11 } else { Version::HTTP_10 };
        let mut head = None;
        let body = self.in_time(async {
            let framing = Framing { version, ..Framing::default() };
            let asked = if call.method.is_idempotent() {
                self.send_repeatable(call, framing).await
            } else {
                self.send(call, framing).await
            };
            let (parts, body) = asked?.into_parts();
            head = Some(Answer { status: parts.status, headers: end_to_end(parts.headers), body: Bytes::new() });
            let body = Limited::new(body, self.limits.body_bytes_max)
                .collect()
                .await
                .map_err(|error| if error.is::<LengthLimitError>() { Failure::TooLarge } else { Failure::Closed })?;
            Ok(body.to_bytes())
        });
        let body = body.await;
        Failed::or_whole(head, body)
    }

    async fn in_time<T>(&self, asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout(self.limits.deadline, asked).await.unwrap_or(Err(Failure::Deadline))
    }

    async fn ask(&self, call: &Call, framing: Framing) -> Result<Response<Incoming>, Lost> {
        let body = OutgoingBody::Whole {
            data: Some(call.body.clone()).filter(|data| !data.is_empty()),
            framed: framing.transfer_encoding.is_some(),
            trailers: framing.trailers.clone(),
        };
        self.dispatch(self.request(call, framing, body)).await
    }

    fn request(&self, call: &Call, framing: Framing, body: OutgoingBody) -> Request<OutgoingBody> {
        let mut request = Request::new(body);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = self.target(&call.uri);
        *request.headers_mut() = call.headers.clone();
        *request.version_mut() = framing.version;
        *request.extensions_mut() = framing.extensions;
        if let Some(transfer_encoding) = framing.transfer_encoding {
            request.headers_mut().insert(TRANSFER_ENCODING, transfer_encoding);
        }
        if framing.takes_trailers {
            request.headers_mut().append(TE, HeaderValue::from_static("trailers"));
            request.headers_mut().append(CONNECTION, HeaderValue::from_static("TE"));
        }
        request
    }

    async fn dispatch(&self, mut request: Request<OutgoingBody>) -> Result<Response<Incoming>, Lost> {
        let is_upgrade = request.headers().contains_key(UPGRADE);
        let connection = request.body().may_stay_unread().then(|| pool::capture_connection(&mut request));
        match self.client.request(request).await {
            // A protocol that nobody asked for: what follows is no HTTP.
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS && !is_upgrade => {
                Err(Lost { failure: Failure::Closed, met_closing_connection: false })
            }
            Ok(mut response) => {
                if let Some(history) = response.extensions_mut().remove::<History>() {
                    history.answered();
                }
                if let Some(connection) = connection.filter(|_| !response.status().is_success())
                    && let Some(connection) = &*connection.connection_metadata()
                {
                    connection.poison();
                }
                Ok(response)
            }
            Err(error) => Err(lost(&error)),
        }
    }

    /// Where to connect to, with the client's path and query untouched; hyper sends the origin form.
    fn target(&self, uri: &Uri) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.origin.scheme().cloned().unwrap_or(Scheme::HTTP));
        parts.authority = self.origin.authority().cloned();
        parts.path_and_query = Some(uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        Uri::from_parts(parts).expect("a scheme, an authority and a path make a URI")
    }
}

fn lost(error: &Error) -> Lost {
    if error.is_connect() {
        return Lost { failure: Failure::Connect, met_closing_connection: false };
    }
    let mut extras = Extensions::new();
    if let Some(connection) = error.connect_info() {
        connection.get_extras(&mut extras);
    }
    let is_known = extras.get::<History>().is_some_and(History::has_answered);
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<hyper::Error>());
    // What is no HTTP was said in reply to the request.
    let is_closed = cause.is_some_and(|cause| !cause.is_parse() && !cause.is_user());
    Lost { failure: Failure::Closed, met_closing_connection: is_known && is_closed }
}

/// How the client framed its request, which the legacy service is to see unchanged.
#[derive(Clone, Default)]
pub struct Framing {
    /// The body came, and goes on, in chunks; else with the `content-length` among the headers, or none.
    pub transfer_encoding: Option<HeaderValue>,
    /// An old client's request reads otherwise: it may lack `Host`, and its answer may not come in chunks.
    pub version: Version,
    /// hyper keeps the case of the header names here, and whom to tell of interim answers.
    pub extensions: Extensions,
    /// The client takes trailers: `TE: trailers`.
    pub takes_trailers: bool,
    /// Behind the last chunk of a body that was read whole.
    pub trailers: Option<HeaderMap>,
}

/// A body that is still being received while it is sent.
pub type StreamedBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request to the legacy service.
pub enum OutgoingBody {
    /// `framed`: there is a body even when it is empty.
    Whole {
        data: Option<Bytes>,
        framed: bool,
        trailers: Option<HeaderMap>,
    },
    Streaming(StreamedBody),
}

impl OutgoingBody {
    /// Whether a service that refuses the request may leave some of it unread: the next request on that connection would
    /// wait behind it for ever.
    fn may_stay_unread(&self) -> bool {
        match self {
            OutgoingBody::Whole { data, .. } => data.as_ref().is_some_and(|data| data.len() > AT_ONCE_BYTES),
            OutgoingBody::Streaming(_) => true,
        }
    }
}

/// A body that a service reads together with the head, as good as always.
const AT_ONCE_BYTES: usize = 16 << 10;

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            OutgoingBody::Whole { data, trailers, .. } => {
                let frame = data.take().map(Frame::data).or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            OutgoingBody::Streaming(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            OutgoingBody::Whole { data, framed, trailers } => data.is_none() && !framed && trailers.is_none(),
            OutgoingBody::Streaming(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            OutgoingBody::Whole { data, .. } => SizeHint::with_exact(data.as_ref().map_or(0, Bytes::len) as u64),
            OutgoingBody::Streaming(_) => SizeHint::default(),
        }
    }
}
