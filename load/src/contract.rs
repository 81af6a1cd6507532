//! The contract: one case per file, a request and what its answer must be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use reqwest::header::HeaderName;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::cli::Expecting;
use crate::request::{RawRequest, Request};

const CASES_MAX: usize = 2_000;
const FILE_BYTES_MAX: u64 = 1 << 20;
const WEIGHT_MAX: u32 = 10_000;

/// A case that is sent: its weight is not 0.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) weight: u32,
    pub(crate) request: Request,
    /// The answer is right when it meets one of these; never empty.
    pub(crate) accepted: Vec<Expect>,
}

/// What is not named is not checked.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) status: Option<u16>,
    /// The media type alone; parameters are not compared.
    pub(crate) content_type: Option<String>,
    /// By name; `None` = must be absent.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Option<String>>,
    pub(crate) json: Option<Value>,
    pub(crate) body_bytes: Option<u64>,
}

/// The cases of `folder` in the order of their file names; with `only`, those alone. Every error that can be found
/// is returned.
pub(crate) fn read(folder: &Path, only: &[String], expecting: Expecting) -> Result<Vec<Case>, Vec<String>> {
    let files = list(folder).map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    let mut cases = Vec::new();
    for file in files {
        let shown = file.display();
        match read_file(&file, expecting) {
            Ok(Read { name, case }) => {
                if !names.insert(name.clone()) {
                    errors.push(format!("{shown}: another file also has the case {name:?}; rename one of them"));
                }
                cases.extend(case.filter(|case| only.is_empty() || only.contains(&case.name)));
            }
            Err(problem) => errors.push(format!("{shown}: {problem}")),
        }
    }
    if errors.is_empty() {
        errors.extend(only.iter().filter_map(|name| missing(name, &names, &cases)));
    }
    if errors.is_empty() && cases.is_empty() {
        let shown = folder.display();
        errors.push(format!("{shown}: no case has a weight above 0, so nothing would be sent; give one a weight"));
    }
    if errors.is_empty() { Ok(cases) } else { Err(errors) }
}

fn missing(name: &str, names: &BTreeSet<String>, cases: &[Case]) -> Option<String> {
    if cases.iter().any(|case| case.name == name) {
        return None;
    }
    Some(if names.contains(name) {
        format!("--case {name}: its weight is 0, which says never to send it; give it a weight in its file")
    } else {
        format!("--case {name}: the contract has no such case; use a \"name\" found in its files")
    })
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = folder.display();
    let unreadable = |error| format!("{shown}: {error}; name the folder of the contract with --contract");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    match files.len() {
        0 => Err(format!("{shown}: no .json file in it; name the folder of the contract with --contract")),
        1..=CASES_MAX => Ok(files),
        more => Err(format!("{shown}: {more} cases, {CASES_MAX} are the most; name a smaller folder with --contract")),
    }
}

#[derive(Debug)]
struct Read {
    name: String,
    /// Absent when the weight is 0.
    case: Option<Case>,
}

fn read_file(file: &Path, expecting: Expecting) -> Result<Read, String> {
    let size = fs::metadata(file).map_err(|error| format!("{error}; make it readable"))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("{size} bytes, {FILE_BYTES_MAX} are the most; use body_repeat for a long body"));
    }
    let text = fs::read_to_string(file).map_err(|error| format!("{error}; make it readable"))?;
    parse(&text, expecting)
}

fn parse(text: &str, expecting: Expecting) -> Result<Read, String> {
    let raw: RawCase = serde_json::from_str(text).map_err(|error| format!("{error}; correct the file"))?;
    let RawCase { name, weight, request, expect, legacy, fastapi, .. } = raw;
    if name.trim().is_empty() {
        return Err("\"name\" is empty; give the case a name".into());
    }
    if weight > WEIGHT_MAX {
        return Err(format!("weight {weight} is above {WEIGHT_MAX}; weights are shares, use smaller ones"));
    }
    let candidate = expectation("expect", expect.clone())?;
    if candidate.status.is_none() {
        return Err("\"expect\" has no \"status\"; add it, or nothing is checked".into());
    }
    let fastapi = expectation("fastapi", overlay(expect.clone(), fastapi))?;
    let legacy = expectation("legacy", overlay(expect, legacy))?;
    if weight == 0 {
        // Such a case may be one that an HTTP client cannot send, which others send over a bare socket.
        return Ok(Read { name, case: None });
    }
    let request: RawRequest =
        serde_json::from_value(request).map_err(|error| format!("\"request\": {error}; correct the file"))?;
    let request = request.prepare()?;
    let accepted = match expecting {
        Expecting::Legacy => vec![legacy],
        Expecting::Candidate => vec![candidate],
        Expecting::Fastapi => vec![fastapi],
        Expecting::Either if legacy == candidate => vec![candidate],
        Expecting::Either => vec![legacy, candidate],
    };
    Ok(Read { name: name.clone(), case: Some(Case { name, weight, request, accepted }) })
}

/// The members of `legacy` take the places of those of `expect`; null takes one away.
fn overlay(mut expect: Map<String, Value>, legacy: Map<String, Value>) -> Map<String, Value> {
    for (member, value) in legacy {
        if value.is_null() {
            expect.remove(&member);
        } else {
            expect.insert(member, value);
        }
    }
    expect
}

