//! What a service and the machine use while something else looks at the answers.

pub(crate) mod cgroup;
pub(crate) mod machine;
pub(crate) mod process;
pub(crate) mod sampler;

use std::time::Duration;

use crate::result::memory::Figures;

use self::cgroup::Cgroup;

/// A service that can be looked at: its first process with all of its descendants, and its cgroup where it has one
/// of its own.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) pid: u32,
    pub(crate) cgroup: Option<Cgroup>,
}

impl Watched {
    /// CPU time so far.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let of_cgroup = self.cgroup.as_ref().and_then(Cgroup::cpu);
        of_cgroup.or_else(|| process::cpu(&process::tree(self.pid)))
    }

    /// Where that is read.
    pub(crate) fn cpu_from(&self) -> &'static str {
        if self.cgroup.as_ref().and_then(Cgroup::cpu).is_some() { "cgroup" } else { "processes" }
    }

    pub(crate) fn throttled(&self) -> Option<Duration> {
        self.cgroup.as_ref().and_then(Cgroup::throttled)
    }

    /// All that is known of its memory. Asking for PSS costs the service some ms.
    pub(crate) fn memory(&self) -> Figures {
        let figures = process::memory(&process::tree(self.pid));
        let Some(cgroup) = &self.cgroup else { return figures };
        Figures {
            cgroup_bytes: cgroup.bytes(),
            cgroup_bytes_peak: cgroup.bytes_peak(),
            cgroup_bytes_limit: cgroup.bytes_limit(),
            ..figures
        }
    }
}
