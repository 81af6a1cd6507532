//! One run of load against one service: what was heard and what was used meanwhile, judged by the gates.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::contract::Case;
use crate::engine::{self, Heard, Order};
use crate::gates::{self, Facts};
use crate::result::attack::{self, Generator, Intervals, Load, Resources, Run};
use crate::result::unix_ms;
use crate::series::samples_min;
use crate::statistics::blocks;
use crate::tally::{CaseTally, Tally};
use crate::watch::Watched;
use crate::watch::machine::{Done, Machine};
use crate::watch::sampler::{Sample, Sampler, between};

/// The lean generator sends from one thread, and its pacing thread mostly sleeps.
const ENGINE_CORES_MAX: f64 = 1.0;

/// What does not depend on the run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting {
    pub(crate) watched: Option<Arc<Watched>>,
    pub(crate) generator_cpus: Option<Vec<usize>>,
    pub(crate) seed: u64,
    pub(crate) short: bool,
    /// As [`Facts`] has it.
    pub(crate) lag_us_p99_max: Option<u64>,
}

/// Runs the generator with the sampler beside it.
pub(crate) fn measure(
    order: Order<'_>,
    setting: &Setting,
    look: &mut dyn FnMut(Duration, &Tally),
) -> anyhow::Result<Run> {
    let (load, rate_planned) = match &order.drive {
        engine::Drive::Open { arrivals, .. } => (Load::Rate { arrivals: arrivals.kind() }, Some(arrivals.rate())),
        engine::Drive::Closed { connections, .. } => (Load::Users { users: *connections }, None),
    };
    let cases = order.cases;
    let eye = Eye::open(setting.watched.as_ref())?;
    let heard = engine::run(order, look)?;
    let measured = Measured { load, rate_planned, cases, heard, used: eye.close(), cores_max: ENGINE_CORES_MAX };
    Ok(assemble(measured, setting))
}

/// Looks at machine and service from the start of a run to its end.
pub(crate) struct Eye {
    watched: Option<Arc<Watched>>,
    sampler: Option<Sampler>,
    machine: Option<Machine>,
    cpu: Option<Duration>,
    throttled: Option<Duration>,
}

/// What was used between the two.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    cpu: Option<(Duration, &'static str)>,
    machine: Option<Done>,
    throttled: Option<Duration>,
    samples: Vec<Sample>,
}

impl Eye {
    pub(crate) fn open(watched: Option<&Arc<Watched>>) -> anyhow::Result<Self> {
        let sampler = watched.map(|watched| Sampler::start(Arc::clone(watched))).transpose()?;
        Ok(Self {
            sampler,
            machine: Machine::look(),
            cpu: watched.and_then(|watched| watched.cpu()),
            throttled: watched.and_then(|watched| watched.throttled()),
            watched: watched.cloned(),
        })
    }

    pub(crate) fn close(self) -> Usage {
        let watched = self.watched.as_deref();
        let cpu = watched.and_then(Watched::cpu).zip(self.cpu).map(|(after, before)| after.saturating_sub(before));
        let throttled = watched.and_then(Watched::throttled).zip(self.throttled);
        Usage {
            cpu: cpu.zip(watched.map(Watched::cpu_from)),
            machine: Machine::look().zip(self.machine).map(|(after, before)| after.since(before)),
            throttled: throttled.map(|(after, before)| after.saturating_sub(before)),
            samples: self.sampler.map(Sampler::finish).unwrap_or_default(),
        }
    }
}

pub(crate) struct Measured<'a> {
    pub(crate) load: Load,
    pub(crate) rate_planned: Option<f64>,
    pub(crate) cases: &'a [Case],
    pub(crate) heard: Heard,
    pub(crate) used: Usage,
    /// How many cores the generator could use.
    pub(crate) cores_max: f64,
}

/// The figures. Pure.
pub(crate) fn assemble(measured: Measured<'_>, setting: &Setting) -> Run {
    let Measured { load, rate_planned, cases, heard, used, cores_max } = measured;
    let facts = facts(&heard, &used, rate_planned, cores_max, setting.lag_us_p99_max);
    let tally = &heard.tally;
    let (latency, service, lag) = (tally.latency(), tally.service(), tally.lag());
    let answered = facts.requests - facts.failed;
    let open = rate_planned.is_some();
    Run {
        started_at_ms: unix_ms(heard.started_at),
        seconds: rounded(heard.lasted.as_secs_f64()),
        complete: heard.complete,
        short: setting.short,
        load,
        requests: facts.requests,
        failed: facts.failed,
        wrong: facts.wrong,
        unsent: facts.unsent,
        rate: rounded(answered as f64 / heard.lasted.as_secs_f64().max(1e-6)),
        achieved_rate: rounded(facts.achieved_rate),
        rate_planned: rate_planned.map(rounded),
        queued_at_cap: heard.queued_at_cap,
        connections: heard.connections,
        latency_us: latency.quantiles(),
        latency_us_intervals: open.then(|| intervals(tally, setting.seed)),
        service_us: service.quantiles(),
        lag_us: open.then(|| lag.quantiles()),
        by_case: by_case(cases, &tally.cases),
        failures: tally.failures.iter().map(|(why, count)| ((*why).to_owned(), *count)).collect(),
        wrong_samples: tally.samples.clone(),
        resources: resources(&heard, &used, answered),
        generator: Generator {
            cpu_us_per_request: rounded(heard.generator_cpu.as_secs_f64() * 1e6 / facts.requests.max(1) as f64),
            cpu_cores: rounded(facts.generator_cores),
            cpus: setting.generator_cpus.clone(),
        },
        validity: gates::judge(&facts),
        slice_seconds: if open { heard.slice.as_secs() } else { 0 },
        slices: if open { slices(&heard, &used.samples) } else { Vec::new() },
    }
}

