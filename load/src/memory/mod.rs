//! `load memory`: what a side takes when nobody asks, what under load, and what one more of it takes.

pub(crate) mod table;

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::cli::MemoryArgs;
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
use crate::result::memory::{Components, Figures, Marginal, Memory, Point, SCHEMA, Used};
use crate::side::lineup::Lineup;
use crate::side::{Contender, Prober, Running, Spec, host};
use crate::statistics::slope::line;

/// After the first answer, before a service is called idle.
const SETTLE: Duration = Duration::from_secs(2);
const CONNECTIONS_MAX: usize = 256;
const SECONDS_MIN: Duration = Duration::from_secs(60);
const QUICK_TIME: Duration = Duration::from_secs(2);
const QUICK_INSTANCES: u16 = 2;
const QUICK_COMPONENTS: u16 = 8;

pub(crate) struct Plan {
    lineup: Lineup,
    rate: f64,
    time: Duration,
    instances: u16,
    components: u16,
    seed: u64,
    quick: bool,
}

impl Plan {
    pub(crate) fn from_args(args: &MemoryArgs) -> Result<Self, Vec<String>> {
        let mut errors: Vec<String> = plan::wrong_rate(args.rate).into_iter().collect();
        errors.extend(args.output.out.as_deref().and_then(plan::unwritable));
        let lineup = Lineup::from_args(&args.sides).map_err(|wrong| errors.extend(wrong)).ok();
        let quick = args.sides.quick;
        match lineup {
            Some(lineup) if errors.is_empty() => Ok(Self {
                lineup,
                rate: args.rate,
                time: if quick { args.time.min(QUICK_TIME) } else { args.time },
                instances: if quick { args.instances.min(QUICK_INSTANCES) } else { args.instances },
                components: if quick { args.components.min(QUICK_COMPONENTS) } else { args.components },
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

pub(crate) fn run(plan: &Plan, args: &MemoryArgs) -> anyhow::Result<Memory> {
    interrupt::listen().map_err(anyhow::Error::msg)?;
    let before = environment::Before::look();
    plan.lineup.pin_generator()?;
    let prober = Prober::new()?;
    let contenders = &plan.lineup.contenders;
    let steps = Steps::new(args.output.progress, contenders.len() + 1);
    let mut sides = Vec::new();
    for contender in contenders {
        match plan.used(contender, &prober, &steps) {
            Ok(used) => sides.push(used),
            Err(_) if interrupt::requested() => break,
            Err(error) => return Err(error.context(format!("the side {} ({})", contender.name, contender.spec))),
        }
        steps.done();
    }
    let hosted = contenders.iter().find(|contender| matches!(contender.spec, Spec::Serve(_)));
    let components = match hosted {
        Some(contender) if plan.components > 0 && !interrupt::requested() => {
            steps.say(&format!("{} components in one host", plan.components));
            Some(components(plan.components, contender.cpus.as_deref())?)
        }
        _ => None,
    };
    drop(steps);
    anyhow::ensure!(!sides.is_empty(), "ended before anything was measured");
    Ok(Memory {
        head: before.head(SCHEMA, !interrupt::requested(), plan.is_short()),
        sides,
        components,
        environment: before.after(),
    })
}

impl Plan {
    fn used(&self, contender: &Contender, prober: &Prober, steps: &Steps) -> anyhow::Result<Used> {
        steps.say(&format!("{}: the first start, which is not measured", contender.name));
        contender.start_once(prober)?;
        steps.say(&format!("{}: idle, and at {}/s", contender.name, self.rate));
        let running = Running::start(contender, prober)?;
        std::thread::sleep(SETTLE);
        let idle = running.watched.as_ref().map(|watched| watched.memory()).unwrap_or_default();
        let load = self.load(contender, &running)?;
        let after = running.watched.as_ref().map(|watched| watched.memory()).unwrap_or_default();
        running.stop()?;
        let marginal = self.marginal(contender, prober, steps)?;
        Ok(Used { side: contender.described(), idle, loaded: largest(after, &load), load, marginal })
    }

    fn load(&self, contender: &Contender, running: &Running) -> anyhow::Result<Run> {
        let setting = Setting {
            watched: running.watched.clone(),
            generator_cpus: self.lineup.generator_cpus.clone(),
            seed: self.seed,
            short: self.is_short(),
            ..Setting::default()
        };
        let gaps = Gaps::Constant { rate: self.rate };
        let arrivals = Arrivals { gaps, time: Some(self.time), requests: None };
        let weights: Vec<u32> = contender.cases.iter().map(|case| case.weight).collect();
        let order = Order {
            target: &running.target,
            cases: &contender.cases,
            drive: Drive::Open { arrivals, connections_max: CONNECTIONS_MAX },
            mix: Mix::Dealt(Deck::new(&weights, self.seed)),
            until_backlog: false,
        };
        measure(order, &setting, &mut |_, _| ())
    }

    /// More and more of the same at the same time.
    fn marginal(&self, contender: &Contender, prober: &Prober, steps: &Steps) -> anyhow::Result<Option<Marginal>> {
        if self.instances < 2 || matches!(contender.spec, Spec::Url(_)) || interrupt::requested() {
            return Ok(None);
        }
        let (mut running, mut points) = (Vec::new(), Vec::new());
        for number in 1..=self.instances {
            if interrupt::requested() {
                break;
            }
            steps.say(&format!("{}: {number} of {} instances", contender.name, self.instances));
            running.push(Running::start(contender, prober)?);
            if number.is_power_of_two() || number == self.instances {
                std::thread::sleep(SETTLE);
                points.extend(sum(&running));
            }
        }
        for instance in running {
            instance.stop()?;
        }
        Ok(fitted(points))
    }
}

/// PSS and RSS of all of them.
fn sum(running: &[Running]) -> Option<Point> {
    let figures = running.iter().map(|instance| instance.watched.as_ref().map(|watched| watched.memory()));
    let (mut pss_bytes, mut rss_bytes) = (0, 0);
    for figures in figures {
        pss_bytes += figures?.pss_bytes?;
        rss_bytes += figures?.rss_bytes?;
    }
    Some(Point { instances: running.len() as u64, pss_bytes, rss_bytes })
}

fn fitted(points: Vec<Point>) -> Option<Marginal> {
    let places: Vec<(f64, f64)> = points.iter().map(|point| (point.instances as f64, point.pss_bytes as f64)).collect();
    let line = line(&places)?;
    Some(Marginal { points, base_bytes: line.base, each_bytes: line.slope, each_bytes_interval: line.slope_interval })
}

/// What was seen while requests came, and the peaks that the kernel keeps.
fn largest(after: Figures, load: &Run) -> Figures {
    let seen = load.resources.as_ref();
    Figures {
        rss_bytes: after.rss_bytes.max(seen.and_then(|seen| seen.rss_bytes_max)),
        pss_bytes: after.pss_bytes.max(seen.and_then(|seen| seen.pss_bytes_max)),
        cgroup_bytes: after.cgroup_bytes.max(seen.and_then(|seen| seen.cgroup_bytes_max)),
        ..after
    }
}

fn components(count: u16, cpus: Option<&[usize]>) -> anyhow::Result<Components> {
    // Compiled by another process: what compiling leaves behind is not what a component takes.
    let compiled = host::with_empty_cache(&["--components", "1"], cpus)?;
    let lines = host::host(&["--components", &count.to_string()], cpus)?;
    let bytes = |line: &Value, name: &str| line["memory"][name].as_u64();
    let point = |line: &Value| {
        let (pss_bytes, rss_bytes) = (bytes(line, "Pss")?, bytes(line, "VmRSS")?);
        Some(Point { instances: line["components"].as_u64()?, pss_bytes, rss_bytes })
    };
    let points: Vec<Point> = lines.iter().filter_map(point).collect();
    let compile_seconds = compiled.iter().find_map(|line| line["first_load_seconds"].as_f64());
    Ok(Components {
        sentence: "the auth component loaded so many times in one `shadow-proxy`, each time from compiled code of its own and \
                   with an instance that has answered a call and stays; the engine and its pool are shared"
            .to_owned(),
        marginal: fitted(points).context("`shadow-proxy host` printed no figures; is it of this checkout?")?,
        compile_seconds: compile_seconds.context("`shadow-proxy host` did not say how long it compiled")?,
    })
}
