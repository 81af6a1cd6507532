//! `diffs`: what differs, asked of a running proxy or read from the directory it left.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use reqwest::Method;
use serde_json::json;

use crate::clock::now_ms;
use crate::shadow::acceptance::{Acceptance, Accepted, accept_in};
use crate::shadow::noise::Status;
use crate::shadow::record::{Samples, Store, merge};
use crate::shadow::rules::review::{self, Reviewed};
use crate::shadow::rules::{Day, Rules, accepted};
use crate::shift::evidence::EndpointCount;
use crate::show::export::{Format, Report};
use crate::show::finding::{self, Finding, ShownSample};

use super::AdminPort;

/// Where findings are read from.
pub enum Source {
    Running(AdminPort),
    /// Of a proxy that no longer runs.
    Directory(PathBuf),
}

/// How `diffs list` shows what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// What asks for something to be done.
    Findings,
    /// Those too that a rule explains, or legacy's own noise.
    All,
    Json,
}

pub fn list(source: &Source, view: View) -> anyhow::Result<String> {
    let findings = source.findings(Samples::One)?;
    if view == View::Json {
        return json_text(&findings);
    }
    let is_open = |finding: &&Finding| matches!(finding.status, Status::Finding | Status::Undecided);
    let (open, others): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(is_open);
    let mut text: String = open.iter().map(|finding| line(finding)).collect();
    if open.is_empty() {
        text += "no difference that no rule explains\n";
    }
    match view {
        View::All => text.extend(others.iter().map(|finding| line(finding))),
        _ if !others.is_empty() => {
            let of = |status| others.iter().filter(|finding| finding.status == status).count();
            let (explained, noise) = (of(Status::Explained), of(Status::Noise));
            text += &match noise {
                0 => format!("{explained} more are explained by rules; see them with --all\n"),
                _ => format!(
                    "{explained} more are explained by rules and {noise} are legacy's own noise; see them with --all\n"
                ),
            };
        }
        _ => {}
    }
    Ok(text)
}

pub fn show(source: &Source, id: i64, view: View) -> anyhow::Result<String> {
    let finding = source.finding(id)?;
    if view == View::Json {
        return json_text(&finding);
    }
    let at = |ms: u64| humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms));
    let class = |class: Option<crate::shadow::class::Class>| class.map_or("nothing", |class| class.name());
    let mut text = line(&Finding { curl: None, ..finding.clone() });
    text += &format!(
        "        {:?}, {:?}: {} since {}, last {}\n        at most {:.4} % of the requests, with 95 % confidence\n",
        finding.status,
        finding.trend,
        finding.count,
        at(finding.first_seen_ms),
        at(finding.last_seen_ms),
        finding.upper_bound * 100.0
    )
    .to_lowercase();
    let (legacy, candidate) = (finding.legacy.as_deref(), finding.candidate.as_deref());
    text += &format!("legacy ({}): {}\n", class(finding.classes.legacy), legacy.unwrap_or("-"));
    text += &format!("candidate ({}): {}\n", class(finding.classes.candidate), candidate.unwrap_or("-"));
    for sample in finding.samples.iter().flatten() {
        text += &format!("\nat {}\n{}", at(sample.at_ms), exchange(sample));
    }
    if let Some(curl) = &finding.curl {
        text += &format!("\n{curl}\n");
    }
    Ok(text)
}

pub fn curl(source: &Source, id: i64) -> anyhow::Result<String> {
    let curl = source.finding(id)?.curl;
    let curl = curl.with_context(|| {
        format!("no exchange that shows finding {id} is kept any more; wait for the next, or raise record.bytes_max")
    })?;
    Ok(curl + "\n")
}

/// A rule from a finding, in force at once.
pub fn accept(source: &Source, id: i64, acceptance: &Acceptance, written: &Rules) -> anyhow::Result<String> {
    let accepted: Accepted = match source {
        Source::Directory(data) => accept_in(data, id, acceptance, written)?,
        Source::Running(port) => {
            let answer = port.ask(Method::POST, &format!("/api/diffs/{id}/accept"), Some(&json!(acceptance)))?;
            serde_json::from_value(answer).with_context(|| port.is_no_proxy())?
        }
    };
    let Accepted { id, rule, expires } = accepted;
    Ok(format!("finding {id} is accepted: the rule {rule:?} explains it until {expires}\n"))
}

