//! The cases of legacy-stub/contract.

use serde_json::Value;

use crate::wire::Message;
use crate::world::repository;

pub(crate) struct Case {
    pub(crate) name: String,
    /// As it goes over the wire.
    pub(crate) request: Vec<u8>,
    /// What the API demands, whoever answers.
    expect: Value,
}

pub(crate) fn cases() -> Vec<Case> {
    let folder = std::fs::read_dir(repository("legacy-stub/contract")).expect("the contract is there");
    let mut files: Vec<_> = folder.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| case(&std::fs::read(file).expect("a readable file"))).collect()
}

fn case(json: &[u8]) -> Case {
    let case: Value = serde_json::from_slice(json).expect("a case is JSON");
    Case { name: text(&case["name"]).to_owned(), request: request(&case["request"]), expect: case["expect"].clone() }
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
    let mut bytes: Vec<u8> =
        head.chars().map(|c| u8::try_from(c).expect("a character of a head is one byte")).collect();
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

/// One sentence for each member of `expect` that the answer does not meet.
pub(crate) fn unmet(case: &Case, answer: &Message) -> Vec<String> {
    let mut unmet = Vec::new();
    let mut check = |member: &str, wanted: &Value, got: Value| {
        if *wanted != got {
            unmet.push(format!("{}: {member}: wanted {wanted}, got {got}", case.name));
        }
    };
    for (member, wanted) in case.expect.as_object().expect("an object") {
        match member.as_str() {
            "status" => check(member, wanted, answer.status().into()),
            "content_type" => {
                let value = answer.values("content-type").first().map(|value| media_type(value));
                check(member, wanted, value.into());
            }
            "headers" => {
                for (name, wanted) in wanted.as_object().expect("an object") {
                    check(name, wanted, answer.values(name).first().copied().into());
                }
            }
            "json" => {
                check(member, wanted, serde_json::from_slice(&answer.body).unwrap_or_else(|_| answer.text().into()))
            }
            "body_bytes" => check(member, wanted, answer.body.len().into()),
            unknown => panic!("{}: unknown member {unknown}", case.name),
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
