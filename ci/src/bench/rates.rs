//! Whether `load` keeps the rate it was asked for, and finds the percentiles that h2load finds, which nobody here wrote.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::child;
use crate::interrupt;
use crate::table::Table;

use super::Bed;
use super::server::Server;

const RATES: [u32; 4] = [100, 1_000, 5_000, 10_000];
/// At which percentiles are held against h2load's.
const COMPARED: [u32; 2] = [100, 1_000];
/// Of each connection of h2load, so that it has its answer before it asks again: else it would send in bursts.
const CONNECTION_RATE: u32 = 5;
/// In which they begin one after the other, so that they take turns afterwards.
const TURN_MS: u32 = 1_000 / CONNECTION_RATE;
const RATE_OFF_MAX: f64 = 0.005;
const PERCENTILE_OFF_MAX: f64 = 0.05;
const PERCENTILE_OFF_US_MAX: f64 = 200.0;

/// Percentiles as both name them.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];
/// Answers after 20 ms, one in ten after 100: so long that how requests of different senders meet is nothing beside it.
const SLEEPER: &str = "let asked = 0; const answer = (_, response) => setTimeout(() => response.end(), ++asked % 10 ? 20 : 100); \
    const server = require('node:http').createServer(answer).listen(0, '127.0.0.1', \
    () => console.log(`ready listen=127.0.0.1:${server.address().port}`));";
const SLEEPER_CASE: &str =
    r#"{"name":"sleeps","weight":1,"request":{"method":"GET","path":"/"},"expect":{"status":200}}"#;

impl Bed<'_> {
    pub(super) fn rates(&self) -> Result<Table> {
        let contract = self.folder.join("contract");
        fs::create_dir_all(&contract)?;
        fs::write(contract.join("sleeps.json"), SLEEPER_CASE)?;
        let contract = contract.to_str().context("the target folder's name is no text")?;
        let mut rows = Vec::new();
        for rate in RATES {
            interrupt::check()?;
            eprint!("\r{rate}/s ");
            let mut native = Command::new(self.workspace.released("examples/native"));
            let mut server = Server::with_ready_line("native", &mut native, &self.folder)?;
            let quick = self.by_load(&server, rate, &["--case", "healthz-get", "--expect", "candidate"])?;
            server.stop()?;
            let achieved = quick["achieved_rate"].as_f64().context("load names no achieved_rate")?;
            let off = achieved / f64::from(rate) - 1.0;
            let cpu_us = quick["generator"]["cpu_us_per_request"].as_f64().unwrap_or(f64::NAN);
            let mut row = vec![format!("{rate}/s"), format!("{achieved:.1}/s"), judged(off.abs() <= RATE_OFF_MAX)];
            row.push(format!("{cpu_us:.1}"));
            if COMPARED.contains(&rate) {
                let mut node = Command::new("node");
                let mut server = Server::with_ready_line("sleeper", node.args(["-e", SLEEPER]), &self.folder)?;
                let ours = self.by_load(&server, rate, &["--contract", contract])?;
                let theirs = self.by_h2load(&server, rate)?;
                server.stop()?;
                row.extend(
                    QUANTILES.iter().flat_map(|(name, quantile)| held_against(&ours, name, at(&theirs, *quantile))),
                );
            } else {
                row.extend(std::iter::repeat_n(String::new(), 2 * QUANTILES.len()));
            }
            rows.push(row);
        }
        eprint!("\r");
        Ok(Table {
            title: format!(
                "load attack --rate, {} s each. Sent, and its CPU: GET /healthz of native Rust. Service time in µs, load / \
                 h2load: a service that sleeps 20 ms, one time in ten 100",
                self.options.seconds
            ),
            header: vec!["asked", "sent", "", "CPU µs/request", "p50", "", "p95", "", "p99", ""],
            rows,
        })
    }

    fn by_load(&self, server: &Server, rate: u32, cases: &[&str]) -> Result<Value> {
        let out = self.folder.join("attack.json");
        let mut load = Command::new(self.workspace.released("load"));
        load.current_dir(&self.workspace.root).arg("attack").args(cases);
        load.args(["--target", &format!("http://{}", server.address), "--rate", &rate.to_string()]);
        load.args(["--time", &format!("{}s", self.options.seconds), "--out"]).arg(&out);
        child::quiet(&mut load)?;
        Ok(serde_json::from_str(&fs::read_to_string(&out)?)?)
    }

    /// Every response time in µs, ascending.
    fn by_h2load(&self, server: &Server, rate: u32) -> Result<Vec<f64>> {
        let log = self.folder.join("h2load.log");
        let mut h2load = Command::new("h2load");
        let clients = rate / CONNECTION_RATE;
        h2load.args(["--h1", "--clients", &clients.to_string(), "--rps", &CONNECTION_RATE.to_string()]);
        h2load.args(["--rate", &clients.div_ceil(TURN_MS).to_string(), "--rate-period", "1ms"]);
        h2load.args(["--requests", &(u64::from(rate) * self.options.seconds).to_string()]);
        child::quiet(h2load.arg(format!("--log-file={}", log.display())).arg(format!("http://{}/", server.address)))?;
        let text = fs::read_to_string(&log)?;
        // When it was sent, the status, how long it took.
        let mut times: Vec<f64> = text.lines().filter_map(|line| line.split('\t').nth(2)?.parse().ok()).collect();
        times.sort_by(f64::total_cmp);
        fs::remove_file(&log)?;
        Ok(times)
    }
}

/// Both, and whether they agree.
fn held_against(ours: &Value, name: &str, h2load_us: f64) -> [String; 2] {
    let us = ours["service_us"][name].as_f64().unwrap_or(f64::NAN);
    let agree = (us - h2load_us).abs() <= PERCENTILE_OFF_US_MAX.max(PERCENTILE_OFF_MAX * h2load_us);
    [format!("{us:.0} / {h2load_us:.0}"), judged(agree)]
}

fn judged(agrees: bool) -> String {
    if agrees { "ok" } else { "OFF" }.to_owned()
}

/// The same rank as HdrHistogram's: the least value that so many are not above.
fn at(sorted: &[f64], quantile: f64) -> f64 {
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
