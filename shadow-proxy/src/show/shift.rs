//! The shift for whoever looks: where it stands, what was decided and why, whether it would be decided so again.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::shift::controller::{Controls, Present};
use crate::shift::journal::Entry;
use crate::shift::plan::Plan;
use crate::shift::state::State;
use crate::shift::step::{Decision, TestResult, step};
use crate::shift::weight::Weight;

/// For `status`: the state, and what the last look found.
pub fn status(controls: &Controls, weight: &Weight) -> Value {
    let (state, present) = (controls.state(), controls.present());
    let Decision { finding, reasons, .. } = &present.decision;
    json!({
        "epoch": state.epoch,
        "step": state.step.map(|step| step + 1),
        "since_ms": state.since_ms,
        "brake": state.brake || weight.is_braked(),
        "in_force_ppm": weight.ppm(),
        "approved": state.approved.map(|step| step + 1),
        "finding": finding,
        "reasons": reasons,
    })
}

/// For `GET /api/shift`: that, with all numbers.
pub fn present(controls: &Controls, plan: &Plan, weight: &Weight) -> Value {
    let Present { decision, input, .. } = &*controls.present();
    json!({
        "state": controls.state(),
        "in_force_ppm": weight.ppm(),
        "decision": decision,
        "input": input,
        "plan": plan,
    })
}

/// What a command did.
pub fn changed(entry: &Entry) -> Value {
    let Entry { at_ms, epoch, before, state, who, why, decision, .. } = entry;
    json!({
        "at_ms": at_ms,
        "epoch": epoch,
        "from_ppm": before.weight_ppm,
        "to_ppm": state.weight_ppm,
        "phase": state.phase,
        "step": state.step.map(|step| step + 1),
        "reasons": decision.reasons,
        "who": who,
        "why": why,
    })
}

/// A journalled decision, judged again by what it was judged by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Explained {
    pub entry: Entry,
    pub again: Decision,
    pub is_same: bool,
}

impl Explained {
    pub fn of(entry: Entry) -> Explained {
        let again = step(&entry.before, &entry.plan, &entry.input);
        let is_same = again == entry.decision;
        Explained { entry, again, is_same }
    }

    pub fn text(&self) -> String {
        let Entry { at_ms, epoch, before, state, who, why, decision, input, plan, .. } = &self.entry;
        let mut text = format!("decision {epoch}, {}: {}\n", at(*at_ms), decision.finding.words());
        text += &format!("  {} -> {}\n  by {who}: {why}\n", standing(before), standing(state));
        for reason in &decision.reasons {
            text += &format!("  {reason}\n");
        }
        text += &tests(&decision.tests);
        let live = &input.live;
        let slower = live.times.surely_slower(plan.at(before.weight_ppm).latency_margin);
        text += &format!(
            "seen at this weight: {} pairs, {} breaches, {} lockouts; failed: candidate alone {}, legacy alone {}; slower {} of {} timed\n",
            live.pairs,
            live.breaches,
            live.lockouts,
            live.candidate_bad,
            live.legacy_bad,
            slower,
            live.times.pairs()
        );
        text += &format!(
            "served: legacy {}, candidate {}, rescued {}, unanswered {}; {:.0} requests a minute, legacy asked for {:.0} %{}{}\n",
            live.served_legacy,
            live.served_candidate,
            live.rescued,
            live.unanswered,
            input.requests_per_minute,
            input.legacy_load * 100.0,
            if input.legacy_up { "" } else { ", legacy down" },
            if input.evidence_failed { ", the store not readable" } else { "" },
        );
        let counted: u64 = input.evidence.endpoints.iter().map(|endpoint| endpoint.counted).sum();
        let unequal: u64 = input.evidence.endpoints.iter().map(|endpoint| endpoint.counted_mismatches).sum();
        text +=
            &format!("evidence of all times: {counted} different requests, {unequal} of them answered differently\n");
        text += &match self.is_same {
            true => "judged again by the same numbers: the same verdict\n".to_owned(),
            false => format!(
                "JUDGED AGAIN: {} ({}); the journal was written by another version, or by a person's hand\n",
                self.again.finding.words(),
                self.again.reasons.join("; ")
            ),
        };
        text
    }
}

fn tests(tests: &[TestResult]) -> String {
    let width = tests.iter().map(|test| test.name.chars().count()).max().unwrap_or(0);
    let line = |test: &TestResult| {
        let TestResult { name, statistic, threshold, says } = test;
        // Without the sign of a zero.
        let statistic = if *statistic == 0.0 { 0.0 } else { *statistic };
        format!("  {name:<width$} {statistic:>12.6} of {threshold:>12.6}  {}\n", says.words())
    };
    tests.iter().map(line).collect()
}

fn standing(state: &State) -> String {
    let step = state.step.map_or_else(String::new, |step| format!(", step {}", step + 1));
    let brake = if state.brake { ", brake on" } else { "" };
    format!("{} {} ppm{step}{brake}", state.phase.name(), state.weight_ppm)
}

pub fn no_decision(wanted: Option<u64>) -> String {
    match wanted {
        None => "nothing was decided yet; `shadow-proxy advance` begins".to_owned(),
        Some(epoch) => format!("there is no decision {epoch}; `shadow-proxy shift explain` shows the last"),
    }
}

pub fn at(ms: u64) -> String {
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms)).to_string()
}
