//! HAR 1.2, as browsers and proxies export it. One odd entry is left out and counted; it never costs the others.

mod body;
mod entry;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read};

use anyhow::{anyhow, bail, ensure};
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use self::entry::{Sent, sent};
use super::source::{Damage, LeftOut, Recorded};
use crate::show::export::CREATOR;
use crate::show::export::har::model::Entry;

pub const NAME: &str = "HAR";

/// Hosts whose entries are replayed.
#[derive(Clone, Debug, Default)]
pub struct Hosts(pub Vec<String>);

/// The records in the order of their time, after what was left out.
///
/// # Errors
/// The file is no HAR, or nobody can say which of its hosts is the service.
pub fn read(input: impl Read, hosts: &Hosts) -> anyhow::Result<Vec<Result<Recorded, Damage>>> {
    let text = text(input)?;
    let Log { mut entries, is_own_export } = parse(unwrapped(&text))?;
    ensure!(
        !is_own_export,
        "this HAR was exported by `diffs export`: its secrets are redacted and each call is in it once for each side; \
         replay a finding with --id N, or a capture of `run --capture`"
    );
    drop(text);
    let chosen = chosen(&entries, hosts)?;
    let mut found: Vec<Result<Recorded, Damage>> = Vec::new();
    let mut records = Vec::new();
    // An entry without a time stays behind the one before it.
    let mut time = None;
    for (number, entry) in entries.drain(..).enumerate() {
        let place = || format!("log.entries[{number}]");
        match entry {
            Err(what) => found.push(Err(Damage::LeftOut(what, place()))),
            Ok(Sent { host, .. }) if chosen.as_ref().is_some_and(|chosen| !chosen.contains(&host)) => {
                found.push(Err(Damage::LeftOut(LeftOut::OtherHost, host)));
            }
            Ok(Sent { recorded, headers_left_out, .. }) => {
                found.extend((0..headers_left_out).map(|_| Err(Damage::LeftOut(LeftOut::Header, place()))));
                time = recorded.time.or(time);
                records.push((time, recorded));
            }
        }
    }
    records.sort_by_key(|(time, _)| *time);
    found.extend(records.into_iter().map(|(_, recorded)| Ok(recorded)));
    Ok(found)
}

/// The hosts to send; none: there is only one, or all were asked for.
fn chosen(entries: &[Result<Sent, LeftOut>], wanted: &Hosts) -> anyhow::Result<Option<Vec<String>>> {
    let Hosts(wanted) = wanted;
    let mut hosts: BTreeMap<&str, usize> = BTreeMap::new();
    for Sent { host, .. } in entries.iter().flatten() {
        *hosts.entry(host).or_default() += 1;
    }
    let listed = || {
        let mut listed: Vec<(&str, usize)> = hosts.iter().map(|(host, count)| (*host, *count)).collect();
        listed.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let more = listed.len().saturating_sub(HOSTS_TOLD);
        let told: Vec<String> =
            listed.iter().take(HOSTS_TOLD).map(|(host, count)| format!("{host} ({count})")).collect();
        told.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
    };
    if wanted.iter().any(|wanted| wanted == ALL_HOSTS) {
        return Ok(None);
    }
    if !wanted.is_empty() {
        let wanted: Vec<String> = wanted.iter().map(|host| entry::host_of(host)).collect();
        if let Some(host) = wanted.iter().find(|host| !hosts.contains_key(host.as_str())) {
            bail!("it has no entry of the host {host} that --host names; it has those of {}", listed());
        }
        return Ok(Some(wanted));
    }
    let entries: usize = hosts.values().sum();
    match hosts.iter().find(|(_, count)| **count * 2 > entries) {
        _ if hosts.len() < 2 => Ok(None),
        Some((host, _)) => Ok(Some(vec![(*host).to_owned()])),
        None => bail!(
            "it has entries of {} hosts, none of which has more than half of them: {}; name the service's with --host",
            hosts.len(),
            listed()
        ),
    }
}

