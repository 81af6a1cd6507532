//! HAR 1.2, as browsers and proxies export it.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use serde::Deserialize;

use super::source::Recorded;
use crate::exchange::{Answer, Call, Failure, Leg};
use crate::shadow::capture::{format, identity};
use crate::side::headers::end_to_end;

pub const NAME: &str = "HAR";

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: String,
    #[serde(default)]
    time: f64,
    request: Request,
    #[serde(default)]
    response: Option<Response>,
    #[serde(default)]
    connection: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Named>,
    #[serde(default)]
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct PostData {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    encoding: Option<String>,
    #[serde(default)]
    params: Vec<Param>,
}

#[derive(Deserialize)]
struct Param {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: Vec<Named>,
    #[serde(default)]
    content: Content,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    encoding: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    value: String,
}

/// In the order of time.
///
/// # Errors
/// It is no HAR, or an entry of it is no HTTP.
pub fn read(input: impl Read) -> anyhow::Result<Vec<Recorded>> {
    let mut text = String::new();
    input.take(BYTES_MAX + 1).read_to_string(&mut text).context("it is no UTF-8; export it again")?;
    ensure!(text.len() as u64 <= BYTES_MAX, "it has more than {BYTES_MAX} bytes; export it in parts");
    // Not serde's own words, which may quote the file.
    let har: Har = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(har) => har,
        Err(error) if error.is_eof() => bail!("it is cut short at line {}; export it again", error.line()),
        Err(error) => bail!("it is no HAR 1.2: line {}, column {}; export it again", error.line(), error.column()),
    };
    let mut recorded = Vec::with_capacity(har.log.entries.len());
    for (number, entry) in har.log.entries.into_iter().enumerate() {
        let entry = self::recorded(entry).map_err(anyhow::Error::msg);
        recorded.push(
            entry.with_context(|| format!("log.entries[{number}] cannot be sent; take it out, or export it again"))?,
        );
    }
    recorded.sort_by_key(|recorded| recorded.time);
    Ok(recorded)
}

fn recorded(entry: Entry) -> Result<Recorded, String> {
    let Request { method, url, headers, post_data } = entry.request;
    let url: Uri = url.parse().map_err(|_| "`url` is no URL")?;
    let body = post_data.map_or(Ok(Bytes::new()), body)?;
    let mut headers = fields(headers)?;
    if let Some(authority) = url.authority()
        && !headers.contains_key(HOST)
    {
        // HTTP/2 has it elsewhere.
        headers.insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(|_| "`url` has no host")?);
    }
    if headers.contains_key(CONTENT_LENGTH) || !body.is_empty() {
        headers.insert(CONTENT_LENGTH, body.len().into());
    }
    let call = Call {
        method: Method::from_bytes(method.as_bytes()).map_err(|_| "`method` is no method of HTTP")?,
        uri: url.path_and_query().map_or("/", |target| target.as_str()).parse().map_err(|_| "`url` is no URL")?,
        headers,
        body,
    };
    let latency = Duration::try_from_secs_f64(entry.time / 1_000.0).unwrap_or_default();
    let legacy = entry.response.map(|response| leg(response, latency)).transpose()?.flatten();
    let unknown = Leg { outcome: Err(Failure::NoAnswer), latency };
    let session = identity(&call, legacy.as_ref().unwrap_or(&unknown)).or(entry.connection.map(String::into_bytes));
    Ok(Recorded { time: time(&entry.started_date_time), session, call, legacy })
}

/// None where the browser got no answer.
fn leg(response: Response, latency: Duration) -> Result<Option<Leg>, String> {
    let Ok(status) = StatusCode::from_u16(response.status) else { return Ok(None) };
    let mut headers = fields(response.headers)?;
    let body = match response.content {
        Content { text: Some(text), encoding } => content(text, encoding.as_deref())?,
        Content { text: None, .. } => Bytes::new(),
    };
    // What a HAR has is decoded.
    if headers.remove(CONTENT_ENCODING).is_some() && headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, body.len().into());
    }
    Ok(Some(Leg { outcome: Ok(Answer { status, headers, body }), latency }))
}

/// Without the pseudo-headers of HTTP/2.
fn fields(named: Vec<Named>) -> Result<HeaderMap, String> {
    let pairs: Vec<(String, String)> = named
        .into_iter()
        .filter(|header| !header.name.starts_with(':'))
        .map(|header| (header.name, header.value))
        .collect();
    Ok(end_to_end(format::headers(&pairs)?))
}

fn body(post: PostData) -> Result<Bytes, String> {
    match post.text {
        Some(text) => content(text, post.encoding.as_deref()),
        None => {
            let pairs: Vec<String> =
                post.params.iter().map(|param| format!("{}={}", param.name, param.value)).collect();
            Ok(pairs.join("&").into())
        }
    }
}

fn content(text: String, encoding: Option<&str>) -> Result<Bytes, String> {
    if encoding != Some("base64") {
        return Ok(text.into());
    }
    Ok(Base64::decode_vec(&text).map_err(|_| "a body is no base64")?.into())
}

/// RFC 3339 with any offset, which is what HAR wants.
fn time(text: &str) -> Option<Duration> {
    let since = |utc: &str| humantime::parse_rfc3339(utc).ok()?.duration_since(std::time::UNIX_EPOCH).ok();
    if text.ends_with(['Z', 'z']) {
        return since(text);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let offset_s = hours.parse::<u64>().ok()? * 3_600 + minutes.parse::<u64>().ok()? * 60;
    let local = since(&format!("{local}Z"))?;
    if offset.starts_with('-') {
        local.checked_add(Duration::from_secs(offset_s))
    } else {
        local.checked_sub(Duration::from_secs(offset_s))
    }
}

const BYTES_MAX: u64 = 1 << 30;
