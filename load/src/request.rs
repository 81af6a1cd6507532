//! The request of a case: as the contract writes it, and ready to be sent.

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;

use crate::base64;

const BODY_BYTES_MAX: usize = 16 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRequest {
    method: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    body_repeat: Option<Repeat>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    text: String,
    times: usize,
}

impl RawRequest {
    /// One that was captured.
    pub(crate) fn new(
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: Option<String>,
        body_base64: Option<String>,
    ) -> Self {
        Self { method, path, headers, body, body_base64, body_repeat: None }
    }

    /// Refuses what the HTTP client would send otherwise than it is written.
    pub(crate) fn prepare(self) -> Result<Request, String> {
        let Self { method, path, headers, body, body_base64, body_repeat } = self;
        let unsendable = |what: String| format!("{what}; correct it, or set the weight to 0 to leave it out of load");
        let method = Method::from_bytes(method.as_bytes())
            .ok()
            .filter(|method| method != Method::CONNECT)
            .ok_or_else(|| unsendable(format!("method {method:?} cannot be sent")))?;
        match sent_path(&path) {
            Some(sent) if sent == path => {}
            Some(sent) => {
                return Err(unsendable(format!("path {path:?} would be sent as {sent:?}")));
            }
            None => return Err(unsendable(format!("path {path:?} cannot be sent"))),
        }
        let mut fields = HeaderMap::new();
        for (name, value) in headers {
            let field = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| unsendable(format!("{name:?} cannot be a header's name")))?;
            // The value may be a credential, so that it is not shown.
            let value = header_value(&value)
                .ok_or_else(|| unsendable(format!("the value of the header {name:?} cannot be sent")))?;
            fields.append(field, value);
        }
        let body = body_of(body, body_base64, body_repeat)?;
        let length = body.as_ref().map_or(0, Bytes::len).to_string();
        if fields.get_all(CONTENT_LENGTH).iter().any(|stated| stated.as_bytes() != length.as_bytes()) {
            return Err(unsendable(format!("content-length is not the body's {length} bytes")));
        }
        Ok(Request { method, path, headers: fields, body })
    }
}

/// A character is a byte, as in Latin-1, so that the contract can name every byte.
fn header_value(text: &str) -> Option<HeaderValue> {
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    HeaderValue::from_bytes(&bytes.ok()?).ok()
}

fn body_of(text: Option<String>, base64: Option<String>, repeat: Option<Repeat>) -> Result<Option<Bytes>, String> {
    let body = match (text, base64, repeat) {
        (None, None, None) => return Ok(None),
        (Some(text), None, None) => text.into_bytes(),
        (None, Some(base64), None) => base64::decode(&base64).ok_or("body_base64 is not base64; correct it")?,
        (None, None, Some(Repeat { text, times })) => {
            if text.len().saturating_mul(times) > BODY_BYTES_MAX {
                return Err(format!("body_repeat makes more than {BODY_BYTES_MAX} bytes; repeat it fewer times"));
            }
            text.repeat(times).into_bytes()
        }
        _ => return Err("more than one of body, body_base64 and body_repeat; keep one".into()),
    };
    Ok(Some(body.into()))
}

/// Path and query as the client's URL parser leaves them.
fn sent_path(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return None;
    }
    let url = Url::parse(&format!("http://host{path}")).ok()?;
    Some(match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn prepared(member: &str, value: Value) -> Result<Request, String> {
        let mut request = json!({"method": "POST", "path": "/auth/validate?a=1"});
        request[member] = value;
        serde_json::from_value::<RawRequest>(request).map_err(|error| error.to_string())?.prepare()
    }

    #[test]
    fn headers_stay_apart_and_in_bytes() {
        let headers = json!([["X-A", "1"], ["x-a", "2"], ["X-B", "\u{e9}\t"]]);
        let headers = prepared("headers", headers).expect("headers").headers;
        assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(headers["x-b"].as_bytes(), b"\xe9\t");
    }

    #[test]
    fn a_body_is_text_or_base64_or_repeated() {
        for (member, value, bytes) in [
            ("body", json!("\u{e9}"), &b"\xc3\xa9"[..]),
            ("body_base64", json!("/wA="), b"\xff\x00"),
            ("body_repeat", json!({"text": "xy", "times": 3}), b"xyxyxy"),
        ] {
            let body = prepared(member, value).expect("a body").body;
            assert_eq!(body.as_deref(), Some(bytes), "{member}");
        }
        assert_eq!(prepared("headers", json!([])).expect("no body").body, None);
    }

    #[test]
    fn what_would_be_sent_otherwise_is_refused_with_what_to_do() {
        for (member, value, says) in [
            ("method", json!("CONNECT"), "set the weight to 0"),
            ("method", json!("A B"), "set the weight to 0"),
            ("path", json!("/a/../b"), "would be sent as \"/b\""),
            ("path", json!("/a#b"), "would be sent as \"/a\""),
            ("path", json!("*"), "cannot be sent"),
            ("headers", json!([["a b", "1"]]), "cannot be a header's name"),
            ("headers", json!([["a", "\u{141}"]]), "the value of the header \"a\""),
            ("headers", json!([["content-length", "7"]]), "not the body's 0 bytes"),
            ("body_base64", json!("Zg"), "not base64"),
            ("body_repeat", json!({"text": "xx", "times": 9_000_000}), "fewer times"),
            ("bdy", json!(""), "unknown field `bdy`"),
        ] {
            let problem = prepared(member, value).expect_err(says);
            assert!(problem.contains(says), "{member}: {problem}");
        }
        let problem = prepared("headers", json!([["authorization", "Bearer se\ncret"]]));
        let problem = problem.expect_err("a line break");
        assert!(problem.contains("authorization") && !problem.contains("cret"), "{problem}");
    }
}