fn text(input: impl Read) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    input.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            anyhow!("its compression is damaged or cut short; copy it again")
        }
        _ => anyhow!("it cannot be read to its end; copy it again"),
    })?;
    ensure!(bytes.len() as u64 <= BYTES_MAX, "it has more than {BYTES_MAX} bytes; export it in parts");
    let text = String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        anyhow!("it is no UTF-8 at byte {byte}; save it as UTF-8, or export it again")
    })?;
    Ok(text)
}

/// Without a byte order mark, and without the call around it that JSONP has (`onInputData({…})`).
fn unwrapped(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}').trim();
    match text.split_once('(') {
        Some((name, rest)) if is_function(name) => {
            rest.trim_end_matches(';').trim_end().strip_suffix(')').unwrap_or(rest)
        }
        _ => text,
    }
}

/// Whether this begins like JSONP.
pub fn is_jsonp(start: &[u8]) -> bool {
    let start = String::from_utf8_lossy(start);
    let start = start.trim_start_matches('\u{feff}').trim_start();
    start.split_once('(').is_some_and(|(name, rest)| is_function(name) && rest.trim_start().starts_with('{'))
}

fn is_function(name: &str) -> bool {
    let name = name.trim_end();
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_$.".contains(&byte))
}

struct Log {
    entries: Vec<Result<Sent, LeftOut>>,
    is_own_export: bool,
}

/// Serde's own words may quote the file, so that only its numbers are told.
fn parse(text: &str) -> anyhow::Result<Log> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let parsed = parser.deserialize_map(InHar).and_then(|log| parser.end().map(|()| log));
    let error = match parsed {
        Ok(Some(log)) => return Ok(log),
        Ok(None) => bail!("it is no HAR 1.2: `log.entries` is missing; export it again"),
        Err(error) => error,
    };
    let (line, column, said) = (error.line(), error.column(), error.to_string());
    if said.starts_with("recursion limit") {
        bail!("it is nested too deeply at line {line}; take that member out, or export it again");
    }
    if error.is_eof() {
        bail!("it is cut short at line {line}; export it again");
    }
    if said.starts_with("trailing characters") {
        let first = text.lines().next().unwrap_or_default();
        let is_line = serde_json::from_str::<IgnoredAny>(first).is_ok();
        bail!(
            "more than one JSON document is in it, the second at line {line}{}",
            if is_line {
                " (NDJSON); write the entries as {\"log\":{\"entries\":[…]}}"
            } else {
                "; give one file for each"
            }
        );
    }
    bail!("it is no HAR 1.2: line {line}, column {column}; export it again")
}

/// The outermost object: all but `log` is passed by.
struct InHar;

impl<'de> Visitor<'de> for InHar {
    type Value = Option<Log>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a HAR")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Log>, A::Error> {
        let mut log = None;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "log" if log.is_none() => log = map.next_value::<OfLog>()?.0,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(log)
    }
}

struct OfLog(Option<Log>);

impl<'de> Deserialize<'de> for OfLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OfLog, D::Error> {
        deserializer.deserialize_map(InLog)
    }
}

/// One entry at a time is in memory as JSON, however many there are.
struct InLog;

impl<'de> Visitor<'de> for InLog {
    type Value = OfLog;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the log of a HAR")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OfLog, A::Error> {
        let (mut entries, mut creator) = (None, serde_json::Value::Null);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "entries" if entries.is_none() => entries = Some(map.next_value::<Entries>()?.0),
                "creator" => creator = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let is_own_export = creator["name"] == CREATOR.0;
        Ok(OfLog(entries.map(|entries| Log { entries, is_own_export })))
    }
}

struct Entries(Vec<Result<Sent, LeftOut>>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_seq(InEntries)
    }
}

struct InEntries;

impl<'de> Visitor<'de> for InEntries {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the entries of a HAR")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = seq.next_element::<serde_json::Value>()? {
            let entry = serde_json::from_value::<Entry>(entry).map_err(A::Error::custom);
            entries.push(entry.map_or(Err(LeftOut::Unreadable), sent));
        }
        Ok(Entries(entries))
    }
}

const BYTES_MAX: u64 = 1 << 30;
/// `--host '*'`
const ALL_HOSTS: &str = "*";
const HOSTS_TOLD: usize = 5;

#[cfg(test)]
mod tests;
