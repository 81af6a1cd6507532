//! Processes, as proc(5) has them. One that ends meanwhile is left out.

use std::fs;
use std::time::Duration;

use procfs::WithCurrentSystemInfo as _;
use procfs::process::{MMapExtension, Process};

use crate::result::memory::Figures;

/// The process and all of its descendants.
pub(crate) fn tree(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        next += 1;
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    found
}

/// CPU time so far: of each thread in ns where the kernel says so (`schedstat`), else in ticks of 10 ms.
pub(crate) fn cpu(pids: &[u32]) -> Option<Duration> {
    let times: Vec<Duration> = pids.iter().filter_map(|&pid| precise(pid).or_else(|| ticks(pid))).collect();
    (!times.is_empty()).then(|| times.iter().sum())
}

fn precise(pid: u32) -> Option<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        nanos += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

fn ticks(pid: u32) -> Option<Duration> {
    let stat = Process::new(pid as i32).ok()?.stat().ok()?;
    Some(Duration::from_secs_f64((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64))
}

pub(crate) fn memory(pids: &[u32]) -> Figures {
    let mut sum = Figures::default();
    let add = |sum: &mut Option<u64>, bytes: Option<u64>| {
        *sum = bytes.map(|bytes| sum.unwrap_or(0) + bytes).or(*sum);
    };
    for process in pids.iter().filter_map(|&pid| Process::new(pid as i32).ok()) {
        let Ok(status) = process.status() else { continue };
        sum.processes += 1;
        let kb = |kb: Option<u64>| kb.map(|kb| kb * 1_024);
        add(&mut sum.rss_bytes, kb(status.vmrss));
        add(&mut sum.rss_bytes_peak, kb(status.vmhwm));
        let rollup = process.smaps_rollup().ok();
        let of = |name: &str| {
            let extension = rollup.as_ref().and_then(|rollup| rollup.memory_map_rollup.0.first());
            extension.map(|map| in_map(&map.extension, name))
        };
        add(&mut sum.pss_bytes, of("Pss"));
        let private = of("Private_Clean").zip(of("Private_Dirty"));
        add(&mut sum.uss_bytes, private.map(|(clean, dirty)| clean + dirty));
    }
    sum
}

fn in_map(map: &MMapExtension, name: &str) -> u64 {
    map.map.get(name).copied().unwrap_or(0)
}

/// RSS and number of threads, cheap enough to be asked often.
pub(crate) fn size(pids: &[u32]) -> (u64, u64) {
    let stats = pids.iter().filter_map(|&pid| Process::new(pid as i32).ok()?.stat().ok());
    stats.fold((0, 0), |(rss, threads), stat| (rss + stat.rss_bytes().get(), threads + stat.num_threads.max(0) as u64))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_tree_has_children_and_their_time_counts() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
        let pids = tree(std::process::id());
        assert!(pids.contains(&std::process::id()) && pids.contains(&child.id()), "{pids:?}");
        let before = cpu(&[std::process::id()]).expect("own time");
        let mut sum = 0u64;
        while cpu(&[std::process::id()]).expect("own time") < before + Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        drop(child.stdin.take());
        child.wait().expect("cat ends with its input");
        assert!(!tree(std::process::id()).contains(&child.id()));
        assert_eq!(cpu(&[child.id()]), None, "it is gone");
    }

    #[test]
    fn memory_that_is_used_is_seen_by_every_measure() {
        let before = memory(&[std::process::id()]);
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = memory(&[std::process::id()]);
        for (before, after) in [
            (before.rss_bytes, after.rss_bytes),
            (before.pss_bytes, after.pss_bytes),
            (before.uss_bytes, after.uss_bytes),
        ] {
            let (before, after) = (before.expect("readable"), after.expect("readable"));
            // Other tests of this process take and give back memory meanwhile.
            assert!(after > before + (32 << 20), "{before} {after}");
        }
        assert!(after.rss_bytes_peak >= after.rss_bytes && after.uss_bytes <= after.pss_bytes);
        let (rss, threads) = size(&[std::process::id()]);
        assert!(rss > 64 << 20 && threads >= 1);
        drop(block);
    }
}
