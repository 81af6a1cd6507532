//! `load attack`: one run against one service. Users are goose's; a rate or a capture is sent by the lean engine.

pub(crate) mod table;
mod turns;
mod users;

use std::sync::Arc;

use crate::attack::users::Users;
use crate::deck::Deck;
use crate::engine::connection::Target;
use crate::engine::pacer::Mix;
use crate::engine::{self, Order};
use crate::environment;
use crate::interrupt;
use crate::measure::{self, Setting};
use crate::plan::{Drive, Plan};
use crate::progress::Bar;
use crate::result::attack::Attack;
use crate::watch::Watched;
use crate::watch::cgroup::Cgroup;

/// A run of less says little about the rare, slow answers.
const SECONDS_MIN: f64 = 10.0;

pub(crate) fn run(plan: &Plan) -> anyhow::Result<Attack> {
    let target = Target::reach(&plan.target)?;
    let environment = environment::Before::look();
    let watched = plan.pid.map(|pid| Arc::new(Watched { pid, cgroup: own_cgroup(pid) }));
    let setting = Setting { watched, seed: plan.seed, ..Setting::default() };
    let mut run = match &plan.drive {
        Drive::Users(users) => Users { plan, users: *users, setting: &setting }.run()?,
        Drive::Rate { .. } | Drive::Captured { .. } => by_engine(plan, &target, &setting)?,
    };
    run.short = run.seconds < SECONDS_MIN;
    Ok(Attack::new(plan.origin(), plan.expecting.name().to_owned(), plan.seed, run, environment.after()))
}

/// Complete, and every request was answered and right.
pub(crate) fn is_right(found: &Attack) -> bool {
    let run = &found.run;
    run.complete && run.wrong == 0 && run.failed == 0 && run.requests > 0
}

/// A group that we are in as well would count what we do.
fn own_cgroup(pid: u32) -> Option<Cgroup> {
    let group = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok();
    (group(pid) != group(std::process::id())).then(|| Cgroup::of(pid)).flatten()
}

fn by_engine(plan: &Plan, target: &Target, setting: &Setting) -> anyhow::Result<crate::result::attack::Run> {
    let (arrivals, connections_max, mix) = match &plan.drive {
        Drive::Rate { arrivals, connections_max } => {
            let weights: Vec<u32> = plan.cases.iter().map(|case| case.weight).collect();
            (arrivals, *connections_max, Mix::Dealt(Deck::new(&weights, plan.seed)))
        }
        Drive::Captured { arrivals, connections_max } => (arrivals, *connections_max, Mix::InOrder),
        Drive::Users(_) => unreachable!("goose sends for users"),
    };
    interrupt::listen().map_err(anyhow::Error::msg)?;
    let bar = Bar::of_requests(plan.progress, Some(arrivals.planned()), arrivals.lasts());
    let drive = engine::Drive::Open { arrivals: arrivals.clone(), connections_max };
    let order = Order { target, cases: &plan.cases, drive, mix, until_backlog: false };
    let run = measure::measure(order, setting, &mut |elapsed, tally| bar.show(elapsed, tally));
    bar.clear();
    run
}
