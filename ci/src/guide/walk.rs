//! The worked example, walked: its commands are typed into one shell, and what they print is held against the page.
//!
//! Figures differ from run to run, so what is compared is the text around them. `UPDATE_GUIDE=1` writes what was printed
//! into the page.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::workspace::{Workspace, emptied, write_atomically};

/// Printed after each command; no program of ours prints it.
const MARK: &str = "-- the command has ended --";
/// The slowest command sends traffic for half a minute.
const COMMAND_WITHIN: Duration = Duration::from_secs(180);
/// What the page says, in place of which free ports are typed.
const PORTS: [&str; 3] = ["3000", "8080", "9090"];
/// Put before the program on the path: what asks a running proxy where its admin port usually is has to ask elsewhere.
const ASKING: &str = r#"#!/bin/sh
case "$1 $*" in
    *--admin* | *--data* | run\ * | serve\ * | check\ * | keys\ * | compile\ * | replay\ *) ;;
    *) set -- "$@" --admin 127.0.0.1:9090 ;;
esac
exec "$SHADOW_PROXY" "$@"
"#;
/// Stands in a page for lines that are left out.
const LEFT_OUT: &str = "…";

/// A line of the page that is typed, with what it prints.
#[derive(Debug, PartialEq)]
struct Step {
    /// Of its first line, from 1.
    line: usize,
    command: String,
    printed: Vec<String>,
}

/// What is wrong with the page: lines and sentences.
pub(super) fn check(workspace: &Workspace, page: &Path) -> Result<Vec<(usize, String)>> {
    let text = fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    let folder = workspace.target.join("guide/example");
    emptied(&folder)?;
    let mut shell = Shell::start(workspace, &folder)?;
    let mut anew = Vec::new();
    for step in steps(&text) {
        let printed = shell.run(&step.command).with_context(|| format!("line {}: {}", step.line, step.command))?;
        if !is_like(&step.printed, &printed) {
            anew.push((step, printed.join("\n")));
        }
    }
    if std::env::var_os("UPDATE_GUIDE").is_none() || anew.is_empty() {
        let problem =
            |(step, now): (Step, String)| (step.line, format!("`{}` prints something else now:\n{now}", step.command));
        return Ok(anew.into_iter().map(problem).collect());
    }
    let mut lines: Vec<&str> = text.lines().collect();
    // From the end on, so that what is before keeps its place.
    for (step, now) in anew.iter().rev() {
        let first = step.line - 1 + step.command.lines().count();
        lines.splice(first..first + step.printed.len(), Some(now.as_str()).filter(|now| !now.is_empty()));
    }
    write_atomically(page, (lines.join("\n") + "\n").as_bytes())?;
    println!("  {} outputs of {} were written anew: look at the difference", anew.len(), workspace.shown(page));
    Ok(Vec::new())
}

/// The commands of all blocks `console`: from `$ ` to the end of the line, and on where the line ends with `\` or opens a
/// document.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut is_console = false;
    while let Some((index, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            is_console = language == "console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| is_console) {
            let mut command = command.to_owned();
            let until = command.split_once("<<'").and_then(|(_, rest)| rest.split('\'').next()).map(str::to_owned);
            let goes_on = |command: &str, last: &str| match &until {
                Some(until) => last != until,
                None => command.ends_with('\\'),
            };
            let mut last = String::new();
            while goes_on(&command, &last) {
                let Some((_, line)) = lines.next() else { break };
                last = line.to_owned();
                command += "\n";
                command += line;
            }
            steps.push(Step { line: index + 1, command, printed: Vec::new() });
        } else if is_console && let Some(step) = steps.last_mut() {
            step.printed.push(line.to_owned());
        }
    }
    // An empty line before the next command is for the eye.
    for step in &mut steps {
        let length = step.printed.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
        step.printed.truncate(length);
    }
    steps
}

struct Shell {
    bash: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    /// What the page says, and what is typed in its place.
    ports: Vec<(&'static str, String)>,
}

impl Shell {
    fn start(workspace: &Workspace, folder: &Path) -> Result<Shell> {
        // Held all at once, so that they are different; free again when they are typed.
        let held: Vec<TcpListener> =
            PORTS.map(|_| TcpListener::bind("127.0.0.1:0")).into_iter().collect::<Result<_, _>>()?;
        let ports = PORTS.iter().zip(&held).map(|(port, free)| Ok((*port, free.local_addr()?.port().to_string())));
        let ports: Vec<(&str, String)> = ports.collect::<Result<_>>()?;
        let asking = workspace.target.join("guide/bin/shadow-proxy");
        write_atomically(&asking, in_place(&ports, ASKING).as_bytes())?;
        fs::set_permissions(&asking, fs::Permissions::from_mode(0o755))?;
        let folders = [&asking, &workspace.binary("load")].map(|program| program.parent().map(Path::to_owned));
        let usual = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(folders.into_iter().flatten().chain(std::env::split_paths(&usual)))?;
        let mut bash = Command::new("bash");
        bash.args(["--norc", "--noprofile"]).current_dir(folder).env("PATH", path).env("TOOLKIT", &workspace.root);
        bash.env("SHADOW_PROXY", workspace.binary("shadow-proxy"));
        // A group of its own: what the page leaves running is ended with it.
        bash.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut bash = bash.spawn().context("cannot start bash; install it")?;
        let stdin = bash.stdin.take().context("stdin was asked for as a pipe")?;
        let stdout = bash.stdout.take().context("stdout was asked for as a pipe")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        let mut shell = Shell { bash, stdin, lines, ports };
        shell.run("exec 2>&1")?;
        Ok(shell)
    }

