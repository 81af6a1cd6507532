//! What a side needs, out of what the other commands measured. Pure.

use super::demand::{BothFigures, Figures, Range};
use crate::measured::Measured;
use crate::result::cold::Cold;
use crate::result::compare::Compare;
use crate::result::memory::Memory;
use crate::result::{Interval, Verdict};
use crate::statistics::order::{median, median_interval};

/// Figures with what is not so sure about them.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) figures: BothFigures,
    pub(crate) notes: Vec<String>,
    pub(crate) short: bool,
}

/// # Errors
/// What is missing and which command measures it, all at once.
pub(crate) fn figures(measured: &Measured) -> Result<Found, Vec<String>> {
    let Some(compare) = &measured.compare else {
        return Err(vec!["there is no compare.json; run `cargo load compare --out DIR/compare.json` first".to_owned()]);
    };
    let mut notes = Vec::new();
    let cpu = compare.metrics.iter().find(|metric| metric.name == CPU);
    let of_candidate = cpu.and_then(|metric| metric.ratios.iter().find(|ratio| ratio.side == "candidate"));
    if of_candidate.is_some_and(|ratio| ratio.verdict != Verdict::Valid) {
        notes.push("CPU time comes from runs that do not count: look at these costs, do not quote them".to_owned());
    }
    let mut wrong = Vec::new();
    let [legacy, candidate] = ["legacy", "candidate"]
        .map(|side| side_figures(side, compare, measured, &mut notes).map_err(|missing| wrong.extend(missing)).ok());
    let short = compare.head.short
        || measured.memory.as_ref().is_some_and(|memory| memory.head.short)
        || measured.cold.as_ref().is_some_and(|cold| cold.head.short);
    match (legacy, candidate) {
        (Some(legacy), Some(candidate)) => Ok(Found { figures: BothFigures { legacy, candidate }, notes, short }),
        _ => Err(wrong),
    }
}

fn side_figures(
    side: &str,
    compare: &Compare,
    measured: &Measured,
    notes: &mut Vec<String>,
) -> Result<Figures, Vec<String>> {
    let mut missing = Vec::new();
    let cpu = metric(compare, CPU, side);
    if cpu.is_none() {
        missing.push(format!(
            "{side}: compare.json has no CPU time for each request; let `load compare` start the side itself"
        ));
    }
    let service = service(compare, side);
    if service.is_none() {
        missing.push(format!("{side}: compare.json has no run with enough answers; run `load compare` for longer"));
    }
    let in_memory = measured.memory.as_ref().and_then(|memory| memory_peak(memory, side));
    let memory = in_memory.or_else(|| metric(compare, "rss_bytes_max", side));
    if memory.is_none() {
        missing.push(format!("{side}: neither memory.json nor compare.json has its memory; run `load memory`"));
    } else if in_memory.is_none() {
        notes.push(format!("{side}: memory is the resident set during `load compare`; `load memory` measures more"));
    }
    let cold = measured.cold.as_ref().and_then(|cold| cold_start(cold, side));
    if cold.is_none() {
        notes.push(format!("{side}: without cold.json the time of a cold start is not billed"));
    }
    match (cpu, service, memory) {
        (Some(cpu_us_per_request), Some(service_us), Some(memory_bytes_peak)) => Ok(Figures {
            cpu_us_per_request,
            memory_bytes_peak,
            service_us,
            cold_start_us: cold.unwrap_or(Range::exactly(0.0)),
            cores_max: cores_max(compare, side),
        }),
        _ => Err(missing),
    }
}

fn metric(compare: &Compare, name: &str, side: &str) -> Option<Range> {
    let metric = compare.metrics.iter().find(|metric| metric.name == name)?;
    let values = metric.sides.iter().find(|values| values.side == side)?;
    let runs: Vec<f64> = values.runs.iter().flatten().copied().collect();
    values.median.map(range).or_else(|| span(&runs))
}

/// The mean service time of each run.
fn service(compare: &Compare, side: &str) -> Option<Range> {
    let turns = compare.runs.iter().filter(|turn| turn.side == side);
    let means: Vec<f64> = turns.filter_map(|turn| turn.fixed.service_us.mean).map(|us| us as f64).collect();
    median_interval(&means).map(range).or_else(|| span(&means))
}

/// What a limit has to cover: the measures of memory differ in what they count, so the least and the most of them are
/// the ends, and the peak of the resident set stands between.
fn memory_peak(memory: &Memory, side: &str) -> Option<Range> {
    let used = memory.sides.iter().find(|used| used.side.name == side)?;
    let figures = used.loaded;
    let peak = figures.rss_bytes_peak.or(figures.rss_bytes)? as f64;
    let others = [figures.pss_bytes, figures.cgroup_bytes_peak].into_iter().flatten().map(|bytes| bytes as f64);
    let (low, high) = others.fold((peak, peak), |(low, high), bytes| (low.min(bytes), high.max(bytes)));
    Some(Range { low, estimate: peak, high })
}

/// The rung that starts as a platform would start it: a process, of the candidate precompiled.
fn cold_start(cold: &Cold, side: &str) -> Option<Range> {
    let names: &[&str] = if side == "legacy" { &["legacy"] } else { &["precompiled", "candidate"] };
    let rung = cold.rungs.iter().find(|rung| names.contains(&rung.name.as_str()))?;
    let ms = rung.median_ms.map(range).or_else(|| span(&rung.starts_ms))?;
    Some(ms.map(|ms| ms * 1e3))
}

/// Node answers on one thread, however many cores there are.
fn cores_max(compare: &Compare, side: &str) -> Option<f64> {
    let side = compare.sides.iter().find(|known| known.name == side)?;
    matches!(side.kind.as_str(), "node" | "image").then_some(1.0)
}

fn range(Interval { low, estimate, high, .. }: Interval) -> Range {
    Range { low, estimate, high }
}

/// Too few for an interval with a confidence: the least and the most.
fn span(values: &[f64]) -> Option<Range> {
    let low = values.iter().copied().min_by(f64::total_cmp)?;
    let high = values.iter().copied().max_by(f64::total_cmp)?;
    Some(Range { low, estimate: median(values)?, high })
}

const CPU: &str = "cpu_us_per_request";
