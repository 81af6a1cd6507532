//! The commands of an operator: they ask a running proxy through its admin port.

mod gate;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::shadow::record::Store;
use crate::show::finding;

pub use self::gate::gate;

pub struct AdminPort {
    pub address: String,
    pub token_file: Option<PathBuf>,
}

pub fn status(port: &AdminPort, as_json: bool) -> anyhow::Result<String> {
    let status = port.ask(reqwest::Method::GET, "/api/status", None)?;
    ensure!(status["phase"].is_string(), port.is_no_proxy());
    if as_json {
        return Ok(format!("{status:#}\n"));
    }
    let weight_ppm = status["weight_ppm"].as_u64().unwrap_or(0);
    let mut text =
        format!("phase     {}, weight {weight_ppm} ppm ({} %)\n", word(&status["phase"]), weight_ppm as f64 / 10_000.0);
    for (part, names) in STATUS_PARTS {
        let counts = counts(&status[part], names);
        text += &format!("{part:<9} {}\n", if counts.is_empty() { "none so far" } else { &counts });
    }
    if status["unreadable"].as_u64() != Some(0) {
        text += &format!("besides   unreadable {}\n", status["unreadable"]);
    }
    if let Some(records) = status["keys"]["records"].as_u64() {
        text += &format!("keys      {records} in force, {} of them weak\n", status["keys"]["weak"]);
    }
    if let Some(reason) = status["keys"]["refused"].as_str() {
        text += &format!("          NEWER ONES ARE REFUSED: {reason}\n");
    }
    for side in ["legacy", "candidate"] {
        let latency = &status["latency"][side];
        let at = |name: &str| latency[name].as_u64().unwrap_or(0);
        let (p50, p95, p99, p999) = (at("p50_us"), at("p95_us"), at("p99_us"), at("p999_us"));
        text += &format!("{side:<9} p50 {p50} µs, p95 {p95} µs, p99 {p99} µs, p99.9 {p999} µs\n");
    }
    Ok(text)
}

/// What `status` shows, in the order of a request; the second name is for people.
const STATUS_PARTS: [(&str, &[(&str, &str)]); 3] = [
    (
        "requests",
        &[
            ("received", "received"),
            ("serving", "being served"),
            ("served", "served by"),
            ("rescued", "rescued"),
            ("unanswered", "unanswered"),
            ("mirrored", "mirrored"),
            ("skipped", "skipped"),
            ("dropped", "dropped"),
            ("compared", "compared"),
            ("not_comparable", "not comparable"),
            ("in_flight", "in flight"),
        ],
    ),
    ("verdicts", &[("match", "match"), ("explained", "explained"), ("mismatch", "mismatch")]),
    (
        "decisions",
        &[
            ("allow_allow", "both allow"),
            ("deny_deny", "both deny"),
            ("deny_allow", "BREACH"),
            ("allow_deny", "LOCKOUT"),
            ("other", "other"),
        ],
    ),
];

pub fn weight(port: &AdminPort, ppm: u32, who: &str, why: &str) -> anyhow::Result<String> {
    change(port, "/api/weight", &json!({"ppm": ppm, "who": who, "why": why}))
}

pub fn rollback(port: &AdminPort, who: &str, why: &str) -> anyhow::Result<String> {
    change(port, "/api/rollback", &json!({"who": who, "why": why}))
}

/// Says what the evidence was, too: whoever raises a weight over lockouts should at least have seen them.
fn change(port: &AdminPort, path: &str, command: &Value) -> anyhow::Result<String> {
    let change = port.ask(reqwest::Method::POST, path, Some(command))?;
    let status = port.ask(reqwest::Method::GET, "/api/status", None)?;
    let (requests, decisions) = (&status["requests"], &status["decisions"]);
    Ok(format!(
        "weight {} ppm, was {} ppm; journalled\nso far {} compared, {} breaches, {} lockouts, {} mismatches\n",
        change["to_ppm"],
        change["from_ppm"],
        requests["compared"],
        decisions["deny_allow"],
        decisions["allow_deny"],
        status["verdicts"]["mismatch"],
    ))
}

