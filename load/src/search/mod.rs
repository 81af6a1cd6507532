//! `load search`: the highest rate at which a side keeps an objective, tried with a fresh start for each probe, the sides
//! in turn.

mod climb;
mod decide;
pub(crate) mod table;

use std::time::Duration;

use crate::cli::SearchArgs;
use crate::deck::Deck;
use crate::engine::arrivals::{Arrivals, Gaps};
use crate::engine::pacer::Mix;
use crate::engine::{Drive, Order};
use crate::environment;
use crate::interrupt;
use crate::measure::{Setting, measure};
use crate::plan;
use crate::progress::Steps;
use crate::result::attack::Run;
use crate::result::search::{Decision, Found, Highest, Probe, SCHEMA, Search, Slo, Stage};
use crate::side::lineup::Lineup;
use crate::side::{Contender, Prober, Running};

use self::climb::Climb;

const CLOSED_LOOP: Duration = Duration::from_secs(5);
const CLOSED_LOOP_CONNECTIONS: usize = 32;
/// Before each probe, at its rate: not in its figures.
const SETTLE: Duration = Duration::from_secs(3);
const SETTLE_QUICK: Duration = Duration::from_secs(1);
const ACHIEVED_SHARE_MIN: f64 = 0.995;
const SECONDS_MIN: Duration = Duration::from_secs(15);
/// A generator that is later than this share of the objective could decide it.
const LAG_OF_SLO: u64 = 20;
const LAG_US_P99_MIN: u64 = 1_000;
/// The least that has an interval.
const QUICK_TIME: Duration = Duration::from_secs(6);
const PROBES_THOUGHT_OF: usize = 14;

/// The command line as checked values.
#[derive(Debug)]
pub(crate) struct Plan {
    lineup: Lineup,
    slo: Slo,
    time: Duration,
    confirm_time: Duration,
    connections: usize,
    seed: u64,
    quick: bool,
}

impl Plan {
    pub(crate) fn from_args(args: &SearchArgs) -> Result<Self, Vec<String>> {
        let mut errors: Vec<String> = plan::wrong_connections(args.connections).into_iter().collect();
        if !(0.0..=1.0).contains(&args.errors) {
            errors.push("--errors must be from 0 to 1; write 0.001 for one in a thousand".to_owned());
        }
        errors.extend(args.output.out.as_deref().and_then(plan::unwritable));
        let lineup = Lineup::from_args(&args.sides).map_err(|wrong| errors.extend(wrong)).ok();
        let quick = args.sides.quick;
        let time = |time: Duration| if quick { time.min(QUICK_TIME) } else { time };
        let slo = Slo {
            latency_us_p99_max: args.p99.as_micros() as u64,
            errors_share_max: args.errors,
            achieved_share_min: ACHIEVED_SHARE_MIN,
        };
        match lineup {
            Some(lineup) if errors.is_empty() => Ok(Self {
                lineup,
                slo,
                time: time(args.time),
                confirm_time: time(args.confirm_time),
                connections: args.connections,
                seed: args.sides.seed,
                quick,
            }),
            _ => Err(errors),
        }
    }

    fn is_short(&self) -> bool {
        self.quick || self.time < SECONDS_MIN
    }
}

/// One side's search so far.
struct Searched<'a> {
    contender: &'a Contender,
    closed_loop_rate: f64,
    climb: Climb,
    probes: Vec<Probe>,
}

pub(crate) fn run(plan: &Plan, args: &SearchArgs) -> anyhow::Result<Search> {
    interrupt::listen().map_err(anyhow::Error::msg)?;
    let before = environment::Before::look();
    plan.lineup.pin_generator()?;
    let prober = Prober::new()?;
    let contenders = &plan.lineup.contenders;
    let steps = Steps::new(args.output.progress, contenders.len() * (PROBES_THOUGHT_OF + 1));
    let ended = |error: anyhow::Error| if interrupt::requested() { Ok(()) } else { Err(error) };
    let mut searched = Vec::new();
    for contender in contenders {
        steps.say(&format!("{}: as fast as it answers", contender.name));
        match plan.closed_loop(contender, &prober) {
            Ok(rate) => searched.push(Searched {
                contender,
                closed_loop_rate: rate,
                climb: Climb::new(rate, plan.quick),
                probes: Vec::new(),
            }),
            Err(error) => ended(error)?,
        }
        steps.done();
    }
    while !interrupt::requested() && searched.iter().any(|search| search.climb.next().is_some()) {
        for search in &mut searched {
            if let Err(error) = plan.probe(search, &prober, &steps) {
                ended(error)?;
            }
        }
    }
    drop(steps);
    anyhow::ensure!(!searched.is_empty(), "ended before anything was measured");
    let complete = !interrupt::requested();
    Ok(Search {
        head: before.head(SCHEMA, complete, plan.is_short()),
        slo: plan.slo,
        sides: searched.into_iter().map(Searched::found).collect(),
        environment: before.after(),
    })
}

