//! `load cold`: how long from a start to the first correct answer. All rungs take turns, so that whatever the machine does
//! meanwhile falls on all alike; nothing is subtracted.

mod rungs;
pub(crate) mod table;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::cli::ColdArgs;
use crate::environment;
use crate::interrupt;
use crate::plan;
use crate::progress::Steps;
use crate::random::SplitMix64;
use crate::result::cold::{Cold, RungRatio, SCHEMA};
use crate::side::lineup::Lineup;
use crate::side::{Contender, Prober, Running, host};
use crate::statistics::order::{median, median_interval, quantile};

use self::rungs::{How, PAIRS, Rung};

const STARTS_MIN: usize = 30;
const QUICK_STARTS: usize = 3;
const FIRST_ANSWERS: usize = 100;
const P95_STARTS_MIN: usize = 20;

pub(crate) struct Plan {
    lineup: Lineup,
    ladder: Vec<Rung>,
    starts: usize,
}

impl Plan {
    pub(crate) fn from_args(args: &ColdArgs) -> Result<Self, Vec<String>> {
        let lineup = Lineup::from_args(&args.sides);
        let unwritable = args.output.out.as_deref().and_then(plan::unwritable);
        let lineup = match (lineup, unwritable) {
            (Ok(lineup), None) => lineup,
            (lineup, unwritable) => return Err(lineup.err().into_iter().flatten().chain(unwritable).collect()),
        };
        let images = [args.candidate_image.as_deref(), args.legacy_image.as_deref()];
        let mut ladder = rungs::ladder(&lineup.contenders, images);
        if let Some(unknown) = args.rungs.iter().find(|name| !ladder.iter().any(|rung| rung.name == **name)) {
            let names: Vec<&str> = ladder.iter().map(|rung| rung.name.as_str()).collect();
            return Err(vec![format!("--rung {unknown}: there is no such rung; choose from {}", names.join(", "))]);
        }
        ladder.retain(|rung| args.rungs.is_empty() || args.rungs.contains(&rung.name));
        let starts = usize::from(args.starts);
        Ok(Self { lineup, ladder, starts: if args.sides.quick { starts.min(QUICK_STARTS) } else { starts } })
    }
}

/// One rung's starts so far; by round, where it was started at all.
#[derive(Default)]
struct Started {
    rounds: Vec<Option<Duration>>,
    first_answers: Vec<Vec<Duration>>,
}

pub(crate) fn run(plan: &Plan, args: &ColdArgs) -> anyhow::Result<Cold> {
    interrupt::listen().map_err(anyhow::Error::msg)?;
    let before = environment::Before::look();
    plan.lineup.pin_generator()?;
    let prober = Prober::new()?;
    let steps = Steps::new(args.output.progress, plan.starts);
    let mut found: Vec<Started> = plan.ladder.iter().map(|_| Started::default()).collect();
    for rung in &plan.ladder {
        if let How::Service(contender) = &rung.how {
            steps.say(&format!("{}: the first start, which is not measured", rung.name));
            contender.start_once(&prober)?;
        }
    }
    let mut random = SplitMix64::new(args.sides.seed);
    let mut order: Vec<usize> = (0..plan.ladder.len()).collect();
    for _ in 0..plan.starts {
        random.shuffle(&mut order);
        for &at in &order {
            if interrupt::requested() {
                break;
            }
            steps.say(&plan.ladder[at].name);
            once(&plan.ladder[at], &prober, &mut found[at])?;
        }
        steps.done();
    }
    instances(plan, &mut found, &steps)?;
    drop(steps);
    let complete = !interrupt::requested();
    let rungs = plan.ladder.iter().zip(&found).map(|(rung, started)| told(rung, started)).collect();
    Ok(Cold {
        head: before.head(SCHEMA, complete, plan.starts < STARTS_MIN),
        seed: args.sides.seed,
        starts: plan.starts,
        rungs,
        ratios: ratios(plan, &found),
        environment: before.after(),
    })
}

