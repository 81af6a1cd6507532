//! From a finding to a rule in force: written down first, then used.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use crate::clock::now_ms;

use super::compare::Comparer;
use super::noise::Place;
use super::record::{self, Recorder, Samples, Store, StoredFinding};
use super::rules::proposal::{Drift, Refusal, proposal};
use super::rules::{Day, RawRule, Rules, accepted};

/// Somebody's word that a finding does not matter.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    pub who: String,
    pub why: String,
    /// The day from which the rule explains nothing; in three months where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Also where a member is gone, new, of another type or repeated.
    #[serde(default)]
    pub structure_is_meant: bool,
}

/// The rule that an acceptance would write, and what of the past it would explain.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub rule: RawRule,
    pub expires: String,
    /// As it would stand in the file.
    pub text: String,
    /// Findings that no rule explains yet, and the exchanges that show them; of so many compared at the endpoint.
    pub findings: usize,
    pub exchanges: u64,
    pub pairs: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Accepted {
    pub id: i64,
    pub rule: String,
    pub expires: String,
}

#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    #[error("there is no finding {0}; `shadow-proxy diffs` lists them")]
    Unknown(i64),
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Wrong(String),
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// The rules of a running proxy.
pub struct RulesInForce {
    data: PathBuf,
    /// As the configuration has it.
    written: Comparer,
    comparer: Arc<ArcSwap<Comparer>>,
    recorder: Recorder,
    /// One at a time.
    turn: Mutex<()>,
}

impl RulesInForce {
    /// `now` is `written` with the rules that were accepted before.
    pub fn new(data: PathBuf, written: Comparer, now: Comparer, recorder: Recorder) -> RulesInForce {
        RulesInForce { data, written, comparer: Arc::new(ArcSwap::from_pointee(now)), recorder, turn: Mutex::new(()) }
    }

    /// For whoever compares: what is accepted is in it from then on.
    pub fn comparer(&self) -> Arc<ArcSwap<Comparer>> {
        self.comparer.clone()
    }

    /// What `accept` would do. Nothing is written.
    pub fn propose(&self, id: i64, acceptance: &Acceptance) -> Result<Proposal, NotAccepted> {
        propose(&self.data, id, acceptance, Day::of_ms(now_ms()))
    }

    pub fn accept(&self, id: i64, acceptance: &Acceptance) -> Result<Accepted, NotAccepted> {
        let _turn = self.turn.lock().expect("nothing panics while it accepts");
        let today = Day::of_ms(now_ms());
        let accepted = write(&self.data, id, acceptance, &self.written.rules, today)?;
        let rules = accepted::join(self.written.rules.clone(), &self.data, today)?;
        let comparer = Comparer { rules, ..self.written.clone() };
        let digest = comparer.digest(today);
        self.comparer.store(Arc::new(comparer));
        self.recorder.rules_changed(digest, id, accepted.rule.clone());
        Ok(accepted)
    }
}

/// For a proxy that does not run; it will find the rule when it starts.
pub fn accept_in(data: &Path, id: i64, acceptance: &Acceptance, written: &Rules) -> Result<Accepted, NotAccepted> {
    // Of a proxy that runs only the proxy itself may change what is kept.
    let _lock = record::lock(data)?;
    let accepted = write(data, id, acceptance, written, Day::of_ms(now_ms()))?;
    record::mark_accepted(data, id, &accepted.rule)?;
    Ok(accepted)
}

fn write(data: &Path, id: i64, acceptance: &Acceptance, written: &Rules, today: Day) -> Result<Accepted, NotAccepted> {
    let Acceptance { who, why, .. } = acceptance;
    if who.trim().is_empty() || why.trim().is_empty() {
        return Err(NotAccepted::Wrong("who and why are written into the rule; give both".to_owned()));
    }
    let Proposal { rule, expires, .. } = propose(data, id, acceptance, today)?;
    let rule = accepted::accept(data, rule, written)?;
    Ok(Accepted { id, rule, expires })
}

fn propose(data: &Path, id: i64, acceptance: &Acceptance, today: Day) -> Result<Proposal, NotAccepted> {
    let Acceptance { who, why, expires, structure_is_meant } = acceptance;
    let expires = expires.as_deref().map(|text| last_day(text, today)).transpose()?;
    let store = Store::open(data)?;
    let finding = store.finding(id)?.ok_or(NotAccepted::Unknown(id))?;
    if let Some(rule) = finding.rule {
        return Err(NotAccepted::Wrong(format!(
            "the rule {rule:?} explains it already; see `shadow-proxy diffs rules`"
        )));
    }
    let fields = store.fields()?;
    let noisy: HashSet<&Place> =
        fields.iter().filter(|field| field.c + field.both > 0).map(|field| &field.place).collect();
    let mut unexplained = store.findings(Samples::None)?;
    unexplained.retain(|finding| finding.rule.is_none());
    let places = unexplained.iter().map(|finding| &finding.place);
    let steady: Vec<Place> = places.filter(|place| !noisy.contains(place)).cloned().collect();
    let own = fields.iter().find(|field| field.place == finding.place);
    let endpoints = store.endpoints()?;
    let endpoint = endpoints.iter().find(|count| count.endpoint == finding.place.endpoint);
    let drift = Drift {
        finding: id as u64,
        place: &finding.place,
        severity: finding.severity,
        own_differences: own.map_or(0, |field| field.c + field.both),
        aa_pairs: endpoint.map_or(0, |count| count.aa_pairs),
        why: Some(why),
        structure_is_meant: *structure_is_meant,
    };
    let mut rule = proposal(&drift, &steady, today)?;
    rule.accepted_by = Some(who.trim().to_owned());
    rule.accepted_at = Some(today.to_string());
    rule.expires = expires.map_or(rule.expires, |day| day.to_string());
    let is_explained = |other: &&StoredFinding| rule.is_about(&other.place) && !other.severity.is_flip();
    let explained: Vec<&StoredFinding> = unexplained.iter().filter(is_explained).collect();
    Ok(Proposal {
        findings: explained.len(),
        exchanges: explained.iter().map(|finding| finding.count).sum(),
        pairs: finding.pairs,
        text: accepted::text(std::slice::from_ref(&rule))?,
        expires: rule.expires.clone(),
        rule,
    })
}

fn last_day(text: &str, today: Day) -> Result<Day, NotAccepted> {
    let wrong = || {
        NotAccepted::Wrong(format!(
            "expires {text:?} is no day to come; write one such as {:?}",
            today.after(90).to_string()
        ))
    };
    Day::parse(text).filter(|day| today.days_until(*day).is_some_and(|days| days > 0)).ok_or_else(wrong)
}
