//! Which findings and fields the store has, so that a sighting finds its row without asking, and there is an end to them.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::exchange::Severity;

use super::reservoir::Reservoirs;
use super::tally::{FIELDS_OVERFLOW, FINDINGS_OVERFLOW, Keys, Tally};
use super::{FIELDS_MAX, FINDINGS_MAX, reader, sql};

/// Ids by key.
#[derive(Default)]
pub(super) struct Known {
    pub keys: Keys,
    findings: HashMap<u64, i64>,
    fields: HashMap<u64, i64>,
}

impl Known {
    /// What earlier runs left, for the reservoirs too.
    pub(super) fn load(connection: &Connection, reservoirs: &mut Reservoirs) -> rusqlite::Result<Known> {
        let mut known = Known { keys: reservoirs.keys().clone(), ..Known::default() };
        for (id, field) in reader::fields(connection)? {
            known.fields.insert(known.keys.field(&field.place), id);
        }
        let mut slots: HashMap<i64, Vec<u8>> = HashMap::new();
        for (finding, slot) in reader::slots(connection)? {
            slots.entry(finding).or_default().push(slot);
        }
        for finding in reader::findings(connection, None)? {
            let key = known.keys.of(&finding.signature());
            known.findings.insert(key, finding.id);
            reservoirs.know(key, finding.count, slots.remove(&finding.id).unwrap_or_default().into_iter());
        }
        Ok(known)
    }

    pub(super) fn finding(&self, key: u64) -> Option<i64> {
        self.findings.get(&key).copied()
    }

    pub(super) fn keys_by_id(&self) -> HashMap<i64, u64> {
        self.findings.iter().map(|(key, id)| (*id, *key)).collect()
    }

    /// Writes a tally; what is new with it is known once the transaction is through, see `extend`.
    pub(super) fn add(&self, transaction: &Connection, tally: &Tally) -> rusqlite::Result<Known> {
        let mut new = Known::default();
        sql::add_counts(transaction, tally)?;
        for (key, field) in &tally.fields {
            match self.fields.get(key) {
                Some(id) => sql::add_to_field(transaction, *id, field)?,
                None if self.fields.len() + new.fields.len() < FIELDS_MAX => {
                    new.fields.insert(*key, sql::insert_field(transaction, field)?);
                }
                None => sql::add_account(transaction, FIELDS_OVERFLOW, field.b + field.c + field.both)?,
            }
        }
        for (key, finding) in &tally.findings {
            // Flipped decisions are few, for endpoints are, and none is ever left out.
            let is_flip = finding.severity <= Severity::Lockout;
            match self.findings.get(key) {
                Some(id) => sql::add_to_finding(transaction, *id, finding)?,
                None if is_flip || self.findings.len() + new.findings.len() < FINDINGS_MAX => {
                    new.findings.insert(*key, sql::insert_finding(transaction, finding)?);
                }
                None => sql::add_account(transaction, FINDINGS_OVERFLOW, finding.count)?,
            }
        }
        Ok(new)
    }

    pub(super) fn extend(&mut self, new: Known) {
        self.findings.extend(new.findings);
        self.fields.extend(new.fields);
    }
}
