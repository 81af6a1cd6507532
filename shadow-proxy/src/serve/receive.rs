//! The body of a request, read before anybody is asked: who serves it may depend on what is in it.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use crate::metrics::Skip;

pub enum Received {
    Whole {
        body: Bytes,
        trailers: Option<HeaderMap>,
    },
    /// The rest is to be read while it is sent on.
    Part {
        head: Bytes,
        rest: Incoming,
        why: Why,
    },
    /// The client sent nothing for too long.
    TooSlow,
    ClientGone,
}

/// Why a body is not read whole first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is more than may be kept.
    TooMuch(Skip),
    /// It comes steadily and takes long.
    TakesLong,
}

#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest the client may send nothing.
    pub pause_max: Duration,
    /// After that the body is sent on while it comes; none: never.
    pub whole: Option<Duration>,
}

/// Reads a body of up to `bytes_max`, as long as `hold` finds memory for each piece.
pub async fn read(
    mut body: Incoming,
    bytes_max: usize,
    patience: Patience,
    mut hold: impl FnMut(usize) -> bool,
) -> Received {
    if body.is_end_stream() {
        return Received::Whole { body: Bytes::new(), trailers: None };
    }
    if body.size_hint().lower() > bytes_max as u64 {
        return Received::Part { head: Bytes::new(), rest: body, why: Why::TooMuch(Skip::BodyTooLarge) };
    }
    let begun = Instant::now();
    let (mut read, mut trailers) = (BytesMut::new(), None);
    loop {
        let frame = match tokio::time::timeout(patience.pause_max, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => return Received::ClientGone,
            Ok(None) => return Received::Whole { body: read.freeze(), trailers },
            Err(_) => return Received::TooSlow,
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                continue;
            }
        };
        let room = read.len() + data.len() <= bytes_max;
        let held = room && hold(data.len());
        if read.is_empty() && body.is_end_stream() && held {
            return Received::Whole { body: data, trailers };
        }
        read.extend_from_slice(&data);
        let why = match (room, held) {
            (false, _) => Why::TooMuch(Skip::BodyTooLarge),
            (true, false) => Why::TooMuch(Skip::NoMemory),
            (true, true) if patience.whole.is_some_and(|whole| begun.elapsed() >= whole) => Why::TakesLong,
            (true, true) => continue,
        };
        return Received::Part { head: read.freeze(), rest: body, why };
    }
}
