//! The key file: one line that says what follows, then one record per line in the order of their names.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use auth_component::api_key::{RECORD_BYTES_MAX, Record, RecordDefect};
use auth_component::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::disk;

/// By their names, which are the ids of the records.
pub type Records = BTreeMap<String, Record>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    v: u32,
    records: usize,
    /// Of everything behind this line, so that a file cut short or changed by hand is seen.
    sha256: String,
}

const FORMAT: &str = "shadow-proxy keys";
const VERSION: u32 = 1;
const RECORDS_MAX: usize = 100_000;
const BYTES_MAX: u64 = 64 << 20;

/// # Errors
/// Never with content of the file: lines are numbered.
pub fn read(path: &Path) -> anyhow::Result<Records> {
    let file = File::open(path).with_context(|| {
        format!("{} cannot be read; check the path, or make one with `shadow-proxy keys import`", path.display())
    })?;
    parse(&disk::read(file, path, BYTES_MAX)?).with_context(|| path.display().to_string())
}

pub fn write(path: &Path, records: &Records) -> anyhow::Result<()> {
    ensure!(
        records.len() <= RECORDS_MAX,
        "{} cannot hold more than {RECORDS_MAX} records; nothing was changed, begin a second file",
        path.display()
    );
    let content = render(records);
    ensure!(
        content.len() as u64 <= BYTES_MAX,
        "{} cannot hold more than {BYTES_MAX} bytes; nothing was changed, begin a second file",
        path.display()
    );
    parse(&content).context("the changed records could not be read back, so nothing was changed; have shorter ones")?;
    disk::replace(path, &content)
}

/// # Errors
/// As for [`read`].
pub fn parse(content: &[u8]) -> anyhow::Result<Records> {
    let end = content.iter().position(|&byte| byte == b'\n').unwrap_or(content.len());
    let (first, rest) = content.split_at(end);
    let rest = rest.strip_prefix(b"\n").unwrap_or_default();
    let header: Option<Header> = serde_json::from_slice(first).ok().filter(|header: &Header| header.format == FORMAT);
    let Some(header) = header else {
        bail!("this is no key file; give one that `shadow-proxy keys import` or `keys add` wrote");
    };
    ensure!(header.v == VERSION, "it is of version {}, this program knows {VERSION}; use a newer one", header.v);
    ensure!(
        sha256(rest) == header.sha256,
        "it was cut short or changed by hand (its checksum is another); put a backup in its place, and change it with \
         `shadow-proxy keys` alone"
    );
    ensure!(
        header.records <= RECORDS_MAX,
        "it has {} records, more than {RECORDS_MAX}; split it in two",
        header.records
    );
    let mut records = Records::new();
    let lines = rest.split_inclusive(|&byte| byte == b'\n');
    for (number, line) in (2..).zip(lines) {
        let (name, record) = parse_line(line).with_context(|| format!("line {number}"))?;
        let is_next = records.last_key_value().is_none_or(|(last, _)| *last < name);
        ensure!(
            is_next,
            "line {number} is not behind the one before it by name, or the same; put a backup in its place"
        );
        records.insert(name, record);
    }
    ensure!(
        records.len() == header.records,
        "it has {} records where its first line says {}; put a backup in its place",
        records.len(),
        header.records
    );
    Ok(records)
}

fn parse_line(line: &[u8]) -> anyhow::Result<(String, Record)> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let line = line.strip_suffix(b"\n").context("it does not end; put a backup in the file's place")?;
    // serde's own words may quote the record.
    let Named { id } =
        serde_json::from_slice(line).ok().context("this is no record; put a backup in the file's place")?;
    // As it would be written again, it can be longer.
    let fits = |record: &Record| record.to_json().len() <= RECORD_BYTES_MAX;
    match Record::parse(line, &id).and_then(|record| fits(&record).then_some(record).ok_or(RecordDefect::TooLong)) {
        Ok(record) => Ok((id, record)),
        Err(defect) => bail!("the record cannot be used ({defect:?}); put a backup in the file's place"),
    }
}

/// What [`parse`] reads.
pub fn render(records: &Records) -> Vec<u8> {
    let mut rest = Vec::new();
    for record in records.values() {
        rest.extend_from_slice(record.to_json().as_bytes());
        rest.push(b'\n');
    }
    let header = Header { format: FORMAT.to_owned(), v: VERSION, records: records.len(), sha256: sha256(&rest) };
    let mut content = serde_json::to_vec(&header).expect("it has string keys and no failing serializer");
    content.push(b'\n');
    content.append(&mut rest);
    content
}

fn sha256(content: &[u8]) -> String {
    hex::encode(&Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(names: &[&str]) -> Records {
        let record = |name: &str| Record::new(name, name.as_bytes(), "p1", &[7; 32], "user", 1_700_000_000);
        names.iter().map(|&name| (name.to_owned(), record(name))).collect()
    }

    /// A header that fits whatever follows it.
    fn with_header(records: usize, rest: &str) -> Vec<u8> {
        let header = Header { format: FORMAT.to_owned(), v: VERSION, records, sha256: sha256(rest.as_bytes()) };
        format!("{}\n{rest}", serde_json::to_string(&header).expect("a header")).into_bytes()
    }

    #[test]
    fn what_was_written_is_read() {
        for names in [&[][..], &["a"], &["b", "a", "c"]] {
            let records = records(names);
            assert_eq!(parse(&render(&records)).expect("it was rendered"), records);
        }
    }

    #[test]
    fn a_record_that_would_be_written_longer_than_it_may_be_is_refused() {
        let json = records(&["a"])["a"].to_json();
        let long = |bytes: usize| json.replace("\"user\"", &format!("\"{}\"", "u".repeat(bytes - json.len() + 4)));
        let read = |record: String| parse(&with_header(1, &(record.replace(",\"nbf\":null", "") + "\n")));
        assert!(read(long(RECORD_BYTES_MAX)).is_ok_and(|records| parse(&render(&records)).is_ok()));
        assert!(format!("{:#}", read(long(RECORD_BYTES_MAX + 1)).expect_err("too long")).contains("TooLong"));
    }

    #[test]
    fn a_file_cut_short_or_changed_anywhere_is_refused() {
        let whole = render(&records(&["a", "b"]));
        for cut in 0..whole.len() {
            assert!(parse(&whole[..cut]).is_err(), "{cut} bytes are left");
            let mut changed = whole.clone();
            changed[cut] ^= 1;
            assert!(parse(&changed).is_err(), "byte {cut} is another");
        }
        assert!(parse(&[whole, b"\n".to_vec()].concat()).is_err());
    }

    #[test]
    fn what_a_good_checksum_does_not_make_good_is_refused() {
        let line = |name: &str| records(&[name])[name].to_json() + "\n";
        assert!(parse(&with_header(2, &(line("a") + &line("b")))).is_ok());
        for (records, rest, said) in [
            (2, line("b") + &line("a"), "line 3 is not behind"),
            (2, line("a") + &line("a"), "line 3 is not behind"),
            (1, line("a") + &line("b"), "2 records where its first line says 1"),
            (1, line("a").trim().to_owned(), "does not end"),
            (1, "\n".to_owned(), "no record"),
            (1, line("a").replace("hs256", "plain"), "Version"),
            (100_001, String::new(), "more than 100000"),
        ] {
            let error = format!("{:#}", parse(&with_header(records, &rest)).expect_err(said));
            assert!(error.contains(said), "{error}");
        }
    }
}
