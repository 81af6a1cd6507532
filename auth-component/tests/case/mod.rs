//! A case of legacy-stub/contract, and the core asked with its request.
#![allow(dead_code, reason = "each test binary that has this module uses a part of it")]

use std::path::Path;

use auth_component::{Body, BodyDefect, Headers, Request, Response, Service, handle};
use base64ct::{Base64, Encoding};
use serde::Deserialize;
use serde_json::Value;

/// The middle of 2026, between the dates at which development keys begin and end.
pub(crate) const NOW: u64 = 1_782_000_000;

/// What else stands in a case is skipped, because answers of the other services may be no JSON that Rust reads.
#[derive(Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) request: Value,
    #[serde(default)]
    pub(crate) expect: Value,
    pub(crate) class: Option<String>,
    #[serde(default)]
    pub(crate) parity: Vec<String>,
}

/// By name, without those that are about bytes on a connection (`raw`), which the core never sees.
pub(crate) fn cases() -> Vec<Case> {
    all_cases().into_iter().filter(|case| case.request.get("raw").is_none()).collect()
}

pub(crate) fn all_cases() -> Vec<Case> {
    let files = std::fs::read_dir(repository("legacy-stub/contract")).expect("the contract is there");
    let files = files.map(|file| file.expect("a file").path());
    // The folder `keys` is what the cases were made with.
    let cases = files.filter(|path| path.extension().is_some_and(|end| end == "json")).map(|path| {
        let json = std::fs::read(path).expect("a readable file");
        serde_json::from_slice::<Case>(&json).expect("a case is JSON")
    });
    let mut cases: Vec<Case> = cases.collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

/// The path of something in the repository.
pub(crate) fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

pub(crate) fn answer(request: &Value, service: Service) -> Response {
    answer_at(request, service, NOW)
}

pub(crate) fn answer_at(request: &Value, service: Service, now: u64) -> Response {
    let headers = headers(request);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (method, target) = (text(&request["method"]), text(&request["path"]));
    let (headers, body) = (lines(&headers), Whole(body(request)));
    handle(&Request { method, target, headers: &headers, body: &body }, service, now)
}

pub(crate) fn ask(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8], service: Service) -> Response {
    handle(&Request { method, target, headers: &lines(headers), body: &Whole(body.to_vec()) }, service, NOW)
}

/// Those of the case and, as the contract says, the length of the body; `Host` is the sender's.
pub(crate) fn headers(request: &Value) -> Vec<(String, String)> {
    let lines = request["headers"].as_array().expect("a list");
    let mut headers: Vec<(String, String)> =
        lines.iter().map(|line| (text(&line[0]).to_owned(), text(&line[1]).to_owned())).collect();
    let has = |name| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let body = body(request);
    let has_body = !body.is_empty() || matches!(text(&request["method"]), "POST" | "PUT" | "PATCH");
    if has_body && !has("content-length") && !has("transfer-encoding") {
        headers.push(("Content-Length".to_owned(), body.len().to_string()));
    }
    headers
}

pub(crate) fn body(request: &Value) -> Vec<u8> {
    let repeat = &request["body_repeat"];
    if let Some(body) = request.get("body") {
        text(body).as_bytes().to_vec()
    } else if let Some(body) = request.get("body_base64") {
        Base64::decode_vec(text(body)).expect("a case has its bytes in base64")
    } else if repeat.is_object() {
        let times = repeat["times"].as_u64().and_then(|times| usize::try_from(times).ok()).expect("a number");
        text(&repeat["text"]).repeat(times).into_bytes()
    } else {
        Vec::new()
    }
}

/// Header lines as they came, names in lower case.
pub(crate) struct Lines(pub(crate) Vec<(String, Vec<u8>)>);

pub(crate) fn lines(headers: &[(&str, &str)]) -> Lines {
    Lines(headers.iter().map(|(name, text)| (name.to_ascii_lowercase(), value(text))).collect())
}

/// A character is one byte; the spaces and tabs around belong to HTTP.
fn value(text: &str) -> Vec<u8> {
    latin1(text.trim_matches([' ', '\t']))
}

pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).expect("a character of a header is one byte")).collect()
}

impl Headers for Lines {
    fn values(&self, name: &str) -> Vec<Vec<u8>> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }
}

pub(crate) struct Whole(pub(crate) Vec<u8>);

impl Body for Whole {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, BodyDefect> {
        if self.0.len() > bytes_max { Err(BodyDefect::TooLong) } else { Ok(self.0.clone()) }
    }
}

pub(crate) fn header(response: &Response, name: &str) -> Option<String> {
    response.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
