//! `load compare`: each side in turn, never two at the same time, in pairs that stand next to each other.

mod metrics;
mod order;
pub(crate) mod table;
mod warm;

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::cli::CompareArgs;
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
use crate::result::compare::{Compare, SCHEMA, Settings, Turn};
use crate::side::lineup::Lineup;
use crate::side::{Contender, Prober, Running};

use self::order::Slot;

/// At a fixed rate as many as it takes; a service that stalls is not helped by more.
const CONNECTIONS_MAX: usize = 256;
const PAIRS_MIN: usize = 6;
const SECONDS_MIN: Duration = Duration::from_secs(10);
const QUICK_PAIRS: usize = 2;
const QUICK_TIME: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(1);

/// The command line as checked values.
#[derive(Debug)]
pub(crate) struct Comparison {
    lineup: Lineup,
    pairs: usize,
    rate: f64,
    time: Duration,
    throughput: Option<(usize, Duration)>,
    repeats_max: u32,
    seed: u64,
    quick: bool,
}

impl Comparison {
    pub(crate) fn from_args(args: &CompareArgs) -> Result<Self, Vec<String>> {
        let mut errors: Vec<String> =
            plan::wrong_rate(args.rate).into_iter().chain(plan::wrong_connections(args.connections)).collect();
        errors.extend(args.output.out.as_deref().and_then(plan::unwritable));
        let lineup = Lineup::from_args(&args.sides).map_err(|wrong| errors.extend(wrong)).ok();
        let quick = args.sides.quick;
        let pairs = usize::from(args.pairs);
        let throughput = (!args.throughput_time.is_zero()).then_some((args.connections, args.throughput_time));
        match lineup {
            Some(lineup) if errors.is_empty() => Ok(Self {
                lineup,
                pairs: if quick { pairs.min(QUICK_PAIRS) } else { pairs },
                rate: args.rate,
                time: if quick { args.time.min(QUICK_TIME) } else { args.time },
                throughput: throughput
                    .map(|(connections, time)| (connections, if quick { time.min(QUICK_TIME) } else { time })),
                repeats_max: if quick { 0 } else { args.repeats },
                seed: args.sides.seed,
                quick,
            }),
            _ => Err(errors),
        }
    }

    fn is_short(&self) -> bool {
        self.pairs < PAIRS_MIN || self.time < SECONDS_MIN
    }
}

pub(crate) fn run(comparison: &Comparison, args: &CompareArgs) -> anyhow::Result<Compare> {
    interrupt::listen().map_err(anyhow::Error::msg)?;
    let before = environment::Before::look();
    let contenders = &comparison.lineup.contenders;
    comparison.lineup.pin_generator()?;
    let prober = Prober::new()?;
    let slots = order::slots(contenders.len(), comparison.pairs, comparison.seed);
    let steps = Steps::new(args.output.progress, slots.len());
    for contender in contenders {
        steps.say(&format!("{}: the first start, which is not measured", contender.name));
        contender.start_once(&prober)?;
    }
    let mut turns = Vec::with_capacity(slots.len());
    for slot in slots {
        let contender = &contenders[slot.side];
        let what = format!("pair {} of {}: {}", slot.pair + 1, comparison.pairs, contender.name);
        match comparison.quiet_turn(contender, slot, &prober, |again| steps.say(&format!("{what}{again}"))) {
            Ok(turn) => turns.push(turn),
            Err(_) if interrupt::requested() => break,
            Err(error) => return Err(error.context(format!("the side {} ({})", contender.name, contender.spec))),
        }
        steps.done();
        if interrupt::requested() {
            break;
        }
    }
    drop(steps);
    anyhow::ensure!(!turns.is_empty(), "ended before anything was measured");
    let sides: Vec<_> = contenders.iter().map(Contender::described).collect();
    let metrics = metrics::metrics(&sides, &turns);
    let verdict = turns.iter().map(|turn| turn.fixed.validity.verdict).max().context("there are turns")?;
    Ok(Compare {
        head: before.head(
            SCHEMA,
            turns.len() == comparison.pairs * (sides.len() + 1) && turns.iter().all(|turn| turn.fixed.complete),
            comparison.is_short(),
        ),
        seed: comparison.seed,
        settings: Settings {
            pairs: comparison.pairs,
            rate: comparison.rate,
            run_seconds: comparison.time.as_secs_f64(),
            throughput_connections: comparison.throughput.map(|(connections, _)| connections),
            cases: contenders[0].cases.iter().map(|case| case.name.clone()).collect(),
        },
        sides,
        metrics,
        verdict,
        runs: turns,
        environment: before.after(),
    })
}

impl Comparison {
    /// A turn during which the machine did nothing else, if there is one among so many. What disturbs is judged without a look
    /// at what was measured, so doing it again favours no side.
    fn quiet_turn(
        &self,
        contender: &Contender,
        slot: Slot,
        prober: &Prober,
        say: impl Fn(&str),
    ) -> anyhow::Result<Turn> {
        say("");
        let mut turn = self.turn(contender, slot, prober)?;
        while turn.is_noisy() && turn.repeated < self.repeats_max && !interrupt::requested() {
            say(", again: the machine did something else");
            turn = Turn { repeated: turn.repeated + 1, ..self.turn(contender, slot, prober)? };
        }
        Ok(turn)
    }

    /// One side from its start to its end.
    fn turn(&self, contender: &Contender, slot: Slot, prober: &Prober) -> anyhow::Result<Turn> {
        let running = Running::start(contender, prober)?;
        let setting = Setting {
            watched: running.watched.clone(),
            generator_cpus: self.lineup.generator_cpus.clone(),
            seed: self.seed,
            short: self.is_short(),
            ..Setting::default()
        };
        let run = |drive| -> anyhow::Result<Run> {
            let weights: Vec<u32> = contender.cases.iter().map(|case| case.weight).collect();
            let mix = Mix::Dealt(Deck::new(&weights, self.seed.wrapping_add(slot.pair as u64)));
            let order = Order { target: &running.target, cases: &contender.cases, drive, mix, until_backlog: false };
            measure(order, &setting, &mut |_, _| ())
        };
        let at_rate = |time| {
            let gaps = Gaps::Constant { rate: self.rate };
            let arrivals = Arrivals { gaps, time: Some(time), requests: None };
            Drive::Open { arrivals, connections_max: CONNECTIONS_MAX }
        };
        let warm = warm::up(self.quick, || Ok(run(at_rate(Duration::from_secs(1)))?.service_us.p50))?;
        let idle_cpu_cores = idle(&running);
        let fixed = run(at_rate(self.time))?;
        let throughput = match self.throughput {
            Some((connections, time)) if fixed.complete => Some(run(Drive::Closed { connections, time })?),
            _ => None,
        };
        let started_ms = running.started.map(|time| time.as_secs_f64() * 1e3);
        running.stop()?;
        Ok(Turn {
            pair: slot.pair,
            side: contender.name.clone(),
            control: slot.control,
            repeated: 0,
            started_ms,
            warmup_seconds: warm.seconds,
            warmed_up: warm.steady,
            idle_cpu_cores,
            fixed,
            throughput,
        })
    }
}

/// CPU time of a service that nobody asks.
fn idle(running: &Running) -> Option<f64> {
    let watched = running.watched.as_ref()?;
    let (began, before) = (Instant::now(), watched.cpu()?);
    std::thread::sleep(IDLE);
    Some(watched.cpu()?.saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64())
}
