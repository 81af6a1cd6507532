//! The key file for people and programs: no digests, and nothing to make a key of.

use auth_component::api_key::Record;
use serde_json::{Value, json};

use super::Records;
use super::moment::text;

const COLUMNS: [&str; 7] = ["ID", "USER", "SCOPES", "CREATED", "BEGINS", "ENDS", "STATE"];

pub fn table(records: &Records, now: u64) -> String {
    let rows = records.values().map(|record| {
        let date = |date: Option<u64>| date.map_or_else(|| "-".to_owned(), text);
        let scopes = if record.scopes.is_empty() { "-".to_owned() } else { record.scopes.join(" ") };
        let weak = if record.weak { ", weak" } else { "" };
        [
            record.id.clone(),
            record.user_id.clone(),
            scopes,
            text(record.created),
            date(record.nbf),
            date(ends(record)),
            format!("{}{weak}", state(record, now)),
        ]
    });
    let rows: Vec<[String; 7]> = [COLUMNS.map(str::to_owned)].into_iter().chain(rows).collect();
    let widths: [usize; 7] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Dates in RFC 3339, `null` where there is none.
pub fn json(records: &Records, now: u64) -> Value {
    let date = |date: Option<u64>| date.map(text);
    let row = |record: &Record| {
        json!({
            "id": record.id,
            "user_id": record.user_id,
            "scopes": record.scopes,
            "aud": record.aud,
            "email": record.email,
            "groups": record.groups,
            "created": text(record.created),
            "begins": date(record.nbf),
            "ends": date(ends(record)),
            "revoked": date(record.revoked),
            "replaced_by": record.replaced_by,
            "weak": record.weak,
            "state": state(record, now),
        })
    };
    records.values().map(row).collect()
}

/// The earlier of its own end and that of the time beside its successor.
fn ends(record: &Record) -> Option<u64> {
    record.exp.into_iter().chain(record.grace_until).min()
}

/// In the order in which the component looks.
fn state(record: &Record, now: u64) -> String {
    let has_come = |date: Option<u64>| date.is_some_and(|date| date <= now);
    if has_come(record.revoked) {
        return "revoked".to_owned();
    }
    if record.nbf.is_some_and(|begins| now < begins) {
        return "not yet".to_owned();
    }
    if has_come(record.exp) {
        return "expired".to_owned();
    }
    if has_come(record.grace_until) {
        return "replaced".to_owned();
    }
    match (record.revoked, record.grace_until) {
        (Some(revoked), _) => format!("active, revoked from {}", text(revoked)),
        (None, Some(grace_until)) => format!("replaced, good until {}", text(grace_until)),
        (None, None) => "active".to_owned(),
    }
}
