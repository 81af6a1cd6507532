//! Where figures come from, as far as this machine says.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use procfs::{Current as _, LoadAverage};

use crate::result::environment::Environment;
use crate::result::{Head, VERSION, unix_ms};
use crate::side;
use crate::watch::cgroup::Cgroup;
use crate::watch::machine::Machine;

/// Variables that make one side slower than the other; the sides are started without any of a person's variables.
const TAKEN_AWAY: [&str; 4] = ["NODE_EXTRA_CA_CERTS", "NODE_OPTIONS", "PYTHONPATH", "RUST_LOG"];

/// How the machine was before anything was started, and when.
#[derive(Debug)]
pub(crate) struct Before {
    began: Instant,
    started_at_ms: u64,
    load_average: Option<f64>,
    machine: Option<Machine>,
    cpus_allowed: Vec<usize>,
}

impl Before {
    pub(crate) fn look() -> Self {
        let load_average = LoadAverage::current().ok().map(|load| f64::from(load.one));
        let (machine, cpus_allowed) = (Machine::look(), cpus_allowed());
        Self { began: Instant::now(), started_at_ms: unix_ms(SystemTime::now()), load_average, machine, cpus_allowed }
    }

    /// What a file begins with, of what lasted from then to now.
    pub(crate) fn head(&self, schema: &str, complete: bool, short: bool) -> Head {
        Head {
            schema: schema.to_owned(),
            version: VERSION,
            started_at_ms: self.started_at_ms,
            seconds: self.began.elapsed().as_secs_f64(),
            complete,
            short,
        }
    }

    /// When everything is over.
    pub(crate) fn after(&self) -> Environment {
        let done = Machine::look().zip(self.machine).map(|(after, before)| after.since(before));
        let cgroup = Cgroup::of(std::process::id());
        let cgroup = cgroup.as_ref();
        Environment {
            kernel: line("/proc/sys/kernel/osrelease").unwrap_or_default(),
            cpu_model: of_cpu("model name"),
            cpus_online: count_online(),
            cpus_allowed: self.cpus_allowed.clone(),
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            hypervisor: line("/sys/hypervisor/type")
                .or_else(|| of_cpu("flags")?.split(' ').any(|flag| flag == "hypervisor").then(|| "yes".to_owned())),
            memory_bytes: procfs::Meminfo::current().ok().map(|memory| memory.mem_total),
            cgroup_version: cgroup.map(Cgroup::version),
            cgroup_cpu_quota_cores: cgroup.and_then(Cgroup::quota_cores),
            cgroup_memory_bytes_limit: cgroup.and_then(Cgroup::bytes_limit),
            load_average_before: self.load_average,
            steal_share: done.and_then(|done| done.share(done.steal)),
            commit: commit(),
            build_profile: if cfg!(debug_assertions) { "dev" } else { "release" }.to_owned(),
            versions: versions(),
            variables_taken_away: TAKEN_AWAY
                .into_iter()
                .filter(|name| std::env::var_os(name).is_some())
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// Those this process may run on.
pub(crate) fn cpus_allowed() -> Vec<usize> {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else { return Vec::new() };
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()
}

fn line(file: &str) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

/// What /proc/cpuinfo says about the first CPU.
fn of_cpu(name: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let found = text.lines().find_map(|line| line.split_once(':').filter(|(known, _)| known.trim() == name))?;
    Some(found.1.trim().to_owned())
}

fn count_online() -> usize {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines().filter(|line| line.starts_with("processor")).count()
}

fn commit() -> Option<String> {
    said("git", &["describe", "--always", "--abbrev=12", "--exclude=*", "--dirty"])
}

fn versions() -> BTreeMap<String, String> {
    let folder = side::target_folder().unwrap_or_default();
    let programs = [
        ("node", "node".into()),
        ("python", folder.join("python/bin/python")),
        ("podman", "podman".into()),
        ("runc", "runc".into()),
        ("shadow-proxy", folder.join("release/shadow-proxy")),
    ];
    let version =
        |(name, program): (&str, std::path::PathBuf)| Some((name.to_owned(), said(program.to_str()?, &["--version"])?));
    programs.into_iter().filter_map(version).collect()
}

/// The first line that a program prints.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_says_what_it_is() {
        let found = Before::look().after();
        assert!(!found.kernel.is_empty() && found.cpus_online > 0 && !found.cpus_allowed.is_empty(), "{found:?}");
        assert!(found.memory_bytes.is_some() && found.load_average_before.is_some(), "{found:?}");
    }
}
