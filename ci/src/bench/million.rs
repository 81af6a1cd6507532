//! A million exchanges in one run of `shadow-proxy run`: what stays in memory and on the disk.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::interrupt;
use crate::table::{Table, grouped};

use super::server::Server;
use super::{Bed, nginx, wrk};

const EXCHANGES: u64 = 1_000_000;
const EACH: u64 = 100_000;

/// One exchange in ten is kept whole, so that the database meets its limit on the way.
const KEPT: &str = "[record]\nkeep_match_every = 10\nbytes_max = 20000000\n[noise]\naa_share = 0.05\n";

/// So many clients that no two thousand requests are the same; nine in ten of their keys are not known to the candidate,
/// which is a lockout each time.
const MANY_CLIENTS: &str = "wrk.method = 'POST'
local count = 0
request = function()
  count = count + 1
  local key = count % 10 == 0 and 'key_123' or ('key_' .. count)
  return wrk.format(nil, nil, { Authorization = 'Bearer ' .. key, ['X-Client'] = tostring(count % 50000) })
end
";

impl Bed<'_> {
    pub(super) fn million(&self) -> Result<Table> {
        let legacy = nginx::noisy_service(&self.folder)?;
        let mut proxy = self.proxy_run(&legacy, KEPT)?;
        let begun = Instant::now();
        let mut rows = vec![self.row(&proxy, begun)?];
        let mut compared = 0;
        while compared < EXCHANGES {
            interrupt::check()?;
            eprint!("\r{} of {} exchanges compared ", grouped(compared), grouped(EXCHANGES));
            wrk::run(&proxy.address, MANY_CLIENTS, 16, Duration::from_secs(2), &self.folder)?;
            let before = compared;
            compared = proxy.requests()?.compared;
            if compared / EACH > before / EACH {
                rows.push(self.row(&proxy, begun)?);
            }
        }
        eprint!("\r");
        proxy.stop()?;
        Ok(Table {
            title: "shadow-proxy run, noisy legacy, nine of ten exchanges differ; database limited to 20 MB".to_owned(),
            header: vec!["compared", "seconds", "dropped", "memory MB", "database MB"],
            rows,
        })
    }

    fn row(&self, proxy: &Server, begun: Instant) -> Result<Vec<String>> {
        let requests = proxy.requests()?;
        let mb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
        Ok(vec![
            grouped(requests.compared),
            format!("{:.0}", begun.elapsed().as_secs_f64()),
            grouped(requests.dropped.values().sum()),
            mb(proxy.rss_bytes()?),
            mb(files_bytes(&self.folder.join("data"))?),
        ])
    }
}

/// Of the database and its journal.
fn files_bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        // The journal may be gone by now.
        sum += entry?.metadata().map_or(0, |file| file.len());
    }
    Ok(sum)
}
