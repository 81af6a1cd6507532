//! Two answers to one call: where they differ, and whether they decide the same about the credential.
//!
//! What is compared how, place by place, is in COMPARISON.md.

mod decision;
mod read;

mod body;
mod headers;

mod challenge;
mod cookie;
mod cookie_date;
mod form;
mod list;
mod location;
mod media_type;
mod signature;
mod token;

mod field;
mod found;
mod known;

use std::sync::Arc;

use http::{Method, StatusCode};
use sha2::{Digest as _, Sha256};

pub(crate) use self::decision::{DecisionRule, Decisions, RawDecision};
use self::found::Found;
use self::headers::Bodies;
use self::known::Known;
use self::read::Read;
pub(crate) use self::signature::Signatures;
use super::decode::NotDecoded;
use super::rules::{Day, Rules};
use crate::exchange::{Call, Cell, Decision, Difference, Failure, Kind, Leg, Side, Verdict};

/// What two answers are held against. One serves every pair: legacy with the candidate, and legacy with itself.
#[derive(Clone)]
pub(crate) struct Comparer {
    pub rules: Rules,
    pub decisions: Decisions,
    /// What the signatures of tokens are checked with, where keys are configured.
    pub signatures: Option<Arc<Signatures>>,
    /// By how much the lifetimes of two cookies may differ where a date tells them.
    pub cookie_tolerance_s: u64,
}

impl Default for Comparer {
    fn default() -> Self {
        Comparer {
            rules: Rules::starter(),
            decisions: Decisions::default(),
            signatures: None,
            cookie_tolerance_s: COOKIE_TOLERANCE_S,
        }
    }
}

/// A second on each side: dates are rounded to seconds, and read at the two ends of an answer.
pub(crate) const COOKIE_TOLERANCE_S: u64 = 2;

#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub verdict: Verdict,
    /// The flipped decision first, then status, headers by name, body.
    pub differences: Vec<Difference>,
    pub legacy: Decision,
    pub candidate: Decision,
}

/// Why there is no verdict: a side failed (`candidate_trap`), or its body could not be read (`encoding_unknown`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NotComparable(pub &'static str);

impl NotComparable {
    fn failed(side: Side, failure: Failure) -> NotComparable {
        NotComparable(match (side, failure) {
            (Side::Legacy, Failure::Connect) => "legacy_connect",
            (Side::Legacy, Failure::Deadline) => "legacy_deadline",
            (Side::Legacy, Failure::Closed) => "legacy_closed",
            (Side::Legacy, Failure::TooLarge) => "legacy_too_large",
            (Side::Legacy, Failure::Trap) => "legacy_trap",
            (Side::Legacy, Failure::Memory) => "legacy_memory",
            (Side::Legacy, Failure::NoAnswer) => "legacy_no_answer",
            (Side::Legacy, Failure::Busy) => "legacy_busy",
            (Side::Candidate, Failure::Connect) => "candidate_connect",
            (Side::Candidate, Failure::Deadline) => "candidate_deadline",
            (Side::Candidate, Failure::Closed) => "candidate_closed",
            (Side::Candidate, Failure::TooLarge) => "candidate_too_large",
            (Side::Candidate, Failure::Trap) => "candidate_trap",
            (Side::Candidate, Failure::Memory) => "candidate_memory",
            (Side::Candidate, Failure::NoAnswer) => "candidate_no_answer",
            (Side::Candidate, Failure::Busy) => "candidate_busy",
        })
    }
}

impl From<NotDecoded> for NotComparable {
    fn from(reason: NotDecoded) -> Self {
        NotComparable(reason.name())
    }
}

impl Comparer {
    /// The same for as long as answers are held against the same.
    pub(crate) fn digest(&self, today: Day) -> String {
        let Comparer { rules, decisions, signatures, cookie_tolerance_s } = self;
        let keys = signatures.as_ref().map(|signatures| signatures.digest());
        hex_digest(format!("{} {decisions:?} {keys:?} {cookie_tolerance_s}", rules.digest(today)).as_bytes())
    }

