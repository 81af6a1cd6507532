//! The service, its rewrite, the proxy between them and people who use it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::Lane;
use crate::admin;
use crate::interrupt::{self, LOOK_EVERY};
use crate::service::Service;

/// Calls that may wait to be compared before the people rest.
const IN_FLIGHT_MAX: u64 = 60;
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Longer than anything takes on a slow machine.
const WITHIN: Duration = Duration::from_secs(90);

/// Fields stand in the order in which they end: whoever asks before whoever answers.
pub(super) struct Town {
    traffic: Service,
    proxy: Service,
    candidate: Service,
    legacy: Service,
    /// `HOST:PORT`
    admin: String,
    control: String,
    shadow_proxy: PathBuf,
    is_resting: bool,
}

/// Progress of the traffic.
#[derive(Debug, Deserialize)]
pub(super) struct Progress {
    /// The smallest number of turns that anybody had.
    turns: u64,
    pub(super) calls: u64,
    counts: BTreeMap<String, u64>,
    pub(super) wrong_total: u64,
    /// The first of them, as sentences.
    pub(super) wrong: Vec<String>,
}

impl Progress {
    pub(super) fn of(&self, kind: &str) -> u64 {
        self.counts.get(kind).copied().unwrap_or_default()
    }
}

impl Town {
    /// `share` of the people that `traffic.js` has come.
    pub(super) fn start(lane: &Lane, name: &str, flaw: Option<&str>, share: f64) -> Result<Town> {
        let folder = lane.folder.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let start = |name, command: &mut Command, log: &str| Service::start(name, command, folder.join(log));
        let mut legacy = start("the foreign service", &mut lane.node("service.js"), "service.log")?;
        let mut node = lane.node("candidate.js");
        let mut candidate = start("its rewrite", node.env("FLAWS", flaw.unwrap_or_default()), "candidate.log")?;
        let shadow_proxy = lane.workspace.binary("shadow-proxy");
        let mut run = Command::new(&shadow_proxy);
        run.arg("run").arg("--config").arg(lane.workspace.legacy_stub().join("foreign/shadow-proxy.toml"));
        run.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).arg("--data").arg(folder.join("data"));
        run.args(["--legacy", &url(&mut legacy)?, "--candidate-url", &url(&mut candidate)?]);
        let mut proxy = start("shadow-proxy", &mut run, "shadow-proxy.log")?;
        let mut ready = proxy.ready(READY_WITHIN)?;
        let mut address = |name| ready.remove(name).with_context(|| format!("shadow-proxy names no `{name}=`"));
        let (listen, admin) = (address("listen")?, address("admin")?);
        let mut node = lane.node("traffic.js");
        node.env("TARGET", format!("http://{listen}")).env("SHARE", share.to_string());
        let mut traffic = start("the traffic", &mut node, "traffic.log")?;
        let control = traffic.ready(READY_WITHIN)?.remove("control").context("the traffic names no `control=`")?;
        Ok(Town { traffic, proxy, candidate, legacy, admin, control, shadow_proxy, is_resting: false })
    }

    /// Waits until everybody has acted so many times more.
    pub(super) fn turns(&mut self, more: u64) -> Result<()> {
        let wanted = self.progress()?.turns + more;
        self.wait("everybody acts", |town| Ok((town.progress()?.turns >= wanted).then_some(())))
    }

    fn progress(&self) -> Result<Progress> {
        admin::get(&self.control, "/progress")
    }

    fn status(&self) -> Result<Value> {
        admin::get(&self.admin, "/api/status")
    }

    pub(super) fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> Result<bool>) -> Result<()> {
        self.wait(what, |town| Ok(is_so(&town.status()?)?.then_some(())))
    }

    /// Waits until the store has a breach at this endpoint.
    pub(super) fn until_found(&mut self, endpoint: &str) -> Result<()> {
        self.wait("the breach is a finding", |town| {
            let findings = admin::findings(&town.admin)?;
            let is_it = |found: &admin::Finding| found.severity == "breach" && found.endpoint == endpoint;
            Ok(findings.iter().any(is_it).then_some(()))
        })
    }

    /// Says a command of the shift again and again until it is not refused.
    pub(super) fn until_accepted(&mut self, words: &[&str]) -> Result<()> {
        let mut last = String::new();
        let accepted = self.wait("the command is accepted", |town| {
            let (code, said) = town.operate(&by_name(words))?;
            last = said;
            Ok((code == Some(0)).then_some(()))
        });
        accepted.with_context(|| format!("`{}` was refused: {last}", words.join(" ")))
    }

    /// Says a command of the shift once.
    pub(super) fn command(&self, words: &[&str]) -> Result<()> {
        let (code, said) = self.operate(&by_name(words))?;
        ensure!(code == Some(0), "`{}` ended with {code:?}: {said}", words.join(" "));
        Ok(())
    }

    /// The exit code of a command for operators, and all that it printed.
    pub(super) fn operate(&self, words: &[&str]) -> Result<(Option<i32>, String)> {
        let output = Command::new(&self.shadow_proxy).args(words).args(["--admin", &self.admin]).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// Tells the people that sessions begun until now may end.
    pub(super) fn announce_cut(&self) -> Result<()> {
        admin::get::<Progress>(&self.control, "/cut").map(drop)
    }

    /// Ends the traffic, and waits for its last answers.
    pub(super) fn stop_traffic(&mut self) -> Result<Progress> {
        admin::get(&self.control, "/stop")
    }

    /// The status once every mirrored call has come to an end.
    pub(super) fn settled(&mut self) -> Result<Value> {
        self.wait("the mirror is done", |town| {
            let status = town.status()?;
            let requests = &status["requests"];
            Ok((requests["in_flight"] == 0 && requests["serving"] == 0).then_some(status))
        })
    }

    /// Ends all; problems of those that did not end well.
    pub(super) fn stop(&mut self) -> Vec<String> {
        let Town { traffic, proxy, candidate, legacy, .. } = self;
        [traffic, proxy, candidate, legacy].into_iter().filter_map(Service::stop_cleanly).collect()
    }

    /// Lets the people rest while the mirror is behind: on a slow machine it would compare what is long over.
    fn keep_up(&mut self) -> Result<()> {
        let in_flight = self.status()?["requests"]["in_flight"].as_u64().unwrap_or_default();
        let is_behind = in_flight > IN_FLIGHT_MAX;
        if is_behind != self.is_resting {
            self.is_resting = is_behind;
            admin::get::<Progress>(&self.control, if is_behind { "/rest" } else { "/go" })?;
        }
        Ok(())
    }

    fn wait<T>(&mut self, what: &str, mut look: impl FnMut(&Town) -> Result<Option<T>>) -> Result<T> {
        let deadline = Instant::now() + WITHIN;
        loop {
            if let Some(seen) = look(self)? {
                return Ok(seen);
            }
            interrupt::check()?;
            for service in [&mut self.traffic, &mut self.proxy, &mut self.candidate, &mut self.legacy] {
                service.check_running()?;
            }
            self.keep_up()?;
            if Instant::now() > deadline {
                bail!("waited {} s in vain: {what}\n{:#}", WITHIN.as_secs(), self.status()?);
            }
            std::thread::sleep(LOOK_EVERY * 2);
        }
    }
}

fn url(service: &mut Service) -> Result<String> {
    let ready = service.ready(READY_WITHIN)?;
    Ok(format!("http://{}", ready.get("listen").context("a ready line names no `listen=`")?))
}

fn by_name<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [words, &["--who", "lane foreign", "--why", "the lane shows that it can be done"]].concat()
}
