//! The files of `run --capture`.

use std::io::BufRead;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::source::{Damage, Recorded, line};
use crate::shadow::capture::format::{FORMAT, Header, Line, VERSION};

pub const NAME: &str = "shadow-proxy capture";

/// By its first line, or what is there of it.
pub fn is_own(start: &[u8]) -> bool {
    let first = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice::<serde_json::Value>(first).is_ok_and(|header| header["format"] == FORMAT)
}

pub struct Records<R> {
    input: R,
    number: u64,
    started: Duration,
}

impl<R: BufRead> Records<R> {
    /// # Errors
    /// It is of a newer version.
    pub fn new(mut input: R) -> anyhow::Result<Records<R>> {
        let (first, _) = line(&mut input).context("it cannot be read")?;
        let version = serde_json::from_slice::<serde_json::Value>(&first).ok().and_then(|header| header["v"].as_u64());
        ensure!(
            version == Some(u64::from(VERSION)),
            "it is of another version than {VERSION}; use the shadow-proxy that made it"
        );
        let header: Header =
            serde_json::from_slice(&first).ok().context("line 1 is no header of a capture; take another copy")?;
        let started = humantime::parse_rfc3339(&header.started)
            .ok()
            .context("line 1 has no time in `started`; take another copy")?;
        let started = started.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(Records { input, number: 1, started })
    }

    pub(super) fn next_line(&mut self) -> Result<Option<Recorded>, Damage> {
        self.number += 1;
        let number = self.number;
        let cut = |why: &str| Damage::Cut(format!("line {number} {why}; what is before it was replayed"));
        // An error of the reader is a damaged seal, or a truncated one.
        let (line, ended) =
            line(&mut self.input).map_err(|_| cut("cannot be read, the file is cut short or changed"))?;
        match (line.is_empty(), ended) {
            (true, false) => Ok(None),
            (false, false) => Err(cut("is cut short, as after a crash")),
            _ => self.parse(&line).map(Some).map_err(|why| Damage::Wrong(format!("line {number}: {why}"))),
        }
    }

    fn parse(&self, line: &[u8]) -> Result<Recorded, String> {
        // Not serde's own words, which may quote the line.
        let line: Line = serde_json::from_slice(line).map_err(|error| {
            format!("no record of a capture (column {}); take it out, or take another copy", error.column())
        })?;
        let what_to_do = |why| format!("{why}; take the line out, or take another copy");
        Ok(Recorded {
            time: Some(self.started + Duration::from_micros(line.at_us)),
            session: line.session.map(String::into_bytes),
            call: line.call.call().map_err(what_to_do)?,
            legacy: Some(line.legacy.leg().map_err(what_to_do)?),
        })
    }
}
