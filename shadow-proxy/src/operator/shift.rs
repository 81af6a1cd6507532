//! Commands that move the weight, and those that say why it moved, or would have.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::shift::backtest::{Backtest, Moment};
use crate::shift::history;
use crate::shift::journal;
use crate::shift::plan::Plan;
use crate::show::shift::{Explained, at, no_decision};

use super::AdminPort;

/// Who gives a command, and why: both are journalled.
pub struct By<'a> {
    pub who: &'a str,
    pub why: &'a str,
}

pub fn weight(port: &AdminPort, ppm: u32, By { who, why }: By) -> anyhow::Result<String> {
    change(port, "weight", &json!({"ppm": ppm, "who": who, "why": why}))
}

/// `verb` as in `POST /api/VERB`.
pub fn order(port: &AdminPort, verb: &str, By { who, why }: By) -> anyhow::Result<String> {
    change(port, verb, &json!({"who": who, "why": why}))
}

/// Says what the evidence was, too: whoever raises a weight over lockouts should at least have seen them.
fn change(port: &AdminPort, verb: &str, command: &Value) -> anyhow::Result<String> {
    let change = port.ask(reqwest::Method::POST, &format!("/api/{verb}"), Some(command))?;
    let status = port.ask(reqwest::Method::GET, "/api/status", None)?;
    let (requests, decisions) = (&status["requests"], &status["decisions"]);
    let mut text = format!(
        "weight {} ppm, was {} ppm; phase {}; journalled as {}\n",
        change["to_ppm"],
        change["from_ppm"],
        change["phase"].as_str().unwrap_or_default(),
        change["epoch"]
    );
    for reason in change["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        text += &format!("  {reason}\n");
    }
    text += &format!(
        "so far {} compared, {} breaches, {} lockouts, {} mismatches\n",
        requests["compared"], decisions["deny_allow"], decisions["allow_deny"], status["verdicts"]["mismatch"],
    );
    Ok(text)
}

/// A decision by its number, or the last, of a running proxy or of the directory one left.
pub fn explain(port: &AdminPort, data: Option<&Path>, epoch: Option<u64>, as_json: bool) -> anyhow::Result<String> {
    let explained = match data {
        Some(data) => Explained::of(journal::find(data, epoch)?.with_context(|| no_decision(epoch))?),
        None => {
            let wanted = epoch.map_or_else(|| "last".to_owned(), |epoch| epoch.to_string());
            port.read(&format!("/api/shift/{wanted}"))?
        }
    };
    Ok(if as_json { format!("{:#}\n", json!(explained)) } else { explained.text() })
}

pub fn backtest(plan: Plan, data: &Path) -> anyhow::Result<String> {
    let mut backtest = Backtest::new(plan);
    let (mut first, mut last) = (None, 0);
    history::read(data, |minute| {
        first = first.or(Some(minute.at_ms));
        last = minute.at_ms;
        backtest.add(&minute);
    })?;
    let first = first.context("there is no minute in the history yet; a running proxy writes one every minute")?;
    let mut text = format!("{} minutes of traffic, {} to {}\n", backtest.minutes, at(first), at(last));
    for Moment { at_ms, finding, from_ppm, to_ppm, reasons } in &backtest.moments {
        let reason = reasons.first().map_or("", String::as_str);
        text += &format!("{}  would {:<9} {from_ppm:>7} -> {to_ppm:>7} ppm  {reason}\n", at(*at_ms), finding.words());
    }
    if backtest.moments.is_empty() {
        text += "nothing would have moved\n";
    }
    for reason in &backtest.last {
        text += &format!("at last: {reason}\n");
    }
    Ok(text)
}
