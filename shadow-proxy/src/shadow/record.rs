//! What is kept: one SQLite file, written by one thread in batches, bounded by size and age.
//!
//! Only redacted text comes in here: the types of `redact` have no other source.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rusqlite::{Connection, OpenFlags, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::clock::Rarely;
use crate::exchange::{Decision, Kind, Severity, Side, Verdict};
use crate::metrics::Metrics;

use super::redact::{ShownAnswer, ShownCall, ShownDifference};

/// One compared exchange on its way to the store.
pub struct Row {
    pub at_ms: u64,
    pub endpoint: String,
    pub verdict: Verdict,
    pub served_by: Side,
    pub legacy: Decision,
    pub candidate: Decision,
    pub legacy_us: u64,
    pub candidate_us: u64,
    pub differences: Vec<ShownDifference>,
    /// Whether it is evidence: the same request is a few times only.
    pub counts: bool,
    /// Whether legacy might have been asked the same twice.
    pub askable: bool,
    /// Where legacy differed from itself when it was.
    pub again: Option<Vec<ShownDifference>>,
    /// The exchange itself, when it is to be kept.
    pub shown: Option<Shown>,
}

/// An exchange as it may be seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    pub call: ShownCall,
    pub legacy: Option<ShownAnswer>,
    pub candidate: Option<ShownAnswer>,
}

#[derive(Clone, Debug)]
pub struct StoreLimits {
    /// Of the database file, less one batch; the oldest exchanges go first.
    pub bytes_max: u64,
    pub age_max: Duration,
}

/// Exchanges waiting for the writer; more are counted as lost.
const WAITING_MAX: usize = 8_192;
/// How long the first exchange of a transaction waits for others.
const BATCH_AGE: Duration = Duration::from_millis(100);
/// Findings are few by nature; a candidate that invents a new header name for each answer must not fill the disk.
const FINDINGS_MAX: u64 = 10_000;

pub const FILE: &str = "shadow.db";

