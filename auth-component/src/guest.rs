//! The shell around [`crate::handle`] for `wasi:http/proxy` 0.2; here alone WASI is named.

#[cfg(feature = "introspection")]
mod outbound;
#[cfg(feature = "store")]
mod store;

use std::cell::OnceCell;
use std::ops::ControlFlow;

use wasi::exports::http::incoming_handler::Guest;
use wasi::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasi::io::streams::StreamError;

#[cfg(feature = "store")]
use self::store::answer;
use crate::{Body, BodyDefect, Headers, Request, Response};
#[cfg(not(feature = "store"))]
use crate::{Service, handle};

/// `output-stream.blocking-write-and-flush` takes at most this much at a time.
const WRITE_BYTES_MAX: usize = 4096;
const READ_BYTES_MAX: usize = 4096;

struct Component;

wasi::http::proxy::export!(Component);

impl Guest for Component {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let method = request.method();
        let target = request.path_with_query().unwrap_or_default();
        let headers = Sent { request: &request, headers: OnceCell::new() };
        let now = wasi::clocks::wall_clock::now().seconds;
        let asked = Request { method: name(&method), target: &target, headers: &headers, body: &request };
        let response = answer(&asked, now);
        ResponseOutparam::set(outparam, Ok(outgoing(response)));
    }
}

#[cfg(not(feature = "store"))]
fn answer(request: &Request, now: u64) -> Response {
    handle(request, Service::development(), now)
}

/// The headers, read when the first is asked for and then all in one call: a call for each costs more than copying those
/// that nobody wants.
struct Sent<'a> {
    request: &'a IncomingRequest,
    headers: OnceCell<Vec<(String, Vec<u8>)>>,
}

impl Headers for Sent<'_> {
    fn values(&self, name: &str) -> Vec<Vec<u8>> {
        let headers = self.headers.get_or_init(|| self.request.headers().entries());
        let of_that_name = headers.iter().filter(|(sent, _)| sent.eq_ignore_ascii_case(name));
        of_that_name.map(|(_, value)| value.clone()).collect()
    }
}

impl Body for IncomingRequest {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, BodyDefect> {
        // Room for all of it at once: what the heap has handed out for a smaller vector does not come back.
        let mut bytes = Vec::with_capacity(bytes_max + READ_BYTES_MAX);
        self.feed(bytes_max, &mut |chunk| {
            bytes.extend_from_slice(chunk);
            ControlFlow::Continue(())
        })?;
        Ok(bytes)
    }

    fn feed(&self, bytes_max: usize, take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), BodyDefect> {
        let body = self.consume().map_err(|()| BodyDefect::Broken)?;
        let stream = body.stream().map_err(|()| BodyDefect::Broken)?;
        let mut sent = 0;
        loop {
            let chunk = match stream.blocking_read(READ_BYTES_MAX as u64) {
                Ok(chunk) => chunk,
                Err(StreamError::Closed) => return Ok(()),
                Err(StreamError::LastOperationFailed(_)) => return Err(BodyDefect::Broken),
            };
            sent += chunk.len();
            if sent > bytes_max {
                return Err(BodyDefect::TooLong);
            }
            if take(&chunk).is_break() {
                return Ok(());
            }
        }
    }
}

/// The whole response, body written and finished: a host then has the complete answer the moment it is set.
fn outgoing(response: Response) -> OutgoingResponse {
    let fields: Vec<(String, Vec<u8>)> =
        response.headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
    let fields = Fields::from_list(&fields).expect("our header names and values are valid and not forbidden");
    let outgoing = OutgoingResponse::new(fields);
    // Each call into the host costs; 200 is what a response starts with.
    if response.status != 200 {
        outgoing.set_status_code(response.status).expect("our status codes are valid");
    }
    let body = outgoing.body().expect("the body is taken once");
    if !response.body.is_empty() {
        let stream = body.write().expect("the stream is taken once");
        for chunk in response.body.chunks(WRITE_BYTES_MAX) {
            // The caller is gone: nobody is left to tell.
            if stream.blocking_write_and_flush(chunk).is_err() {
                break;
            }
        }
    }
    // Fails for HEAD, where fewer bytes than `content-length` were written, which is how HEAD is meant to be.
    let _ = OutgoingBody::finish(body, None);
    outgoing
}

fn name(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}
