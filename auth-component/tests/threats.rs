//! THREATS.md says of every threat what is answered, and names what shows it.

mod case;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use case::{all_cases, repository};
use serde_json::{Value, json};

const LAST: usize = 84;

struct Row {
    id: String,
    answer: String,
    shown_by: Vec<String>,
}

/// What a case of the contract demands.
struct Demand {
    answer: String,
    is_of_the_host: bool,
}

#[test]
fn every_threat_has_its_row() {
    let ids: Vec<String> = rows().into_iter().map(|row| row.id).collect();
    assert_eq!(ids, (1..=LAST).map(|number| format!("T{number}")).collect::<Vec<_>>());
}

#[test]
fn every_row_says_an_answer_and_what_shows_it() {
    for Row { id, answer, shown_by } in rows() {
        let is_not_here = answer.starts_with("not here: ");
        assert_eq!(answers(&answer).is_empty(), is_not_here, "{id} has no answer");
        assert!(!shown_by.is_empty(), "nothing shows {id}");
        let is_once = shown_by.iter().collect::<BTreeSet<_>>().len() == shown_by.len();
        assert!(is_once, "{id} names something twice");
    }
}

#[test]
fn what_a_row_names_exists() {
    let demands = demands();
    let mut missing = Vec::new();
    for Row { id, shown_by, .. } in rows() {
        for name in shown_by {
            let exists = match name.split_once("::") {
                Some((file, function)) => has_test(&repository(file), function),
                None => demands.keys().any(|case| fits(&name, case)),
            };
            if !exists {
                missing.push(format!("{id}: {name} is no case and no test"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_case_demands_an_answer_of_its_row_and_every_answer_is_shown() {
    let demands = demands();
    let mut wrong = Vec::new();
    for Row { id, answer, shown_by } in rows() {
        let mut unshown = answers(&answer);
        let allowed = unshown.clone();
        for pattern in &shown_by {
            for (name, demand) in demands.iter().filter(|(name, _)| fits(pattern, name)) {
                unshown.remove(&demand.answer);
                if !allowed.contains(&demand.answer) {
                    wrong.push(format!("{id}: {name} demands {}, and the row has {answer}", demand.answer));
                }
                if demand.is_of_the_host && !answer.contains("the host: ") {
                    wrong.push(format!("{id}: {name} is about bytes on a connection, and the row speaks of no host"));
                }
            }
        }
        // What a test shows is for whoever reads it to see.
        if !unshown.is_empty() && !shown_by.iter().any(|name| name.contains("::")) {
            wrong.push(format!("{id}: nothing shows {unshown:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn rows() -> Vec<Row> {
    let path = repository("auth-component/THREATS.md");
    let text = std::fs::read_to_string(path).expect("the table is there");
    let lines = text.lines().filter(|line| line.starts_with("| T"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [id, _what, answer, shown_by] = cells[..] else { panic!("{cells:?} are not four") };
            let shown_by = quoted(shown_by).map(str::to_owned).collect();
            Row { id: id.to_owned(), answer: answer.to_owned(), shown_by }
        })
        .collect()
}

/// Those between backticks that begin with a status.
fn answers(cell: &str) -> BTreeSet<String> {
    let is_status = |text: &&str| text.len() >= 3 && text.bytes().take(3).all(|byte| byte.is_ascii_digit());
    quoted(cell).filter(is_status).map(str::to_owned).collect()
}

fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn demands() -> BTreeMap<String, Demand> {
    let cases = all_cases().into_iter();
    cases
        .map(|case| {
            let is_of_the_host = case.request.get("raw").is_some();
            (case.name, Demand { answer: answer_of(&case.expect), is_of_the_host })
        })
        .collect()
}

/// The status and, where there is one, the error code, which stands in the body, the challenge or both.
fn answer_of(expect: &Value) -> String {
    let status = &expect["status"];
    let challenge = expect["headers"]["www-authenticate"].as_str().unwrap_or_default();
    let of_challenge = challenge.split("error=\"").nth(1).and_then(|rest| rest.split('"').next());
    let code = match expect["json"]["error"].as_str().or(of_challenge) {
        None if expect["json"] == json!({"active": false}) => Some("inactive"),
        code => code,
    };
    code.map_or_else(|| status.to_string(), |code| format!("{status} {code}"))
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// Whether the file has the function, with the mark of a test on the lines before it.
fn has_test(file: &Path, function: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(file) else { return false };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_it = |line: &&str| {
        let signature = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        signature.is_some_and(|rest| rest.strip_prefix(function).is_some_and(|rest| rest.starts_with('(')))
    };
    lines.iter().enumerate().filter(|(_, line)| is_it(line)).any(|(at, _)| {
        let before = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("///"));
        before.into_iter().any(|line| ["#[test]", "#[tokio::test"].iter().any(|mark| line.starts_with(mark)))
    })
}
