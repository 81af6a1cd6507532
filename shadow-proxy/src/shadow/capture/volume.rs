//! The files of a capture, one after the other, and never more of them than may be.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use age::stream::StreamWriter;

use super::CaptureLimits;
use super::format::{FORMAT, Header, VERSION};
use super::seal::Passphrase;

pub(super) struct Volumes {
    limits: CaptureLimits,
    passphrase: Option<Passphrase>,
    header: String,
    /// `capture-20250131T100000.123Z`, so that names are in the order of time.
    name: String,
    number: u32,
    open: Option<Volume>,
    /// When one could not be made.
    failed: Option<Instant>,
}

struct Volume {
    out: Out,
    bytes: u64,
}

enum Out {
    Plain(BufWriter<File>),
    Sealed(Box<StreamWriter<File>>),
}

impl Volumes {
    /// Makes the folder and the first file.
    pub(super) fn open(limits: &CaptureLimits, passphrase: Option<Passphrase>) -> io::Result<Volumes> {
        DirBuilder::new().recursive(true).mode(0o700).create(&limits.dir)?;
        let started = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let header = Header {
            format: FORMAT.to_owned(),
            v: VERSION,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            secrets: if passphrase.is_some() { "kept" } else { "stand-ins" }.to_owned(),
            started: started.clone(),
        };
        let mut volumes = Volumes {
            limits: limits.clone(),
            passphrase,
            header: serde_json::to_string(&header).expect("it has string keys and no failing serializer"),
            name: format!("capture-{}", started.replace(['-', ':'], "")),
            number: 0,
            open: None,
            failed: None,
        };
        volumes.next()?;
        Ok(volumes)
    }

    /// # Errors
    /// The line is not kept, and the file ends where it would have stood.
    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|volume| volume.bytes >= self.limits.bytes_max) {
            self.finish()?;
        }
        if self.open.is_none() {
            if self.failed.is_some_and(|failed| failed.elapsed() < RETRY) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.failed = Some(Instant::now());
            self.next()?;
            self.failed = None;
        }
        let volume = self.open.as_mut().expect("it was just opened");
        let written = volume.line(line);
        if written.is_err() {
            self.open = None;
        }
        written
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let flushed = self.open.as_mut().map_or(Ok(()), |volume| volume.out.flush());
        if flushed.is_err() {
            self.open = None;
        }
        flushed
    }

    /// Whole, so that its reader sees that nothing is missing.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self.open.take().map(|volume| volume.out) {
            None => Ok(()),
            Some(Out::Plain(mut file)) => file.flush(),
            Some(Out::Sealed(stream)) => stream.finish().map(drop),
        }
    }

    fn next(&mut self) -> io::Result<()> {
        self.drop_oldest()?;
        self.number += 1;
        let ending = if self.passphrase.is_some() { ".jsonl.age" } else { ".jsonl" };
        let path = self.limits.dir.join(format!("{}-{:04}{ending}", self.name, self.number));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let begun = self.begin(file);
        if begun.is_err() {
            // It would take the place of one that holds something.
            fs::remove_file(path)?;
        }
        self.open = Some(begun?);
        Ok(())
    }

    fn begin(&self, file: File) -> io::Result<Volume> {
        let out = match &self.passphrase {
            None => Out::Plain(BufWriter::new(file)),
            Some(passphrase) => Out::Sealed(Box::new(passphrase.seal(file)?)),
        };
        let mut volume = Volume { out, bytes: 0 };
        volume.line(&self.header)?;
        volume.out.flush()?;
        Ok(volume)
    }

    /// Makes room for one more.
    fn drop_oldest(&self) -> io::Result<()> {
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("capture-") && (name.ends_with(".jsonl") || name.ends_with(".jsonl.age"))
        };
        let files = fs::read_dir(&self.limits.dir)?.map(|file| Ok(file?.path())).collect::<io::Result<Vec<_>>>()?;
        let mut files: Vec<PathBuf> = files.into_iter().filter(is_ours).collect();
        files.sort();
        let surplus = (files.len() + 1).saturating_sub(self.limits.files_max);
        files.iter().take(surplus).try_for_each(fs::remove_file)
    }
}

impl Volume {
    fn line(&mut self, line: &str) -> io::Result<()> {
        self.bytes += line.len() as u64 + 1;
        self.out.write_all(line.as_bytes())?;
        self.out.write_all(b"\n")
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Plain(file) => file.write(bytes),
            Out::Sealed(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Plain(file) => file.flush(),
            Out::Sealed(stream) => stream.flush(),
        }
    }
}

/// A full disk is not asked for each exchange.
const RETRY: Duration = Duration::from_secs(1);
