//! The cases of legacy-stub/contract.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::wire::{Message, Wire, latin1};
use crate::world::repository;

pub(crate) struct Case {
    pub(crate) name: String,
    /// As it goes over the wire.
    pub(crate) request: Vec<u8>,
    /// What the API demands.
    expect: Value,
    /// What of it the host answers otherwise.
    host: Value,
    is_raw: bool,
}

impl Case {
    /// The host takes what the case wants refused.
    pub(crate) fn is_read_otherwise(&self) -> bool {
        !self.host.is_null()
    }
}

/// Those that are about a request, whatever bytes it comes in.
pub(crate) fn cases() -> Vec<Case> {
    all().filter(|case| !case.is_raw).collect()
}

/// Those that are about the bytes.
pub(crate) fn raw_cases() -> Vec<Case> {
    all().filter(|case| case.is_raw).collect()
}

fn all() -> impl Iterator<Item = Case> {
    let folder = std::fs::read_dir(repository("legacy-stub/contract")).expect("the contract is there");
    let mut files: Vec<_> = folder.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.into_iter().map(|file| case(&std::fs::read(file).expect("a readable file")))
}

fn case(json: &[u8]) -> Case {
    let case: Value = serde_json::from_slice(json).expect("a case is JSON");
    let raw = &case["request"]["raw"];
    let is_raw = !raw.is_null();
    let request = if is_raw { latin1(text(raw)) } else { request(&case["request"]) };
    let (expect, host) = (case["expect"].clone(), case["shadow_proxy"].clone());
    Case { name: text(&case["name"]).to_owned(), request, expect, host, is_raw }
}

/// A character of a header value is one byte.
fn request(request: &Value) -> Vec<u8> {
    let method = text(&request["method"]);
    let mut head = format!("{method} {} HTTP/1.1\r\nHost: auth.example\r\n", text(&request["path"]));
    for header in request["headers"].as_array().expect("a list") {
        head.push_str(&format!("{}: {}\r\n", text(&header[0]), text(&header[1])));
    }
    let body = body(request);
    if body.is_some() || matches!(method, "POST" | "PUT" | "PATCH") {
        head.push_str(&format!("Content-Length: {}\r\n", body.as_ref().map_or(0, Vec::len)));
    }
    head.push_str("\r\n");
    let mut bytes = latin1(&head);
    bytes.extend(body.unwrap_or_default());
    bytes
}

fn body(request: &Value) -> Option<Vec<u8>> {
    let repeat = &request["body_repeat"];
    match (&request["body"], &request["body_base64"], repeat.is_null()) {
        (Value::String(text), ..) => Some(text.clone().into_bytes()),
        (_, Value::String(base64), _) => Some(decoded(base64)),
        (.., false) => {
            let times = repeat["times"].as_u64().expect("a number") as usize;
            Some(text(&repeat["text"]).repeat(times).into_bytes())
        }
        _ => None,
    }
}

/// Asks on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, case: &Case) -> Message {
    let mut wire = Wire::connect(address).await;
    let mut answer = wire.ask(&case.request).await;
    while answer.status() < 200 {
        answer = wire.answer().await;
    }
    answer
}

/// One sentence for each thing that is not as the case says of the component behind this host; for a difference that it
/// names in vain too.
pub(crate) fn unmet(case: &Case, answer: &Message) -> Vec<String> {
    let Some(host) = case.host.as_object() else { return unmet_of(&case.expect, &case.name, answer) };
    let mut expect = case.expect.clone();
    let mut unmet = Vec::new();
    for (member, value) in host {
        if unmet_of(&json!({ member: expect[member] }), &case.name, answer).is_empty() {
            unmet.push(format!("{}: shadow_proxy.{member} is no difference; delete it", case.name));
        }
        expect[member] = value.clone();
    }
    unmet.extend(unmet_of(&expect, &case.name, answer));
    unmet
}

fn unmet_of(expect: &Value, name: &str, answer: &Message) -> Vec<String> {
    let mut unmet = Vec::new();
    let mut check = |member: &str, wanted: &Value, got: Value| {
        if *wanted != got {
            unmet.push(format!("{name}: {member}: wanted {wanted}, got {got}"));
        }
    };
    for (member, wanted) in expect.as_object().expect("an object") {
        match member.as_str() {
            "status" => check(member, wanted, answer.status().into()),
            "content_type" => {
                let value = answer.values("content-type").first().map(|value| media_type(value));
                check(member, wanted, value.into());
            }
            "headers" => {
                for (header, wanted) in wanted.as_object().expect("an object") {
                    check(header, wanted, answer.values(header).first().copied().into());
                }
            }
            "json" => {
                check(member, wanted, serde_json::from_slice(&answer.body).unwrap_or_else(|_| answer.text().into()))
            }
            "body_bytes" => check(member, wanted, answer.body.len().into()),
            unknown => panic!("{name}: unknown member {unknown}"),
        }
    }
    unmet
}

fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn decoded(base64: &str) -> Vec<u8> {
    let digits = base64.trim_end_matches('=').bytes();
    let digits = digits.map(|digit| DIGITS.iter().position(|&known| known == digit).expect("a digit of base64"));
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_usize, 0);
    for digit in digits {
        (bits, held) = (bits << 6 | digit, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    bytes
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|digit| char::from(DIGITS[bits >> (18 - 6 * digit) & 63])));
        text.push_str(&"=".repeat(3 - chunk.len()));
    }
    text
}
