//! The thread that writes: in batches, within the limits, and through a full disk.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::clock::now_ms;
use crate::metrics::Metrics;

use super::account::Account;
use super::known::Known;
use super::reservoir::Reservoirs;
use super::standing::Standing;
use super::tally::Tally;
use super::{HOUR_MS, Row, StoreLimits, WAITING_MAX, retention, schema, sql};

pub(super) enum Message {
    Row(Box<Row>),
    /// The digest of the rules that are in force now; the newest of them was made from a finding.
    Rules {
        digest: String,
        finding: i64,
        rule: String,
    },
    End,
}

pub(super) struct Writer {
    connection: Connection,
    path: PathBuf,
    limits: StoreLimits,
    metrics: Arc<Metrics>,
    reservoirs: Arc<Mutex<Reservoirs>>,
    standing: Arc<Standing>,
    /// What is not written yet: of this batch, and of those before it that could not be.
    tally: Tally,
    known: Known,
    account: Account,
    hour_dropped: u64,
    /// When something last could not be written, unless that is long ago.
    failed: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        path: PathBuf,
        limits: StoreLimits,
        metrics: Arc<Metrics>,
        reservoirs: Arc<Mutex<Reservoirs>>,
        standing: Arc<Standing>,
    ) -> rusqlite::Result<Writer> {
        let known = Known::load(&connection, &mut lock(&reservoirs))?;
        let tally = Tally::new(known.keys.clone());
        Ok(Writer {
            connection,
            path,
            limits,
            metrics,
            reservoirs,
            standing,
            tally,
            known,
            account: Account::default(),
            hour_dropped: 0,
            failed: None,
        })
    }

    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let mut looked = Instant::now();
        let mut is_over = false;
        while !is_over {
            is_over = match messages.recv_timeout(LOOK_EVERY) {
                Ok(first) => self.take(first, messages),
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if is_over || looked.elapsed() >= LOOK_EVERY {
                self.write(&[]);
                self.drop_old();
                looked = Instant::now();
            }
        }
        // A clean end leaves one file.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// What comes within the batch's age; whether it was the last. Sleeping that long instead of waiting for each row
    /// leaves nobody to be woken.
    fn take(&mut self, first: Message, messages: &Receiver<Message>) -> bool {
        std::thread::sleep(BATCH_AGE);
        let mut rows = Vec::new();
        let mut is_over = false;
        for message in std::iter::once(first).chain(messages.try_iter().take(WAITING_MAX)) {
            match message {
                Message::Row(row) => rows.push(*row),
                Message::Rules { digest, finding, rule } => {
                    self.write(&std::mem::take(&mut rows));
                    if let Err(error) = self.change_rules(&digest, finding, &rule) {
                        self.fails(&error);
                    }
                }
                Message::End => is_over = true,
            }
        }
        self.write(&rows);
        self.drop_oldest();
        is_over
    }

    fn write(&mut self, rows: &[Row]) {
        rows.iter().for_each(|row| self.tally.add(row));
        self.account.add_to(&mut self.tally, &self.metrics);
        if self.tally.is_empty() {
            return self.settle();
        }
        match self.try_write(rows) {
            Ok(new) => {
                self.known.extend(new);
                self.tally.clear();
                self.settle();
            }
            Err(error) => {
                self.lose(rows);
                self.fails(&error);
            }
        }
    }

    /// Should it fail, the evidence begins anew with the next start.
    fn change_rules(&mut self, digest: &str, finding: i64, rule: &str) -> rusqlite::Result<()> {
        self.tally.forget_evidence();
        schema::begin_evidence(&mut self.connection, digest)?;
        sql::mark_accepted(&self.connection, finding, rule)?;
        self.known = Known::load(&self.connection, &mut lock(&self.reservoirs))?;
        Ok(())
    }

    /// What is new in the store.
    fn try_write(&mut self, rows: &[Row]) -> rusqlite::Result<Known> {
        let Writer { connection, tally, known, .. } = self;
        let transaction = connection.transaction()?;
        let new = known.add(&transaction, tally)?;
        for row in rows {
            let Some(shown) = &row.shown else { continue };
            let exchange = sql::insert_exchange(&transaction, row, shown)?;
            for sample in &row.samples {
                let key = known.keys.finding(&row.endpoint, &row.differences[sample.difference]);
                if let Some(finding) = known.finding(key).or_else(|| new.finding(key)) {
                    sql::set_sample(&transaction, finding, sample.slot, exchange)?;
                }
            }
        }
        transaction.commit()?;
        Ok(new)
    }

    /// Their counters wait in the tally; the exchanges themselves are gone.
    fn lose(&self, rows: &[Row]) {
        let lost = rows.iter().filter(|row| row.shown.is_some());
        let mut reservoirs = lock(&self.reservoirs);
        for row in lost {
            self.metrics.records_lost.inc();
            for sample in &row.samples {
                reservoirs
                    .free(self.known.keys.finding(&row.endpoint, &row.differences[sample.difference]), sample.slot);
            }
        }
    }

    /// Keeps to the size.
    fn drop_oldest(&mut self) {
        let dropped = retention::keep_to_size(&self.connection, self.limits.bytes_max);
        self.tidy_up(dropped);
    }

    /// Keeps to the age.
    fn drop_old(&mut self) {
        let now_ms = now_ms();
        let hour = now_ms / HOUR_MS;
        if self.hour_dropped != hour {
            match retention::drop_hours(&self.connection, hour) {
                Ok(()) => self.hour_dropped = hour,
                Err(error) => self.fails(&error),
            }
        }
        let dropped = retention::keep_to_age(&self.connection, now_ms, self.limits.age_max);
        self.tidy_up(dropped);
    }

    /// After exchanges were dropped: their findings take the next ones as samples.
    fn tidy_up(&mut self, dropped: rusqlite::Result<usize>) {
        let freed = dropped.and_then(|dropped| match dropped {
            0 => Ok(Vec::new()),
            _ => retention::free_samples(&self.connection),
        });
        match freed {
            Ok(freed) if freed.is_empty() => {}
            Ok(freed) => {
                let keys = self.known.keys_by_id();
                let mut reservoirs = lock(&self.reservoirs);
                for (finding, slot) in freed {
                    keys.get(&finding).into_iter().for_each(|key| reservoirs.free(*key, slot));
                }
            }
            Err(error) => self.fails(&error),
        }
    }

    /// What little fits on a full disk is no sign that there is room again; that nothing failed for a while is.
    fn settle(&mut self) {
        if self.failed.is_some_and(|failed| failed.elapsed() >= SETTLED_AFTER) {
            self.failed = None;
            self.standing.works();
            self.metrics.recording_fails.set(0);
            tracing::info!("records are written again; all counters are complete");
        }
    }

    /// Says it once, until it works again.
    fn fails(&mut self, error: &rusqlite::Error) {
        self.failed = Some(Instant::now());
        if self.standing.fails(&error.to_string()) {
            self.metrics.recording_fails.set(1);
            tracing::error!(
                %error,
                file = %self.path.display(),
                "exchanges are not recorded; free space or check permissions. Counters wait in memory"
            );
        }
    }
}

fn lock(reservoirs: &Mutex<Reservoirs>) -> std::sync::MutexGuard<'_, Reservoirs> {
    reservoirs.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the first exchange of a transaction waits for others.
const BATCH_AGE: Duration = Duration::from_millis(100);

/// How long nothing may fail before all is well.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// How often the account is written, and what is too old dropped.
const LOOK_EVERY: Duration = Duration::from_secs(1);
