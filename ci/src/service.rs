//! A program the demo starts, waits for, and ends, whatever happens in between.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::interrupt::{self, LOOK_EVERY};

const STOP_WITHIN: Duration = Duration::from_secs(15);
const LOG_LINES_SHOWN: usize = 5;

pub(crate) struct Service {
    name: &'static str,
    child: Child,
    /// The `ready …` line, without its first word.
    ready: Receiver<String>,
    log: PathBuf,
    /// What to remove when the program cannot: podman's container outlives a killed podman.
    container: Option<String>,
    ended: Option<ExitStatus>,
}

impl Service {
    /// Starts the program with its output in `log`. It gets a process group of its own: a Ctrl-C on the terminal is
    /// then ours to pass on, in the right order.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: PathBuf) -> Result<Service> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file.try_clone()?).process_group(0);
        Service::spawn(name, command, log, file)
    }

    /// The same, but what it prints on stderr (its progress) is for the person.
    pub(crate) fn start_shown(name: &'static str, command: &mut Command, log: PathBuf) -> Result<Service> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        Service::spawn(name, command, log, file)
    }

    pub(crate) fn in_container(mut self, container: String) -> Service {
        self.container = Some(container);
        self
    }

    fn spawn(name: &'static str, command: &mut Command, log: PathBuf, mut file: File) -> Result<Service> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().with_context(|| format!("cannot start {name}: {program}"))?;
        let stdout = child.stdout.take().context("stdout was asked for as a pipe")?;
        let (sender, ready) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                // A log that cannot be written, or nobody waiting any more, must not stop the reading: the program would block.
                writeln!(file, "{line}").ok();
                if let Some(ready) = line.strip_prefix("ready ") {
                    sender.send(ready.to_owned()).ok();
                }
            }
        });
        Ok(Service { name, child, ready, log, container: None, ended: None })
    }

    /// Waits for the line `ready name=value …` and returns what it says.
    pub(crate) fn ready(&mut self, within: Duration) -> Result<BTreeMap<String, String>> {
        let deadline = Instant::now() + within;
        loop {
            match self.ready.recv_timeout(LOOK_EVERY) {
                Ok(line) => return Ok(pairs(&line)),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it was ready{}", self.name, self.last_words())
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            interrupt::check()?;
            if Instant::now() > deadline {
                bail!("{} was not ready within {} s{}", self.name, within.as_secs(), self.last_words());
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// An error when the program is no longer there although nobody stopped it.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        match self.has_ended()? {
            Some(status) => bail!("{} ended early: {status}{}", self.name, self.last_words()),
            None => Ok(()),
        }
    }

    /// Asks the program to end, waits, and kills it when it does not.
    pub(crate) fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.has_ended()? {
            return Ok(status);
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM).ok();
        let deadline = Instant::now() + STOP_WITHIN;
        while self.has_ended()?.is_none() && Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY / 5);
        }
        if let Some(status) = self.ended {
            return Ok(status);
        }
        if let Some(container) = &self.container {
            Command::new("podman").args(["rm", "--force", "--time", "0", container]).output().ok();
        }
        self.child.kill()?;
        self.ended = Some(self.child.wait()?);
        bail!(
            "{} did not end within {} s of SIGTERM and was killed{}",
            self.name,
            STOP_WITHIN.as_secs(),
            self.last_words()
        )
    }

    /// Ends the program; a problem when it did not end well.
    pub(crate) fn stop_cleanly(&mut self) -> Option<String> {
        match self.stop() {
            Ok(status) if status.success() => None,
            Ok(status) => Some(format!("{} did not end well: {status}{}", self.name, self.last_words())),
            Err(error) => Some(error.to_string()),
        }
    }

    /// The end of the log, where programs say why they gave up, and where the rest is.
    pub(crate) fn last_words(&self) -> String {
        format!("{}\n  the whole log: {}", tail(&self.log), self.log.display())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error:#}");
        }
    }
}

/// The last lines of a file, each on a line of its own.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].iter().map(|line| format!("\n  {line}")).collect()
}

/// `a=1 b=2` as a map.
fn pairs(line: &str) -> BTreeMap<String, String> {
    let pair = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    line.split_whitespace().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, log: &Path) -> Service {
        Service::start("the script", Command::new("sh").args(["-c", script]), log.to_owned()).unwrap()
    }

    #[test]
    fn a_service_is_ready_when_it_says_so_and_ends_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut service = sh(
            "trap 'exit 0' TERM; echo hello; echo ready listen=127.0.0.1:9 admin=b; while :; do sleep 0.01; done",
            &log,
        );
        let ready = service.ready(Duration::from_secs(10)).unwrap();
        assert_eq!(ready["listen"], "127.0.0.1:9");
        service.check_running().unwrap();
        assert!(service.stop().unwrap().success());
        assert!(fs::read_to_string(&log).unwrap().starts_with("hello\nready listen="));
    }

    #[test]
    fn a_service_that_ends_early_shows_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut service = sh("echo first >&2; echo why >&2; exit 1", &folder.path().join("log"));
        let error = service.ready(Duration::from_secs(10)).unwrap_err().to_string();
        assert!(
            error.starts_with("the script ended before it was ready\n  first\n  why\n  the whole log: "),
            "{error}"
        );
    }
}
