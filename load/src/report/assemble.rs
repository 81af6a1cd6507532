//! A report out of everything there is. Pure.

use super::contents::{
    ColdShown, Decision, MemoryFigures, MemoryLine, MemoryShown, MemorySide, ProbeShown, Report, RunShown, RungShown,
    SCHEMA, SearchShown, SearchSide, Source, Timeline, VERSION,
};
use super::{histograms, ratios, sentences};
use crate::claims::{Claims, Ours, ledger};
use crate::cost::Cost;
use crate::measured::Measured;
use crate::result::attack::Run;
use crate::result::cold::Cold;
use crate::result::compare::Compare;
use crate::result::environment::Environment;
use crate::result::memory::{self, Marginal, Memory};
use crate::result::search::{Decision as ProbeDecision, Found, Probe, Search};
use crate::result::{Side, Verdict};

/// What is not measured by `load`.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) cost: Option<Cost>,
    pub(super) decision: Option<Decision>,
    pub(super) sources: Vec<Source>,
}

pub(super) fn report(measured: &Measured, beside: Beside, claims: &Claims, now_ms: u64) -> Report {
    let Beside { cost, decision, sources } = beside;
    let ratios = ratios::ratios(measured);
    let standing = sentences::standing(measured, &ratios);
    let cold = measured.cold.as_ref().map(cold);
    let memory = measured.memory.as_ref().map(memory);
    let sentences = match standing.quotable {
        true => sentences::sentences(measured, &ratios, cold.as_ref(), memory.as_ref(), cost.as_ref()),
        false => Vec::new(),
    };
    let sides = sides(measured);
    Report {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        made_at_ms: now_ms,
        sentences,
        decision,
        latency: sides.iter().filter_map(|side| latency(measured, &side.name)).collect(),
        timelines: sides.iter().filter_map(|side| timeline(measured, &side.name)).collect(),
        sides,
        ratios,
        search: measured.search.as_ref().map(search),
        cold,
        memory,
        runs: runs(measured),
        claims: ledger(claims, Ours { measured, cost: cost.as_ref() }, standing.quotable),
        cost,
        environment: environment(measured),
        baseline: None,
        sources,
        standing,
    }
}

fn sides(measured: &Measured) -> Vec<Side> {
    let compared = measured.compare.iter().flat_map(|compare| compare.sides.iter());
    let searched = measured.search.iter().flat_map(|search| search.sides.iter().map(|found| &found.side));
    let used = measured.memory.iter().flat_map(|memory| memory.sides.iter().map(|used| &used.side));
    let mut sides: Vec<Side> = Vec::new();
    for side in compared.chain(searched).chain(used) {
        if sides.iter().all(|known| known.name != side.name) {
            sides.push(side.clone());
        }
    }
    sides
}

fn environment(measured: &Measured) -> Option<Environment> {
    let Measured { attack, compare, search, cold, memory } = measured;
    let of = [
        compare.as_ref().map(|result| &result.environment),
        search.as_ref().map(|result| &result.environment),
        cold.as_ref().map(|result| &result.environment),
        memory.as_ref().map(|result| &result.environment),
        attack.as_ref().map(|result| &result.environment),
    ];
    of.into_iter().flatten().next().cloned()
}

/// Valid runs of a side at the fixed rate, the control's among them.
fn fixed_runs<'a>(compare: &'a Compare, side: &str) -> Vec<&'a Run> {
    let turns = compare.runs.iter().filter(|turn| turn.side == side);
    turns.map(|turn| &turn.fixed).filter(|run| run.validity.verdict == Verdict::Valid).collect()
}

fn latency(measured: &Measured, side: &str) -> Option<super::contents::SideLatency> {
    histograms::by_percentile(side, &fixed_runs(measured.compare.as_ref()?, side))
}

/// The run whose p99 is in the middle; of a side without a valid run, any.
fn timeline(measured: &Measured, side: &str) -> Option<Timeline> {
    let compare = measured.compare.as_ref()?;
    let all = compare.runs.iter().filter(|turn| turn.side == side).map(|turn| &turn.fixed);
    let valid = fixed_runs(compare, side);
    let mut runs = if valid.is_empty() { all.collect() } else { valid };
    runs.sort_by_key(|run| run.latency_us.p99);
    let middle = runs.get(runs.len().checked_sub(1)? / 2)?;
    Some(histograms::timeline(side, middle)).filter(|timeline| !timeline.seconds.is_empty())
}

fn search(search: &Search) -> SearchShown {
    SearchShown {
        latency_us_p99_max: search.slo.latency_us_p99_max,
        errors_share_max: search.slo.errors_share_max,
        sides: search.sides.iter().map(searched).collect(),
    }
}

