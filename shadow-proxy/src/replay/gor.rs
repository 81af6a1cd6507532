//! GoReplay's files: `1 ID NANOSECONDS LATENCY`, the request as it stood on the wire, and a line of three monkeys.

use std::io::BufRead;
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::source::{Damage, Recorded, line};
use crate::exchange::{Call, Failure, Leg};
use crate::shadow::capture::{format, identity};
use crate::side::headers::{HEADERS_MAX, end_to_end};

pub const NAME: &str = "GoReplay";

const MONKEYS: &str = "🐵🙈🙉";

pub fn is_gor(start: &[u8]) -> bool {
    let first = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    head(first).is_some()
}

pub struct Records<R> {
    input: R,
    /// Lines read.
    number: u64,
}

impl<R: BufRead> Records<R> {
    pub fn new(input: R) -> Records<R> {
        Records { input, number: 0 }
    }

    /// The next request. Answers, which it may hold too, are passed by.
    pub(super) fn next_request(&mut self) -> Result<Option<Recorded>, Damage> {
        loop {
            let first = self.number + 1;
            let (payload, is_whole) = self.payload()?;
            if payload.is_empty() && !is_whole {
                return Ok(None);
            }
            let cut =
                |why: &str| Damage::Cut(format!("the payload at line {first} {why}; what is before it was replayed"));
            let wrong =
                |why: &str| Damage::Wrong(format!("line {first}: {why}; take the payload out, or record it again"));
            let end = payload.iter().position(|&byte| byte == b'\n').unwrap_or(payload.len());
            let (kind, time) = match head(&payload[..end]) {
                Some(head) => head,
                None if is_whole => return Err(wrong("no `1 ID TIMESTAMP` of GoReplay")),
                None => return Err(cut("is cut short")),
            };
            if kind != b'1' {
                continue;
            }
            match call(payload.get(end + 1..).unwrap_or_default()) {
                Ok(call) => {
                    let unknown = Leg { outcome: Err(Failure::NoAnswer), latency: Duration::ZERO };
                    return Ok(Some(Recorded {
                        session: identity(&call, &unknown),
                        time: Some(time),
                        call,
                        legacy: None,
                    }));
                }
                Err(_) if !is_whole => return Err(cut("is cut short")),
                Err(why) => return Err(wrong(why)),
            }
        }
    }

    /// Up to the monkeys, and whether they came.
    fn payload(&mut self) -> Result<(Vec<u8>, bool), Damage> {
        let mut payload = Vec::new();
        loop {
            let number = self.number + 1;
            let read = line(&mut self.input);
            let (line, ended) =
                read.map_err(|_| Damage::Cut(format!("line {number} cannot be read; what is before it was replayed")))?;
            self.number = number;
            if line == MONKEYS.as_bytes() {
                payload.pop();
                return Ok((payload, true));
            }
            payload.extend_from_slice(&line);
            if !ended {
                return Ok((payload, false));
            }
            payload.push(b'\n');
            if payload.len() > PAYLOAD_BYTES_MAX {
                return Err(Damage::Wrong(format!(
                    "line {number}: a payload longer than {PAYLOAD_BYTES_MAX} bytes; split the file"
                )));
            }
        }
    }
}

/// Kind and time of a payload.
fn head(line: &[u8]) -> Option<(u8, Duration)> {
    let mut words = std::str::from_utf8(line).ok()?.trim_end().split(' ');
    let kind = words.next().filter(|kind| ["1", "2", "3"].contains(kind))?.as_bytes()[0];
    let is_id = |id: &&str| id.len() >= 8 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    words.next().filter(is_id)?;
    let time = words.next()?.parse().ok().map(Duration::from_nanos)?;
    Some((kind, time))
}

fn call(payload: &[u8]) -> Result<Call, &'static str> {
    const NO_HTTP: &str = "the request is not HTTP/1";
    let mut parsed = vec![httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut parsed);
    let Ok(httparse::Status::Complete(length)) = request.parse(payload) else { return Err(NO_HTTP) };
    let latin1 = |value: &[u8]| value.iter().map(|&byte| char::from(byte)).collect::<String>();
    let pairs: Vec<(String, String)> =
        request.headers.iter().map(|header| (header.name.to_owned(), latin1(header.value))).collect();
    let body = &payload[length..];
    let named =
        |name: &str| pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    let body = if named("transfer-encoding").is_some_and(|coding| coding.to_ascii_lowercase().ends_with("chunked")) {
        unchunked(body).ok_or("the chunks of the body do not fit")?
    } else {
        match named("content-length").map(str::parse::<usize>) {
            None => body.to_vec(),
            Some(Ok(length)) => body.get(..length).ok_or("the body is shorter than Content-Length")?.to_vec(),
            Some(Err(_)) => return Err("Content-Length is no number"),
        }
    };
    let method = request.method.unwrap_or_default().as_bytes();
    let headers = format::headers(&pairs).map_err(|_| NO_HTTP)?;
    Ok(Call {
        method: Method::from_bytes(method).map_err(|_| NO_HTTP)?,
        uri: request.path.unwrap_or_default().parse().map_err(|_| NO_HTTP)?,
        headers: end_to_end(headers),
        body: Bytes::from(body),
    })
}

fn unchunked(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, length))) = httparse::parse_chunk_size(chunks) else { return None };
        if length == 0 {
            return Some(body);
        }
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        body.extend_from_slice(chunks.get(start..end)?);
        chunks = chunks.get(end + 2..)?;
    }
}

const PAYLOAD_BYTES_MAX: usize = 256 << 20;
