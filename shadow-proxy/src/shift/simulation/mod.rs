//! Does the shift end well? Made-up traffic and candidates, moved by the real [`super::step::step`] and by the rules of
//! the others.

mod ours;
mod rivals;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::ours::Ours;
use self::rivals::{Argo, Flagger, Kayenta};
use self::world::{HOUR_S, Load, Onset, Scenario, Seen, TICK_S, World, Wrong};

trait Controller {
    fn weight_ppm(&self) -> u32;
    fn course(&self) -> Course;
    /// Looks at what happened since it last did.
    fn tick(&mut self, now_s: u64, seen: &Seen, world: &mut World);
    /// Why it was rolled back, where that is told.
    fn reason(&self) -> Option<&str> {
        None
    }
    /// Whether it looks on after the cutover.
    fn looks_on(&self) -> bool {
        false
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Course {
    #[default]
    OnTheWay,
    CutOver,
    RolledBack,
}

const RULES: [&str; 4] = ["ours", "Flagger", "Argo", "Kayenta"];

const QUARTER: Onset = Onset::AtWeight(250_000);

const GOOD: Wrong = Wrong { errors: 0.0, lockouts: 0.0, breaches: 0.0, slower: 0.0, endpoint: None };

const fn scenario(name: &'static str, wrong: Wrong, onset: Onset) -> Scenario {
    Scenario { name, wrong, onset, load: Load::Even, lost: 0.0005 }
}

const SCENARIOS: [Scenario; 18] = [
    scenario("good", GOOD, Onset::Always),
    Scenario { load: Load::Bursty, ..scenario("good, bursty traffic", GOOD, Onset::Always) },
    Scenario { load: Load::Days, ..scenario("good, five minutes before night", GOOD, Onset::Always) },
    scenario("good, 5 % slower", Wrong { slower: 1.05, ..GOOD }, Onset::Always),
    Scenario { lost: 0.008, ..scenario("good, both sides lose 0.8 %", GOOD, Onset::Always) },
    Scenario { lost: 0.03, ..scenario("good, both sides lose 3 %", GOOD, Onset::Always) },
    scenario("500 for all", Wrong { errors: 1.0, ..GOOD }, Onset::Always),
    scenario("500 for all, from 25 %", Wrong { errors: 1.0, ..GOOD }, QUARTER),
    scenario("401 for all, from 25 %", Wrong { lockouts: 1.0, ..GOOD }, QUARTER),
    scenario("500 for 1 %", Wrong { errors: 0.01, ..GOOD }, Onset::Always),
    scenario("500 for 1 %, from 25 %", Wrong { errors: 0.01, ..GOOD }, QUARTER),
    scenario("500 at one endpoint, from 25 %", Wrong { errors: 1.0, endpoint: Some(4), ..GOOD }, QUARTER),
    scenario("401 for one tenant, from 25 %", Wrong { lockouts: 0.02, ..GOOD }, QUARTER),
    scenario("2 times slower", Wrong { slower: 2.0, ..GOOD }, Onset::Always),
    scenario("2 times slower, from 25 %", Wrong { slower: 2.0, ..GOOD }, QUARTER),
    scenario("slow leak", Wrong { errors: 0.2, slower: 4.0, ..GOOD }, Onset::Leak),
    scenario("a breach in 100,000", Wrong { breaches: 1e-5, ..GOOD }, Onset::Always),
    scenario("a breach in 100,000, from 25 %", Wrong { breaches: 1e-5, ..GOOD }, QUARTER),
];

/// `cargo ci shift-sim`
#[test]
#[ignore = "takes a minute; `cargo ci shift-sim` runs it"]
fn shift_sim() {
    let results: Vec<Mutex<[Row; RULES.len()]>> = SCENARIOS.iter().map(|_| Mutex::default()).collect();
    let jobs: Vec<(usize, u64)> =
        (0..SCENARIOS.len()).flat_map(|index| (0..runs(&SCENARIOS[index])).map(move |run| (index, run))).collect();
    in_parallel(&jobs, |&(index, run)| {
        let controllers: [Box<dyn Controller>; RULES.len()] =
            [Box::new(Ours::new()), Box::<Flagger>::default(), Box::<Argo>::default(), Box::<Kayenta>::default()];
        for (rule, controller) in controllers.into_iter().enumerate() {
            let ended = play(&SCENARIOS[index], controller, run);
            results[index].lock().unwrap()[rule].add(ended);
        }
    });
    let results: Vec<[Row; RULES.len()]> = results.into_iter().map(|rows| rows.into_inner().unwrap()).collect();
    print(&results);
    assert_eq!(missed(&results), Vec::<String>::new(), "aims that are missed");
}

/// What is rare needs more of them.
fn runs(scenario: &Scenario) -> u64 {
    if scenario.is_good() { 40 } else { 10 }
}

/// A day and six hours from the start of the candidate.
const HORIZON_S: u64 = 30 * HOUR_S;

struct Ended {
    rolled_back_s: Option<u64>,
    cut_over_s: Option<u64>,
    harmed: u64,
    reason: Option<String>,
}

fn play(scenario: &Scenario, mut controller: Box<dyn Controller>, run: u64) -> Ended {
    let mut world = World::new(scenario, run.wrapping_mul(0x9e37_79b9) + 1);
    let mut ended = Ended { rolled_back_s: None, cut_over_s: None, harmed: 0, reason: None };
    for now_s in (0..HORIZON_S).step_by(TICK_S as usize) {
        let seen = world.tick(now_s, controller.weight_ppm());
        ended.harmed += seen.harmed;
        if ended.cut_over_s.is_none() || controller.looks_on() {
            controller.tick(now_s, &seen, &mut world);
        }
        match controller.course() {
            Course::OnTheWay => {}
            Course::CutOver => ended.cut_over_s = ended.cut_over_s.or(Some(now_s)),
            Course::RolledBack => {
                ended.rolled_back_s = Some(now_s);
                break;
            }
        }
    }
    ended.reason = controller.reason().map(str::to_owned);
    ended
}

/// What became of the runs of one scenario under one rule.
#[derive(Clone, Default)]
struct Row {
    rolled_back: u64,
    cut_over: u64,
    harmed: Vec<u64>,
    /// Until the cutover, and until the rollback.
    cutovers_s: Vec<u64>,
    reasons: Vec<String>,
}

impl Row {
    fn add(&mut self, ended: Ended) {
        self.rolled_back += u64::from(ended.rolled_back_s.is_some());
        self.cut_over += u64::from(ended.cut_over_s.is_some());
        self.harmed.push(ended.harmed);
        self.cutovers_s.extend(ended.cut_over_s);
        self.reasons.extend(ended.reason);
    }

    fn harmed(&self) -> f64 {
        self.harmed.iter().sum::<u64>() as f64 / self.harmed.len().max(1) as f64
    }

    fn line(&self) -> String {
        let times = &self.cutovers_s;
        let hours = |time_s: u64| time_s as f64 / HOUR_S as f64;
        let mean = times.iter().sum::<u64>().checked_div(times.len() as u64);
        let cutover = mean.map_or("-".to_owned(), |mean| format!("{:.1} h", hours(mean)));
        let per_run = |count: u64| format!("{:.0} %", count as f64 / self.harmed.len() as f64 * 100.0);
        let harmed = self.harmed();
        let digits = if harmed < 100.0 { 1 } else { 0 };
        let harmed = format!("{harmed:.digits$}");
        format!("{:>7}{harmed:>11}{:>7}{cutover:>8}", per_run(self.rolled_back), per_run(self.cut_over))
    }
}

fn print(results: &[[Row; RULES.len()]]) {
    println!(
        "\nOf 40 runs with a good candidate, 10 with a bad one, 30 hours at about 1,200 requests a minute: runs rolled back,\n\
         requests harmed by the candidate (mean of a run), runs that came to the cutover, and when\n"
    );
    println!("  {:<32}{}", "", RULES.map(|rule| format!("{rule:>33}")).concat());
    let columns = format!("{:>7}{:>11}{:>7}{:>8}", "back", "harmed", "over", "after");
    println!("  {:<32}{}", "", RULES.map(|_| columns.clone()).concat());
    for (scenario, rows) in SCENARIOS.iter().zip(results) {
        println!("  {:<32}{}", scenario.name, rows.each_ref().map(|row| row.line()).concat());
    }
    println!("\nwhy ours rolled back, the first of each:");
    for (scenario, rows) in SCENARIOS.iter().zip(results) {
        if let Some(reason) = rows[0].reasons.first() {
            println!("  {:<32}{reason}", scenario.name);
        }
    }
}

/// Fewer false rollbacks than each of the others in all, never more in one; fewer harmed requests wherever others harm.
fn missed(results: &[[Row; RULES.len()]]) -> Vec<String> {
    let mut missed = Vec::new();
    let mut false_rollbacks = [0; RULES.len()];
    for (scenario, rows) in SCENARIOS.iter().zip(results) {
        let [ours, others @ ..] = rows;
        if scenario.is_good() {
            for (sum, row) in false_rollbacks.iter_mut().zip(rows) {
                *sum += row.rolled_back;
            }
            if ours.cut_over < runs(scenario) {
                missed.push(format!("{}: only {} came to the cutover", scenario.name, ours.cut_over));
            }
            let fewest = others.iter().map(|row| row.rolled_back).min().unwrap_or(0);
            if ours.rolled_back > fewest {
                missed.push(format!("{}: {} false rollbacks, another has {fewest}", scenario.name, ours.rolled_back));
            }
            continue;
        }
        for (rule, other) in RULES.iter().skip(1).zip(others) {
            if ours.harmed() >= other.harmed() {
                missed.push(format!(
                    "{}: {:.1} harmed, {rule} has {:.1}",
                    scenario.name,
                    ours.harmed(),
                    other.harmed()
                ));
            }
        }
    }
    for (rule, theirs) in RULES.iter().zip(false_rollbacks).skip(1) {
        if false_rollbacks[0] >= theirs {
            missed.push(format!("{} false rollbacks, {rule} has {theirs}", false_rollbacks[0]));
        }
    }
    missed
}

fn in_parallel<T: Sync>(jobs: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let take = || jobs.get(next.fetch_add(1, Ordering::Relaxed));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| std::iter::from_fn(take).for_each(&work));
        }
    });
}
