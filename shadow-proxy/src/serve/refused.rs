//! The answer to what the front door refuses, in the form of every error of the proxy's own (RFC 9457).

use std::io;

use http::StatusCode;

use crate::metrics::Refusal;

/// The whole answer; none where nobody would read it, or where the request is answered by whoever reads its body.
pub fn answer(refusal: Refusal) -> Option<Vec<u8>> {
    let (status, detail) = said(refusal)?;
    let title = status.canonical_reason().unwrap_or("Error");
    let body = serde_json::json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {} {title}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        status.as_u16(),
        body.len()
    );
    Some((head + &body).into_bytes())
}

fn said(refusal: Refusal) -> Option<(StatusCode, &'static str)> {
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    let said = match refusal {
        Refusal::Syntax => (BAD, "The head of the request is not HTTP/1.1 (RFC 9112)."),
        Refusal::BareLineFeed => (BAD, "A line ends with a line feed alone; send a carriage return before it."),
        Refusal::Target => (BAD, "The target of the request is neither a path nor a URL without user info, in ASCII."),
        Refusal::NoHost => (BAD, "The request has no Host field, which HTTP/1.1 demands."),
        Refusal::SeveralHosts => (BAD, "The request has several Host fields; send one."),
        Refusal::OddHost => (BAD, "The Host field is not a host with or without a port."),
        Refusal::OtherHost => (BAD, "The URL that is asked for and the Host field name two hosts."),
        Refusal::SeveralLengths => (BAD, "The request has several Content-Length fields; send one."),
        Refusal::OddLength => (BAD, "Content-Length is not a number of bytes."),
        Refusal::LengthBesideCoding => (BAD, "Content-Length stands beside Transfer-Encoding; send one of them."),
        Refusal::OddCoding => {
            (BAD, "Transfer-Encoding does not end with chunked, or is not known, or not of HTTP/1.1.")
        }
        Refusal::Unfinished => (BAD, "The connection ended before the head of the request did."),
        Refusal::HeadTooLarge => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is larger than this service reads.")
        }
        Refusal::NoMemory => (
            StatusCode::SERVICE_UNAVAILABLE,
            "There is no room for a head of this size now; send a smaller one, or later.",
        ),
        Refusal::SlowHead => (StatusCode::REQUEST_TIMEOUT, "The head of the request did not arrive in time."),
        Refusal::Chunk | Refusal::Unread => return None,
    };
    Some(said)
}

/// What a reader of a body is told of bad chunks.
pub fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the chunks of the body are not those of RFC 9112")
}