#[derive(Clone)]
pub struct Recorder {
    rows: SyncSender<Row>,
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// Opens or creates the store and starts its writer, which ends when every recorder is gone.
    ///
    /// # Errors
    /// The directory cannot be written, or the file is not a store of ours.
    pub fn start(
        directory: &Path,
        limits: StoreLimits,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<(Recorder, JoinHandle<()>)> {
        let path = directory.join(FILE);
        let connection = open(&path).with_context(|| {
            format!("{} cannot be used; check its permissions, or give another directory with --data", path.display())
        })?;
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let writer = Writer {
            connection,
            path,
            limits,
            metrics: metrics.clone(),
            failure_said: Rarely::every(Duration::from_secs(60)),
        };
        let thread = std::thread::Builder::new().name("record".to_owned()).spawn(move || writer.run(&receiver))?;
        Ok((Recorder { rows: sender, metrics }, thread))
    }

    /// Never waits: without room the row is counted as lost.
    pub fn keep(&self, row: Row) {
        if self.rows.try_send(row).is_err() {
            self.metrics.records_lost.inc();
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(include_str!("record.sql"))?;
    Ok(connection)
}

struct Writer {
    connection: Connection,
    path: PathBuf,
    limits: StoreLimits,
    metrics: Arc<Metrics>,
    failure_said: Rarely,
}

impl Writer {
    fn run(mut self, rows: &Receiver<Row>) {
        let mut aged = Instant::now();
        while let Ok(first) = rows.recv() {
            let batch = batch(first, rows);
            if let Err(error) = self.write(&batch) {
                self.metrics.records_lost.inc_by(batch.len() as u64);
                self.say(&error);
            }
            if let Err(error) = self.drop_oldest() {
                self.say(&error);
            }
            if aged.elapsed() > Duration::from_secs(1) {
                if let Err(error) = self.drop_old(batch[0].at_ms) {
                    self.say(&error);
                }
                aged = Instant::now();
            }
        }
        // A clean end leaves one file.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    fn write(&mut self, batch: &[Row]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let mut pairs: HashMap<&str, u64> = HashMap::new();
        let mut findings: HashMap<FindingKey, FindingCount> = HashMap::new();
        for row in batch {
            let exchange = row.shown.as_ref().map(|shown| insert(&transaction, row, shown)).transpose()?;
            *pairs.entry(&row.endpoint).or_default() += 1;
            for difference in &row.differences {
                let severity = Severity::of(&difference.path, difference.kind, difference.legacy.as_deref());
                let rule = difference.rule.as_deref();
                let key = (row.endpoint.as_str(), difference.path.as_str(), difference.kind, severity, rule);
                let finding = findings.entry(key).or_insert(FindingCount { count: 0, row, difference, exchange });
                finding.count += 1;
                finding.exchange = finding.exchange.or(exchange);
            }
        }
        let mut statement = transaction.prepare_cached(
            "INSERT INTO endpoints (endpoint, pairs) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET pairs = pairs + excluded.pairs",
        )?;
        for (endpoint, count) in pairs {
            statement.execute(params![endpoint, count])?;
        }
        drop(statement);
        for (key, finding) in findings {
            upsert(&transaction, key, &finding)?;
        }
        transaction.commit()
    }

    /// Keeps to the size: a tenth at a time, until there is room or nothing left to drop.
    fn drop_oldest(&mut self) -> rusqlite::Result<()> {
        let mut dropped = 0;
        while self.used()? > self.limits.bytes_max {
            let tenth = self.connection.execute(
                "DELETE FROM exchanges WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 10 FROM exchanges)",
                [],
            )?;
            if tenth == 0 {
                break;
            }
            dropped += tenth;
        }
        if dropped > 0 { self.tidy_up() } else { Ok(()) }
    }

    fn used(&self) -> rusqlite::Result<u64> {
        let sql = "SELECT (page_count - freelist_count) * page_size
                   FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
        self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
    }

    /// Keeps to the age.
    fn drop_old(&mut self, now_ms: u64) -> rusqlite::Result<()> {
        let oldest_ms = now_ms.saturating_sub(self.limits.age_max.as_millis() as u64);
        let dropped = self.connection.execute("DELETE FROM exchanges WHERE at_ms < ?1", [oldest_ms])?;
        if dropped > 0 { self.tidy_up() } else { Ok(()) }
    }

    /// After exchanges were dropped: their findings take the next one as example, the disk takes the free pages.
    fn tidy_up(&mut self) -> rusqlite::Result<()> {
        let forget = "UPDATE findings SET exchange = NULL WHERE exchange NOT IN (SELECT id FROM exchanges)";
        self.connection.execute(forget, [])?;
        let mut vacuum = self.connection.prepare_cached("PRAGMA incremental_vacuum")?;
        // Each step gives one page back.
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
        Ok(())
    }

    fn say(&self, error: &rusqlite::Error) {
        if self.failure_said.is_due() {
            tracing::error!(%error, file = %self.path.display(), "exchanges are not recorded; free space or check permissions");
        }
    }
}

/// What comes within the batch's age. Sleeping that long instead of waiting for each row leaves nobody to be woken.
fn batch(first: Row, rows: &Receiver<Row>) -> Vec<Row> {
    std::thread::sleep(BATCH_AGE);
    std::iter::once(first).chain(rows.try_iter().take(WAITING_MAX)).collect()
}

/// Endpoint, path, kind, severity (a flipped decision has two), and the rule that explains it.
type FindingKey<'a> = (&'a str, &'a str, Kind, Severity, Option<&'a str>);

struct FindingCount<'a> {
    count: u64,
    row: &'a Row,
    difference: &'a ShownDifference,
    exchange: Option<i64>,
}

fn insert(transaction: &Transaction, row: &Row, shown: &Shown) -> rusqlite::Result<i64> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO exchanges (at_ms, endpoint, verdict, served_by, legacy_decision, candidate_decision,
                                legacy_us, candidate_us, shown, differences)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    statement.insert(params![
        row.at_ms,
        row.endpoint,
        text(&row.verdict),
        row.served_by.name(),
        text(&row.legacy),
        text(&row.candidate),
        row.legacy_us,
        row.candidate_us,
        json(shown),
        json(&row.differences),
    ])
}