fn expectation(member: &str, value: Map<String, Value>) -> Result<Expect, String> {
    let expect: Expect = serde_json::from_value(Value::Object(value))
        .map_err(|error| format!("\"{member}\": {error}; correct the file"))?;
    for name in expect.headers.keys() {
        HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("\"{member}\": {name:?} cannot be a header's name; correct it"))?;
    }
    Ok(expect)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    // For people; named here so that other members are known to be misspelt.
    #[serde(rename = "why")]
    _why: Option<IgnoredAny>,
    weight: u32,
    request: Value,
    expect: Map<String, Value>,
    #[serde(default)]
    legacy: Map<String, Value>,
    #[serde(default)]
    fastapi: Map<String, Value>,
    #[serde(rename = "difference")]
    _difference: Option<IgnoredAny>,
    #[serde(rename = "class")]
    _class: Option<IgnoredAny>,
    // For the tests of other services.
    #[serde(rename = "parity")]
    _parity: Option<IgnoredAny>,
    #[serde(rename = "fastapi_difference")]
    _fastapi_difference: Option<IgnoredAny>,
    #[serde(rename = "shadow_proxy")]
    _shadow_proxy: Option<IgnoredAny>,
    #[serde(rename = "shadow_proxy_difference")]
    _shadow_proxy_difference: Option<IgnoredAny>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn case() -> Value {
        json!({
            "name": "valid-key", "why": "the usual", "weight": 40,
            "request": {"method": "POST", "path": "/auth/validate?a=1", "headers": [["X-A", "1"], ["X-A", "2"]]},
            "expect": {"status": 200, "content_type": "application/json", "json": {"valid": true}},
            "legacy": {"content_type": "text/html", "json": null}, "difference": "an example",
        })
    }

    fn accepted(expecting: Expecting) -> Vec<Expect> {
        parse(&case().to_string(), expecting).expect("the case is right").case.expect("it has a weight").accepted
    }

    #[test]
    fn the_legacys_members_take_the_places_of_the_expected_ones() {
        let candidate = Expect {
            status: Some(200),
            content_type: Some("application/json".into()),
            json: Some(json!({"valid": true})),
            ..Expect::default()
        };
        let legacy = Expect { status: Some(200), content_type: Some("text/html".into()), ..Expect::default() };
        for (expecting, expected) in [
            (Expecting::Candidate, vec![candidate.clone()]),
            (Expecting::Legacy, vec![legacy.clone()]),
            (Expecting::Either, vec![legacy, candidate]),
        ] {
            assert_eq!(accepted(expecting), expected, "{expecting:?}");
        }
    }

    /// Sets the member at `pointer` and tells what is then wrong with the case.
    fn refusal(pointer: &str, value: Value) -> String {
        let mut case = case();
        let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
        case.pointer_mut(parent).expect("the parent exists")[member] = value;
        parse(&case.to_string(), Expecting::Either).expect_err("the case is wrong")
    }

    #[test]
    fn wrong_cases_are_refused_with_what_to_do() {
        for (pointer, value, says) in [
            ("/wieght", json!(1), "unknown field `wieght`"),
            ("/name", json!(" "), "give the case a name"),
            ("/weight", json!(10_001), "use smaller ones"),
            ("/expect/satus", json!(200), "unknown field `satus`"),
            ("/expect/status", Value::Null, "no \"status\""),
            ("/legacy/headers", json!({"a b": "x"}), "cannot be a header's name"),
            ("/request/path", json!("*"), "set the weight to 0"),
        ] {
            let problem = refusal(pointer, value);
            assert!(problem.contains(says), "{pointer}: {problem}");
        }
    }

    #[test]
    fn what_cannot_be_sent_may_stand_in_the_contract_with_weight_0() {
        let mut case = case();
        case["request"]["path"] = json!("/a/../b");
        case["weight"] = json!(0);
        assert!(parse(&case.to_string(), Expecting::Either).expect("it is not sent").case.is_none());
    }

    #[test]
    fn the_contract_of_the_legacy_service_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../legacy-stub/contract");
        let cases = read(&folder, &[], Expecting::Either).expect("it has no errors");
        assert!(cases.len() > 200, "{}", cases.len());
        for name in ["valid-key-123", "jwt-es256", "forward-key"] {
            assert!(cases.iter().any(|case| case.name == name), "{name}");
        }
    }

    #[test]
    fn all_errors_of_a_folder_are_told_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).expect("a file");
        write("a.json", &case().to_string());
        write("b.json", &case().to_string());
        write("c.json", "{");
        write("README.md", "not a case");
        let errors = read(folder.path(), &[], Expecting::Either).expect_err("two of three files are wrong");
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].contains("b.json: another file also has the case \"valid-key\""), "{errors:?}");
        assert!(errors[1].contains("c.json: EOF"), "{errors:?}");
    }

    #[test]
    fn only_the_named_cases_are_read_and_unknown_ones_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, weight) in [("a", 1), ("b", 1), ("never", 0)] {
            let mut case = case();
            case["name"] = json!(name);
            case["weight"] = json!(weight);
            fs::write(folder.path().join(format!("{name}.json")), case.to_string()).expect("a file");
        }
        let read = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
            read(folder.path(), &only, Expecting::Either)
        };
        let names = |cases: Vec<Case>| cases.into_iter().map(|case| case.name).collect::<Vec<_>>();
        assert_eq!(read(&[]).map(names), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(read(&["b"]).map(names), Ok(vec!["b".into()]));
        let errors = read(&["never", "nowhere"]).map(names).expect_err("neither can be sent");
        assert!(errors[0].contains("its weight is 0") && errors[1].contains("no such case"), "{errors:?}");
    }
}
