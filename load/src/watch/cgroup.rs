//! Control groups, version 1 and 2 (cgroups(7)): six files, which no crate of a reasonable size reads for both.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

const ROOT: &str = "/sys/fs/cgroup";
/// Version 1 says "no limit" with the largest number of pages.
const NO_LIMIT_MIN: u64 = 1 << 62;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Where the kernel counts for a group of processes.
#[derive(Debug)]
pub(crate) struct Cgroup {
    version: Version,
    cpu: Option<PathBuf>,
    memory: Option<PathBuf>,
    /// Made here, and removed when it is dropped.
    ours: bool,
}

impl Cgroup {
    /// That of a process.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let listed = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let root = Path::new(ROOT);
        if root.join("cgroup.controllers").exists() {
            let path = controller_path(&listed, "")?;
            let folder = root.join(path.trim_start_matches('/'));
            let there = folder.is_dir().then_some(folder);
            return Some(Self { version: Version::Two, cpu: there.clone(), memory: there, ours: false });
        }
        let folder = |controller: &str| {
            let path = controller_path(&listed, controller)?;
            let folder = root.join(controller).join(path.trim_start_matches('/'));
            folder.is_dir().then_some(folder)
        };
        Some(Self { version: Version::One, cpu: folder("cpuacct"), memory: folder("memory"), ours: false })
    }

    /// A group of its own below that of this process; nothing where that is not allowed.
    pub(crate) fn create(name: &str) -> Option<Self> {
        let parent = Self::of(std::process::id())?;
        let make = |folder: Option<&PathBuf>| {
            let folder = folder?.join(name);
            fs::create_dir(&folder).ok().or_else(|| folder.is_dir().then_some(()))?;
            Some(folder)
        };
        let made = Self {
            version: parent.version,
            cpu: make(parent.cpu.as_ref()),
            memory: make(parent.memory.as_ref()),
            ours: true,
        };
        // A group of version 2 without the controllers counts nothing, and tells so by not having their files.
        (made.cpu().is_some() && made.bytes().is_some()).then_some(made)
    }

    /// The files into which a process writes 0 to join.
    pub(crate) fn doors(&self) -> std::io::Result<Vec<File>> {
        let mut folders: Vec<&PathBuf> = [&self.cpu, &self.memory].into_iter().flatten().collect();
        folders.dedup();
        folders.iter().map(|folder| OpenOptions::new().write(true).open(folder.join("cgroup.procs"))).collect()
    }

    pub(crate) fn version(&self) -> u32 {
        match self.version {
            Version::One => 1,
            Version::Two => 2,
        }
    }

    pub(crate) fn cpu(&self) -> Option<Duration> {
        let folder = self.cpu.as_ref()?;
        match self.version {
            Version::One => number(&folder.join("cpuacct.usage")).map(Duration::from_nanos),
            Version::Two => stat(&folder.join("cpu.stat"), "usage_usec").map(Duration::from_micros),
        }
    }

    /// How long its processes were held back because they had used up their quota.
    pub(crate) fn throttled(&self) -> Option<Duration> {
        let file = self.cpu.as_ref()?.join("cpu.stat");
        match self.version {
            Version::One => stat(&file, "throttled_time").map(Duration::from_nanos),
            Version::Two => stat(&file, "throttled_usec").map(Duration::from_micros),
        }
    }

    pub(crate) fn quota_cores(&self) -> Option<f64> {
        let folder = self.cpu.as_ref()?;
        let (quota, period) = match self.version {
            Version::One => (number(&folder.join("cpu.cfs_quota_us"))?, number(&folder.join("cpu.cfs_period_us"))?),
            Version::Two => {
                let text = fs::read_to_string(folder.join("cpu.max")).ok()?;
                let (quota, period) = text.trim().split_once(' ')?;
                (quota.parse().ok()?, period.parse().ok()?)
            }
        };
        Some(quota as f64 / period as f64)
    }

    pub(crate) fn bytes(&self) -> Option<u64> {
        self.of_memory("memory.usage_in_bytes", "memory.current")
    }

    /// The most it ever was; a kernel before 5.19 does not say so for version 2.
    pub(crate) fn bytes_peak(&self) -> Option<u64> {
        self.of_memory("memory.max_usage_in_bytes", "memory.peak")
    }

    pub(crate) fn bytes_limit(&self) -> Option<u64> {
        self.of_memory("memory.limit_in_bytes", "memory.max").filter(|limit| *limit < NO_LIMIT_MIN)
    }

    fn of_memory(&self, one: &str, two: &str) -> Option<u64> {
        let name = if self.version == Version::One { one } else { two };
        number(&self.memory.as_ref()?.join(name))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if self.ours {
            // A group with a process in it stays; it counts on, which harms nobody.
            for folder in [&self.cpu, &self.memory].into_iter().flatten() {
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

/// From lines like `4:memory:/a/b` (version 1) or `0::/a/b` (version 2, no controller).
fn controller_path<'a>(listed: &'a str, controller: &str) -> Option<&'a str> {
    listed.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        controllers.split(',').any(|known| known == controller).then_some(path)
    })
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// A line `name number` of a file that has several.
fn stat(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_a_controller_is_read_in_both_versions() {
        let one = "9:name=systemd:/\n5:cpu,cpuacct:/a/b\n4:memory:/c:d\n0::/\n";
        assert_eq!(controller_path(one, "memory"), Some("/c:d"));
        assert_eq!(controller_path(one, "cpuacct"), Some("/a/b"));
        assert_eq!(controller_path(one, "pids"), None);
        assert_eq!(controller_path("0::/user.slice\n", ""), Some("/user.slice"));
    }

    /// As they look on machines of both kinds.
    #[test]
    fn figures_are_read_in_both_versions() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
        let path = || Some(folder.path().to_owned());
        write("cpuacct.usage", "1500000000\n");
        write("memory.usage_in_bytes", "4096\n");
        write("memory.max_usage_in_bytes", "8192\n");
        write("memory.limit_in_bytes", "9223372036854771712\n");
        write("cpu.cfs_quota_us", "-1\n");
        write("cpu.cfs_period_us", "100000\n");
        write("cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_time 2000\n");
        let one = Cgroup { version: Version::One, cpu: path(), memory: path(), ours: false };
        assert_eq!(one.cpu(), Some(Duration::from_millis(1_500)));
        assert_eq!((one.bytes(), one.bytes_peak(), one.bytes_limit()), (Some(4_096), Some(8_192), None));
        assert_eq!((one.throttled(), one.quota_cores()), (Some(Duration::from_micros(2)), None));

        write("cpu.stat", "usage_usec 1500\nuser_usec 1\nthrottled_usec 7\n");
        write("memory.current", "1\n");
        write("memory.max", "max\n");
        write("cpu.max", "50000 100000\n");
        let two = Cgroup { version: Version::Two, cpu: path(), memory: path(), ours: false };
        assert_eq!(two.cpu(), Some(Duration::from_micros(1_500)));
        assert_eq!((two.bytes(), two.bytes_peak(), two.bytes_limit()), (Some(1), None, None));
        assert_eq!((two.throttled(), two.quota_cores()), (Some(Duration::from_micros(7)), Some(0.5)));
    }
}
