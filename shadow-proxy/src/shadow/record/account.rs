//! What became of the requests, over all runs: the counters of this one are added as they grow.

use std::collections::BTreeMap;

use crate::metrics::{Metrics, Snapshot};

use super::tally::Tally;

/// What of this run's counters was added already.
#[derive(Default)]
pub(super) struct Account(BTreeMap<String, u64>);

impl Account {
    pub(super) fn add_to(&mut self, tally: &mut Tally, metrics: &Metrics) {
        for (name, count) in entries(&metrics.snapshot()) {
            let added = self.0.get(&name).copied().unwrap_or(0);
            if count > added {
                tally.add_account(&name, count - added);
                self.0.insert(name, count);
            }
        }
    }
}

/// `received`, `compared`, `skipped:body_too_large`, `decision:deny_allow` and so on.
fn entries(now: &Snapshot) -> impl Iterator<Item = (String, u64)> {
    let requests = &now.requests;
    let single = [
        ("received", requests.received),
        ("mirrored", requests.mirrored),
        ("compared", requests.compared),
        ("records_lost", now.records_lost),
    ];
    let by_reason = [
        ("skipped", &requests.skipped),
        ("dropped", &requests.dropped),
        ("not_comparable", &requests.not_comparable),
        ("decision", &now.decisions),
    ];
    let by_reason = by_reason
        .into_iter()
        .flat_map(|(name, counts)| counts.iter().map(move |(reason, count)| (format!("{name}:{reason}"), *count)));
    single.into_iter().map(|(name, count)| (name.to_owned(), count)).chain(by_reason)
}
