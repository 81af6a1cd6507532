//! A server under measurement: started, found ready, its CPU time read, ended.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::service::Service;
use crate::{admin, interrupt};

const READY_WITHIN: Duration = Duration::from_secs(30);

pub(super) struct Server {
    pub(super) address: String,
    /// Of a shadow-proxy that has one.
    admin: Option<String>,
    service: Service,
}

impl Server {
    /// Of a program that prints `ready listen=HOST:PORT`.
    pub(super) fn with_ready_line(name: &'static str, command: &mut Command, folder: &Path) -> Result<Server> {
        let mut service = Service::start(name, command, super::log(folder, name))?;
        let ready = service.ready(READY_WITHIN)?;
        let address =
            ready.get("listen").with_context(|| format!("the ready line of {name} names no `listen=`"))?.clone();
        Ok(Server { address, admin: ready.get("admin").cloned(), service })
    }

    /// Of a program that is ready when it accepts.
    pub(super) fn at(name: &'static str, command: &mut Command, address: String, folder: &Path) -> Result<Server> {
        let mut service = Service::start(name, command, super::log(folder, name))?;
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(&address).is_err() {
            service.check_running()?;
            interrupt::check()?;
            if Instant::now() > deadline {
                bail!("{name} does not accept at {address}{}", service.last_words());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Server { address, admin: None, service })
    }

    /// The share of its requests that a shadow-proxy has compared.
    pub(super) fn compared_share(&self) -> Result<Option<f64>> {
        if self.admin.is_none() {
            return Ok(None);
        }
        let requests = self.requests()?;
        Ok(Some(requests.compared as f64 / requests.received as f64))
    }

    /// User and system time of the process and of its children so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let pid = self.service.pid();
        let mut ticks = ticks(pid)?;
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            ticks += self::ticks(child)?;
        }
        Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
    }

    pub(super) fn admin(&self) -> Result<&str> {
        self.admin.as_deref().context("only a shadow-proxy run has an admin port")
    }

    /// The accounts of a shadow-proxy.
    pub(super) fn requests(&self) -> Result<admin::Requests> {
        Ok(admin::status(self.admin()?)?.requests)
    }

    /// What of the process is in memory.
    pub(super) fn rss_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.service.pid()))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in proc(5)'s status")?;
        let kb: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kb * 1_024)
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        self.service.stop().map(|_| ())
    }
}

/// An address that was free a moment ago, for programs that cannot choose one themselves.
pub(super) fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// `USER_HZ`, which is 100 on every Linux there is.
const TICKS_PER_SECOND: u64 = 100;

/// utime and stime, fields 14 and 15 of proc(5)'s stat; the name before them may hold spaces.
fn ticks(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Ok(field(11) + field(12))
}
