//! Lane `foreign`: a service with sessions, refresh tokens that are good once, tokens that end within seconds and limits,
//! none of which is our contract's. Its good rewrite takes over and gives back under traffic, and each bad one is found.

mod town;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::admin;
use crate::child;
use crate::interrupt;
use crate::table::grouped;
use crate::workspace::{Workspace, emptied};
use town::{Progress, Town};

/// Turns that everybody has before the lane goes on.
const TURNS: u64 = 15;
const ALL_PPM: u64 = 1_000_000;

/// A planted bug, and where its breaches are seen.
struct Flaw {
    name: &'static str,
    endpoint: &'static str,
    /// Legacy is asked too where the candidate serves, so that the brake can be pulled.
    is_seen_while_it_serves: bool,
}

const FLAWS: [Flaw; 4] = [
    Flaw { name: "breach", endpoint: "GET /v2/gate", is_seen_while_it_serves: true },
    Flaw { name: "leeway", endpoint: "POST /v2/session/verify", is_seen_while_it_serves: true },
    // To refresh changes something: the mirror does not ask legacy for it.
    Flaw { name: "raced", endpoint: "POST /v2/session/refresh", is_seen_while_it_serves: false },
    Flaw { name: "gzip", endpoint: "GET /v2/gate", is_seen_while_it_serves: true },
];

struct Lane<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    workspace.build()?;
    interrupt::listen()?;
    let lane = Lane { workspace, folder: workspace.target.join("foreign") };
    emptied(&lane.folder)?;
    child::quiet(lane.node("seed.js").arg(&lane.folder))?;
    let mut problems = lane.there_and_back()?;
    problems.extend(lane.flaws());
    ensure!(problems.is_empty(), "{}\n  the logs: {}", problems.join("\n"), lane.folder.display());
    Ok(())
}

impl Lane<'_> {
    /// A program of the foreign service.
    fn node(&self, program: &str) -> Command {
        let mut node = Command::new("node");
        node.arg(Path::new("foreign").join(program)).current_dir(self.workspace.legacy_stub());
        node.env("DIRECTORY", self.folder.join("directory.json")).env("CLIENTS", self.folder.join("clients.json"));
        node
    }

    /// The good candidate takes over by evidence and gives back, and no client notices.
    fn there_and_back(&self) -> Result<Vec<String>> {
        let start = Instant::now();
        let mut town = Town::start(self, "good", None, 1.0)?;
        let mut problems: Vec<String> =
            journey(&mut town).err().map(|error| format!("{error:#}")).into_iter().collect();
        let progress = town.stop_traffic()?;
        let status = town.settled()?;
        problems.extend(wrong_answers(&progress));
        problems.extend(false_verdicts(&status));
        problems.extend(town.stop());
        let undetermined = &status["decisions"]["undetermined"];
        println!(
            "  good    {} calls, {} pairs of racing tabs, {} tokens at or after their end: {} wrong answers, {} breaches, \
             {} lockouts, undetermined {undetermined}, {:.0} s",
            grouped(progress.calls),
            progress.of("race"),
            progress.of("ended token") + progress.of("ending token") + progress.of("ending token at its end"),
            progress.wrong_total,
            status["decisions"]["deny_allow"],
            status["decisions"]["allow_deny"],
            start.elapsed().as_secs_f64()
        );
        Ok(problems)
    }

    /// Every bad candidate, all at the same time.
    fn flaws(&self) -> Vec<String> {
        std::thread::scope(|scope| {
            let looks = FLAWS.each_ref().map(|flaw| (flaw, scope.spawn(|| self.is_found(flaw))));
            let ended = looks.into_iter().map(|(flaw, look)| (flaw, look.join().expect("the look panicked")));
            ended.filter_map(|(flaw, result)| Some(format!("{}: {:#}", flaw.name, result.err()?))).collect()
        })
    }

    fn is_found(&self, flaw: &Flaw) -> Result<()> {
        let start = Instant::now();
        let mut town = Town::start(self, flaw.name, Some(flaw.name), 0.2)?;
        town.until("a breach is counted", |status| Ok(breaches(status) > 0))?;
        let in_shadow = start.elapsed().as_secs_f64();
        town.until_found(flaw.endpoint)?;
        let (code, said) = town.operate(&["gate"])?;
        ensure!(code == Some(1) && said.contains("breach"), "gate says {code:?}, not no-go for a breach:\n{said}");
        let mut at_full = String::new();
        if flaw.is_seen_while_it_serves {
            let start = Instant::now();
            town.command(&["weight", "1000000"])?;
            town.until(
                "the traffic is taken back",
                |status| Ok(weight(status) == 0 && phase(status) == "rolled-back"),
            )?;
            at_full = format!(", at 100 % taken back after {:.1} s", start.elapsed().as_secs_f64());
        }
        town.stop_traffic()?;
        println!("  {:<7} a breach in shadow after {in_shadow:.1} s{at_full}", flaw.name);
        match town.stop().as_slice() {
            [] => Ok(()),
            problems => bail!("{}", problems.join("\n")),
        }
    }
}

/// From shadow to 100 % by the plan, and back so that every session ends where it began.
fn journey(town: &mut Town) -> Result<()> {
    town.turns(TURNS)?;
    town.until_accepted(&["advance"])?;
    town.until("the candidate serves everybody", climbs)?;
    town.turns(TURNS)?;
    town.command(&["rollback", "--drain"])?;
    town.until("legacy serves all who come", |status| Ok(weight(status) == 0))?;
    town.turns(TURNS)?;
    // What is left of the candidate's sessions signs in again, and legacy, which never knew them, is not blamed.
    town.announce_cut()?;
    town.command(&["cut"])?;
    town.turns(TURNS)
}

/// Says whether 100 % is reached; an error once the plan goes no further by itself.
fn climbs(status: &Value) -> Result<bool> {
    let phase = phase(status);
    ensure!(
        phase != "rolled-back" && phase != "held",
        "the good candidate does not get to 100 %: {:#}",
        status["shift"]
    );
    Ok(weight(status) == ALL_PPM)
}

/// Sentences about answers that clients did not expect.
fn wrong_answers(progress: &Progress) -> Vec<String> {
    if progress.wrong_total == 0 {
        return Vec::new();
    }
    vec![format!("{} answers were not as promised:\n    {}", progress.wrong_total, progress.wrong.join("\n    "))]
}

/// Sentences about a good candidate that was judged badly.
fn false_verdicts(status: &Value) -> Vec<String> {
    let lockouts = status["decisions"]["allow_deny"].as_u64().unwrap_or_default();
    let mut problems = Vec::new();
    if breaches(status) > 0 || lockouts > 0 {
        problems.push(format!("a good candidate: {} breaches and {lockouts} lockouts", breaches(status)));
    }
    let accounts: Result<admin::Status, _> = serde_json::from_value(status.clone());
    match accounts {
        Ok(status) => problems.extend(status.requests.problems()),
        Err(error) => problems.push(format!("the status is not what `admin.rs` expects: {error}")),
    }
    problems
}

fn breaches(status: &Value) -> u64 {
    status["decisions"]["deny_allow"].as_u64().unwrap_or_default()
}

fn phase(status: &Value) -> &str {
    status["phase"].as_str().unwrap_or_default()
}

fn weight(status: &Value) -> u64 {
    status["weight_ppm"].as_u64().unwrap_or_default()
}
