//! The store for readers, while the proxy runs or afterwards.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, Row as SqlRow, params};

use crate::exchange::Severity;
use crate::shift::evidence::EndpointCount;

use super::super::class::Class;
use super::super::noise::{FieldCount, Place};
use super::super::redact::ShownDifference;
use super::tally::Signature;
use super::{FILE, Shown, schema, sql};

/// A group of differences alike, as the store has it.
#[derive(Clone, Debug)]
pub struct StoredFinding {
    pub id: i64,
    pub place: Place,
    pub severity: Severity,
    pub rule: Option<String>,
    /// Exchanges that show it, of the compared ones of the endpoint.
    pub count: u64,
    pub pairs: u64,
    pub first_seen_ms: u64,
    pub last_seen_ms: u64,
    /// Of the first sighting.
    pub legacy: Option<String>,
    pub candidate: Option<String>,
    /// Hours since the Unix epoch in which it was seen, and how often.
    pub hours: Vec<(u64, u64)>,
    /// Exchanges that show it, while they are kept.
    pub samples: Vec<Sample>,
}

/// How many of each finding are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    None,
    One,
    All,
}

#[derive(Clone, Debug)]
pub struct Sample {
    pub at_ms: u64,
    pub shown: Shown,
    /// All of the exchange, those of other findings too.
    pub differences: Vec<ShownDifference>,
}

/// Flipped decisions, over all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flips {
    pub breaches: u64,
    pub lockouts: u64,
}

pub struct Store(pub(super) Connection);

impl Store {
    /// # Errors
    /// There is no store in the directory, or it cannot be read.
    pub fn open(directory: &Path) -> anyhow::Result<Store> {
        Store::open_file(&directory.join(FILE))
    }

    pub fn open_file(file: &Path) -> anyhow::Result<Store> {
        Ok(Store(schema::open_to_read(file)?))
    }

    /// Unexplained before explained, then the worst and most frequent first.
    pub fn findings(&self, of_each: Samples) -> anyhow::Result<Vec<StoredFinding>> {
        let mut findings = findings(&self.0, None)?;
        let mut hours: HashMap<i64, Vec<(u64, u64)>> = HashMap::new();
        let mut statement = self.0.prepare("SELECT finding, hour, count FROM trend ORDER BY hour")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            hours.entry(row.get(0)?).or_default().push((row.get(1)?, row.get(2)?));
        }
        let mut kept: HashMap<i64, Vec<Sample>> = HashMap::new();
        if of_each != Samples::None {
            for (finding, sample) in samples(&self.0, None, of_each)? {
                kept.entry(finding).or_default().push(sample);
            }
        }
        for finding in &mut findings {
            finding.hours = hours.remove(&finding.id).unwrap_or_default();
            finding.samples = kept.remove(&finding.id).unwrap_or_default();
        }
        Ok(findings)
    }

    pub fn finding(&self, id: i64) -> anyhow::Result<Option<StoredFinding>> {
        let Some(mut finding) = findings(&self.0, Some(id))?.pop() else { return Ok(None) };
        let mut statement = self.0.prepare("SELECT hour, count FROM trend WHERE finding = ?1 ORDER BY hour")?;
        finding.hours = collect(statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?))))?;
        finding.samples = samples(&self.0, Some(id), Samples::All)?.into_iter().map(|(_, sample)| sample).collect();
        Ok(Some(finding))
    }

    pub fn endpoints(&self) -> anyhow::Result<Vec<EndpointCount>> {
        let mut statement = self.0.prepare(
            "SELECT endpoint, pairs, mismatches, counted, counted_mismatches, askable, aa_pairs
             FROM endpoints ORDER BY pairs DESC, endpoint",
        )?;
        let endpoints = statement.query_map([], |row| {
            Ok(EndpointCount {
                endpoint: row.get(0)?,
                pairs: row.get(1)?,
                mismatches: row.get(2)?,
                counted: row.get(3)?,
                counted_mismatches: row.get(4)?,
                askable: row.get(5)?,
                aa_pairs: row.get(6)?,
            })
        });
        collect(endpoints)
    }

    pub fn fields(&self) -> anyhow::Result<Vec<FieldCount>> {
        Ok(fields(&self.0)?.into_iter().map(|(_, field)| field).collect())
    }

    /// Minutes since the Unix epoch, and the pairs of each that count as evidence.
    pub fn minutes(&self) -> anyhow::Result<Vec<(u64, u64)>> {
        let mut statement = self.0.prepare("SELECT minute, counted FROM minutes ORDER BY minute")?;
        collect(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))))
    }

    /// What became of the requests of all runs.
    pub fn account(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let mut statement = self.0.prepare("SELECT name, count FROM account ORDER BY name")?;
        collect(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))))
    }

    /// Of the account, which has those too whose records were lost, or of the findings, should these be ahead.
    pub fn flips(&self) -> anyhow::Result<Flips> {
        let of = |name: &str, severity: Severity| -> rusqlite::Result<u64> {
            let sql = "SELECT max((SELECT coalesce(sum(count), 0) FROM account WHERE name = ?1),
                                  (SELECT coalesce(sum(count), 0) FROM findings WHERE severity = ?2))";
            self.0.query_row(sql, params![name, severity.name()], |row| row.get(0))
        };
        Ok(Flips {
            breaches: of("decision:deny_allow", Severity::Breach)?,
            lockouts: of("decision:allow_deny", Severity::Lockout)?,
        })
    }
}

