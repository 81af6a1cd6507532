//! What a replay tells in the end: for people, and for programs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::Options;
use super::play::Played;
use crate::metrics::Snapshot;
use crate::shift::gate::Judgement;
use crate::shift::void;
use crate::show::gate;

pub(super) struct Report<'a> {
    pub(super) options: &'a Options,
    pub(super) format: &'static str,
    pub(super) data: &'a Path,
    pub(super) took: Duration,
    pub(super) judgement: Judgement,
    pub(super) snapshot: Snapshot,
    pub(super) played: Played,
}

impl Report<'_> {
    pub(super) fn text(&self) -> String {
        let Report { options, format, data, took, judgement, snapshot, played } = self;
        let counts = |counts: &BTreeMap<String, u64>| {
            let counts: Vec<String> =
                counts.iter().filter(|(_, count)| **count > 0).map(|(name, count)| format!("{name} {count}")).collect();
            if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
        };
        let mut text = format!(
            "replayed {} calls of {} ({format}) in {:.1} s\n",
            played.calls,
            options.file.display(),
            took.as_secs_f64()
        );
        if played.without_answer > 0 {
            text += &format!("left out  {} calls without a recorded answer of legacy\n", played.without_answer);
        }
        if counted_route(snapshot) > 0 {
            text += &format!("left out  {} calls of routes that are never to be sent\n", counted_route(snapshot));
        }
        for (what, (count, place)) in &played.left_out {
            text += &format!("left out  {count} {}; the first: {place}\n", what.words());
        }
        for damage in played.cut.iter().chain(&played.wrong) {
            text += &format!("damaged   {damage}\n");
        }
        text += &format!(
            "compared  {}, not comparable: {}\n",
            snapshot.requests.compared,
            counts(&snapshot.requests.not_comparable)
        );
        text += &format!("verdicts  {}\ndecisions {}\n", counts(&snapshot.verdicts), counts(&snapshot.decisions.cells));
        if snapshot.decisions.undetermined.values().any(|count| *count > 0) {
            text += &format!("undetermined {}\n", counts(&snapshot.decisions.undetermined));
        }
        text += &format!("findings  shadow-proxy diffs --data {}\n", data.display());
        match &played.wrong {
            Some(_) => text + "no verdict: the file was not read to its end\n",
            None => text + &gate::text(judgement),
        }
    }

    pub(super) fn json(&self, code: u8) -> Value {
        let Report { options, format, data, took, judgement, snapshot, played } = self;
        let left_out: BTreeMap<&str, u64> =
            played.left_out.iter().map(|(what, (count, _))| (what.name(), *count)).collect();
        let count = |reason| Some((reason, *snapshot.requests.not_comparable.get(reason)?));
        let void: BTreeMap<&str, u64> = void::ALL.into_iter().filter_map(count).collect();
        json!({
            "file": options.file,
            "format": format,
            "calls": played.calls,
            "without_answer": played.without_answer,
            "unrecorded": played.unrecorded,
            "left_out": left_out,
            "void": void,
            "cut": played.cut,
            "wrong": played.wrong,
            "took_ms": took.as_millis() as u64,
            "compared": snapshot.requests.compared,
            "skipped": snapshot.requests.skipped,
            "not_comparable": snapshot.requests.not_comparable,
            "verdicts": snapshot.verdicts,
            "decisions": snapshot.decisions,
            "data": data,
            "verdict": if played.wrong.is_some() { "none" } else { judgement.verdict.words() },
            "judgement": judgement,
            "exit_code": code,
        })
    }
}

fn counted_route(snapshot: &Snapshot) -> u64 {
    snapshot.requests.skipped.get("route").copied().unwrap_or(0)
}