fn upsert(transaction: &Transaction, key: FindingKey, finding: &FindingCount) -> rusqlite::Result<()> {
    let (endpoint, path, kind, severity, rule) = key;
    let FindingCount { count, row, difference, exchange } = finding;
    let mut statement = transaction.prepare_cached(
        "INSERT INTO findings (endpoint, path, kind, severity, rule, count, first_seen_ms, last_seen_ms,
                               legacy, candidate, exchange)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10
         WHERE (SELECT count(*) FROM findings) < ?11 OR EXISTS
               (SELECT 1 FROM findings WHERE (endpoint, path, kind, severity, rule) = (?1, ?2, ?3, ?4, ?5))
         ON CONFLICT DO UPDATE SET count = count + excluded.count, last_seen_ms = excluded.last_seen_ms,
                                   exchange = coalesce(exchange, excluded.exchange)",
    )?;
    statement.execute(params![
        endpoint,
        path,
        text(&kind),
        severity.name(),
        rule.unwrap_or_default(),
        count,
        row.at_ms,
        difference.legacy,
        difference.candidate,
        exchange,
        FINDINGS_MAX,
    ])?;
    Ok(())
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own types have string keys and no failing serializer")
}

/// The word an enum has in JSON.
fn text<T: Serialize>(value: &T) -> String {
    json(value).trim_matches('"').to_owned()
}

/// A group of differences alike, as the store has it.
#[derive(Clone, Debug, Serialize)]
pub struct StoredFinding {
    pub id: i64,
    pub endpoint: String,
    pub path: String,
    pub kind: String,
    pub severity: String,
    pub rule: Option<String>,
    pub count: u64,
    /// Compared exchanges of the endpoint.
    pub pairs: u64,
    pub first_seen_ms: u64,
    pub last_seen_ms: u64,
    pub legacy: Option<String>,
    pub candidate: Option<String>,
    /// One exchange that shows it, while it is kept.
    pub shown: Option<Shown>,
}

/// The store for readers, while the proxy runs or afterwards.
pub struct Store(Connection);

impl Store {
    /// # Errors
    /// There is no store in the directory, or it cannot be read.
    pub fn open(directory: &Path) -> anyhow::Result<Store> {
        let path = directory.join(FILE);
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).with_context(|| {
            format!("no store at {}; give the directory of a `shadow-proxy run` with --data", path.display())
        })?;
        connection.busy_timeout(Duration::from_secs(2))?;
        Ok(Store(connection))
    }

    pub fn findings(&self, id: Option<i64>) -> anyhow::Result<Vec<StoredFinding>> {
        let mut statement = self.0.prepare(
            "SELECT f.id, f.endpoint, f.path, f.kind, f.rule, f.count, e.pairs, f.first_seen_ms, f.last_seen_ms,
                    f.legacy, f.candidate, x.shown, f.severity
             FROM findings f JOIN endpoints e USING (endpoint) LEFT JOIN exchanges x ON x.id = f.exchange
             WHERE ?1 IS NULL OR f.id = ?1
             ORDER BY f.rule != '', instr('breach lockout high low', f.severity), f.count DESC, f.id",
        )?;
        let findings = statement.query_map([id], |row| {
            let shown: Option<String> = row.get(11)?;
            Ok(StoredFinding {
                id: row.get(0)?,
                endpoint: row.get(1)?,
                path: row.get(2)?,
                kind: row.get(3)?,
                severity: row.get(12)?,
                rule: Some(row.get::<_, String>(4)?).filter(|rule| !rule.is_empty()),
                count: row.get(5)?,
                pairs: row.get(6)?,
                first_seen_ms: row.get(7)?,
                last_seen_ms: row.get(8)?,
                legacy: row.get(9)?,
                candidate: row.get(10)?,
                shown: shown.and_then(|shown| serde_json::from_str(&shown).ok()),
            })
        })?;
        Ok(findings.collect::<Result<_, _>>()?)
    }

    pub fn finding(&self, id: i64) -> anyhow::Result<Option<StoredFinding>> {
        Ok(self.findings(Some(id))?.pop())
    }
}
