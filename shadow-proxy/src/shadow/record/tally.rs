//! Rows as counters that add, so that few of them are written, and none is lost while nothing can be. Bounded.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};

use crate::exchange::{Kind, Severity, Verdict};
use crate::shift::evidence::EndpointCount;

use super::super::noise::{Classes, FieldCount, Place};
use super::super::redact::ShownDifference;
use super::{FIELDS_MAX, FINDINGS_MAX, HOUR_MS, HOURS_MAX, Row, StoredFinding};

/// Names findings and fields by a hash, so that one more sighting allocates nothing. Two of ten thousand share one with a
/// chance of 10⁻¹².
#[derive(Clone, Default)]
pub(super) struct Keys(RandomState);

/// What makes one finding out of differences.
#[derive(Clone, Copy, Hash)]
pub(super) struct Signature<'a> {
    pub endpoint: &'a str,
    pub path: &'a str,
    pub kind: Kind,
    pub classes: Classes,
    /// A flipped decision has two.
    pub severity: Severity,
    pub rule: Option<&'a str>,
}

#[derive(Default)]
pub(super) struct Tally {
    keys: Keys,
    rows: u64,
    pub endpoints: HashMap<String, Endpoint>,
    pub fields: HashMap<u64, FieldCount>,
    pub findings: HashMap<u64, Sightings>,
    /// Pairs, and those that count, by minute.
    pub minutes: BTreeMap<u64, (u64, u64)>,
    pub account: BTreeMap<String, u64>,
}

#[derive(Default)]
pub(super) struct Endpoint {
    pub seen: u64,
    pub evidence: EndpointCount,
}

/// Of one finding.
pub(super) struct Sightings {
    pub place: Place,
    pub severity: Severity,
    pub rule: Option<String>,
    pub count: u64,
    pub first_seen_ms: u64,
    pub last_seen_ms: u64,
    /// Of the first one.
    pub legacy: Option<String>,
    pub candidate: Option<String>,
    pub hours: BTreeMap<u64, u64>,
    /// The last one counted: an exchange shows a finding once, in however many elements of an array.
    row: u64,
}

impl Keys {
    pub(super) fn of(&self, signature: &Signature) -> u64 {
        self.0.hash_one(signature)
    }

    pub(super) fn finding(&self, endpoint: &str, difference: &ShownDifference) -> u64 {
        self.of(&signature(endpoint, difference))
    }

    pub(super) fn field(&self, place: &Place) -> u64 {
        let Place { endpoint, path, kind, classes } = place;
        self.0.hash_one((endpoint.as_str(), path.as_str(), kind, classes))
    }

    fn place(&self, endpoint: &str, difference: &ShownDifference) -> u64 {
        self.0.hash_one((endpoint, difference.path.as_str(), &difference.kind, &difference.classes))
    }
}

fn signature<'a>(endpoint: &'a str, difference: &'a ShownDifference) -> Signature<'a> {
    let ShownDifference { path, kind, legacy, classes, rule, .. } = difference;
    Signature {
        endpoint,
        path,
        kind: *kind,
        classes: *classes,
        severity: Severity::of(path, *kind, legacy.as_deref()),
        rule: rule.as_deref(),
    }
}

