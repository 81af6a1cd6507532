//! The stores of several proxies as one: counters add, and samples are drawn anew from those that each has.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use rusqlite::types::FromSql;
use rusqlite::{Connection, params};

use super::known::Known;
use super::reservoir::{Random, SAMPLES_MAX};
use super::tally::{Endpoint, Sightings, Tally};
use super::{FILE, Samples, Store, StoredFinding, schema, sql};

/// Says how many there were. Each file is a store or the directory of one; `out` is a directory.
///
/// # Errors
/// They are about different candidates or were gathered by different rules, one cannot be read, or there is a store in
/// `out`.
pub fn merge(files: &[PathBuf], out: &Path) -> anyhow::Result<usize> {
    let stores: Vec<(PathBuf, Store)> = files.iter().map(|file| opened(file)).collect::<Result<_, _>>()?;
    for (what, otherwise) in [
        ("build", "is about another candidate, and what two of them do cannot be added; merge only stores of one"),
        (
            "rules",
            "was gathered by other rules, and such evidence cannot be added; give all proxies the same rules first",
        ),
    ] {
        let first = schema::meta(&stores[0].1.0, what)?;
        for (file, store) in &stores {
            ensure!(schema::meta(&store.0, what)? == first, "{} {otherwise}", file.display());
        }
    }
    let file = out.join(FILE);
    ensure!(!file.exists(), "{} is there already; name another directory with --out", file.display());
    let unusable = || format!("{} cannot be written; name another directory with --out", file.display());
    std::fs::create_dir_all(out).with_context(unusable)?;
    let mut sum = schema::create(&file).with_context(unusable)?;
    for name in ["build", "rules"] {
        if let Some(value) = schema::meta(&stores[0].1.0, name)? {
            schema::set_meta(&sum, name, &value)?;
        }
    }
    let mut known = Known::default();
    let mut random = Random::default();
    for (from, store) in &stores {
        if let Err(error) = add(&mut sum, store, &mut known, &mut random) {
            // Half a sum looks like a whole one.
            let _ = std::fs::remove_file(&file);
            return Err(error.context(format!("{} cannot be added", from.display())));
        }
    }
    sum.execute("DELETE FROM exchanges WHERE id NOT IN (SELECT exchange FROM samples)", [])?;
    Ok(stores.len())
}

fn opened(file: &Path) -> anyhow::Result<(PathBuf, Store)> {
    let file = if file.is_dir() { file.join(FILE) } else { file.to_owned() };
    let store = Store::open_file(&file)?;
    Ok((file, store))
}

fn add(sum: &mut Connection, store: &Store, known: &mut Known, random: &mut Random) -> anyhow::Result<()> {
    let findings = store.findings(Samples::One)?;
    let mut exchanges: HashMap<i64, Vec<i64>> = HashMap::new();
    for (finding, exchange) in pairs(&store.0, "SELECT finding, exchange FROM samples ORDER BY finding, slot")? {
        exchanges.entry(finding).or_default().push(exchange);
    }
    let before: HashMap<i64, u64> = pairs(sum, "SELECT id, count FROM findings")?.into_iter().collect();
    let transaction = sum.transaction()?;
    let new = known.add(&transaction, &tally(store, &findings, known)?)?;
    known.extend(new);
    for found in &findings {
        let Some(finding) = known.finding(key(known, found)) else { continue };
        let exchanges = exchanges.remove(&found.id).unwrap_or_default();
        let counts = (before.get(&finding).copied().unwrap_or(0), found.count);
        for (slot, exchange) in drawn(&transaction, finding, &exchanges, counts, random)? {
            sql::set_sample(&transaction, finding, slot, copied(&transaction, &store.0, exchange)?)?;
        }
    }
    Ok(transaction.commit()?)
}

/// All counters of a store.
fn tally(store: &Store, findings: &[StoredFinding], known: &Known) -> anyhow::Result<Tally> {
    let mut tally = Tally::new(known.keys.clone());
    let seen: HashMap<String, u64> = pairs(&store.0, "SELECT endpoint, seen FROM endpoints")?.into_iter().collect();
    for evidence in store.endpoints()? {
        let seen = seen.get(&evidence.endpoint).copied().unwrap_or(0);
        tally.endpoints.insert(evidence.endpoint.clone(), Endpoint { seen, evidence });
    }
    tally.fields = store.fields()?.into_iter().map(|field| (known.keys.field(&field.place), field)).collect();
    tally.findings = findings.iter().map(|found| (key(known, found), Sightings::from(found.clone()))).collect();
    let sql = "SELECT minute, pairs FROM minutes";
    let counted: HashMap<u64, u64> = store.minutes()?.into_iter().collect();
    let minutes = pairs::<u64, u64>(&store.0, sql)?.into_iter();
    tally.minutes = minutes.map(|(minute, all)| (minute, (all, counted.get(&minute).copied().unwrap_or(0)))).collect();
    tally.account = store.account()?.into_iter().collect();
    Ok(tally)
}

fn key(known: &Known, found: &StoredFinding) -> u64 {
    known.keys.of(&found.signature())
}

fn pairs<K: FromSql, V: FromSql>(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<(K, V)>> {
    connection.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Three of both reservoirs, each sighting as likely as any other: the slots that take another exchange, and which.
/// `counts` are the sightings on either side.
fn drawn(
    sum: &Connection,
    finding: i64,
    others: &[i64],
    counts: (u64, u64),
    random: &mut Random,
) -> rusqlite::Result<Vec<(u8, i64)>> {
    let mut own = sum.prepare_cached("SELECT count(*) FROM samples WHERE finding = ?1")?;
    let own: usize = own.query_row([finding], |row| row.get(0))?;
    let (mut before, mut added) = counts;
    let (mut stay, mut taken) = (0, 0);
    while stay + taken < usize::from(SAMPLES_MAX) && (stay < own || taken < others.len()) {
        let is_other = random.below((before + added).max(1)) >= before;
        if stay == own || is_other && taken < others.len() {
            taken += 1;
            added = added.saturating_sub(1);
        } else {
            stay += 1;
            before = before.saturating_sub(1);
        }
    }
    // Slots are filled from the first one on.
    Ok(others[..taken].iter().enumerate().map(|(index, exchange)| ((stay + index) as u8, *exchange)).collect())
}

/// The id that the exchange has in the sum.
fn copied(sum: &Connection, store: &Connection, exchange: i64) -> rusqlite::Result<i64> {
    let mut read = store.prepare_cached(
        "SELECT at_ms, endpoint, verdict, served_by, legacy_decision, candidate_decision, legacy_us, candidate_us,
                shown, differences FROM exchanges WHERE id = ?1",
    )?;
    let mut rows = read.query([exchange])?;
    let Some(row) = rows.next()? else { return Err(rusqlite::Error::QueryReturnedNoRows) };
    let text = |column| row.get::<_, String>(column);
    let number = |column| row.get::<_, i64>(column);
    let mut write = sum.prepare_cached(
        "INSERT INTO exchanges (at_ms, endpoint, verdict, served_by, legacy_decision, candidate_decision,
                                legacy_us, candidate_us, shown, differences)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    write.insert(params![
        number(0)?,
        text(1)?,
        text(2)?,
        text(3)?,
        text(4)?,
        text(5)?,
        number(6)?,
        number(7)?,
        text(8)?,
        text(9)?
    ])
}
