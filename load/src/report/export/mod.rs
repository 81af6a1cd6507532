//! A report in the forms in which it is read.

mod html;
mod json;
mod markdown;

use super::contents::Report;

pub(super) trait Exporter {
    fn extension(&self) -> &'static str;

    fn export(&self, report: &Report) -> String;
}

pub(super) fn all() -> [&'static dyn Exporter; 3] {
    [&html::Html, &markdown::Markdown, &json::Json]
}

/// A side for people.
fn side_title(side: &str) -> &str {
    match side {
        "candidate" => "component",
        "native" => "native Rust",
        "fastapi" => "FastAPI",
        other => other,
    }
}

/// The verdict of the gate for people: a mark, the word, and what it means.
fn verdict_words(verdict: Option<&str>) -> (&'static str, &'static str) {
    match verdict {
        Some("go") => ("✓", "Go"),
        Some("no-go") => ("✕", "No-go"),
        Some(_) => ("…", "Not enough evidence"),
        None => ("?", "No evidence given"),
    }
}

/// UTC, to the minute.
fn moment(unix_ms: u64) -> String {
    let moment = std::time::UNIX_EPOCH + std::time::Duration::from_millis(unix_ms);
    let text = humantime::format_rfc3339_seconds(moment).to_string();
    text.get(..16).map_or(text.clone(), |minute| format!("{} UTC", minute.replace('T', " ")))
}

/// A value with the unit that its metric has.
fn value(unit: &str, value: f64) -> String {
    match unit {
        "us" => crate::shown::time(value),
        "bytes" => crate::shown::bytes(value),
        "per_second" => format!("{}/s", crate::shown::figure(value)),
        "usd" => crate::shown::usd(value),
        _ => crate::shown::figure(value),
    }
}

fn value_range(unit: &str, range: crate::cost::Range) -> String {
    crate::shown::range(range, |of| value(unit, of))
}

/// What the method was, whatever came of it.
const METHOD: [&str; 7] = [
    "Requests are planned ahead at an exact rate and sent when they are due, whatever the answers do. Response time counts from the planned moment to the last byte, so a service that stalls is charged for everybody who waited.",
    "Every body is read to its end and every answer is checked against the contract. A wrong answer, however fast, makes the run fail.",
    "Legacy and candidate run in turn, never at the same time, in blocks of alternating order, on the same CPUs, after a warm-up. A ratio is the median over pairs; its interval comes from order statistics (no distribution assumed), its p from the exact sign test.",
    "Legacy against legacy is measured the same way: that is what this machine calls a difference where there is none. Nothing within it is called a difference.",
    "A run counts only if the load generator kept its plan, had CPU to spare, the machine was quiet and both sides answered alike. Runs that do not count are listed and never quoted.",
    "Starts are compared on equal rungs only: a process with a process, a container with a container. Memory is compared by the same measure, host included; a limit is not a use.",
    "CPU for each request is that of all threads of the service, at a rate far under its limit. Costs follow from it and from memory, in sizes that are sold.",
];

fn judged_words(judged: crate::claims::Judged) -> &'static str {
    match judged {
        crate::claims::Judged::Yes => "yes",
        crate::claims::Judged::Partly => "partly",
        crate::claims::Judged::No => "no",
        crate::claims::Judged::NotMeasured => "not measured",
    }
}
