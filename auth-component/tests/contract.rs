//! Every case of legacy-stub/contract against the core, natively.
//!
//! None is left out: what a case adds that the core never sees (a body, headers it does not ask for) changes no answer,
//! which is part of the contract.

use std::path::Path;

use auth_component::{DevelopmentKeys, Headers, Request, Response, handle};
use serde_json::Value;

/// The middle of 2026, between the two dates at which development keys end.
const NOW: u64 = 1_782_000_000;

#[test]
fn every_case_is_answered_as_the_api_demands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../legacy-stub/contract");
    let files = std::fs::read_dir(folder).expect("the contract is there");
    let mut unmet = Vec::new();
    let mut cases = 0;
    for file in files {
        let json = std::fs::read(file.expect("a file").path()).expect("a readable file");
        let case: Value = serde_json::from_slice(&json).expect("a case is JSON");
        unmet.extend(unmet_by(&answer(&case["request"]), &case));
        cases += 1;
    }
    assert!(cases >= 40, "{cases} cases");
    assert!(unmet.is_empty(), "{}", unmet.join("\n"));
}

#[test]
fn every_answer_has_the_length_of_its_body() {
    for path in ["/auth/validate", "/healthz", "/else"] {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let response =
                handle(&Request { method, target: path, headers: &Lines(Vec::new()) }, &DevelopmentKeys, NOW);
            let length = response.headers.iter().find(|(name, _)| *name == "content-length");
            let announced: usize = length.and_then(|(_, value)| value.parse().ok()).expect("a length");
            let sent = response.body.len();
            assert!(announced == sent || (method == "HEAD" && sent == 0 && announced > 0), "{method} {path}");
        }
    }
}

fn answer(request: &Value) -> Response {
    let headers = request["headers"].as_array().expect("a list");
    let headers =
        Lines(headers.iter().map(|line| (text(&line[0]).to_ascii_lowercase(), value(text(&line[1])))).collect());
    let (method, target) = (text(&request["method"]), text(&request["path"]));
    handle(&Request { method, target, headers: &headers }, &DevelopmentKeys, NOW)
}

/// A character is one byte; the spaces and tabs around belong to HTTP.
fn value(text: &str) -> Vec<u8> {
    let trimmed = text.trim_matches([' ', '\t']);
    trimmed.chars().map(|c| u8::try_from(c).expect("a character of a header is one byte")).collect()
}

/// Header lines as they came, names in lower case.
struct Lines(Vec<(String, Vec<u8>)>);

impl Headers for Lines {
    fn values(&self, name: &str) -> Vec<Vec<u8>> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }
}

/// One sentence for each member of `expect` that the answer does not meet.
fn unmet_by(response: &Response, case: &Value) -> Vec<String> {
    let header = |name: &str| response.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let mut unmet = Vec::new();
    let mut check = |member: &str, wanted: &Value, got: Value| {
        if *wanted != got {
            unmet.push(format!("{}: {member}: wanted {wanted}, got {got}", text(&case["name"])));
        }
    };
    for (member, wanted) in case["expect"].as_object().expect("an object") {
        match member.as_str() {
            "status" => check(member, wanted, response.status.into()),
            "content_type" => check(member, wanted, header("content-type").into()),
            "headers" => {
                for (name, wanted) in wanted.as_object().expect("an object") {
                    check(name, wanted, header(name).into());
                }
            }
            "json" => check(member, wanted, serde_json::from_slice(&response.body).unwrap_or(Value::Null)),
            "body_bytes" => check(member, wanted, response.body.len().into()),
            unknown => panic!("{}: unknown member {unknown}", case["name"]),
        }
    }
    unmet
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
