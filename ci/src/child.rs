//! Running other programs to their end, so that a failure names the command and shows what it said.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

/// Shows what the program prints while it runs.
pub(crate) fn live(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed: {status}; its own words are above", shown(command));
    }
    Ok(())
}

/// Keeps what the program prints, and shows it only when the program fails.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    output(command).map(|_| ())
}

/// What the program prints on stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{stdout}{stderr}`{}` failed: {}", shown(command), output.status);
    }
    Ok(stdout)
}

/// Replaces this process; returns only when that is impossible.
pub(crate) fn become_command(command: &mut Command) -> Result<ExitCode> {
    let error = command.exec();
    Err(error).with_context(|| cannot_start(command))
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words: Vec<_> = std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

pub(crate) fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`; is it installed and on PATH? `cargo ci setup` brings what is missing", shown(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_what_the_program_said_and_the_command() {
        let error = quiet(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "out\nerr\n`sh -c echo out; echo err >&2; exit 3` failed: exit status: 3");
    }

    #[test]
    fn a_missing_program_says_how_to_get_it() {
        let error = quiet(&mut Command::new("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("`cargo ci setup`"), "{error}");
    }
}
