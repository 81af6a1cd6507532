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
/// Of h2load, which wants its rate for each of them.
const CLIENTS: u32 = 10;
const RATE_OFF_MAX: f64 = 0.005;
const PERCENTILE_OFF_MAX: f64 = 0.05;
const PERCENTILE_OFF_US_MAX: f64 = 200.0;

/// Percentiles as both name them.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

impl Bed<'_> {
    pub(super) fn rates(&self) -> Result<Table> {
        let mut rows = Vec::new();
        for rate in RATES {
            interrupt::check()?;
            eprint!("\r{rate}/s ");
            let mut command = Command::new(self.workspace.released("examples/native"));
            let mut server = Server::with_ready_line("native", &mut command, &self.folder)?;
            let ours = self.by_load(&server, rate)?;
            let theirs = self.by_h2load(&server, rate)?;
            server.stop()?;
            let achieved = ours["achieved_rate"].as_f64().context("load names no achieved_rate")?;
            let off = achieved / f64::from(rate) - 1.0;
            let mut row = vec![format!("{rate}/s"), format!("{achieved:.1}/s"), judged(off.abs() <= RATE_OFF_MAX)];
            for (name, quantile) in QUANTILES {
                let (us, h2load_us) = (ours["service_us"][name].as_f64().unwrap_or(f64::NAN), at(&theirs, quantile));
                let off_us = (us - h2load_us).abs();
                let agree = off_us <= PERCENTILE_OFF_US_MAX.max(PERCENTILE_OFF_MAX * h2load_us);
                row.extend([format!("{us:.0} / {h2load_us:.0}"), judged(agree)]);
            }
            row.push(format!("{:.1}", ours["generator"]["cpu_us_per_request"].as_f64().unwrap_or(f64::NAN)));
            rows.push(row);
        }
        eprint!("\r");
        Ok(Table {
            title: format!(
                "load attack --rate, {} s each, GET /healthz; service time in µs, load / h2load",
                self.options.seconds
            ),
            header: vec!["asked", "sent", "", "p50", "", "p95", "", "p99", "", "CPU µs/request of load"],
            rows,
        })
    }

    fn by_load(&self, server: &Server, rate: u32) -> Result<Value> {
        let out = self.folder.join("attack.json");
        let mut load = Command::new(self.workspace.released("load"));
        load.current_dir(&self.workspace.root).args(["attack", "--case", "healthz-get", "--expect", "candidate"]);
        load.args(["--target", &format!("http://{}", server.address), "--rate", &rate.to_string()]);
        load.args(["--time", &format!("{}s", self.options.seconds), "--out"]).arg(&out);
        child::quiet(&mut load)?;
        Ok(serde_json::from_str(&fs::read_to_string(&out)?)?)
    }

    /// Every response time in µs, ascending.
    fn by_h2load(&self, server: &Server, rate: u32) -> Result<Vec<f64>> {
        let log = self.folder.join("h2load.log");
        let mut h2load = Command::new("h2load");
        h2load.args(["--h1", "--clients", &CLIENTS.to_string(), "--rps", &(rate / CLIENTS).to_string()]);
        h2load.args(["--duration", &self.options.seconds.to_string()]).arg(format!("--log-file={}", log.display()));
        child::quiet(h2load.arg(format!("http://{}/healthz", server.address)))?;
        let text = fs::read_to_string(&log)?;
        // When it was sent, the status, how long it took.
        let mut times: Vec<f64> = text.lines().filter_map(|line| line.split('\t').nth(2)?.parse().ok()).collect();
        times.sort_by(f64::total_cmp);
        fs::remove_file(&log)?;
        Ok(times)
    }
}

fn judged(agrees: bool) -> String {
    if agrees { "ok" } else { "OFF" }.to_owned()
}

/// The same rank as HdrHistogram's: the least value that so many are not above.
fn at(sorted: &[f64], quantile: f64) -> f64 {
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
