//! What the whole machine did, and whose it was.

use std::time::Duration;

use procfs::{CurrentSI as _, KernelStats};

/// CPU time since the start of the machine, over all CPUs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    total: Duration,
    idle: Duration,
    steal: Duration,
}

/// What was done from one look to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) total: Duration,
    pub(crate) busy: Duration,
    pub(crate) steal: Duration,
}

impl Machine {
    pub(crate) fn look() -> Option<Self> {
        let cpu = KernelStats::current().ok()?.total;
        let ticks = |ticks: u64| Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64);
        let idle = cpu.idle + cpu.iowait.unwrap_or(0);
        let steal = cpu.steal.unwrap_or(0);
        // Time of guests is in that of users already.
        let busy = cpu.user + cpu.nice + cpu.system + cpu.irq.unwrap_or(0) + cpu.softirq.unwrap_or(0);
        Some(Self { total: ticks(idle + steal + busy), idle: ticks(idle), steal: ticks(steal) })
    }

    pub(crate) fn since(self, before: Machine) -> Done {
        let total = self.total.saturating_sub(before.total);
        let steal = self.steal.saturating_sub(before.steal);
        let idle = self.idle.saturating_sub(before.idle);
        Done { total, steal, busy: total.saturating_sub(steal).saturating_sub(idle) }
    }
}

impl Done {
    pub(crate) fn share(&self, part: Duration) -> Option<f64> {
        (!self.total.is_zero()).then(|| part.as_secs_f64() / self.total.as_secs_f64())
    }
}
