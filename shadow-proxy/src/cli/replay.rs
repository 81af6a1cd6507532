//! `shadow-proxy replay`: its flags, and what it makes of them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::config::{self, Config, Overrides};
use crate::replay::{self, Legacy, Outcome, Speed, finding};
use crate::run;

/// Exit codes are those of `gate`: 0 go, 1 no-go, 2 not enough evidence, 64 the command makes no sense.
#[derive(Args)]
pub(super) struct Replay {
    /// A file or folder of `run --capture`, a HAR, or a GoReplay file
    #[arg(value_name = "FILE", required_unless_present = "id", conflicts_with = "id")]
    file: Option<PathBuf>,
    /// Repeat the exchange of one finding instead: its number in `diffs`
    #[arg(long, value_name = "N", requires = "data")]
    id: Option<i64>,
    /// The legacy service, or `recorded`: its answers in the file stand for it
    #[arg(long, value_name = "URL", required_unless_present = "config")]
    legacy: Option<String>,
    /// The component [default: the auth component in this binary]
    #[arg(long, value_name = "FILE")]
    component: Option<String>,
    /// A candidate elsewhere, instead of a component in this process
    #[arg(long, value_name = "URL", conflicts_with = "component")]
    candidate_url: Option<String>,
    /// The configuration of `run`: keys, rules, limits
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// `recorded`, a number of times as fast, or `max`
    #[arg(long, default_value = "max")]
    speed: Speed,
    /// What the component takes for now, RFC 3339 [default: when each call was recorded]
    #[arg(long, value_name = "TIME", value_parser = clock)]
    clock: Option<Duration>,
    /// What the component's randomness is made of
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Calls at the same time; those of one session keep their order
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    concurrency: u16,
    /// Where findings go [default: a folder that is printed]; with --id, where they are
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A file with the passphrase of a capture that has secrets in it
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// With --id: a value that was redacted, by the eight digits of its stand-in
    #[arg(long, value_name = "HASH=VALUE", requires = "id")]
    secret: Vec<String>,
    /// With --id: a file of such lines
    #[arg(long, value_name = "FILE", requires = "id")]
    secrets_file: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) fn main(flags: Replay) -> ExitCode {
    run::log_to_stderr("warn");
    let replayed = match flags.config() {
        Ok(config) => flags.replay(config),
        Err(errors) => {
            for error in &errors {
                eprintln!("error: {error}");
            }
            return ExitCode::from(replay::USAGE);
        }
    };
    match replayed.and_then(|Outcome { text, code }| super::print(text).map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(replay::USAGE)
        }
    }
}

impl Replay {
    fn legacy(&self) -> Legacy {
        if self.legacy.as_deref() == Some("recorded") { Legacy::Recorded } else { Legacy::Asked }
    }

    fn config(&self) -> Result<Config, Vec<String>> {
        let Replay { legacy, component, candidate_url, .. } = self;
        let legacy = match self.legacy() {
            Legacy::Recorded => Some(config::NO_LEGACY),
            Legacy::Asked => legacy.as_deref(),
        };
        let texts = [
            ("legacy.url", legacy),
            ("candidate.component", component.as_deref()),
            ("candidate.url", candidate_url.as_deref()),
            // It listens nowhere, so that no address of a side is its own.
            ("listen", Some("127.0.0.1:0")),
            ("admin", Some("127.0.0.1:0")),
        ];
        let overrides: Overrides = texts.into_iter().filter_map(|(key, text)| Some((key, text?.into()))).collect();
        let config = super::toml(self.config.as_deref()).and_then(|toml| config::parse(&toml, &overrides))?;
        Ok(config)
    }

    fn replay(self, config: Config) -> anyhow::Result<Outcome> {
        let legacy = self.legacy();
        let Replay { file, id, speed, clock, seed, concurrency, data, passphrase_file, json, .. } = self;
        if let (Some(id), Some(data)) = (id, &data) {
            let lines = self.secrets_file.as_deref().map(|file| {
                std::fs::read_to_string(file)
                    .with_context(|| format!("--secrets-file {} cannot be read; check the path", file.display()))
            });
            let lines = lines.transpose()?.unwrap_or_default();
            let secrets = finding::parse_secrets(self.secret.iter().map(String::as_str).chain(lines.lines()))?;
            return finding::replay(config, &finding::Options { id, data: data.clone(), secrets, clock, seed, json });
        }
        let file = file.context("no file is named; give one that `run --capture` wrote")?;
        let concurrency = usize::from(concurrency);
        let options = replay::Options { file, passphrase_file, legacy, speed, clock, seed, concurrency, data, json };
        replay::replay(config, &options)
    }
}

fn clock(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_rfc3339(text).ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    time.ok_or_else(|| format!("`{text}` is no time; write it like 2030-01-01T00:00:00Z"))
}
