//! A thread that looks at a service five times a second while it is under load.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Watched, process};

const EVERY: Duration = Duration::from_millis(200);
/// PSS is asked for less often: the kernel walks all pages for it, and the service waits meanwhile.
const PSS_EVERY: u32 = 10;

/// At one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Since the sampler was started.
    pub(crate) at: Duration,
    pub(crate) cpu: Duration,
    pub(crate) rss_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) pss_bytes: Option<u64>,
    pub(crate) cgroup_bytes: Option<u64>,
}

pub(crate) struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    pub(crate) fn start(watched: Arc<Watched>) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let sampling = move || {
            let start = Instant::now();
            let mut samples = Vec::new();
            let mut next = start;
            for number in 0u32.. {
                samples.push(sample(&watched, start, number.is_multiple_of(PSS_EVERY)));
                next += EVERY;
                let wait = next.saturating_duration_since(Instant::now());
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            samples.push(sample(&watched, start, true));
            samples
        };
        let thread = thread::Builder::new().name("sampler".to_owned()).spawn(sampling)?;
        Ok(Self { stop, thread })
    }

    /// A last look, and all of them.
    pub(crate) fn finish(self) -> Vec<Sample> {
        drop(self.stop);
        self.thread.join().expect("the sampler does not panic")
    }
}

fn sample(watched: &Watched, start: Instant, also_pss: bool) -> Sample {
    let pids = process::tree(watched.pid);
    let (rss_bytes, threads) = process::size(&pids);
    Sample {
        at: start.elapsed(),
        cpu: watched.cpu().unwrap_or_default(),
        rss_bytes,
        threads,
        pss_bytes: also_pss.then(|| process::memory(&pids).pss_bytes).flatten(),
        cgroup_bytes: watched.cgroup.as_ref().and_then(|cgroup| cgroup.bytes()),
    }
}

/// Cores used from one moment to another, and the largest RSS seen there; nothing without two samples.
pub(crate) fn between(samples: &[Sample], from: Duration, to: Duration) -> Option<(f64, u64)> {
    let last_before = samples.iter().rev().find(|sample| sample.at <= from).or(samples.first())?;
    let last = samples.iter().rev().find(|sample| sample.at <= to)?;
    let seconds = last.at.checked_sub(last_before.at).filter(|time| !time.is_zero())?.as_secs_f64();
    let cores = last.cpu.saturating_sub(last_before.cpu).as_secs_f64() / seconds;
    let within = samples.iter().filter(|sample| sample.at >= last_before.at && sample.at <= last.at);
    Some((cores, within.map(|sample| sample.rss_bytes).max()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_in_a_second_is_read_from_the_samples_around_it() {
        let sample = |at_ms, cpu_ms, rss_bytes| Sample {
            at: Duration::from_millis(at_ms),
            cpu: Duration::from_millis(cpu_ms),
            rss_bytes,
            ..Sample::default()
        };
        let samples = [sample(0, 0, 10), sample(500, 100, 30), sample(1_000, 400, 20), sample(2_000, 900, 40)];
        let between = |from, to| super::between(&samples, Duration::from_secs(from), Duration::from_secs(to));
        assert_eq!(between(0, 1), Some((0.4, 30)));
        assert_eq!(between(1, 2), Some((0.5, 40)));
        assert_eq!(between(2, 3), None, "nothing was seen there");
        assert_eq!(super::between(&[], Duration::ZERO, EVERY), None);
    }
}