impl Tally {
    pub(super) fn new(keys: Keys) -> Tally {
        Tally { keys, ..Tally::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.endpoints.is_empty() && self.account.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Tally { rows: self.rows, ..Tally::new(self.keys.clone()) };
    }

    pub(super) fn add(&mut self, row: &Row) {
        self.rows += 1;
        let is_mismatch = row.verdict == Verdict::Mismatch;
        let endpoint = match self.endpoints.get_mut(&row.endpoint) {
            Some(endpoint) => endpoint,
            None => self.endpoints.entry(row.endpoint.clone()).or_default(),
        };
        endpoint.seen += 1;
        let evidence = &mut endpoint.evidence;
        evidence.pairs += 1;
        evidence.mismatches += u64::from(is_mismatch);
        evidence.counted += u64::from(row.counts);
        evidence.counted_mismatches += u64::from(row.counts && is_mismatch);
        evidence.askable += u64::from(row.askable);
        evidence.aa_pairs += u64::from(row.again.is_some());
        let minute = self.minutes.entry(row.at_ms / MINUTE_MS).or_default();
        minute.0 += 1;
        minute.1 += u64::from(row.counts);
        if self.minutes.len() > MINUTES_MAX {
            self.minutes.pop_first();
        }
        for difference in &row.differences {
            self.add_sighting(row, difference);
        }
        if let Some(again) = &row.again {
            self.add_fields(&row.endpoint, &row.differences, again);
        }
    }

    pub(super) fn add_account(&mut self, name: &str, count: u64) {
        match self.account.get_mut(name) {
            Some(sum) => *sum += count,
            None => drop(self.account.insert(name.to_owned(), count)),
        }
    }

    /// The rules are others now.
    pub(super) fn forget_evidence(&mut self) {
        self.fields.clear();
        self.endpoints.values_mut().for_each(|endpoint| endpoint.evidence = EndpointCount::default());
    }

    fn add_sighting(&mut self, row: &Row, difference: &ShownDifference) {
        let key = self.keys.finding(&row.endpoint, difference);
        if let Some(sightings) = self.findings.get_mut(&key) {
            sightings.add(row.at_ms, self.rows);
        } else if self.findings.len() < FINDINGS_MAX {
            let mut sightings = Sightings::new(row, difference);
            sightings.add(row.at_ms, self.rows);
            self.findings.insert(key, sightings);
        } else {
            self.add_account(FINDINGS_OVERFLOW, 1);
        }
    }

    /// A difference that a rule explains counts on neither side.
    fn add_fields(&mut self, endpoint: &str, from_candidate: &[ShownDifference], from_itself: &[ShownDifference]) {
        let unexplained = |differences: &'_ [ShownDifference]| -> BTreeMap<u64, usize> {
            let places = differences.iter().enumerate().filter(|(_, difference)| difference.rule.is_none());
            places.map(|(index, difference)| (self.keys.place(endpoint, difference), index)).collect()
        };
        let (candidate, itself) = (unexplained(from_candidate), unexplained(from_itself));
        for (key, index) in &candidate {
            let field = self.field(*key, endpoint, &from_candidate[*index]);
            let Some(field) = field else { continue };
            *(if itself.contains_key(key) { &mut field.both } else { &mut field.b }) += 1;
        }
        for (key, index) in itself.iter().filter(|(key, _)| !candidate.contains_key(key)) {
            let Some(field) = self.field(*key, endpoint, &from_itself[*index]) else { continue };
            field.c += 1;
        }
    }

    fn field(&mut self, key: u64, endpoint: &str, difference: &ShownDifference) -> Option<&mut FieldCount> {
        if self.fields.len() >= FIELDS_MAX && !self.fields.contains_key(&key) {
            self.add_account(FIELDS_OVERFLOW, 1);
            return None;
        }
        let new = || FieldCount { place: place(endpoint, difference), b: 0, c: 0, both: 0 };
        Some(self.fields.entry(key).or_insert_with(new))
    }
}

impl From<StoredFinding> for Sightings {
    fn from(found: StoredFinding) -> Sightings {
        let StoredFinding {
            place, severity, rule, count, first_seen_ms, last_seen_ms, legacy, candidate, hours, ..
        } = found;
        let hours = hours.into_iter().collect();
        Sightings { place, severity, rule, count, first_seen_ms, last_seen_ms, legacy, candidate, hours, row: 0 }
    }
}

impl Sightings {
    fn new(row: &Row, difference: &ShownDifference) -> Sightings {
        let signature = signature(&row.endpoint, difference);
        Sightings {
            place: place(&row.endpoint, difference),
            severity: signature.severity,
            rule: difference.rule.clone(),
            count: 0,
            first_seen_ms: row.at_ms,
            last_seen_ms: row.at_ms,
            legacy: difference.legacy.clone(),
            candidate: difference.candidate.clone(),
            hours: BTreeMap::new(),
            row: 0,
        }
    }