/// With their ids.
pub(super) fn fields(connection: &Connection) -> rusqlite::Result<Vec<(i64, FieldCount)>> {
    let mut statement = connection.prepare(
        "SELECT id, endpoint, path, kind, legacy_class, candidate_class, b, c, both FROM fields ORDER BY id",
    )?;
    let fields = statement.query_map([], |row| {
        let field = FieldCount { place: place(row, 1)?, b: row.get(6)?, c: row.get(7)?, both: row.get(8)? };
        Ok((row.get(0)?, field))
    });
    fields?.collect()
}

impl StoredFinding {
    pub(super) fn signature(&self) -> Signature<'_> {
        let StoredFinding { place: Place { endpoint, path, kind, classes }, severity, rule, .. } = self;
        Signature { endpoint, path, kind: *kind, classes: *classes, severity: *severity, rule: rule.as_deref() }
    }
}

/// Finding and slot of each sample.
pub(super) fn slots(connection: &Connection) -> rusqlite::Result<Vec<(i64, u8)>> {
    let mut statement = connection.prepare("SELECT finding, slot FROM samples")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Without trend and samples.
pub(super) fn findings(connection: &Connection, id: Option<i64>) -> rusqlite::Result<Vec<StoredFinding>> {
    let mut statement = connection.prepare(
        "SELECT f.id, f.endpoint, f.path, f.kind, f.legacy_class, f.candidate_class, f.severity, f.rule, f.count,
                coalesce(e.seen, 0), f.first_seen_ms, f.last_seen_ms, f.legacy, f.candidate
         FROM findings f LEFT JOIN endpoints e USING (endpoint)
         WHERE ?1 IS NULL OR f.id = ?1
         ORDER BY f.rule != '', instr('breach lockout high low', f.severity), f.count DESC, f.id",
    )?;
    let findings = statement.query_map([id], |row| {
        Ok(StoredFinding {
            id: row.get(0)?,
            place: place(row, 1)?,
            severity: severity(row, 6)?,
            rule: rule(row, 7)?,
            count: row.get(8)?,
            pairs: row.get(9)?,
            first_seen_ms: row.get(10)?,
            last_seen_ms: row.get(11)?,
            legacy: row.get(12)?,
            candidate: row.get(13)?,
            hours: Vec::new(),
            samples: Vec::new(),
        })
    })?;
    findings.collect()
}

fn samples(connection: &Connection, finding: Option<i64>, of_each: Samples) -> anyhow::Result<Vec<(i64, Sample)>> {
    let mut statement = connection.prepare(
        "SELECT s.finding, x.at_ms, x.shown, x.differences FROM samples s JOIN exchanges x ON x.id = s.exchange
         WHERE (?1 IS NULL OR s.finding = ?1)
           AND (?2 OR s.slot = (SELECT min(slot) FROM samples WHERE finding = s.finding))
         ORDER BY s.finding, x.id",
    )?;
    let rows = statement.query_map(params![finding, of_each == Samples::All], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
    });
    let rows: Vec<(i64, u64, String, String)> = collect(rows)?;
    let samples = rows.into_iter().filter_map(|(finding, at_ms, shown, differences)| {
        let (shown, differences) = (serde_json::from_str(&shown).ok()?, serde_json::from_str(&differences).ok()?);
        Some((finding, Sample { at_ms, shown, differences }))
    });
    Ok(samples.collect())
}

/// Endpoint, path, kind and both classes, from this column on.
fn place(row: &SqlRow, first: usize) -> rusqlite::Result<Place> {
    let class = |column| -> rusqlite::Result<Option<Class>> {
        let name: String = row.get(column)?;
        if name.is_empty() { Ok(None) } else { Class::named(&name).map(Some).ok_or_else(|| unknown(column, name)) }
    };
    let kind: String = row.get(first + 2)?;
    Ok(Place {
        endpoint: row.get(first)?,
        path: row.get(first + 1)?,
        kind: sql::of_word(&kind).ok_or_else(|| unknown(first + 2, kind))?,
        classes: (class(first + 3)?, class(first + 4)?),
    })
}

fn severity(row: &SqlRow, column: usize) -> rusqlite::Result<Severity> {
    let name: String = row.get(column)?;
    sql::of_word(&name).ok_or_else(|| unknown(column, name))
}

fn rule(row: &SqlRow, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(Some(row.get::<_, String>(column)?).filter(|rule| !rule.is_empty()))
}

fn unknown(column: usize, word: String) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, word, rusqlite::types::Type::Text)
}

fn collect<T>(rows: rusqlite::Result<impl Iterator<Item = rusqlite::Result<T>>>) -> anyhow::Result<Vec<T>> {
    Ok(rows?.collect::<Result<_, _>>()?)
}
