//! `shadow-proxy keys`: what is asked for on the command line, and what is said about it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};

use crate::clock::now_ms;
use crate::config;
use crate::keys::import::{self, LIST_BYTES_MAX};
use crate::keys::issue::{self, Issued, Rights};
use crate::keys::moment::{parse_or_after, text};
use crate::keys::{self, Files, list};

#[derive(Subcommand)]
pub enum Verb {
    /// Take over a plaintext list of keys; the files are made where there are none, and hold no key
    Import {
        #[command(flatten)]
        named: Named,
        /// The list: JSON as legacy-stub/README.md has it, or lines of key and user; `-` for stdin
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// Make a key, and print it this once on stdout
    Add {
        #[command(flatten)]
        named: Named,
        /// Whose key it is
        #[arg(long)]
        user: String,
        /// What the key begins with, for people and for secret scanners
        #[arg(long, default_value = "key")]
        prefix: String,
        /// What it allows; may be given again
        #[arg(long)]
        scope: Vec<String>,
        /// For whom it is good; may be given again [default: everybody]
        #[arg(long)]
        aud: Vec<String>,
        #[arg(long)]
        email: Option<String>,
        /// May be given again
        #[arg(long)]
        group: Vec<String>,
        /// 2030-01-01T00:00:00Z, or from now: 90d [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// 2030-01-01T00:00:00Z, or from now: 12h [default: now]
        #[arg(long, value_name = "TIME")]
        not_before: Option<String>,
    },
    /// Make a key in place of another, with its rights, and print it this once on stdout
    Rotate {
        #[command(flatten)]
        named: Named,
        /// Of the old key, as `list` shows it
        id: String,
        /// Until when the old key is good beside the new one: 2030-01-01T00:00:00Z, or from now: 7d
        #[arg(long, value_name = "TIME")]
        grace: String,
        /// What the new key begins with
        #[arg(long, default_value = "key")]
        prefix: String,
        /// 2030-01-01T00:00:00Z, or from now: 90d [default: when the old one would have]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// Refuse a key from now on
    Revoke {
        #[command(flatten)]
        named: Named,
        /// Of the key, as `list` shows it
        id: String,
        /// 2030-01-01T00:00:00Z, or from now: 1h [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// List the keys and what each is good for
    List {
        #[command(flatten)]
        named: Named,
        /// As a list of objects
        #[arg(long)]
        json: bool,
    },
}

/// Which files; those that [auth] of a configuration names, unless flags do.
#[derive(Args)]
pub struct Named {
    /// The key file [default: keys.db.json]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The pepper file [default: peppers.json]
    #[arg(long, value_name = "FILE")]
    peppers: Option<PathBuf>,
    /// The configuration of the proxy, whose [auth] names both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn main(verb: Verb) -> ExitCode {
    let named = match &verb {
        Verb::Import { named, .. }
        | Verb::Add { named, .. }
        | Verb::Rotate { named, .. }
        | Verb::Revoke { named, .. }
        | Verb::List { named, .. } => named,
    };
    match named.files() {
        Ok(files) => super::finished(run(verb, &files)),
        Err(errors) => super::wrong(&errors),
    }
}

fn run(verb: Verb, files: &Files) -> anyhow::Result<()> {
    let now = now_ms() / 1_000;
    let at = |time: Option<String>| time.map(|time| parse_or_after(&time, now)).transpose();
    match verb {
        Verb::Import { from, named: _ } => super::print(import(&from, files, now)?),
        Verb::Add { user, prefix, scope, aud, email, group, expires, not_before, named: _ } => {
            let (begins, ends) = (at(not_before)?, at(expires)?);
            let rights = Rights { user_id: user, scopes: scope, aud, email, groups: group, begins, ends };
            let issued =
                changed(files, || files.change(|records, peppers| issue::add(records, peppers, &prefix, rights, now)))?;
            hand_over(&issued, "")
        }
        Verb::Rotate { id, grace, prefix, expires, named: _ } => {
            let (grace_until, ends) = (parse_or_after(&grace, now)?, at(expires)?);
            let issued = files
                .change(|records, peppers| issue::rotate(records, peppers, &id, (&prefix, ends), grace_until, now))?;
            hand_over(&issued, &format!("; {id} is good until {} at most", text(grace_until)))
        }
        Verb::Revoke { id, at: time, named: _ } => {
            let time = at(time)?.unwrap_or(now);
            let since = keys::change(&files.keys, |records| issue::revoke(records, &id, time))?;
            super::print(format!("the component refuses {id} from {} on\n", text(since)))
        }
        Verb::List { json, named: _ } => {
            let records = keys::read(&files.keys)?;
            super::print(if json { format!("{:#}\n", list::json(&records, now)) } else { list::table(&records, now) })
        }
    }
}

fn import(from: &Path, files: &Files, now: u64) -> anyhow::Result<String> {
    let entries = import::parse(&read_list(from)?)?;
    let imported = changed(files, || files.change(|records, peppers| import::import(&entries, records, peppers, now)))?;
    let mut said = format!("imported into {}: {}\n", files.keys.display(), imported.new);
    if imported.equal > 0 {
        said += &format!("there already: {}\n", imported.equal);
    }
    if !imported.kept.is_empty() {
        let (number, places) = (imported.kept.len(), places(&imported.kept));
        said += &format!("there otherwise, and left as they are: {number} ({places})\n");
    }
    if imported.weak > 0 {
        said += &format!(
            "weak: {}; whoever has both files could find them by trying. `shadow-proxy keys list` marks them; once \
             the component answers everybody, replace each with `shadow-proxy keys rotate ID --grace 30d`\n",
            imported.weak
        );
    }
    if !imported.unusable.is_empty() {
        said += &format!(
            "not imported: {} ({}); no client can use a key with a dot, with a character that no bearer credential has, with \
             more than 512 bytes, or of our form with a wrong checksum. Give its owner a new one\n",
            imported.unusable.len(),
            places(&imported.unusable)
        );
    }
    let list = if from == Path::new("-") { "the list".to_owned() } else { from.display().to_string() };
    Ok(said
        + &format!("now delete {list}, when the old service no longer reads it: it still has every key in plaintext\n"))
}

fn read_list(from: &Path) -> anyhow::Result<Vec<u8>> {
    let source: Box<dyn std::io::Read> = if from == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(from).with_context(|| format!("--from {} cannot be read; check the path", from.display()))?)
    };
    let mut list = Vec::new();
    let read = source.take(LIST_BYTES_MAX + 1).read_to_end(&mut list);
    read.with_context(|| format!("--from {} cannot be read; check the path", from.display()))?;
    ensure!(list.len() as u64 <= LIST_BYTES_MAX, "the list has more than {LIST_BYTES_MAX} bytes; split it");
    Ok(list)
}

fn places(places: &[usize]) -> String {
    const SHOWN_MAX: usize = 100;
    let shown: Vec<String> = places.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    let more = if places.len() > SHOWN_MAX { ", …" } else { "" };
    format!("entries {}{more}", shown.join(", "))
}

/// Says so when the pepper file was made: nobody expects that a file is worth as much as all keys.
fn changed<T>(files: &Files, change: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let was_there = files.peppers.exists();
    let result = change()?;
    if !was_there {
        eprintln!(
            "{} was made. Keep a copy apart from the key file: without it no key is good, with both weak keys can be found",
            files.peppers.display()
        );
    }
    Ok(result)
}

/// The key alone on stdout, so that it can be piped to where it belongs.
fn hand_over(issued: &Issued, more: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout();
    let shown = writeln!(stdout, "{}", issued.key).and_then(|()| stdout.flush());
    let id = &issued.id;
    shown.with_context(|| format!("nobody could read the new key; revoke it with `shadow-proxy keys revoke {id}`"))?;
    eprintln!("its id is {id}; it is shown this once{more}");
    Ok(())
}

impl Named {
    fn files(&self) -> Result<Files, Vec<String>> {
        let Named { keys, peppers, config } = self;
        let written =
            config.as_deref().map(|config| config::parse_key_files(&super::toml(Some(config))?)).transpose()?;
        let default = || Files { keys: PathBuf::from("keys.db.json"), peppers: PathBuf::from("peppers.json") };
        let Files { keys: written_keys, peppers: written_peppers } = written.unwrap_or_else(default);
        Ok(Files { keys: keys.clone().unwrap_or(written_keys), peppers: peppers.clone().unwrap_or(written_peppers) })
    }
}