    /// What the command prints, without empty lines at the end.
    fn run(&mut self, command: &str) -> Result<Vec<String>> {
        let typed = in_place(&self.ports, command);
        writeln!(self.stdin, "{typed}\nprintf '\\n{MARK}\\n'")?;
        let mut printed = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(COMMAND_WITHIN) else {
                bail!("did not end within {} s, having printed:\n{}", COMMAND_WITHIN.as_secs(), printed.join("\n"));
            };
            if line == MARK {
                break;
            }
            printed.push(self.ports.iter().fold(line, |text, (page, free)| text.replace(free, page)));
        }
        while printed.last().is_some_and(|line: &String| line.trim().is_empty()) {
            printed.pop();
        }
        Ok(printed)
    }
}

/// The free ports in place of those that the page says.
fn in_place(ports: &[(&str, String)], text: &str) -> String {
    ports.iter().fold(text.to_owned(), |text, (page, free)| text.replace(page, free))
}

impl Drop for Shell {
    fn drop(&mut self) {
        // What it started and did not end is in its group; it may be gone already.
        kill_process_group(Pid::from_child(&self.bash), Signal::KILL).ok();
        self.bash.wait().ok();
    }
}

/// Whether the page shows what was printed, but for figures and for what it leaves out.
fn is_like(page: &[String], printed: &[String]) -> bool {
    let [page, printed] = [page, printed].map(|lines| lines.iter().map(|line| masked(line)).collect::<Vec<_>>());
    let mut rest = printed.as_slice();
    let mut parts = page.split(|line| line == LEFT_OUT).peekable();
    let mut is_first = true;
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let at = match (is_first, is_last) {
            (true, true) => (rest.len() == part.len()).then_some(0),
            (true, false) => Some(0),
            (false, true) => rest.len().checked_sub(part.len()),
            (false, false) => rest.windows(part.len().max(1)).position(|window| window == part),
        };
        let Some(found) = at.filter(|at| rest[*at..].starts_with(part)) else { return false };
        rest = &rest[found + part.len()..];
        is_first = false;
    }
    true
}

/// Without what differs from run to run: figures with their units, stand-ins, paths of this machine, widths of columns.
fn masked(line: &str) -> String {
    const UNITS: [&str; 14] =
        ["ns", "µs", "ms", "s", "m", "min", "h", "seconds", "second", "minutes", "minute", "hours", "hour", "d"];
    const DAYS_AND_MONTHS: &str = "Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    // How long that takes is said of the present rate, in words that go with it.
    const MISSING: &str = "more clean requests";
    let line = line.find(MISSING).map_or(line, |at| &line[..at + MISSING.len()]);
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        // The hash of a stand-in, and names in dates.
        if word.contains('›') || DAYS_AND_MONTHS.split(' ').any(|name| name == word.trim_end_matches(',')) {
            continue;
        }
        let mut masked = String::new();
        for c in word.chars() {
            let is_figure = c.is_ascii_digit() || masked.ends_with('#') && matches!(c, '.' | ',' | ':');
            match (is_figure, masked.ends_with('#')) {
                (true, true) => {}
                (true, false) => masked.push('#'),
                (false, _) => masked.push(c),
            }
        }
        let is_rule = !word.is_empty() && word.chars().all(|c| matches!(c, '-' | '─' | '=' | '█' | '░'));
        let is_unit = words.last().is_some_and(|last: &String| last.ends_with('#'))
            && UNITS.contains(&masked.trim_end_matches(','));
        match (is_rule, is_unit) {
            (true, _) => words.push("-".to_owned()),
            (_, true) => {}
            _ => words.push(masked),
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn commands_are_read_with_their_lines_and_what_they_print() {
        let page = "text\n```console\n$ a \\\n  b\none\n\n$ cat > f <<'END'\nx = 1\nEND\n$ c\n```\n```sh\n$ no\n```\n";
        let found: Vec<(usize, String, usize)> =
            steps(page).into_iter().map(|step| (step.line, step.command, step.printed.len())).collect();
        let expected = [(3, "a \\\n  b", 1), (7, "cat > f <<'END'\nx = 1\nEND", 0), (10, "c", 0)];
        assert_eq!(found, expected.map(|(line, command, printed)| (line, command.to_owned(), printed)));
    }

    #[test]
    fn figures_may_differ_and_words_may_not() {
        let page = lines("received   1,203   100.0 %\nin 4.2 ms, about 6 minutes");
        assert!(is_like(&page, &lines("received 98 7.5 %\nin 812 µs, about 40 seconds")));
        assert!(!is_like(&page, &lines("received 98 7.5 %\nin 812 µs, at most 40 seconds")));
        assert!(!is_like(&page, &lines("received 98 7.5 %")));
        assert!(is_like(&lines("etag (‹text 34 5a0c1657›)"), &lines("etag (‹text 34 dd81fe02›)")));
        let date = lines("date: Sat, 21 Nov 2026 23:10:19 GMT");
        assert!(is_like(&date, &lines("date: Sun, 02 May 2027 01:00:00 GMT")));
        let missing = lines("needs 3,203 more clean requests, about 26 minutes at the present rate");
        assert!(is_like(&missing, &lines("needs 7 more clean requests; none come at present")));
    }

    #[test]
    fn what_is_left_out_may_be_anything() {
        let page = lines("first\n…\nmiddle\n…\nlast");
        assert!(is_like(&page, &lines("first\na\nb\nmiddle\nc\nlast")));
        assert!(!is_like(&page, &lines("first\na\nlast")));
        assert!(!is_like(&page, &lines("first\nmiddle\nlast\nmore")));
        assert!(is_like(&lines("first\n…"), &lines("first\na\nb")));
    }
}
