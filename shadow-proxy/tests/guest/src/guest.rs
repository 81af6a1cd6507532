//! One behaviour for each path. The allocator is the ordinary one, so memory grows as it does in most components.

mod bucket;
mod outbound;

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::exports::http::incoming_handler::Guest;
use wasi::http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasi::io::streams::StreamError;
use wasi::random::random;

/// `output-stream.blocking-write-and-flush` takes at most this much at a time.
const WRITE_BYTES_MAX: usize = 4096;
const LATE_BYTES: u64 = 3 << 20;
const GROW_BYTES: usize = 64 << 10;
const MILLISECOND: u64 = 1_000_000;

const DENIED: &[u8] = br#"{"valid":false,"user_id":null,"expires_at":null}"#;

/// Requests this instance was given.
static REQUESTS: AtomicU32 = AtomicU32::new(0);

struct Component;

wasi::http::proxy::export!(Component);

impl Guest for Component {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
        let target = request.path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let (verb, argument) = path[path.len().min(1)..].split_once('/').unwrap_or((&path[path.len().min(1)..], ""));
        let argument: u64 = argument.parse().unwrap_or(0);
        match verb {
            "trap" => core::arch::wasm32::unreachable(),
            "loop" => spin(),
            "grow" => grow(),
            "slow" => {
                monotonic_clock::subscribe_duration(argument * MILLISECOND).block();
                answer(outparam, 200, "text/plain", b"slow");
            }
            "silent" => {}
            "set-then-write" => answer_at_length(outparam, LATE_BYTES),
            "big" => answer_at_length(outparam, argument),
            "abort" => abort(outparam),
            "bucket" => answer(outparam, 200, "text/plain", bucket::lookup(&target).as_bytes()),
            "outbound" => answer(outparam, 200, "text/plain", outbound::ask(&target).as_bytes()),
            "echo" => answer(outparam, 200, "text/plain", &echo(&request, &target)),
            "moment" => answer(outparam, moment(), "text/plain", b"moment"),
            "state" => answer(outparam, 200, "text/plain", number.to_string().as_bytes()),
            _ => answer(outparam, 401, "application/json", DENIED),
        }
    }
}

/// A status that says what the clocks and the randomness of this instance are: the one part of an answer that is shown
/// whatever it is.
fn moment() -> u16 {
    let now = wall_clock::now();
    let chance = u64::from_le_bytes(random::get_random_bytes(8).try_into().expect("eight were asked for"));
    let parts = [now.seconds, u64::from(now.nanoseconds), monotonic_clock::now(), chance, random::get_random_u64()];
    let mixed = parts.iter().fold(0_u64, |mixed, part| (mixed ^ part).wrapping_mul(0x0100_0000_01b3));
    200 + u16::try_from((mixed >> 32) % 400).expect("it is below 400")
}

fn spin() -> ! {
    loop {
        black_box(());
    }
}

fn grow() -> ! {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut more = Vec::new();
        if more.try_reserve_exact(GROW_BYTES).is_err() || held.try_reserve(1).is_err() {
            std::process::abort();
        }
        more.resize(GROW_BYTES, 1);
        held.push(black_box(more));
    }
}

/// Announces more than it sends.
fn abort(outparam: ResponseOutparam) {
    let response = response(200, &[("content-type", b"text/plain"), ("content-length", b"100")]);
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    // The host says that it is too short, which is the point.
    let _ = write(&body, b"too short");
    let _ = OutgoingBody::finish(body, None);
}

/// The answer is set before its body is written: the host has to read while the guest still runs.
fn answer(outparam: ResponseOutparam, status: u16, content_type: &str, content: &[u8]) {
    let length = content.len().to_string();
    let response =
        response(status, &[("content-type", content_type.as_bytes()), ("content-length", length.as_bytes())]);
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    // Fails for a HEAD request, or when the caller is gone: nobody is left to tell.
    let _ = write(&body, content);
    let _ = OutgoingBody::finish(body, None);
}

fn answer_at_length(outparam: ResponseOutparam, bytes: u64) {
    let length = bytes.to_string();
    let headers = [("content-type", "application/octet-stream"), ("content-length", &length)];
    let response = response(200, &headers.map(|(name, value)| (name, value.as_bytes())));
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    let mut left = bytes;
    while left > 0 {
        let chunk = [b'x'; WRITE_BYTES_MAX];
        let size = left.min(chunk.len() as u64);
        // The host reads no further, or the caller is gone.
        if stream.blocking_write_and_flush(&chunk[..size as usize]).is_err() {
            return;
        }
        left -= size;
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

fn response(status: u16, headers: &[(&str, &[u8])]) -> OutgoingResponse {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value).expect("our header names and values are valid and not forbidden");
    }
    let response = OutgoingResponse::new(fields);
    response.set_status_code(status).expect("our status codes are valid");
    response
}

fn write(body: &OutgoingBody, content: &[u8]) -> Result<(), StreamError> {
    let stream = body.write().expect("the stream is taken once");
    content.chunks(WRITE_BYTES_MAX).try_for_each(|chunk| stream.blocking_write_and_flush(chunk))
}

/// The request as this side of the host sees it: a line for the target, one for each header, then the body.
fn echo(request: &IncomingRequest, target: &str) -> Vec<u8> {
    let mut text = format!("{} {target}\n", name(&request.method())).into_bytes();
    for (name, value) in request.headers().entries() {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(&value);
        text.push(b'\n');
    }
    text.push(b'\n');
    if let Ok(body) = request.consume()
        && let Ok(stream) = body.stream()
    {
        while let Ok(chunk) = stream.blocking_read(WRITE_BYTES_MAX as u64) {
            text.extend_from_slice(&chunk);
        }
    }
    text
}

fn name(method: &Method) -> String {
    match method {
        Method::Other(name) => name.clone(),
        method => format!("{method:?}").rsplit("::").next().unwrap_or_default().to_ascii_uppercase(),
    }
}
