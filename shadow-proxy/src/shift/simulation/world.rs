//! Made-up traffic, a legacy service, and candidates that are wrong in known ways.

use statrs::function::erf::erf;

use super::super::evidence::random::Random;

pub const TICK_S: u64 = 10;
pub const HOUR_S: u64 = 3_600;

/// What is wrong, as shares of the requests.
#[derive(Clone, Copy, Default)]
pub struct Wrong {
    /// 500 where legacy answers.
    pub errors: f64,
    /// 401 where legacy lets in: no error to whoever counts errors.
    pub lockouts: f64,
    /// 200 where legacy refuses.
    pub breaches: f64,
    /// So many times legacy's time; 0 is 1.
    pub slower: f64,
    /// Only at this endpoint.
    pub endpoint: Option<usize>,
}

#[derive(Clone, Copy)]
pub enum Onset {
    Always,
    /// When it first serves so much.
    AtWeight(u32),
    /// More and more with each hour since it was started.
    Leak,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Load {
    Even,
    /// Ten times as much in one of twenty minutes.
    Bursty,
    /// Nothing from 22:00 to 06:00; it begins at 21:55.
    Days,
}

pub struct Scenario {
    pub name: &'static str,
    pub wrong: Wrong,
    pub onset: Onset,
    pub load: Load,
    /// Of both sides' answers, each by itself, so many do not come.
    pub lost: f64,
}

impl Scenario {
    pub fn is_good(&self) -> bool {
        let Wrong { errors, lockouts, breaches, slower, .. } = self.wrong;
        errors + lockouts + breaches == 0.0 && slower < LATENCY_MARGIN
    }
}

/// Shares of the traffic.
pub const ENDPOINTS: [f64; 5] = [0.6, 0.2, 0.1, 0.05, 0.05];

const PER_MINUTE: f64 = 1_200.0;
/// Sides are that far from their own mean: the deviation of the logarithm of their times.
const SPREAD: f64 = 0.3;
pub const LATENCY_MARGIN: f64 = 1.25;

/// What happened in one tick.
#[derive(Default)]
pub struct Seen {
    pub requests: u64,
    /// By endpoint: compared, and answered wrongly.
    pub compared: [(u64, u64); ENDPOINTS.len()],
    pub candidate_bad: u64,
    pub legacy_bad: u64,
    pub lockouts: u64,
    pub breaches: u64,
    pub timed: u64,
    pub slower: u64,
    /// Answered by the candidate; of these without success for whoever counts errors.
    pub served: u64,
    pub served_errors: u64,
    pub harmed: u64,
    pub ids_candidate: u64,
    pub ids_legacy: u64,
    /// How many times legacy's time it takes.
    pub factor: f64,
}

pub struct World<'a> {
    scenario: &'a Scenario,
    random: Random,
    has_begun: bool,
}

