//! What each kind of credential costs where: the component in shadow-proxy, the same code natively, Node, Python.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::interrupt;
use crate::table::Table;

use super::pairs::{Run, median, sorted};
use super::server::Server;
use super::{API_KEY, Bed};

/// A name for people, and the contract's token of that kind.
const TOKENS: [(&str, &str); 4] =
    [("HS256", "jwt-hs256"), ("ES256", "jwt-es256"), ("RS256", "jwt-rs256"), ("EdDSA", "jwt-eddsa")];
const CONNECTIONS: u32 = 50;

#[derive(Clone, Copy, PartialEq)]
enum Host {
    Component,
    Native,
    Node,
    Python,
}

const HOSTS: [Host; 4] = [Host::Component, Host::Native, Host::Node, Host::Python];

impl Host {
    fn name(self) -> &'static str {
        match self {
            Host::Component => "component in shadow-proxy serve",
            Host::Native => "the same code natively",
            Host::Node => "Node, Express 5",
            Host::Python => "Python, FastAPI",
        }
    }

    /// jsonwebtoken 9 does not know EdDSA.
    fn takes(self, kind: &str) -> bool {
        (self, kind) != (Host::Node, "EdDSA")
    }
}

impl Bed<'_> {
    pub(super) fn credentials(&self) -> Result<Table> {
        let mut rows = Vec::new();
        for (kind, credential) in self.kinds()? {
            let hosts: Vec<Host> = HOSTS.into_iter().filter(|host| host.takes(kind)).collect();
            let mut runs: Vec<Vec<Run>> = vec![Vec::new(); hosts.len()];
            for round in 0..self.options.pairs {
                eprint!("\r{kind}: round {} of {} ", round + 1, self.options.pairs);
                // Whoever goes later meets a warmer machine: each host goes first in turn.
                for turn in 0..hosts.len() {
                    interrupt::check()?;
                    let at = (round + turn) % hosts.len();
                    runs[at].push(self.measure(vec![self.host(hosts[at])?], &credential, CONNECTIONS)?);
                }
            }
            eprint!("\r");
            // All ratios are of runs of the same round.
            let component = &runs[0];
            rows.extend(hosts.iter().zip(&runs).map(|(host, runs)| row(kind, *host, runs, component)));
        }
        Ok(Table {
            title: format!("POST /auth/validate, {CONNECTIONS} connections, medians of {} rounds", self.options.pairs),
            header: vec!["credential", "in", "requests/s", "CPU µs/request", "CPU ÷ component's", "p99 µs"],
            rows,
        })
    }

    fn kinds(&self) -> Result<Vec<(&'static str, String)>> {
        let file = self.workspace.legacy_stub().join("contract/keys/tokens.json");
        let tokens: Value = serde_json::from_str(&fs::read_to_string(&file)?)
            .with_context(|| format!("{} is not JSON; run `node contract/keys/mint.js`", file.display()))?;
        let mut kinds = vec![("API key", API_KEY.to_owned())];
        for (kind, name) in TOKENS {
            let token = tokens[name].as_str().with_context(|| format!("{} has no {name}", file.display()))?;
            kinds.push((kind, token.to_owned()));
        }
        Ok(kinds)
    }

    fn host(&self, host: Host) -> Result<Server> {
        let (name, mut command) = match host {
            Host::Component => {
                let mut command = Command::new(&self.proxy);
                command.args(["serve", "--listen", "127.0.0.1:0", "--instances", "reuse=1000000"]);
                ("component", command)
            }
            Host::Native => ("native", Command::new(self.workspace.released("examples/native"))),
            Host::Node => return self.legacy(),
            Host::Python => ("python", self.python()),
        };
        Server::with_ready_line(name, &mut command, &self.folder)
    }
}

fn row(kind: &str, host: Host, runs: &[Run], component: &[Run]) -> Vec<String> {
    let middle = |of: fn(&Run) -> f64| median(&sorted(runs.iter().map(of).collect()));
    let ratios = runs.iter().zip(component).map(|(run, base)| run.cpu_us_per_request / base.cpu_us_per_request);
    vec![
        kind.to_owned(),
        host.name().to_owned(),
        format!("{:.0}", middle(|run| run.load.requests_per_second)),
        format!("{:.1}", middle(|run| run.cpu_us_per_request)),
        format!("{:.2}", median(&sorted(ratios.collect()))),
        format!("{:.0}", middle(|run| run.load.p99_us)),
    ]
}
