//! One run of wrk, as the load of a bench: lean enough to leave the other core to the server.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::child;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    pub(super) requests: u64,
    pub(super) requests_per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// `POST /auth/validate` with the same valid credential.
pub(super) fn always(credential: &str) -> String {
    format!("wrk.method = 'POST'\nwrk.headers['Authorization'] = 'Bearer {credential}'\n")
}

/// `POST /auth/validate` as the script says, over so many kept connections, from one thread.
pub(super) fn run(address: &str, script: &str, connections: u32, duration: Duration, folder: &Path) -> Result<Load> {
    let file = folder.join("post.lua");
    fs::write(&file, script)?;
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", &connections.to_string(), "--latency"]);
    wrk.args(["--duration", &format!("{}s", duration.as_secs()), "--script"]).arg(&file);
    let printed = child::output(wrk.arg(format!("http://{address}/auth/validate")))?;
    ensure!(!printed.contains("Non-2xx"), "some answers were not 200:\n{printed}");
    ensure!(!printed.contains("Socket errors"), "some requests were not answered:\n{printed}");
    parse(&printed).with_context(|| format!("wrk printed something else than figures:\n{printed}"))
}

fn parse(printed: &str) -> Option<Load> {
    let after = |mark: &str| printed.lines().find_map(|line| line.trim().strip_prefix(mark)).map(str::trim);
    let requests = printed.lines().find_map(|line| line.trim().split_once(" requests in "))?.0.trim().parse().ok()?;
    Some(Load {
        requests,
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        p50_us: micros(after("50%")?)?,
        p99_us: micros(after("99%")?)?,
    })
}

/// `123.00us`, `1.23ms` or `1.20s`.
fn micros(text: &str) -> Option<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];
    units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_wrk_are_read() {
        let printed = "Running 5s test @ http://127.0.0.1:1/\n  1 threads and 4 connections\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   300.00us  100.00us   5.00ms   90.00%\n  Latency Distribution\n     50%  280.00us\n     75%  320.00us\n     90%    1.05ms\n     99%    1.20s\n  60123 requests in 5.00s, 20.00MB read\nRequests/sec:  12024.60\nTransfer/sec:      4.00MB\n";
        let load = Load { requests: 60_123, requests_per_second: 12_024.6, p50_us: 280.0, p99_us: 1.2e6 };
        assert_eq!(parse(printed), Some(load));
        assert_eq!(parse("nothing"), None);
    }
}