impl Plan {
    fn closed_loop(&self, contender: &Contender, prober: &Prober) -> anyhow::Result<f64> {
        let running = Running::start(contender, prober)?;
        let time = if self.quick { CLOSED_LOOP / 5 } else { CLOSED_LOOP };
        let drive = || Drive::Closed { connections: CLOSED_LOOP_CONNECTIONS, time };
        // The first is the warm-up.
        self.send(contender, &running, drive())?;
        let run = self.send(contender, &running, drive())?;
        running.stop()?;
        Ok(run.rate)
    }

    /// The next probe of a side, where there is one.
    fn probe(&self, search: &mut Searched<'_>, prober: &Prober, steps: &Steps) -> anyhow::Result<()> {
        let Some((stage, rate)) = search.climb.next().filter(|_| !interrupt::requested()) else { return Ok(()) };
        let contender = search.contender;
        if search.probes.len() >= PROBES_THOUGHT_OF {
            steps.more(1);
        }
        steps.say(&format!("{}: {rate}/s", contender.name));
        let time = if stage == Stage::Confirm { self.confirm_time } else { self.time };
        let mut decided = self.at_rate(contender, prober, rate, time)?;
        if decided.1 == Decision::Undecided && !interrupt::requested() {
            decided = self.at_rate(contender, prober, rate, time * 2)?;
        }
        steps.done();
        let (run, decision, reason) = decided;
        if interrupt::requested() {
            // It was cut off: that it did not pass says nothing.
            return Ok(());
        }
        search.climb.learn(decision);
        search.probes.push(Probe { stage, rate, decision, reason, run });
        Ok(())
    }

    fn at_rate(
        &self,
        contender: &Contender,
        prober: &Prober,
        rate: f64,
        time: Duration,
    ) -> anyhow::Result<(Run, Decision, String)> {
        let running = Running::start(contender, prober)?;
        let drive = |time| {
            let arrivals = Arrivals { gaps: Gaps::Constant { rate }, time: Some(time), requests: None };
            Drive::Open { arrivals, connections_max: self.connections }
        };
        self.send(contender, &running, drive(if self.quick { SETTLE_QUICK } else { SETTLE }))?;
        let run = self.send(contender, &running, drive(time))?;
        running.stop()?;
        let (decision, reason) = decide::decide(&run, &self.slo);
        Ok((run, decision, reason))
    }

    fn send(&self, contender: &Contender, running: &Running, drive: Drive) -> anyhow::Result<Run> {
        let setting = Setting {
            watched: running.watched.clone(),
            generator_cpus: self.lineup.generator_cpus.clone(),
            seed: self.seed,
            short: self.is_short(),
            lag_us_p99_max: Some(LAG_US_P99_MIN.max(self.slo.latency_us_p99_max / LAG_OF_SLO)),
        };
        let weights: Vec<u32> = contender.cases.iter().map(|case| case.weight).collect();
        let mix = Mix::Dealt(Deck::new(&weights, self.seed));
        let order = Order { target: &running.target, cases: &contender.cases, drive, mix, until_backlog: true };
        measure(order, &setting, &mut |_, _| ())
    }
}

impl Searched<'_> {
    fn found(self) -> Found {
        let passed = self.climb.bounds().map(|(estimate, failed_at)| Highest { estimate, failed_at });
        let at =
            |rate: f64| self.probes.iter().rev().find(|probe| probe.rate == rate && probe.decision == Decision::Pass);
        let best = passed.and_then(|passed| at(passed.estimate));
        let verdict = self.probes.iter().map(|probe| probe.run.validity.verdict);
        let cpu_cores = best.and_then(|probe| Some(probe.run.resources.as_ref()?.cpu_cores));
        Found {
            side: self.contender.described(),
            closed_loop_rate: self.closed_loop_rate,
            confirmed: self.climb.is_confirmed(),
            cpu_cores,
            limited_by_generator: self.climb.is_limited_by_generator(),
            verdict: best.map(|probe| probe.run.validity.verdict).or(verdict.max()),
            rate: passed,
            probes: self.probes,
        }
    }
}
