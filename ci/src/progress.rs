//! Cargo's progress for whoever reads a log: a line now and then, instead of a bar that only a terminal can draw.

use std::io::{IsTerminal, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::child;

/// Longest silence while cargo builds.
const EVERY: Duration = Duration::from_secs(10);

/// Runs a cargo command that builds `what`. A terminal gets cargo's own bar; a log gets how far the build is every 10
/// seconds, and cargo's warnings and errors at once.
pub(crate) fn cargo(what: &str, command: &mut Command) -> Result<()> {
    if std::io::stderr().is_terminal() {
        return child::live(command);
    }
    in_lines(what, command, |line| eprintln!("{line}"))
}

/// The same; a warning fails it. Cargo repeats the warnings of crates that it need not compile again.
pub(crate) fn without_warnings(what: &str, command: &mut Command) -> Result<()> {
    let mut warnings = 0;
    in_lines(what, command, |line| {
        warnings += usize::from(line.starts_with("warning: "));
        eprintln!("{line}");
    })?;
    ensure!(warnings == 0, "the compiler and Clippy warn, see above; mend that, or allow it with a reason");
    Ok(())
}

/// The same for builds that run side by side, where several bars would overwrite each other, with a warning that is known:
/// warnings and errors are shown only when the build fails.
pub(crate) fn beside_others(what: &str, command: &mut Command) -> Result<()> {
    let mut said = String::new();
    in_lines(what, command, |line| said += &format!("{line}\n")).map_err(|error| anyhow!("{said}{error}"))
}

fn in_lines(what: &str, command: &mut Command, say: impl FnMut(&str)) -> Result<()> {
    command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "120");
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut cargo = command.spawn().with_context(|| child::cannot_start(command))?;
    let stderr = cargo.stderr.take().context("stderr was asked for as a pipe")?;
    follow(stderr, |progress| eprintln!("  building {what}: {progress}"), say);
    let status = cargo.wait()?;
    if !status.success() {
        bail!("`{}` failed: {status}; its own words are above", child::shown(command));
    }
    Ok(())
}

/// Until cargo has ended, shows its newest progress now and then, and says everything else at once.
fn follow(mut stderr: impl Read + Send + 'static, mut show: impl FnMut(&str), mut say: impl FnMut(&str)) {
    let (sender, pieces) = channel();
    thread::spawn(move || {
        let mut split = Split::default();
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stderr.read(&mut buffer) {
            for piece in split.add(&buffer[..read]) {
                if sender.send(piece).is_err() {
                    return;
                }
            }
        }
        // What has no end of line is said all the same.
        let _ = sender.send(split.rest());
    });
    let mut newest = None;
    let mut due = Instant::now() + EVERY;
    loop {
        match pieces.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(piece) => match Piece::of(&piece) {
                Piece::Progress(progress) => newest = Some(progress.to_owned()),
                Piece::Status => {}
                Piece::Other(text) => say(text),
            },
            Err(RecvTimeoutError::Timeout) => {
                due += EVERY;
                if let Some(progress) = &newest {
                    show(progress);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Cuts what cargo prints where a terminal would begin a line anew.
#[derive(Default)]
struct Split(Vec<u8>);

impl Split {
    fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut pieces = Vec::new();
        for &byte in bytes {
            match byte {
                b'\r' | b'\n' => pieces.push(self.rest()),
                _ => self.0.push(byte),
            }
        }
        pieces
    }

    fn rest(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.0)).replace("\x1b[K", "")
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    /// `12/345: foo, bar`, from the bar.
    Progress(&'a str),
    /// A step that the bar shows too, or nothing.
    Status,
    /// A warning, an error, or what the programs print that cargo runs.
    Other(&'a str),
}

/// Cargo's words for a step that the bar shows too.
const STEPS: [&str; 10] = [
    "Compiling",
    "Checking",
    "Executable",
    "Downloaded",
    "Downloading",
    "Updating",
    "Locking",
    "Fresh",
    "Finished",
    "Running",
];

impl Piece<'_> {
    fn of(text: &str) -> Piece<'_> {
        let word = text.split_whitespace().next().unwrap_or_default();
        if let Some((_, progress)) = text.split_once("] ").filter(|_| word == "Building") {
            return Piece::Progress(progress.trim());
        }
        // Cargo sets its steps to the right, which nothing else does.
        let is_step = text.starts_with(' ') && STEPS.contains(&word);
        if word.is_empty() || is_step { Piece::Status } else { Piece::Other(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_warnings_and_no_bar() {
        let printed = "   Compiling foo v1.0.0\r\n    Building [==>   ] 3/9: foo, bar\r\x1b[Kwarning: unused\n \
                       --> src/lib.rs\n\x1b[K    Building [===>  ] 4/9: bar\r    Finished `dev` profile\nlast";
        let mut said = Vec::new();
        follow(printed.as_bytes(), |_| (), |line| said.push(line.to_owned()));
        assert_eq!(said, ["warning: unused", " --> src/lib.rs", "last"]);
    }

    #[test]
    fn the_bar_says_how_far_and_what() {
        let bar = "    Building [=====>     ] 132/410: cranelift-codegen, regex(build)";
        assert_eq!(Piece::of(bar), Piece::Progress("132/410: cranelift-codegen, regex(build)"));
        assert_eq!(Piece::of("   Compiling regex v1.0.0"), Piece::Status);
        assert_eq!(Piece::of("Compiling is what it says"), Piece::Other("Compiling is what it says"));
    }
}
