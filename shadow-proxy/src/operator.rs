//! The commands of an operator: they ask a running proxy through its admin port.

pub mod diffs;
mod gate;
pub mod shift;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::gate::{decommission, gate};

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
    text += &shift_lines(&status["shift"]);
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

/// The step and since when, the brake, and what the last look found.
fn shift_lines(shift: &Value) -> String {
    let since = shift["since_ms"].as_u64().filter(|since| *since > 0);
    let step = shift["step"].as_u64().map(|step| format!("step {step} of the plan, "));
    let since =
        since.map_or_else(|| "since the start".to_owned(), |ms| format!("since {}", crate::show::shift::at(ms)));
    let mut text = format!("shift     {}{since}, decision {}\n", step.unwrap_or_default(), shift["epoch"]);
    if shift["brake"] == true {
        text += "          THE BRAKE IS ON: the candidate was found failing; `advance` or `resume` releases it\n";
    }
    let reason = shift["reasons"][0].as_str().unwrap_or("nothing to say");
    text + &format!("          {}: {reason}\n", word(&shift["finding"]))
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

    fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.ask(reqwest::Method::GET, path, None)?;
        serde_json::from_value(answer).with_context(|| self.is_no_proxy())
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