/// One start of a rung.
fn once(rung: &Rung, prober: &Prober, found: &mut Started) -> anyhow::Result<()> {
    match &rung.how {
        How::Empty => {
            let began = Instant::now();
            Command::new("true").stdin(Stdio::null()).status().context("cannot start `true`")?;
            found.rounds.push(Some(began.elapsed()));
        }
        How::Service(contender) => match Running::start(contender, prober) {
            Ok(running) => {
                found.rounds.push(running.started);
                found.first_answers.extend(first_answers(contender, &running, prober));
                running.stop()?;
            }
            Err(_) if interrupt::requested() => {}
            Err(error) => {
                eprintln!("{}: a start failed: {error:#}", rung.name);
                found.rounds.push(None);
            }
        },
        How::Instance { .. } | How::LeftOut(_) => {}
    }
    Ok(())
}

fn first_answers(contender: &Contender, running: &Running, prober: &Prober) -> Option<Vec<Duration>> {
    prober.times(&running.target, contender.cases.first()?, FIRST_ANSWERS).ok()
}

/// The host starts them one after the other in one process: that is what "warm host" means.
fn instances(plan: &Plan, found: &mut [Started], steps: &Steps) -> anyhow::Result<()> {
    let wanted = plan.ladder.iter().any(|rung| matches!(rung.how, How::Instance { .. }));
    if !wanted || interrupt::requested() {
        return Ok(());
    }
    steps.say("instances in a warm host");
    let cpus = plan.lineup.contenders.get(1).and_then(|candidate| candidate.cpus.as_deref());
    let lines = host::host(&["--instances", &plan.starts.to_string()], cpus)?;
    for (rung, found) in plan.ladder.iter().zip(found) {
        let How::Instance { answered } = rung.how else { continue };
        let name = if answered { "answered_us" } else { "instantiated_us" };
        let times = lines.iter().map(|line| line[name].as_f64().map(|us| Duration::from_secs_f64(us / 1e6)));
        found.rounds.extend(times);
    }
    Ok(())
}

fn told(rung: &Rung, started: &Started) -> crate::result::cold::Rung {
    let starts_ms: Vec<f64> = started.rounds.iter().flatten().map(|time| time.as_secs_f64() * 1e3).collect();
    let number = |number: usize| {
        let times: Vec<f64> =
            started.first_answers.iter().filter_map(|times| Some(times.get(number)?.as_secs_f64() * 1e6)).collect();
        median(&times).map(|us| us as u64)
    };
    crate::result::cold::Rung {
        failed: started.rounds.iter().filter(|round| round.is_none()).count() as u64,
        median_ms: median_interval(&starts_ms),
        p95_ms: quantile(&starts_ms, 0.95).filter(|_| starts_ms.len() >= P95_STARTS_MIN),
        first_answers_us: (0..FIRST_ANSWERS).map_while(number).collect(),
        starts_ms,
        ..rung.found()
    }
}

/// Round by round: both were started close to each other.
fn ratios(plan: &Plan, found: &[Started]) -> Vec<RungRatio> {
    let rounds = |name: &str| {
        let at = plan.ladder.iter().position(|rung| rung.name == name)?;
        Some(&found[at].rounds).filter(|rounds| !rounds.is_empty())
    };
    let ratio = |(slower, faster, equal_rungs): (&str, &str, bool)| {
        let both = rounds(slower)?.iter().zip(rounds(faster)?);
        let times: Vec<f64> = both.filter_map(|(a, b)| Some((*a)?.as_secs_f64() / (*b)?.as_secs_f64())).collect();
        let times = median_interval(&times);
        Some(RungRatio { slower: slower.to_owned(), faster: faster.to_owned(), equal_rungs, times })
    };
    PAIRS.into_iter().filter_map(ratio).collect()
}
