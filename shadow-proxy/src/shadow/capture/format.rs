//! The lines of a capture file. CAPTURE.md describes them.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::exchange::{Answer, Call, Failure, Leg};

pub(crate) const FORMAT: &str = "shadow-proxy capture";
pub(crate) const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) format: String,
    pub(crate) v: u32,
    pub(crate) build: String,
    /// RFC 3339; what `at_us` counts from.
    pub(crate) started: String,
    /// `stand-ins` or `kept`.
    pub(crate) secrets: String,
}

/// Every other line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) at_us: u64,
    pub(crate) session: Option<String>,
    pub(crate) call: LineCall,
    pub(crate) legacy: LineLeg,
    pub(crate) verdict: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineCall {
    method: String,
    target: String,
    #[serde(flatten)]
    message: Message,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum LineLeg {
    Failed {
        failure: String,
    },
    Answered {
        status: u16,
        latency_us: u64,
        #[serde(flatten)]
        message: Message,
    },
}

/// Headers and a body, which is a text where it is one.
#[derive(Serialize, Deserialize)]
pub(crate) struct Message {
    /// A character of a value is one byte.
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    /// The body is kept decoded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    decoded: bool,
}

impl LineCall {
    /// `decoded`: the body no longer is as `content-encoding` says.
    pub(crate) fn new(call: &Call, decoded: bool) -> LineCall {
        LineCall {
            method: call.method.as_str().to_owned(),
            target: call.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            message: Message::new(&call.headers, &call.body, decoded),
        }
    }

    /// # Errors
    /// What is no HTTP, in words.
    pub(crate) fn call(self) -> Result<Call, String> {
        let (headers, body) = self.message.parts()?;
        Ok(Call {
            method: Method::from_bytes(self.method.as_bytes()).map_err(|_| "`method` is no method of HTTP")?,
            uri: self.target.parse().map_err(|_| "`target` is no path and query")?,
            headers,
            body,
        })
    }
}

impl LineLeg {
    pub(crate) fn new(leg: &Leg, decoded: bool) -> LineLeg {
        match &leg.outcome {
            Err(failure) => LineLeg::Failed { failure: failure_name(*failure).to_owned() },
            Ok(answer) => LineLeg::Answered {
                status: answer.status.as_u16(),
                latency_us: leg.latency.as_micros() as u64,
                message: Message::new(&answer.headers, &answer.body, decoded),
            },
        }
    }

    /// # Errors
    /// As for a call.
    pub(crate) fn leg(self) -> Result<Leg, String> {
        match self {
            LineLeg::Failed { failure } => {
                let known = FAILURES.iter().find(|known| failure_name(**known) == failure);
                let failure = known.copied().ok_or("`failure` is none of ours")?;
                Ok(Leg { outcome: Err(failure), latency: Duration::ZERO })
            }
            LineLeg::Answered { status, latency_us, message } => {
                let (headers, body) = message.parts()?;
                let status = StatusCode::from_u16(status).map_err(|_| "`status` is no status of HTTP")?;
                Ok(Leg { outcome: Ok(Answer { status, headers, body }), latency: Duration::from_micros(latency_us) })
            }
        }
    }
}

impl Message {
    fn new(headers: &HeaderMap, body: &Bytes, decoded: bool) -> Message {
        let latin1 = |value: &HeaderValue| value.as_bytes().iter().map(|&byte| char::from(byte)).collect();
        let text = String::from_utf8(body.to_vec()).ok();
        Message {
            headers: headers.iter().map(|(name, value)| (name.as_str().to_owned(), latin1(value))).collect(),
            body_base64: text.is_none().then(|| Base64::encode_string(body)),
            body: text.filter(|text| !text.is_empty()),
            decoded,
        }
    }

    fn parts(self) -> Result<(HeaderMap, Bytes), String> {
        let mut headers = headers(&self.headers)?;
        let mut body: Bytes = match (self.body, self.body_base64) {
            (Some(text), _) => text.into(),
            (None, Some(base64)) => Base64::decode_vec(&base64).map_err(|_| "`body_base64` is no base64")?.into(),
            (None, None) => Bytes::new(),
        };
        if self.decoded {
            body = encoded_again(&mut headers, body);
            if headers.contains_key(CONTENT_LENGTH) {
                headers.insert(CONTENT_LENGTH, body.len().into());
            }
        }
        Ok((headers, body))
    }
}

/// Names and values as they stand in a file. Framing is the sender's own.
///
/// # Errors
/// One that HTTP does not allow.
pub(crate) fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| "a header has a name that HTTP does not allow")?;
        if name == TRANSFER_ENCODING {
            continue;
        }
        let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        // What is not one byte each was written by somebody else, as UTF-8.
        let bytes = bytes.unwrap_or_else(|| value.clone().into_bytes());
        let value = HeaderValue::from_bytes(&bytes);
        headers.append(name, value.map_err(|_| "a header has a value that HTTP does not allow")?);
    }
    Ok(headers)
}

/// Where that cannot be done (Brotli), the body stays plain and says so.
fn encoded_again(headers: &mut HeaderMap, body: Bytes) -> Bytes {
    use std::io::Write as _;
    let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let level = flate2::Compression::default();
    let done = match encoding.trim().to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(&body).and_then(|()| encoder.finish())
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(&body).and_then(|()| encoder.finish())
        }
        _ => {
            headers.remove(CONTENT_ENCODING);
            return body;
        }
    };
    done.map_or(body, Bytes::from)
}

const FAILURES: [Failure; 8] = [
    Failure::Connect,
    Failure::Deadline,
    Failure::Closed,
    Failure::TooLarge,
    Failure::Trap,
    Failure::Memory,
    Failure::NoAnswer,
    Failure::Busy,
];

fn failure_name(failure: Failure) -> &'static str {
    match failure {
        Failure::Connect => "connect",
        Failure::Deadline => "deadline",
        Failure::Closed => "closed",
        Failure::TooLarge => "too_large",
        Failure::Trap => "trap",
        Failure::Memory => "memory",
        Failure::NoAnswer => "no_answer",
        Failure::Busy => "busy",
    }
}
