//! The client of the legacy service, on the path of every client: hyper-util's pool, one for each thread.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::{PathAndQuery, Scheme};
use http::{Extensions, Request, Response, Uri, Version};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::exchange::{Answer, Call, Failure};

use super::headers::{HEADERS_MAX, end_to_end};

#[derive(Clone, Debug)]
pub struct LegacyLimits {
    pub connect: Duration,
    /// From the request to the head of the answer, and for a whole buffered answer.
    pub deadline: Duration,
    /// Below the service's own keep-alive time (5 s in Node), or requests meet connections that are just closing.
    pub idle: Duration,
    pub body_bytes_max: usize,
}

#[derive(Clone)]
pub struct Legacy {
    client: Client<HttpConnector, OutgoingBody>,
    origin: Uri,
    limits: LegacyLimits,
}

impl Legacy {
    /// `origin` is `http://HOST:PORT`. The connections made belong to the runtime this is used on.
    pub fn new(origin: Uri, limits: LegacyLimits) -> Legacy {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limits.connect));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits.idle)
            .http1_preserve_header_case(true)
            .http1_max_headers(HEADERS_MAX)
            // A request without `Host` is legacy's to refuse.
            .set_host(false)
            .build(connector);
        Legacy { client, origin, limits }
    }

    /// Sends a call and returns as soon as the head of the answer is there; its body follows.
    pub async fn send(&self, call: &Call, framing: Framing) -> Result<Response<Incoming>, Failure> {
        let body = OutgoingBody::Whole {
            data: Some(call.body.clone()).filter(|data| !data.is_empty()),
            framed: framing.transfer_encoding.is_some(),
        };
        let asked = self.dispatch(self.request(call, framing, body));
        tokio::time::timeout(self.limits.deadline, asked).await.unwrap_or(Err(Failure::Deadline))
    }

    /// Sends a request whose body is still being received; `call` has what was read of it so far.
    ///
    /// Without a deadline: how long an upload takes is between the client and the service.
    pub async fn send_streaming(
        &self,
        call: &Call,
        framing: Framing,
        rest: Incoming,
    ) -> Result<Response<Incoming>, Failure> {
        let body = OutgoingBody::Streaming { head: Some(call.body.clone()).filter(|head| !head.is_empty()), rest };
        self.dispatch(self.request(call, framing, body)).await
    }

    /// Asks and waits for the whole answer: for the mirror, which has nobody to stream to.
    pub async fn call(&self, call: &Call) -> Result<Answer, Failure> {
        // Only HTTP/1.0 has requests without `Host`; legacy refuses them under any later version.
        let version = if call.headers.contains_key(HOST) { Version::HTTP_11 } else { Version::HTTP_10 };
        let whole = async {
            let framing = Framing { version, ..Framing::default() };
            let (parts, body) = self.send(call, framing).await?.into_parts();
            let body = Limited::new(body, self.limits.body_bytes_max)
                .collect()
                .await
                .map_err(|error| if error.is::<LengthLimitError>() { Failure::TooLarge } else { Failure::Closed })?;
            Ok(Answer { status: parts.status, headers: end_to_end(parts.headers), body: body.to_bytes() })
        };
        tokio::time::timeout(self.limits.deadline, whole).await.unwrap_or(Err(Failure::Deadline))
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
        request
    }

    async fn dispatch(&self, request: Request<OutgoingBody>) -> Result<Response<Incoming>, Failure> {
        self.client
            .request(request)
            .await
            .map_err(|error| if error.is_connect() { Failure::Connect } else { Failure::Closed })
    }

    /// Where to connect to, with the client's path and query untouched; hyper sends the origin form.
    fn target(&self, uri: &Uri) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = self.origin.authority().cloned();
        parts.path_and_query = Some(uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        Uri::from_parts(parts).expect("a scheme, an authority and a path make a URI")
    }
}

/// How the client framed its request, which the legacy service is to see unchanged.
#[derive(Clone, Default)]
pub struct Framing {
    /// The body came, and goes on, in chunks; else with the `content-length` among the headers, or none.
    pub transfer_encoding: Option<HeaderValue>,
    /// An old client's request reads otherwise: it may lack `Host`, and its answer may not come in chunks.
    pub version: Version,
    /// hyper keeps the case of the header names here.
    pub extensions: Extensions,
}

/// The body of a request to the legacy service.
pub enum OutgoingBody {
    /// `framed`: there is a body even when it is empty.
    Whole {
        data: Option<Bytes>,
        framed: bool,
    },
    Streaming {
        head: Option<Bytes>,
        rest: Incoming,
    },
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            OutgoingBody::Whole { data, .. } => Poll::Ready(data.take().map(|data| Ok(Frame::data(data)))),
            OutgoingBody::Streaming { head, rest } => match head.take() {
                Some(head) => Poll::Ready(Some(Ok(Frame::data(head)))),
                None => Pin::new(rest).poll_frame(context),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            OutgoingBody::Whole { data, framed } => data.is_none() && !framed,
            OutgoingBody::Streaming { head, rest } => head.is_none() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            OutgoingBody::Whole { data, .. } => SizeHint::with_exact(data.as_ref().map_or(0, Bytes::len) as u64),
            OutgoingBody::Streaming { .. } => SizeHint::default(),
        }
    }
}
