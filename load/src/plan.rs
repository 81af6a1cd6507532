//! The command line as checked values: one typed plan, or everything that is wrong with it.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;

use crate::cli::{AttackArgs, Expecting, Progress};
use crate::contract::{self, Case};

const USERS_MAX: usize = 1_000;
const REQUESTS_MAX: u64 = 1_000_000_000;
const RATE_MAX: f64 = 100_000.0;
const TIME_MIN: Duration = Duration::from_millis(100);
const TIME_MAX: Duration = Duration::from_secs(24 * 3600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(crate) struct Plan {
    /// Scheme, host and port; no path.
    pub(crate) target: Url,
    pub(crate) time: Option<Duration>,
    pub(crate) requests: Option<u64>,
    pub(crate) users: usize,
    pub(crate) rate: Option<f64>,
    pub(crate) cases: Vec<Case>,
    pub(crate) expecting: Expecting,
    pub(crate) out: Option<PathBuf>,
    pub(crate) progress: Progress,
    pub(crate) seed: u64,
}

impl Plan {
    pub(crate) fn from_args(args: AttackArgs) -> Result<Self, Vec<String>> {
        let AttackArgs { target, time, requests, users, rate, contract, expect, out, progress, seed, cases } = args;
        let mut errors = Vec::new();
        let target = keep(parse_target(&target), &mut errors);
        if time.is_none() && requests.is_none() {
            errors.push("neither --time nor --requests, so the run would never end; add --time 30s".into());
        }
        let time = time.and_then(|text| keep(parse_time(&text), &mut errors));
        if requests.is_some_and(|requests| !(1..=REQUESTS_MAX).contains(&requests)) {
            errors.push(format!("--requests must be from 1 to {REQUESTS_MAX}; use another number"));
        }
        if !(1..=USERS_MAX).contains(&users) {
            errors.push(format!("--users must be from 1 to {USERS_MAX}; use another number"));
        }
        if rate.is_some_and(|rate| !(rate > 0.0 && rate <= RATE_MAX)) {
            errors.push(format!("--rate must be above 0 and at most {RATE_MAX} per second; use another number"));
        }
        if let Some(error) = out.as_deref().and_then(unwritable) {
            errors.push(error);
        }
        let cases = match contract::read(&contract, &cases, expect) {
            Ok(cases) => cases,
            Err(wrong) => {
                errors.extend(wrong);
                Vec::new()
            }
        };
        match target {
            Some(target) if errors.is_empty() => {
                Ok(Self { target, time, requests, users, rate, cases, expecting: expect, out, progress, seed })
            }
            _ => Err(errors),
        }
    }

    /// That something listens at the target, before a run of nothing but failures.
    pub(crate) fn reach_target(&self) -> Result<(), String> {
        let unreachable =
            |error| format!("nothing answers at {}: {error}; start the service or correct --target", self.origin());
        let addresses = self.target.socket_addrs(|| None).map_err(unreachable)?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(_) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(unreachable(last.unwrap_or_else(|| std::io::Error::other("the name has no address"))))
    }

    pub(crate) fn origin(&self) -> String {
        self.target.as_str().trim_end_matches('/').to_owned()
    }
}

fn keep<T>(result: Result<T, String>, errors: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

/// The text is not repeated in the error: it may carry a password.
fn parse_target(text: &str) -> Result<Url, String> {
    let example = "write it like http://127.0.0.1:8080";
    let url = Url::parse(text).map_err(|error| format!("--target is no URL ({error}); {example}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("--target must begin with http:// or https://; {example}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("--target must not carry a user or password; {example}"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("--target must end after host and port, the cases have the paths; {example}"));
    }
    Ok(url)
}

/// One number with one unit: `500ms`, `30s`, `2m`, `1h`.
fn parse_time(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    number
        .parse::<u64>()
        .ok()
        .zip(unit_ms)
        .and_then(|(number, unit_ms)| number.checked_mul(unit_ms))
        .map(Duration::from_millis)
        .filter(|time| (TIME_MIN..=TIME_MAX).contains(time))
        .ok_or_else(|| format!("--time {text:?} is not a time from 100ms to 24h; write it like 30s, 2m or 1h"))
}

/// A run should not be lost for want of a folder.
fn unwritable(file: &Path) -> Option<String> {
    let shown = file.display();
    if file.file_name().is_none() || file.is_dir() {
        return Some(format!("--out {shown} is a folder; name a file in it"));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    (!folder.is_dir()).then(|| format!("--out {shown}: there is no folder {}; create it", folder.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn times_are_a_number_with_a_unit() {
        for (text, ms) in [("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("24h", 86_400_000)] {
            assert_eq!(parse_time(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "30", "s", "1.5s", "-1s", "1m30s", "99ms", "25h", "99999999999999999999s", "5 s"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn targets_are_an_origin_without_credentials() {
        for text in ["http://127.0.0.1:8080", "http://localhost/", "https://auth.example", "http://[::1]:80"] {
            assert!(parse_target(text).is_ok(), "{text}");
        }
        for text in ["", "127.0.0.1:80", "ftp://a", "http://u:secret@a", "http://a/b", "http://a/?q", "http://a/#f"] {
            let error = parse_target(text).expect_err(text);
            assert!(error.ends_with("write it like http://127.0.0.1:8080") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn all_errors_are_told_at_once() {
        let line = "load attack --target nowhere --time soon --users 0 --rate 0 --requests 0 --out /no/such/f.json \
                    --contract /no/such";
        let Command::Attack(args) = Cli::parse_from(line.split_whitespace()).command else { panic!("attack") };
        let errors = Plan::from_args(args).expect_err("nothing in it is right");
        for (error, start) in
            errors.iter().zip(["--target", "--time", "--requests", "--users", "--rate", "--out", "/no/such"])
        {
            assert!(error.starts_with(start), "{error}");
        }
        assert_eq!(errors.len(), 7, "{errors:?}");
    }
}
