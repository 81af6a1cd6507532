//! Captures of `shadow-proxy run --capture` (shadow-proxy/CAPTURE.md): the calls with the times at which they came. Right
//! is the status that legacy gave then; secrets may be stand-ins, so that bodies can differ.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::contract::{Case, Expect};
use crate::request::RawRequest;

const FORMAT: &str = "shadow-proxy capture";
const VERSION: u32 = 1;
const CALLS_MAX: usize = 1_000_000;

/// Told of a connection, not of a request: the generator makes its own.
const OF_THE_CONNECTION: [&str; 6] = ["connection", "content-length", "host", "keep-alive", "te", "transfer-encoding"];

#[derive(Debug)]
pub(crate) struct Captured {
    /// Since the first.
    pub(crate) at: Duration,
    pub(crate) case: Case,
}

#[derive(Deserialize)]
struct Header {
    format: String,
    v: u32,
}

#[derive(Deserialize)]
struct Line {
    at_us: u64,
    call: Call,
    legacy: Leg,
}

#[derive(Deserialize)]
struct Call {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    #[serde(default)]
    decoded: bool,
}

#[derive(Deserialize)]
struct Leg {
    status: Option<u16>,
    #[serde(rename = "failure")]
    _failure: Option<IgnoredAny>,
}

/// The calls in the order of their times. Those that legacy did not answer, and those that cannot be sent again as they
/// were, are left out.
pub(crate) fn read(file: &Path) -> Result<Vec<Captured>, String> {
    let shown = file.display();
    let open = File::open(file).map_err(|error| format!("--capture {shown}: {error}; name a capture file"))?;
    let mut lines =
        BufReader::new(open).lines().map(|line| line.map_err(|error| format!("--capture {shown}: {error}")));
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    serde_json::from_str::<Header>(&first)
        .ok()
        .filter(|header| header.format == FORMAT && header.v == VERSION)
        .ok_or_else(|| {
            format!("--capture {shown} is no capture of this version; one ends in .jsonl, and is not encrypted")
        })?;
    let mut calls = Vec::new();
    for line in lines {
        // The last line of a proxy that was killed may be cut short.
        let Ok(line) = serde_json::from_str::<Line>(&line?) else { continue };
        calls.extend(captured(line));
        if calls.len() > CALLS_MAX {
            return Err(format!("--capture {shown} has more than {CALLS_MAX} calls; split it"));
        }
    }
    calls.sort_by_key(|call| call.at);
    let Some(start) = calls.first().map(|call| call.at) else {
        return Err(format!("--capture {shown} has no call that can be sent again; capture some traffic first"));
    };
    calls.iter_mut().for_each(|call| call.at -= start);
    Ok(calls)
}

fn captured(line: Line) -> Option<Captured> {
    let Line { at_us, call, legacy } = line;
    let status = legacy.status?;
    let Call { method, target, headers, body, body_base64, decoded } = call;
    // A body that was kept decoded is sent so.
    let dropped = |name: &str| OF_THE_CONNECTION.contains(&name) || (decoded && name == "content-encoding");
    let headers = headers.into_iter().filter(|(name, _)| !dropped(&name.to_ascii_lowercase())).collect();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let name = format!("{method} {path}");
    let request = RawRequest::new(method, target, headers, body, body_base64).prepare().ok()?;
    let accepted = vec![Expect { status: Some(status), ..Expect::default() }];
    Some(Captured { at: Duration::from_micros(at_us), case: Case { name, weight: 1, request, accepted } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_with_their_gaps_and_what_cannot_be_sent_is_left_out() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let call = |at_us: u64, target: &str, legacy: &str| {
            format!(
                r#"{{"at_us":{at_us},"session":null,"call":{{"method":"POST","target":"{target}","headers":[["host","old:1"],["authorization","Bearer s1"]],"body":"x"}},"legacy":{legacy},"verdict":"match"}}"#
            )
        };
        let answered = r#"{"status":401,"latency_us":5,"headers":[]}"#;
        let lines = [
            r#"{"format":"shadow-proxy capture","v":1,"build":"b","started":"s","secrets":"stand-ins"}"#.to_owned(),
            call(9_000, "/b?q=1", answered),
            call(1_000, "/a", answered),
            call(2_000, "/gone", r#"{"failure":"timeout"}"#),
            call(3_000, "/x/../y", answered),
            r#"{"at_us":1,"call":{"meth"#.to_owned(),
        ];
        std::fs::write(file.path(), lines.join("\n")).expect("a file");
        let calls = read(file.path()).expect("a capture");
        let found: Vec<_> = calls.iter().map(|call| (call.at.as_micros(), call.case.name.as_str())).collect();
        assert_eq!(found, [(0, "POST /a"), (8_000, "POST /b")]);
        let case = &calls[1].case;
        assert_eq!((case.request.path.as_str(), case.accepted[0].status), ("/b?q=1", Some(401)));
        assert!(case.request.headers.get("host").is_none() && case.request.headers.contains_key("authorization"));
    }

    #[test]
    fn what_is_no_capture_is_refused_with_what_to_do() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for text in ["", "{}", r#"{"format":"shadow-proxy capture","v":2}"#] {
            std::fs::write(file.path(), text).expect("a file");
            assert!(read(file.path()).expect_err(text).contains("is no capture of this version"));
        }
        assert!(read(Path::new("/no/such")).expect_err("absent").ends_with("name a capture file"));
    }
}
