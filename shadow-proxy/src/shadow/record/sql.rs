//! Rows and tallies as SQL.

use rusqlite::{Connection, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::shift::evidence::EndpointCount;

use super::super::class::Class;
use super::super::noise::FieldCount;
use super::tally::{Endpoint, Sightings, Tally};
use super::{Row, Shown};

/// The id of the exchange.
pub(super) fn insert_exchange(connection: &Connection, row: &Row, shown: &Shown) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO exchanges (at_ms, endpoint, verdict, served_by, legacy_decision, candidate_decision,
                                legacy_us, candidate_us, shown, differences)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    statement.insert(params![
        row.at_ms,
        row.endpoint,
        word(&row.verdict),
        row.served_by.name(),
        word(&row.legacy),
        word(&row.candidate),
        row.legacy_us,
        row.candidate_us,
        json(shown),
        json(&row.differences),
    ])
}

pub(super) fn set_sample(connection: &Connection, finding: i64, slot: u8, exchange: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO samples VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET exchange = excluded.exchange";
    connection.prepare_cached(sql)?.execute(params![finding, slot, exchange]).map(drop)
}

/// All but findings and fields, which have a limit that somebody has to keep.
pub(super) fn add_counts(connection: &Connection, tally: &Tally) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO endpoints VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET
             seen = seen + excluded.seen, pairs = pairs + excluded.pairs, mismatches = mismatches + excluded.mismatches,
             counted = counted + excluded.counted,
             counted_mismatches = counted_mismatches + excluded.counted_mismatches,
             askable = askable + excluded.askable, aa_pairs = aa_pairs + excluded.aa_pairs",
    )?;
    for (name, Endpoint { seen, evidence }) in &tally.endpoints {
        let EndpointCount { endpoint: _, pairs, mismatches, counted, counted_mismatches, askable, aa_pairs } = evidence;
        statement.execute(params![name, seen, pairs, mismatches, counted, counted_mismatches, askable, aa_pairs])?;
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO minutes VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET pairs = pairs + excluded.pairs, counted = counted + excluded.counted",
    )?;
    for (minute, (pairs, counted)) in &tally.minutes {
        statement.execute(params![minute, pairs, counted])?;
    }
    tally.account.iter().try_for_each(|(name, count)| add_account(connection, name, *count))
}

pub(super) fn add_account(connection: &Connection, name: &str, count: u64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO account VALUES (?1, ?2) ON CONFLICT DO UPDATE SET count = count + excluded.count";
    connection.prepare_cached(sql)?.execute(params![name, count]).map(drop)
}

/// The id of the field.
pub(super) fn insert_field(connection: &Connection, field: &FieldCount) -> rusqlite::Result<i64> {
    let FieldCount { place, b, c, both } = field;
    let mut statement = connection.prepare_cached(
        "INSERT INTO fields (endpoint, path, kind, legacy_class, candidate_class, b, c, both)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let (legacy, candidate) = (class_name(place.classes.0), class_name(place.classes.1));
    statement.insert(params![place.endpoint, place.path, word(&place.kind), legacy, candidate, b, c, both])
}

pub(super) fn add_to_field(connection: &Connection, id: i64, field: &FieldCount) -> rusqlite::Result<()> {
    let sql = "UPDATE fields SET b = b + ?2, c = c + ?3, both = both + ?4 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![id, field.b, field.c, field.both]).map(drop)
}

/// The id of the finding.
pub(super) fn insert_finding(connection: &Connection, finding: &Sightings) -> rusqlite::Result<i64> {
    let Sightings { place, severity, rule, count, first_seen_ms, last_seen_ms, legacy, candidate, .. } = finding;
    let mut statement = connection.prepare_cached(
        "INSERT INTO findings (endpoint, path, kind, legacy_class, candidate_class, severity, rule, count,
                               first_seen_ms, last_seen_ms, legacy, candidate)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    let id = statement.insert(params![
        place.endpoint,
        place.path,
        word(&place.kind),
        class_name(place.classes.0),
        class_name(place.classes.1),
        severity.name(),
        rule.as_deref().unwrap_or_default(),
        count,
        first_seen_ms,
        last_seen_ms,
        legacy,
        candidate,
    ])?;
    add_hours(connection, id, finding)?;
    Ok(id)
}

pub(super) fn add_to_finding(connection: &Connection, id: i64, finding: &Sightings) -> rusqlite::Result<()> {
    let sql = "UPDATE findings SET count = count + ?2, first_seen_ms = min(first_seen_ms, ?3),
                                   last_seen_ms = max(last_seen_ms, ?4) WHERE id = ?1";
    let Sightings { count, first_seen_ms, last_seen_ms, .. } = finding;
    connection.prepare_cached(sql)?.execute(params![id, count, first_seen_ms, last_seen_ms])?;
    add_hours(connection, id, finding)
}

/// Where the rule has explained the like of it already, that finding stays beside this one.
pub(super) fn mark_accepted(connection: &Connection, finding: i64, rule: &str) -> rusqlite::Result<()> {
    connection.execute("UPDATE OR IGNORE findings SET rule = ?2 WHERE id = ?1", params![finding, rule]).map(drop)
}

fn add_hours(connection: &Connection, id: i64, finding: &Sightings) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO trend VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?;
    finding.hours.iter().try_for_each(|(hour, count)| statement.execute(params![id, hour, count]).map(drop))
}

pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own types have string keys and no failing serializer")
}

/// The word an enum has in JSON.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    json(value).trim_matches('"').to_owned()
}

/// The enum that has this word; none when a newer version wrote it.
pub(super) fn of_word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

/// Empty where there is none.
pub(super) fn class_name(class: Option<Class>) -> &'static str {
    class.map_or("", Class::name)
}
