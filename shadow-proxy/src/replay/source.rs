//! Recorded calls from a file, whichever of the formats it is in: told by its content, not by its name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::{gor, har, own};
use crate::exchange::{Call, Leg};
use crate::shadow::capture::seal::{MAGIC, Passphrase};

/// One call as it was recorded.
pub struct Recorded {
    /// Since the Unix epoch.
    pub time: Option<Duration>,
    /// What it keeps its place among.
    pub session: Option<Vec<u8>>,
    pub call: Call,
    /// What legacy did with it then.
    pub legacy: Option<Leg>,
}

/// Where reading ends too early. Each in one sentence with what to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Damage {
    /// The rest is missing, as after a crash.
    Cut(String),
    /// Something that is not of the format.
    Wrong(String),
}

pub type Records = Box<dyn Iterator<Item = Result<Recorded, Damage>>>;

pub struct Source {
    pub format: &'static str,
    pub records: Records,
}

/// A file, or the folder of a capture with all of its files.
///
/// # Errors
/// It cannot be read, or is in none of the formats.
pub fn open(path: &Path, passphrase_file: Option<&Path>) -> anyhow::Result<Source> {
    let passphrase = passphrase_file.map(Passphrase::read).transpose()?;
    if !path.is_dir() {
        return open_file(path, passphrase.as_ref()).with_context(|| path.display().to_string());
    }
    let files = std::fs::read_dir(path)?.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<PathBuf>>>()?;
    let is_capture = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("capture-") && name.contains(".jsonl")
    };
    let mut files: Vec<PathBuf> = files.into_iter().filter(is_capture).collect();
    files.sort();
    ensure!(
        !files.is_empty(),
        "{} has no capture in it; give the folder of `run --capture`, or a file",
        path.display()
    );
    // The first tells at once whether the passphrase is right.
    let mut rest = files.into_iter();
    let first = rest.next().context("there is one")?;
    let first = open_file(&first, passphrase.as_ref()).with_context(|| first.display().to_string())?;
    let others = rest.flat_map(move |file| -> Records {
        match open_file(&file, passphrase.as_ref()) {
            Ok(source) => source.records,
            Err(error) => Box::new(std::iter::once(Err(Damage::Wrong(format!("{}: {error:#}", file.display()))))),
        }
    });
    let records = first.records.chain(others);
    Ok(Source { format: own::NAME, records: Box::new(records) })
}

/// A capture has its exchanges in the order in which they were complete. This gives them in that in which they began.
struct InOrder {
    records: Records,
    held: BTreeMap<(Option<Duration>, u64), Recorded>,
    held_bytes: usize,
    number: u64,
    end: Option<Damage>,
    is_over: bool,
}

impl InOrder {
    fn new(records: Records) -> InOrder {
        InOrder { records, held: BTreeMap::new(), held_bytes: 0, number: 0, end: None, is_over: false }
    }

    fn has_room(&self) -> bool {
        self.held.len() < HELD_MAX && self.held_bytes < HELD_BYTES_MAX
    }
}

impl Iterator for InOrder {
    type Item = Result<Recorded, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.has_room() && self.end.is_none() && !self.is_over {
            match self.records.next() {
                Some(Ok(recorded)) => {
                    self.held_bytes += recorded.call.weight_bytes();
                    self.number += 1;
                    self.held.insert((recorded.time, self.number), recorded);
                }
                Some(Err(damage)) => self.end = Some(damage),
                None => self.is_over = true,
            }
        }
        let Some((_, first)) = self.held.pop_first() else { return self.end.take().map(Err) };
        self.held_bytes -= first.call.weight_bytes();
        Some(Ok(first))
    }
}

fn open_file(path: &Path, passphrase: Option<&Passphrase>) -> anyhow::Result<Source> {
    let file = File::open(path).context("it cannot be read; check the path")?;
    read(BufReader::with_capacity(BUFFER_BYTES, Box::new(file)), passphrase, 0)
}

type Input = BufReader<Box<dyn Read>>;

fn read(mut input: Input, passphrase: Option<&Passphrase>, wrappings: u8) -> anyhow::Result<Source> {
    let start = input.fill_buf().context("it cannot be read")?;
    if start.starts_with(MAGIC) && wrappings < WRAPPINGS_MAX {
        let Some(passphrase) = passphrase else {
            bail!("it is sealed; name the file with its passphrase with --passphrase-file");
        };
        let plain: Box<dyn Read> = Box::new(passphrase.open(input)?);
        return read(BufReader::with_capacity(BUFFER_BYTES, plain), Some(passphrase), wrappings + 1);
    }
    if start.starts_with(&[0x1f, 0x8b]) && wrappings < WRAPPINGS_MAX {
        let plain: Box<dyn Read> = Box::new(flate2::bufread::MultiGzDecoder::new(input));
        return read(BufReader::with_capacity(BUFFER_BYTES, plain), passphrase, wrappings + 1);
    }
    if gor::is_gor(start) {
        let mut records = gor::Records::new(input);
        return Ok(Source { format: gor::NAME, records: up_to_damage(move || records.next_request()) });
    }
    if own::is_own(start) {
        let mut records = own::Records::new(input)?;
        let records = InOrder::new(up_to_damage(move || records.next_line()));
        return Ok(Source { format: own::NAME, records: Box::new(records) });
    }
    if start.trim_ascii_start().starts_with(b"{") || start.starts_with("\u{feff}".as_bytes()) {
        return Ok(Source { format: har::NAME, records: Box::new(har::read(input)?.into_iter().map(Ok)) });
    }
    bail!("it is no capture of `run --capture`, no HAR and no .gor file; give one of these")
}

/// What is damaged is the last that is read.
fn up_to_damage(mut next: impl FnMut() -> Result<Option<Recorded>, Damage> + 'static) -> Records {
    let mut is_over = false;
    Box::new(std::iter::from_fn(move || {
        let next = if is_over { None } else { next().transpose() };
        is_over = !matches!(next, Some(Ok(_)));
        next
    }))
}

/// The next line without its end, how long it may be, and whether it ended. Empty at the end of the input.
pub(super) fn line(input: &mut impl BufRead) -> std::io::Result<(Vec<u8>, bool)> {
    let mut line = Vec::new();
    std::io::Read::by_ref(input).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    let ended = line.pop_if(|byte| *byte == b'\n').is_some();
    Ok((line, ended))
}

/// A call's own limits make longer ones impossible.
const LINE_BYTES_MAX: u64 = 256 << 20;
const BUFFER_BYTES: usize = 64 << 10;
/// Of a capture: as many as can have been in flight at the same time, and more.
const HELD_MAX: usize = 4_096;
const HELD_BYTES_MAX: usize = 64 << 20;
/// Compressed and sealed.
const WRAPPINGS_MAX: u8 = 2;