    fn add(&mut self, at_ms: u64, row: u64) {
        if self.row == row {
            return;
        }
        self.row = row;
        self.count += 1;
        self.last_seen_ms = at_ms;
        *self.hours.entry(at_ms / HOUR_MS).or_default() += 1;
        if self.hours.len() > HOURS_MAX {
            self.hours.pop_first();
        }
    }
}

fn place(endpoint: &str, difference: &ShownDifference) -> Place {
    let ShownDifference { path, kind, classes, .. } = difference;
    Place { endpoint: endpoint.to_owned(), path: path.clone(), kind: *kind, classes: *classes }
}

/// In the account: sightings for which there was no room as a finding, or as a field.
pub(super) const FINDINGS_OVERFLOW: &str = "findings_overflow";
pub(super) const FIELDS_OVERFLOW: &str = "fields_overflow";

const MINUTE_MS: u64 = 60_000;
pub(super) const MINUTES_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Decision, Side};

    fn difference(path: &str, rule: Option<&str>) -> ShownDifference {
        ShownDifference {
            path: path.into(),
            kind: Kind::Value,
            legacy: None,
            candidate: None,
            classes: (None, None),
            rule: rule.map(str::to_owned),
        }
    }

    fn row(at_ms: u64, differences: Vec<ShownDifference>, again: Option<Vec<ShownDifference>>) -> Row {
        Row {
            at_ms,
            endpoint: "GET /a".into(),
            verdict: if differences.is_empty() { Verdict::Match } else { Verdict::Mismatch },
            served_by: Side::Legacy,
            legacy: Decision::Allow,
            candidate: Decision::Allow,
            legacy_us: 1,
            candidate_us: 1,
            differences,
            counts: true,
            askable: true,
            again,
            shown: None,
            samples: Vec::new(),
        }
    }

    #[test]
    fn fields_are_told_apart_by_who_differs_from_whom() {
        let at = |path| difference(path, None);
        let mut tally = Tally::default();
        tally.add(&row(1, vec![at("candidate"), at("both"), at("both")], Some(vec![at("both"), at("itself")])));
        tally.add(&row(
            1,
            vec![at("both"), difference("ruled", Some("r"))],
            Some(vec![difference("itself", Some("r"))]),
        ));
        tally.add(&row(1, vec![at("candidate")], None));
        let mut counts: Vec<_> =
            tally.fields.values().map(|field| (field.place.path.as_str(), field.b, field.c, field.both)).collect();
        counts.sort_unstable();
        assert_eq!(counts, [("both", 1, 0, 1), ("candidate", 1, 0, 0), ("itself", 0, 1, 0)]);
        let Endpoint { seen, evidence } = &tally.endpoints["GET /a"];
        assert_eq!((*seen, evidence.askable, evidence.aa_pairs), (3, 3, 2));
    }

    #[test]
    fn there_is_an_end_to_everything() {
        let mut tally = Tally::default();
        for number in 0..FINDINGS_MAX as u64 + 5 {
            let new = vec![difference(&format!("header.x{number}"), None)];
            tally.add(&row(number * 2 * HOUR_MS, new.clone(), Some(Vec::new())));
        }
        let known = vec![difference("header.x0", None)];
        (0..2_000).for_each(|hour| tally.add(&row(hour * HOUR_MS, known.clone(), None)));
        assert_eq!((tally.findings.len(), tally.fields.len()), (FINDINGS_MAX, FIELDS_MAX));
        assert_eq!((tally.account[FINDINGS_OVERFLOW], tally.account[FIELDS_OVERFLOW]), (5, 5));
        assert_eq!(tally.minutes.len(), MINUTES_MAX);
        let finding = tally.findings.values().find(|finding| finding.place.path == "header.x0").expect("it was first");
        assert_eq!((finding.count, finding.hours.len()), (2_001, HOURS_MAX));
    }
}