    /// The first leg stands in legacy's place and the second in the candidate's, wherever they are from; when both
    /// failed the reason is the first one's. `endpoint` is the call's name as `Endpoints` gives it; by the day it is
    /// known which rules have expired.
    ///
    /// A leg without an answer has no verdict, and no cell in the matrix: it is counted by its reason, and what a
    /// client would have got instead is not the credential's affair.
    pub(crate) fn compare(
        &self,
        call: &Call,
        legacy: &Leg,
        candidate: &Leg,
        endpoint: &str,
        today: Day,
    ) -> Result<Comparison, NotComparable> {
        let legacy = Read::new(legacy, Side::Legacy)?;
        let candidate = Read::new(candidate, Side::Candidate)?;
        let same_body = legacy.body == candidate.body;
        let unsent = call.method == Method::HEAD || has_no_body(&legacy) && has_no_body(&candidate);
        let before = self.decisions.of(&legacy, &legacy, endpoint);
        // Read once where there is only one body.
        let after = self.decisions.of(&candidate, if same_body { &legacy } else { &candidate }, endpoint);

        let known = Known { comparer: self, endpoint };
        let mut of_body = Found::new(known, "body");
        if !same_body && !unsent {
            body::compare(&legacy, &candidate, &mut of_body);
        }
        let of_body = of_body.into_list();
        let mut of_headers = Found::new(known, "header");
        let bodies = Bodies { differ: !of_body.is_empty(), unsent };
        headers::compare(&legacy, &candidate, &bodies, &mut of_headers);

        let mut differences = Vec::new();
        differences.extend(flip(before, after));
        if legacy.answer.status != candidate.answer.status {
            let [before, after] = [&legacy, &candidate].map(|read| Some(read.answer.status.as_str().to_owned()));
            differences.push(difference("status", before, after));
        }
        differences.extend(of_headers.into_list());
        differences.extend(of_body);

        self.rules.explain(&mut differences, endpoint, today);
        let verdict = verdict(&differences);
        Ok(Comparison { verdict, differences, legacy: before, candidate: after })
    }
}

impl Comparison {
    /// Explains, by a rule of this name, what no other rule did: two values of which `are_same` says that they are.
    pub(crate) fn explain(&mut self, name: &str, are_same: impl Fn(&str, &str) -> bool) {
        let plain = |value: &Option<String>| {
            let value = value.as_deref()?;
            Some(serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned()))
        };
        for difference in &mut self.differences {
            if difference.kind == Kind::Value
                && difference.rule.is_none()
                && let (Some(legacy), Some(candidate)) = (plain(&difference.legacy), plain(&difference.candidate))
                && are_same(&legacy, &candidate)
            {
                difference.rule = Some(name.into());
            }
        }
        self.verdict = verdict(&self.differences);
    }
}

fn verdict(differences: &[Difference]) -> Verdict {
    match differences {
        [] => Verdict::Match,
        differences if differences.iter().all(|difference| difference.rule.is_some()) => Verdict::Explained,
        _ => Verdict::Mismatch,
    }
}

fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whatever bytes its sender may have had in mind (RFC 9110 §6.4.1).
fn has_no_body(read: &Read) -> bool {
    let status = read.answer.status;
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn flip(legacy: Decision, candidate: Decision) -> Option<Difference> {
    let (before, after) = match Cell::of(legacy, candidate) {
        Cell::AllowDeny => ("allow", "deny"),
        Cell::DenyAllow => ("deny", "allow"),
        Cell::AllowAllow | Cell::DenyDeny | Cell::Other => return None,
    };
    Some(difference("decision", Some(before.to_owned()), Some(after.to_owned())))
}

fn difference(path: &str, legacy: Option<String>, candidate: Option<String>) -> Difference {
    Difference { path: path.to_owned(), kind: Kind::Value, legacy, candidate, rule: None }
}

#[cfg(test)]
mod tests;