/// How `diffs` is to show what it finds.
pub enum DiffsView {
    /// What no rule explains.
    Findings,
    /// Those too that a rule explains.
    All,
    Json,
    One(i64),
}

pub fn diffs(port: &AdminPort, data: Option<&Path>, view: &DiffsView) -> anyhow::Result<String> {
    let answer = match (data, view) {
        (Some(data), DiffsView::One(id)) => {
            let found = finding::finding(&Store::open(data)?, *id, BASE, now_ms())?;
            json!(found.with_context(|| format!("there is no finding {id}; leave --id out to list them"))?)
        }
        (Some(data), _) => json!(finding::findings(&Store::open(data)?, BASE, now_ms())?),
        (None, DiffsView::One(id)) => port.ask(reqwest::Method::GET, &format!("/api/diffs/{id}"), None)?,
        (None, _) => port.ask(reqwest::Method::GET, "/api/diffs", None)?,
    };
    if matches!(view, DiffsView::Json | DiffsView::One(_)) {
        return Ok(format!("{answer:#}\n"));
    }
    let findings = answer.as_array().with_context(|| port.is_no_proxy())?;
    let (explained, unexplained): (Vec<&Value>, Vec<&Value>) =
        findings.iter().partition(|finding| finding["rule"].is_string());
    let mut text: String = unexplained.iter().copied().map(finding_text).collect();
    if unexplained.is_empty() {
        text += "no difference that no rule explains\n";
    }
    match view {
        DiffsView::All => text.extend(explained.iter().copied().map(finding_text)),
        _ if !explained.is_empty() => {
            text += &format!("{} more are explained by rules; see them with --all\n", explained.len())
        }
        _ => {}
    }
    Ok(text)
}

/// Where curl lines point to when no proxy runs.
const BASE: &str = "http://127.0.0.1:8080";

/// `#11` is what `--id` takes. Variables in the curl line stand for what was redacted.
fn finding_text(finding: &Value) -> String {
    let by = finding["rule"].as_str().map(|rule| format!(", explained by {rule}")).unwrap_or_default();
    let curl = finding["curl"].as_str().filter(|_| by.is_empty()).map(|curl| format!("        {curl}\n"));
    format!(
        "#{:<6} {:<8} {} of {}  {}: {}{by}\n{}",
        finding["id"].as_i64().unwrap_or(0),
        word(&finding["severity"]),
        finding["count"],
        finding["pairs"],
        word(&finding["endpoint"]),
        word(&finding["sentence"]),
        curl.unwrap_or_default(),
    )
}

impl AdminPort {
    fn ask(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let token = self.token_file.as_ref().map(|file| {
            std::fs::read_to_string(file).with_context(|| format!("--token-file {} cannot be read", file.display()))
        });
        let token = token.transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (status, text) = runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
            let mut request = client.request(method, format!("http://{}{path}", self.address));
            if let Some(token) = &token {
                request = request.bearer_auth(token.trim());
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = request.send().await.with_context(|| {
                format!("no proxy answers at {}; name the admin port of a running one with --admin", self.address)
            })?;
            anyhow::Ok((response.status(), response.text().await?))
        })?;
        let answer: Value = serde_json::from_str(&text).with_context(|| self.is_no_proxy())?;
        if !status.is_success() {
            bail!("{}", answer["detail"].as_str().map_or_else(|| self.is_no_proxy(), str::to_owned));
        }
        Ok(answer)
    }

    fn is_no_proxy(&self) -> String {
        format!("{} is not the admin port of a shadow-proxy; look at its `ready` line", self.address)
    }
}

/// `a 1, b 2 (c 3)`, leaving out what is zero.
fn counts(value: &Value, names: &[(&str, &str)]) -> String {
    let shown = names.iter().filter_map(|(key, name)| match &value[key] {
        Value::Number(number) if number.as_u64() != Some(0) => Some(format!("{name} {number}")),
        Value::Object(inner) => {
            let inner: Vec<String> = inner
                .iter()
                .filter(|(_, count)| count.as_u64() != Some(0))
                .map(|(reason, count)| format!("{reason} {count}"))
                .collect();
            (!inner.is_empty()).then(|| format!("{name} ({})", inner.join(", ")))
        }
        _ => None,
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
