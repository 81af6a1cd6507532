//! The command line as checked values: one typed plan, or everything that is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use crate::capture;
use crate::cli::{AttackArgs, Cpus, Expecting, Output, Progress};
use crate::contract::{self, Case};
use crate::engine::arrivals::{Arrivals, Gaps};

const USERS_MAX: usize = 1_000;
const USERS_DEFAULT: usize = 8;
const REQUESTS_MAX: u64 = 1_000_000_000;
const RATE_MAX: f64 = 100_000.0;
const SPEED_MAX: f64 = 1_000.0;
const CONNECTIONS_MAX: usize = 10_000;
const TIME_MIN: Duration = Duration::from_millis(100);
const TIME_MAX: Duration = Duration::from_secs(24 * 3600);
const CPU_MAX: usize = 1_023;

#[derive(Debug)]
pub(crate) struct Plan {
    /// Scheme, host and port; no path.
    pub(crate) target: Url,
    pub(crate) time: Option<Duration>,
    pub(crate) requests: Option<u64>,
    pub(crate) drive: Drive,
    pub(crate) cases: Vec<Case>,
    pub(crate) expecting: Expecting,
    pub(crate) pid: Option<u32>,
    pub(crate) out: Option<PathBuf>,
    pub(crate) progress: Progress,
    pub(crate) seed: u64,
}

#[derive(Debug)]
pub(crate) enum Drive {
    /// goose's users, each waiting for its answer.
    Users(usize),
    /// Planned ahead; each request a case of the mix.
    Rate { arrivals: Arrivals, connections_max: usize },
    /// Planned as it was captured; request i is case i.
    Captured { arrivals: Arrivals, connections_max: usize },
}

impl Plan {
    pub(crate) fn from_args(args: AttackArgs) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        let target = keep(parse_target(&args.target), &mut errors);
        if args.time.is_none() && args.requests.is_none() && args.capture.is_none() {
            errors.push("neither --time nor --requests, so the run would never end; add --time 30s".into());
        }
        let time = args.time.as_deref().and_then(|text| keep(parse_time(text), &mut errors));
        if args.requests.is_some_and(|requests| !(1..=REQUESTS_MAX).contains(&requests)) {
            errors.push(format!("--requests must be from 1 to {REQUESTS_MAX}; use another number"));
        }
        if args.users.is_some_and(|users| !(1..=USERS_MAX).contains(&users)) {
            errors.push(format!("--users must be from 1 to {USERS_MAX}; use another number"));
        }
        errors.extend(args.rate.and_then(wrong_rate));
        if !(args.speed > 0.0 && args.speed <= SPEED_MAX) {
            errors.push(format!("--speed must be above 0 and at most {SPEED_MAX}; use another number"));
        }
        errors.extend(wrong_connections(args.connections));
        errors.extend(args.output.out.as_deref().and_then(unwritable));
        let (cases, drive) = match sent(&args, time) {
            Ok(sent) => sent,
            Err(wrong) => {
                errors.extend(wrong);
                (Vec::new(), Drive::Users(1))
            }
        };
        let AttackArgs { requests, expect, pid, output: Output { out, progress }, seed, .. } = args;
        match target {
            Some(target) if errors.is_empty() => {
                Ok(Self { target, time, requests, drive, cases, expecting: expect, pid, out, progress, seed })
            }
            _ => Err(errors),
        }
    }

    pub(crate) fn origin(&self) -> String {
        self.target.as_str().trim_end_matches('/').to_owned()
    }
}

/// The cases, and when they are sent.
fn sent(args: &AttackArgs, time: Option<Duration>) -> Result<(Vec<Case>, Drive), Vec<String>> {
    let (requests, connections_max) = (args.requests, args.connections);
    if let Some(file) = &args.capture {
        let captured = capture::read(file).map_err(|error| vec![error])?;
        let offsets: Arc<[Duration]> = captured.iter().map(|call| call.at).collect();
        let gaps = Gaps::Recorded { offsets, speed: args.speed };
        let arrivals = Arrivals { gaps, time, requests };
        let cases = captured.into_iter().map(|call| call.case).collect();
        return Ok((cases, Drive::Captured { arrivals, connections_max }));
    }
    let cases = contract::read(&args.contract, &args.cases, args.expect)?;
    let Some(rate) = args.rate else {
        return Ok((cases, Drive::Users(args.users.unwrap_or(USERS_DEFAULT))));
    };
    let gaps = match args.arrivals {
        crate::cli::Gaps::Constant => Gaps::Constant { rate },
        crate::cli::Gaps::Poisson => Gaps::Poisson { rate, seed: args.seed },
    };
    Ok((cases, Drive::Rate { arrivals: Arrivals { gaps, time, requests }, connections_max }))
}

pub(crate) fn wrong_rate(rate: f64) -> Option<String> {
    (!(rate > 0.0 && rate <= RATE_MAX))
        .then(|| format!("--rate must be above 0 and at most {RATE_MAX} per second; use another number"))
}

pub(crate) fn wrong_connections(connections: usize) -> Option<String> {
    (!(1..=CONNECTIONS_MAX).contains(&connections))
        .then(|| format!("--connections must be from 1 to {CONNECTIONS_MAX}; use another number"))
}

fn keep<T>(result: Result<T, String>, errors: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

/// The text is not repeated in the error: it may carry a password.
pub(crate) fn parse_target(text: &str) -> Result<Url, String> {
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

/// How long something is to last: `500ms`, `30s`, `2m`, `1h`.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    time(text)
        .filter(|time| (TIME_MIN..=TIME_MAX).contains(time))
        .ok_or_else(|| format!("--time {text:?} is not a time from 100ms to 24h; write it like 30s, 2m or 1h"))
}

/// One number with one unit.
pub(crate) fn time(text: &str) -> Option<Duration> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms).map(Duration::from_millis)
}

/// `all`, or CPUs as in `0,2-3`.
pub(crate) fn cpu_list(text: &str) -> Result<Cpus, String> {
    if text == "all" {
        return Ok(Cpus::All);
    }
    let wrong = || format!("{text:?} is no list of CPUs; write it like 1 or 2-3,6, or all");
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) =
            first.parse().ok().zip(last.parse().ok()).filter(|(first, last)| first <= last).ok_or_else(wrong)?;
        if last > CPU_MAX {
            return Err(wrong());
        }
        cpus.extend(first..=last);
    }
    Ok(Cpus::These(cpus))
}

/// A run should not be lost for want of a folder.
pub(crate) fn unwritable(file: &Path) -> Option<String> {
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
        assert_eq!(cpu_list("0,2-3"), Ok(Cpus::These(vec![0, 2, 3])));
        assert_eq!(cpu_list("all"), Ok(Cpus::All));
        for text in ["", "a", "3-2", "0-", "99999"] {
            assert!(cpu_list(text).is_err(), "{text}");
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
        let line = "load attack --target nowhere --time soon --rate 0 --requests 0 --connections 0 \
                    --out /no/such/f.json --contract /no/such";
        let Command::Attack(args) = Cli::parse_from(line.split_whitespace()).command else { panic!("an attack") };
        let errors = Plan::from_args(args).expect_err("nothing in it is right");
        for (error, start) in
            errors.iter().zip(["--target", "--time", "--requests", "--rate", "--connections", "--out", "/no/such"])
        {
            assert!(error.starts_with(start), "{error}");
        }
        assert_eq!(errors.len(), 7, "{errors:?}");
    }
}