impl World<'_> {
    pub fn new(scenario: &Scenario, seed: u64) -> World<'_> {
        World { scenario, random: Random(seed), has_begun: false }
    }

    pub fn tick(&mut self, now_s: u64, weight_ppm: u32) -> Seen {
        let share = f64::from(weight_ppm) / 1e6;
        let (severity, lost) = (self.severity(now_s, weight_ppm), self.scenario.lost);
        let wrong = self.scenario.wrong;
        let random = &mut self.random;
        let mut seen = Seen { factor: 1.0, ..Seen::default() };
        if wrong.slower > 0.0 {
            seen.factor = 1.0 + (wrong.slower - 1.0) * severity;
        }
        let expected = load(self.scenario.load, now_s) * TICK_S as f64 / 60.0;
        let mut bad = 0;
        for (index, of_all) in ENDPOINTS.iter().enumerate() {
            let requests = poisson(random, expected * of_all);
            seen.requests += requests;
            let here = if wrong.endpoint.is_none_or(|endpoint| endpoint == index) { severity } else { 0.0 };
            let errors = binomial(random, requests, wrong.errors * here);
            let lockouts = binomial(random, requests - errors, wrong.lockouts * here);
            let breaches = binomial(random, requests - errors - lockouts, wrong.breaches * here);
            let gone = binomial(random, requests - errors - lockouts - breaches, 2.0 * lost);
            let of_candidate = binomial(random, gone, 0.5);
            seen.compared[index] = (requests - gone, errors + lockouts + breaches);
            seen.candidate_bad += errors + of_candidate;
            seen.legacy_bad += gone - of_candidate;
            seen.lockouts += lockouts;
            seen.breaches += breaches;
            bad += errors;
        }
        seen.timed = seen.requests - seen.candidate_bad - seen.legacy_bad;
        let slower = normal((seen.factor / LATENCY_MARGIN).ln() / (SPREAD * 2.0_f64.sqrt()));
        seen.slower = binomial(random, seen.timed, slower);
        seen.served = binomial(random, seen.requests, share);
        let met = binomial(random, bad, share);
        seen.served_errors = met + binomial(random, seen.candidate_bad - bad, share);
        seen.harmed = met + binomial(random, seen.lockouts + seen.breaches, share);
        if seen.factor > LATENCY_MARGIN {
            seen.harmed += binomial(random, seen.slower, share);
        }
        let ids = seen.requests / 10;
        seen.ids_candidate = binomial(random, ids, share);
        seen.ids_legacy = ids - seen.ids_candidate;
        seen
    }

    fn severity(&mut self, now_s: u64, weight_ppm: u32) -> f64 {
        match self.scenario.onset {
            Onset::Always => 1.0,
            Onset::AtWeight(ppm) => {
                self.has_begun |= weight_ppm >= ppm;
                f64::from(u8::from(self.has_begun))
            }
            Onset::Leak => ((now_s as f64 / HOUR_S as f64 - 4.0) / 20.0).clamp(0.0, 1.0),
        }
    }

    /// What a chart has of so many of the candidate's answers: the 99th percentile and the mean of their times, as
    /// multiples of what they are for legacy.
    pub fn p99(&mut self, answers: u64, factor: f64) -> f64 {
        (factor.ln() + SPREAD * 3.73 * gauss(&mut self.random) / (answers.max(1) as f64).sqrt()).exp()
    }

    pub fn mean(&mut self, answers: f64, factor: f64) -> f64 {
        (factor.ln() + SPREAD * gauss(&mut self.random) / answers.max(1.0).sqrt()).exp()
    }

    /// Errors of so many answers of legacy.
    pub fn legacy_errors(&mut self, answers: u64) -> u64 {
        binomial(&mut self.random, answers, self.scenario.lost)
    }
}

fn load(load: Load, now_s: u64) -> f64 {
    let minute = now_s / 60;
    match load {
        Load::Even => PER_MINUTE,
        Load::Bursty if minute.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 0xff < 13 => PER_MINUTE * 10.0,
        Load::Bursty => PER_MINUTE / 4.0,
        Load::Days if (22..30).contains(&((minute + (21 - 6) * 60 + 55) / 60 % 24 + 6)) => 0.0,
        Load::Days => PER_MINUTE,
    }
}

/// The share of a normal distribution below `z`.
fn normal(z: f64) -> f64 {
    (1.0 + erf(z / 2.0_f64.sqrt())) / 2.0
}

/// Box and Muller.
fn gauss(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

fn poisson(random: &mut Random, mean: f64) -> u64 {
    (mean + mean.sqrt() * gauss(random)).round().max(0.0) as u64
}

/// By the gaps between successes where there are few, else by the normal distribution.
pub fn binomial(random: &mut Random, trials: u64, probability: f64) -> u64 {
    if probability > 0.5 {
        return trials - binomial(random, trials, 1.0 - probability);
    }
    let mean = trials as f64 * probability;
    if mean > 30.0 {
        let drawn = mean + (mean * (1.0 - probability)).sqrt() * gauss(random);
        return (drawn.round().max(0.0) as u64).min(trials);
    }
    if mean <= 0.0 {
        return 0;
    }
    let (mut successes, mut at) = (0, 0.0);
    loop {
        at += ((1.0 - random.unit()).ln() / (-probability).ln_1p()).floor() + 1.0;
        if at > trials as f64 {
            return successes;
        }
        successes += 1;
    }
}
