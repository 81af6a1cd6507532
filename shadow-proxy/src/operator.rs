//! The commands of an operator: they ask a running proxy through its admin port.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::shadow::record::Store;
use crate::show::finding;

pub struct AdminPort {
    pub address: String,
    pub token_file: Option<PathBuf>,
}

pub fn status(port: &AdminPort, as_json: bool) -> anyhow::Result<()> {
    let status = port.ask(reqwest::Method::GET, "/api/status", None)?;
    ensure!(status["phase"].is_string(), port.is_no_proxy());
    if as_json {
        println!("{status:#}");
        return Ok(());
    }
    let weight_ppm = status["weight_ppm"].as_u64().unwrap_or(0);
    println!("phase     {}, weight {weight_ppm} ppm ({} %)", word(&status["phase"]), weight_ppm as f64 / 10_000.0);
    for part in ["requests", "verdicts", "decisions"] {
        println!("{part:<9} {}", counts(&status[part]));
    }
    for side in ["legacy", "candidate"] {
        let latency = &status["latency"][side];
        let at = |name: &str| latency[name].as_u64().unwrap_or(0);
        println!(
            "{side:<9} p50 {} µs, p95 {} µs, p99 {} µs, p99.9 {} µs",
            at("p50_us"),
            at("p95_us"),
            at("p99_us"),
            at("p999_us")
        );
    }
    Ok(())
}

pub fn weight(port: &AdminPort, ppm: u32, who: &str, why: &str) -> anyhow::Result<()> {
    change(port, "/api/weight", &json!({"ppm": ppm, "who": who, "why": why}))
}

pub fn rollback(port: &AdminPort, who: &str, why: &str) -> anyhow::Result<()> {
    change(port, "/api/rollback", &json!({"who": who, "why": why}))
}

fn change(port: &AdminPort, path: &str, command: &Value) -> anyhow::Result<()> {
    let change = port.ask(reqwest::Method::POST, path, Some(command))?;
    println!("weight {} ppm, was {} ppm; journalled", change["to_ppm"], change["from_ppm"]);
    Ok(())
}

pub fn diffs(port: &AdminPort, data: Option<&Path>, id: Option<i64>, as_json: bool) -> anyhow::Result<()> {
    let answer = match (data, id) {
        (Some(data), None) => json!(finding::findings(Store::open(data)?.findings(None)?, "http://127.0.0.1:8080")),
        (Some(data), Some(id)) => {
            let stored = Store::open(data)?.finding(id)?;
            let stored = stored.with_context(|| format!("there is no finding {id}; leave --id out to list them"))?;
            json!(finding::finding(stored, "http://127.0.0.1:8080"))
        }
        (None, None) => {
            let findings = port.ask(reqwest::Method::GET, "/api/diffs", None)?;
            ensure!(findings.is_array(), port.is_no_proxy());
            findings
        }
        (None, Some(id)) => port.ask(reqwest::Method::GET, &format!("/api/diffs/{id}"), None)?,
    };
    if as_json || id.is_some() {
        println!("{answer:#}");
        return Ok(());
    }
    let findings = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    if findings.is_empty() {
        println!("no differences so far");
    }
    for finding in findings {
        let by = finding["rule"].as_str().map(|rule| format!(", explained by {rule}")).unwrap_or_default();
        println!(
            "{:>5}  {:<8} {} of {}  {}: {}{by}",
            finding["id"],
            word(&finding["severity"]),
            finding["count"],
            finding["pairs"],
            word(&finding["endpoint"]),
            word(&finding["sentence"]),
        );
        if let (Some(curl), true) = (finding["curl"].as_str(), by.is_empty()) {
            println!("       {curl}");
        }
    }
    Ok(())
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
            bail!("{}", answer["detail"].as_str().unwrap_or("the proxy refused without a reason"));
        }
        Ok(answer)
    }

    fn is_no_proxy(&self) -> String {
        format!("{} is not the admin port of a shadow-proxy; look at its `ready` line", self.address)
    }
}

/// `a 1, b 2 (c 3)`, leaving out what is zero.
fn counts(value: &Value) -> String {
    let Some(map) = value.as_object() else { return String::new() };
    let shown: Vec<String> = map
        .iter()
        .filter_map(|(name, value)| match value {
            Value::Number(number) if number.as_u64() != Some(0) => Some(format!("{name} {number}")),
            Value::Object(_) => {
                Some(counts(value)).filter(|inner| !inner.is_empty()).map(|inner| format!("{name} ({inner})"))
            }
            _ => None,
        })
        .collect();
    shown.join(", ")
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