fn searched(found: &Found) -> SearchSide {
    let mut probes: Vec<ProbeShown> = found.probes.iter().map(probe).collect();
    probes.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    SearchSide {
        side: found.side.name.clone(),
        rate: found.rate.map(|rate| rate.estimate),
        failed_at: found.rate.and_then(|rate| rate.failed_at),
        confirmed: found.confirmed,
        limited_by_generator: found.limited_by_generator,
        cpu_cores: found.cpu_cores,
        probes,
    }
}

fn probe(Probe { rate, decision, run, .. }: &Probe) -> ProbeShown {
    let decision = match decision {
        ProbeDecision::Pass => "pass",
        ProbeDecision::Fail => "fail",
        ProbeDecision::Undecided => "undecided",
        ProbeDecision::Invalid => "invalid",
    };
    ProbeShown {
        rate: *rate,
        decision: decision.to_owned(),
        us_p50: run.latency_us.p50,
        us_p95: run.latency_us.p95,
        us_p99: run.latency_us.p99,
        us_p999: run.latency_us.p999,
        us_p99_interval: run.latency_us_intervals.and_then(|intervals| intervals.p99),
        cpu_cores: run.resources.as_ref().map(|used| used.cpu_cores),
    }
}

fn cold(cold: &Cold) -> ColdShown {
    let rung = |rung: &crate::result::cold::Rung| RungShown {
        name: rung.name.clone(),
        step: rung.step.clone(),
        sentence: rung.sentence.clone(),
        side: ratios::rung_side(&rung.name).map(str::to_owned),
        starts_ms: rung.starts_ms.clone(),
        failed: rung.failed,
        median_ms: rung.median_ms,
        p95_ms: rung.p95_ms,
        left_out: rung.left_out.clone(),
    };
    ColdShown { rungs: cold.rungs.iter().map(rung).collect() }
}

fn memory(memory: &Memory) -> MemoryShown {
    let side = |used: &memory::Used| MemorySide {
        side: used.side.name.clone(),
        idle: memory_figures(used.idle),
        loaded: memory_figures(used.loaded),
        load_rate: used.load.rate_planned,
        line: used.marginal.as_ref().map(memory_line),
    };
    MemoryShown {
        sides: memory.sides.iter().map(side).collect(),
        components: memory.components.as_ref().map(|components| memory_line(&components.marginal)),
        components_sentence: memory.components.as_ref().map(|components| components.sentence.clone()),
    }
}

fn memory_figures(figures: memory::Figures) -> MemoryFigures {
    let memory::Figures { rss_bytes, rss_bytes_peak, pss_bytes, uss_bytes, cgroup_bytes, cgroup_bytes_peak, .. } =
        figures;
    MemoryFigures { rss_bytes, rss_bytes_peak, pss_bytes, uss_bytes, cgroup_bytes, cgroup_bytes_peak }
}

fn memory_line(marginal: &Marginal) -> MemoryLine {
    MemoryLine {
        points: marginal.points.iter().map(|point| (point.instances, point.pss_bytes)).collect(),
        base_bytes: marginal.base_bytes,
        each_bytes: marginal.each_bytes,
        each_bytes_interval: marginal.each_bytes_interval,
    }
}

fn runs(measured: &Measured) -> Vec<RunShown> {
    let compared = measured.compare.iter().flat_map(|compare| &compare.runs).flat_map(|turn| {
        let what = format!("pair {}{}", turn.pair + 1, if turn.control { ", control" } else { "" });
        let closed = turn.throughput.iter().map(|run| (format!("{what}, closed loop"), run)).collect::<Vec<_>>();
        let fixed = [(what.clone(), &turn.fixed)];
        fixed.into_iter().chain(closed).map(|(what, run)| run_shown(&what, &turn.side, run)).collect::<Vec<_>>()
    });
    let searched = measured.search.iter().flat_map(|search| &search.sides).flat_map(|found| {
        found.probes.iter().map(|probe| run_shown("search", &found.side.name, &probe.run)).collect::<Vec<_>>()
    });
    let loaded = measured.memory.iter().flat_map(|memory| &memory.sides);
    let loaded = loaded.map(|used| run_shown("memory", &used.side.name, &used.load));
    let attacked = measured.attack.iter().map(|attack| run_shown("attack", &attack.target, &attack.run));
    compared.chain(searched).chain(loaded).chain(attacked).collect()
}

fn run_shown(what: &str, side: &str, run: &Run) -> RunShown {
    RunShown {
        what: what.to_owned(),
        side: side.to_owned(),
        rate_planned: run.rate_planned,
        achieved_rate: run.achieved_rate,
        requests: run.requests,
        wrong: run.wrong,
        failed: run.failed,
        verdict: run.validity.verdict.name().to_owned(),
        failed_gates: run.validity.gates.iter().filter(|gate| !gate.passed).map(|gate| gate.sentence.clone()).collect(),
    }
}
