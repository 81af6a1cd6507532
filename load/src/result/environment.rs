//! Where figures come from: another machine gives others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Null where this machine does not say.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Environment {
    pub(crate) kernel: String,
    pub(crate) cpu_model: Option<String>,
    pub(crate) cpus_online: usize,
    /// Those this process may run on.
    pub(crate) cpus_allowed: Vec<usize>,
    pub(crate) governor: Option<String>,
    /// Something like `kvm`; null on bare metal or where it cannot be told.
    pub(crate) hypervisor: Option<String>,
    pub(crate) memory_bytes: Option<u64>,
    /// 1 or 2; null without cgroups.
    pub(crate) cgroup_version: Option<u32>,
    pub(crate) cgroup_cpu_quota_cores: Option<f64>,
    pub(crate) cgroup_memory_bytes_limit: Option<u64>,
    /// The load average over a minute before anything was started.
    pub(crate) load_average_before: Option<f64>,
    /// Share of the CPU time that the hypervisor gave to others, from the start of the command to its end.
    pub(crate) steal_share: Option<f64>,
    /// Of the checkout; ends in `-dirty` when it was changed.
    pub(crate) commit: Option<String>,
    /// The `load` binary: `release` or `dev`.
    pub(crate) build_profile: String,
    /// Program -> version, of those that were found: node, python, podman, runc, shadow-proxy.
    pub(crate) versions: BTreeMap<String, String>,
    /// A variable that makes Node start slower, and others of that kind, by name alone; they are taken away from the
    /// sides.
    pub(crate) variables_taken_away: Vec<String>,
}