/// `written` are those of the configuration; a running proxy has its own.
pub fn rules(source: &Source, written: Rules, as_json: bool) -> anyhow::Result<String> {
    let reviewed: Vec<Reviewed> = match source {
        Source::Running(port) => port.read("/api/rules")?,
        Source::Directory(data) => {
            let rules = accepted::join(written, data, Day::of_ms(now_ms()))?;
            finding::rules(&Store::open(data)?, &rules, now_ms())?
        }
    };
    if as_json { json_text(&reviewed) } else { Ok(review::text(&reviewed)) }
}

/// Into a file, or as text.
pub fn export(source: &Source, format: Format, out: Option<&Path>) -> anyhow::Result<String> {
    let report = Report { endpoints: source.endpoints()?, findings: source.findings(Samples::All)? };
    let text = format.exporter().export(&report)?;
    let Some(out) = out else { return Ok(text) };
    std::fs::write(out, text)
        .with_context(|| format!("{} cannot be written; name another with --out", out.display()))?;
    Ok(format!("{} findings of {} endpoints in {}\n", report.findings.len(), report.endpoints.len(), out.display()))
}

/// Each a store, or the directory of one.
pub fn merged(files: &[PathBuf], out: &Path) -> anyhow::Result<String> {
    let stores = merge(files, out)?;
    Ok(format!("{} stores in {}; read it with `shadow-proxy diffs --data`\n", stores, out.display()))
}

impl Source {
    fn findings(&self, samples: Samples) -> anyhow::Result<Vec<Finding>> {
        match (self, samples) {
            (Source::Directory(data), _) => finding::findings(&Store::open(data)?, samples, BASE, now_ms()),
            (Source::Running(port), Samples::None | Samples::One) => port.read("/api/diffs"),
            (Source::Running(port), Samples::All) => port.read("/api/diffs?samples=all"),
        }
    }

    fn finding(&self, id: i64) -> anyhow::Result<Finding> {
        match self {
            Source::Running(port) => port.read(&format!("/api/diffs/{id}")),
            Source::Directory(data) => {
                let found = finding::finding(&Store::open(data)?, id, BASE, now_ms())?;
                found.with_context(|| format!("there is no finding {id}; `shadow-proxy diffs` lists them"))
            }
        }
    }

    fn endpoints(&self) -> anyhow::Result<Vec<EndpointCount>> {
        match self {
            Source::Running(port) => port.read("/api/endpoints"),
            Source::Directory(data) => Store::open(data)?.endpoints(),
        }
    }
}

/// `#11` is what the other commands take. Variables in the curl line stand for what was redacted.
fn line(finding: &Finding) -> String {
    let Finding { id, severity, count, pairs, endpoint, sentence, .. } = finding;
    let by = match (&finding.rule, finding.status) {
        (Some(rule), _) => format!(", explained by {rule}"),
        (None, Status::Noise) => ", as legacy does by itself".to_owned(),
        (None, Status::Undecided) => ", undecided yet".to_owned(),
        (None, _) => String::new(),
    };
    let is_open = matches!(finding.status, Status::Finding | Status::Undecided);
    let curl = finding.curl.as_deref().filter(|_| is_open).map(|curl| format!("        {curl}\n"));
    format!(
        "#{id:<6} {:<8} {count} of {pairs}  {endpoint}: {sentence}{by}\n{}",
        severity.name(),
        curl.unwrap_or_default()
    )
}

/// Call and answers as HTTP would have them, secrets as stand-ins.
fn exchange(sample: &ShownSample) -> String {
    let crate::shadow::record::Shown { call, legacy, candidate } = &sample.shown;
    let message = |mark: &str, first: &str, headers: &[(String, String)], body: &str| {
        let headers = headers.iter().map(|(name, value)| format!("{name}: {value}"));
        let lines = std::iter::once(first.to_owned()).chain(headers).chain(body.lines().map(str::to_owned));
        lines.map(|line| format!("{mark} {line}\n")).collect::<String>()
    };
    let mut text = message(">", &format!("{} {}", call.method, call.path), &call.headers, &call.body);
    for (side, answer) in [("legacy", legacy), ("candidate", candidate)] {
        if let Some(answer) = answer {
            text += &message("<", &format!("{side} {}", answer.status), &answer.headers, &answer.body);
        }
    }
    text
}

fn json_text<T: serde::Serialize>(value: &T) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Where curl lines point to when no proxy runs.
const BASE: &str = "http://127.0.0.1:8080";
