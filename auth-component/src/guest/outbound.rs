//! Questions to an issuer, by `wasi:http/outgoing-handler`.

use wasi::http::outgoing_handler;
use wasi::http::types::{Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme};
use wasi::io::streams::StreamError;

use super::{READ_BYTES_MAX, WRITE_BYTES_MAX};
use crate::grant::StoreUnavailable;
use crate::store::{Outbound, Question, Reply};

/// For each of connecting, the first byte and the time between two, in nanoseconds. The client waits meanwhile: a host has
/// a shorter one.
const TIMEOUT_NS: u64 = 5_000_000_000;

pub(super) struct Host;

impl Outbound for Host {
    fn ask(&self, question: &Question, bytes_max: usize) -> Result<Reply, StoreUnavailable> {
        let request = request(question)?;
        let body = request.body().map_err(unavailable)?;
        let answer = outgoing_handler::handle(request, Some(options()?)).map_err(unavailable)?;
        // Only now: a host takes no more than it has room for until somebody reads it.
        write(body, question.body.as_bytes())?;
        answer.subscribe().block();
        let response = answer.get().and_then(Result::ok).and_then(Result::ok).ok_or(StoreUnavailable)?;
        let content_types = response.headers().get("content-type");
        Ok(Reply { status: response.status(), content_types, body: read(&response, bytes_max)? })
    }
}

fn request(question: &Question) -> Result<OutgoingRequest, StoreUnavailable> {
    let headers: Vec<(String, Vec<u8>)> =
        question.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())).collect();
    let request = OutgoingRequest::new(Fields::from_list(&headers).map_err(unavailable)?);
    let scheme = if question.is_secure { Scheme::Https } else { Scheme::Http };
    request.set_method(&Method::Post).map_err(unavailable)?;
    request.set_scheme(Some(&scheme)).map_err(unavailable)?;
    request.set_authority(Some(question.authority)).map_err(unavailable)?;
    request.set_path_with_query(Some(question.path_and_query)).map_err(unavailable)?;
    Ok(request)
}

fn write(body: OutgoingBody, content: &[u8]) -> Result<(), StoreUnavailable> {
    {
        let stream = body.write().map_err(unavailable)?;
        for chunk in content.chunks(WRITE_BYTES_MAX) {
            stream.blocking_write_and_flush(chunk).map_err(unavailable)?;
        }
    }
    OutgoingBody::finish(body, None).map_err(unavailable)
}

fn options() -> Result<RequestOptions, StoreUnavailable> {
    let options = RequestOptions::new();
    options.set_connect_timeout(Some(TIMEOUT_NS)).map_err(unavailable)?;
    options.set_first_byte_timeout(Some(TIMEOUT_NS)).map_err(unavailable)?;
    options.set_between_bytes_timeout(Some(TIMEOUT_NS)).map_err(unavailable)?;
    Ok(options)
}

fn read(response: &IncomingResponse, bytes_max: usize) -> Result<Vec<u8>, StoreUnavailable> {
    let body = response.consume().map_err(unavailable)?;
    let stream = body.stream().map_err(unavailable)?;
    // Room for all of it at once: what the heap has handed out for a smaller vector does not come back.
    let mut bytes = Vec::with_capacity(bytes_max + READ_BYTES_MAX);
    while bytes.len() <= bytes_max {
        match stream.blocking_read(READ_BYTES_MAX as u64) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(StoreUnavailable),
        }
    }
    Ok(bytes)
}

/// Why does not matter: nobody was told whether the token is good.
fn unavailable<T>(_: T) -> StoreUnavailable {
    StoreUnavailable
}