fn facts(heard: &Heard, used: &Usage, rate_planned: Option<f64>, cores_max: f64, lag_us_p99_max: Option<u64>) -> Facts {
    let tally = &heard.tally;
    let (requests, failed, wrong) = (tally.requests(), tally.failed(), tally.wrong());
    let (latency, lag) = (tally.latency(), tally.lag());
    let lag_quantiles = rate_planned.map(|_| lag.quantiles()).unwrap_or_default();
    let lasted = heard.lasted.as_secs_f64().max(1e-6);
    // The time for which it was planned; longer where the last request went out later, shorter where it was cut off.
    let window = if heard.complete { heard.plan.max(heard.last_sent) } else { heard.last_sent };
    let window = if rate_planned.is_some() { window.as_secs_f64().max(1e-6) } else { lasted };
    let foreign = used.machine.zip(used.cpu).and_then(|(machine, (target, _))| {
        machine.share(machine.busy.saturating_sub(target).saturating_sub(heard.generator_cpu))
    });
    Facts {
        planned: heard.planned,
        achieved_rate: heard.sent as f64 / window,
        rate_planned,
        requests,
        wrong,
        failed,
        unsent: heard.planned.unwrap_or(requests).saturating_sub(requests),
        queued_at_cap: heard.queued_at_cap,
        lag_us_p50: lag_quantiles.p50,
        lag_us_p99: lag_quantiles.p99,
        lag_us_p99_max,
        service_us_p50: tally.service().quantiles().p50,
        generator_cores: heard.generator_cpu.as_secs_f64() / lasted,
        generator_cores_max: cores_max,
        in_flight_counted: heard.in_flight_seconds / lasted,
        in_flight_from_times: latency.sum().saturating_sub(lag.sum()).as_secs_f64() / lasted,
        steal_share: used.machine.and_then(|machine| machine.share(machine.steal)),
        foreign_share: foreign,
        throttled_us: used.throttled.map(|throttled| throttled.as_micros() as u64),
        complete: heard.complete,
    }
}

fn intervals(tally: &Tally, seed: u64) -> Intervals {
    let seconds: Vec<_> = tally.slices.iter().map(|slice| slice.latency.histogram().clone()).collect();
    let found = blocks::intervals(&seconds, &[0.5, 0.95, 0.99, 0.999], samples_min, seed);
    let [p50, p95, p99, p999] = found.try_into().expect("one for each quantile");
    Intervals { p50, p95, p99, p999 }
}

/// In the order of the cases; those of one name, as a capture has them, together.
fn by_case(cases: &[Case], tallies: &[CaseTally]) -> Vec<attack::Case> {
    let mut together: Vec<(&str, CaseTally)> = Vec::new();
    let mut places = HashMap::new();
    for (case, tally) in cases.iter().zip(tallies) {
        let place = *places.entry(&case.name).or_insert(together.len());
        match together.get_mut(place) {
            Some((_, known)) => known.add(tally),
            None => together.push((&case.name, tally.clone())),
        }
    }
    let told = |(name, tally): (&str, CaseTally)| attack::Case {
        name: name.to_owned(),
        requests: tally.requests,
        wrong: tally.wrong,
        failed: tally.failed,
        status: tally.status,
        latency_us: tally.latency.quantiles(),
    };
    together.into_iter().map(told).collect()
}

fn resources(heard: &Heard, used: &Usage, answered: u64) -> Option<Resources> {
    let (cpu, cpu_from) = used.cpu?;
    let each = |cpu: Duration| rounded(cpu.as_secs_f64() * 1e6 / answered.max(1) as f64);
    let others = used.machine.map(|machine| machine.busy.saturating_sub(heard.generator_cpu));
    let max = |of: fn(&Sample) -> Option<u64>| used.samples.iter().filter_map(of).max();
    Some(Resources {
        cpu_from: cpu_from.to_owned(),
        cpu_seconds: cpu.as_secs_f64(),
        cpu_us_per_request: each(cpu),
        cpu_cores: rounded(cpu.as_secs_f64() / heard.lasted.as_secs_f64().max(1e-6)),
        machine_cpu_us_per_request: others.map(each),
        rss_bytes_max: max(|sample| Some(sample.rss_bytes).filter(|bytes| *bytes > 0)),
        pss_bytes_max: max(|sample| sample.pss_bytes),
        cgroup_bytes_max: max(|sample| sample.cgroup_bytes),
        threads_max: max(|sample| Some(sample.threads).filter(|threads| *threads > 0)),
    })
}

fn slices(heard: &Heard, samples: &[Sample]) -> Vec<attack::Slice> {
    let slice = |(number, slice): (u32, &crate::tally::Slice)| {
        let used = between(samples, heard.slice * number, heard.slice * (number + 1));
        attack::Slice {
            second: u64::from(number) * heard.slice.as_secs(),
            answered: slice.latency.histogram().len(),
            wrong: slice.wrong,
            failed: slice.failed,
            latency_us: slice.latency.quantiles(),
            latency_us_hdr: slice.latency.encoded(),
            service_us_hdr: slice.service.encoded(),
            lag_us_hdr: slice.lag.encoded(),
            cpu_cores: used.map(|(cores, _)| rounded(cores)),
            rss_bytes: used.map(|(_, bytes)| bytes),
        }
    };
    (0..).zip(&heard.tally.slices).map(slice).collect()
}

/// To three digits behind the point: the rest is noise.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
