//! What goes when there is too much of it, or when it is too old.

use std::time::Duration;

use rusqlite::Connection;

use super::tally::MINUTES_MAX;
use super::{HOUR_MS, HOURS_MAX};

/// Drops a tenth of the exchanges at a time, the oldest first and samples last, until there is room or nothing left to
/// drop. Says how many.
pub(super) fn keep_to_size(connection: &Connection, bytes_max: u64) -> rusqlite::Result<usize> {
    let mut dropped = 0;
    while used(connection)? > bytes_max {
        let tenth = match drop_tenth(connection, BESIDES_SAMPLES)? {
            0 => drop_tenth(connection, "")?,
            tenth => tenth,
        };
        if tenth == 0 {
            break;
        }
        dropped += tenth;
    }
    if dropped > 0 {
        give_back(connection)?;
    }
    Ok(dropped)
}

pub(super) fn keep_to_age(connection: &Connection, now_ms: u64, age_max: Duration) -> rusqlite::Result<usize> {
    let oldest_ms = now_ms.saturating_sub(age_max.as_millis() as u64);
    let dropped = connection.prepare_cached("DELETE FROM exchanges WHERE at_ms < ?1")?.execute([oldest_ms])?;
    if dropped > 0 {
        give_back(connection)?;
    }
    Ok(dropped)
}

/// Trends and rates that reach too far back.
pub(super) fn drop_hours(connection: &Connection, hour: u64) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM trend WHERE hour <= ?1", [hour.saturating_sub(HOURS_MAX as u64)])?;
    let minutes_max = MINUTES_MAX as u64;
    connection
        .execute("DELETE FROM minutes WHERE minute < ?1", [(hour * HOUR_MS / 60_000).saturating_sub(minutes_max)])?;
    Ok(())
}

/// Findings and slots whose exchange is gone.
pub(super) fn free_samples(connection: &Connection) -> rusqlite::Result<Vec<(i64, u8)>> {
    let sql = "DELETE FROM samples WHERE exchange NOT IN (SELECT id FROM exchanges) RETURNING finding, slot";
    connection.prepare_cached(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn drop_tenth(connection: &Connection, condition: &str) -> rusqlite::Result<usize> {
    let sql = format!(
        "DELETE FROM exchanges WHERE id IN
             (SELECT id FROM exchanges {condition} ORDER BY id LIMIT (SELECT count(*) / 10 + 1 FROM exchanges))"
    );
    connection.prepare_cached(&sql)?.execute([])
}

fn used(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT (page_count - freelist_count) * page_size
               FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

/// The free pages go to the disk, one with each step.
fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let mut vacuum = connection.prepare_cached("PRAGMA incremental_vacuum")?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

const BESIDES_SAMPLES: &str = "WHERE NOT EXISTS (SELECT 1 FROM samples WHERE exchange = exchanges.id)";
