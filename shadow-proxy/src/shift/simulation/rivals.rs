//! The rules of the others, with the settings that their own documentation begins with, and a limit on times that fits.

use super::world::{HOUR_S, Seen, TICK_S, World};
use super::{Controller, Course};

/// The 99th percentile may be half as long again as legacy's.
const P99_MAX: f64 = 1.5;

/// What a chart has of the time since it was last looked at.
#[derive(Default)]
struct Chart {
    requests: u64,
    served: u64,
    errors: u64,
    factor: f64,
}

impl Chart {
    fn add(&mut self, seen: &Seen) {
        self.requests += seen.requests;
        self.served += seen.served;
        self.errors += seen.served_errors;
        self.factor = seen.factor;
    }

    fn is_good(&self, success_min: f64, world: &mut World) -> bool {
        let success = 1.0 - self.errors as f64 / self.served as f64;
        success >= success_min && world.p99(self.served, self.factor) <= P99_MAX
    }
}

/// Flagger: every minute one look, 10 % more each time up to 50 %, then everybody; five bad looks in all roll back, with
/// the look after. No value is a bad look.
#[derive(Default)]
pub struct Flagger {
    weight_ppm: u32,
    failed: u32,
    chart: Chart,
    course: Course,
}

impl Controller for Flagger {
    fn weight_ppm(&self) -> u32 {
        self.weight_ppm
    }

    fn course(&self) -> Course {
        self.course
    }

    fn tick(&mut self, now_s: u64, seen: &Seen, world: &mut World) {
        const FAILED_MAX: u32 = 5;
        self.chart.add(seen);
        if !now_s.is_multiple_of(60) {
            return;
        }
        let chart = std::mem::take(&mut self.chart);
        if self.failed >= FAILED_MAX {
            (self.weight_ppm, self.course) = (0, Course::RolledBack);
        } else if self.weight_ppm > 0 && (chart.served == 0 || !chart.is_good(0.99, world)) {
            self.failed += 1;
        } else if self.weight_ppm >= 500_000 {
            (self.weight_ppm, self.course) = (1_000_000, Course::CutOver);
        } else {
            self.weight_ppm += 100_000;
        }
    }
}

/// Argo Rollouts: 20, 40, 60, 80 % for ten minutes each, beside an analysis every five minutes of which more than three
/// may not fail; without a value it is an error, and five in a row (ten seconds apart) abort.
#[derive(Default)]
pub struct Argo {
    weight_ppm: u32,
    failed: u32,
    errors: u32,
    chart: Chart,
    course: Course,
}

impl Controller for Argo {
    fn weight_ppm(&self) -> u32 {
        self.weight_ppm
    }

    fn course(&self) -> Course {
        self.course
    }

    fn tick(&mut self, now_s: u64, seen: &Seen, world: &mut World) {
        self.chart.add(seen);
        if now_s.is_multiple_of(600) {
            self.weight_ppm = (self.weight_ppm + 200_000).min(1_000_000);
            if self.weight_ppm == 1_000_000 {
                self.course = Course::CutOver;
                return;
            }
        }
        if !now_s.is_multiple_of(300) && self.errors == 0 || now_s == 0 {
            return;
        }
        if self.chart.served == 0 {
            self.errors += TICK_S as u32 / 10;
        } else {
            self.errors = 0;
            self.failed += u32::from(!self.chart.is_good(0.95, world));
            self.chart = Chart::default();
        }
        if self.failed > 3 || self.errors > 4 {
            (self.weight_ppm, self.course) = (0, Course::RolledBack);
        }
    }
}

/// Kayenta: as much for a baseline of the old version as for the canary, 10 % each; three hours, each judged by its
/// sixty minutes, then everybody. Below 75 it is over at once, and 95 is needed in the end.
#[derive(Default)]
pub struct Kayenta {
    chart: Chart,
    /// Errors and times, by minute, of the canary and of the baseline.
    errors: [Vec<f64>; 2],
    times: [Vec<f64>; 2],
    has_begun: bool,
    course: Course,
}

impl Controller for Kayenta {
    fn weight_ppm(&self) -> u32 {
        match self.course {
            Course::RolledBack => 0,
            Course::CutOver => 1_000_000,
            Course::OnTheWay => 100_000,
        }
    }

    fn course(&self) -> Course {
        self.course
    }

    fn tick(&mut self, now_s: u64, seen: &Seen, world: &mut World) {
        self.chart.add(seen);
        if !now_s.is_multiple_of(60) || !std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let chart = std::mem::take(&mut self.chart);
        // A minute without a request has no value.
        if chart.served > 0 {
            let answers = chart.served as f64;
            self.errors[0].push(chart.errors as f64 / answers);
            self.errors[1].push(world.legacy_errors(chart.served) as f64 / answers);
            self.times[0].push(world.mean(answers, chart.factor));
            self.times[1].push(world.mean(answers, 1.0));
        }
        if !now_s.is_multiple_of(HOUR_S) {
            return;
        }
        let scores = [std::mem::take(&mut self.errors), std::mem::take(&mut self.times)];
        let has_data = scores.iter().all(|[canary, _]| !canary.is_empty());
        let passed = scores.iter().filter(|[canary, baseline]| !is_high(canary, baseline)).count();
        let score = if has_data { passed * 50 } else { 0 };
        if score < 75 {
            self.course = Course::RolledBack;
        } else if now_s >= 3 * HOUR_S {
            self.course = if score >= 95 { Course::CutOver } else { Course::RolledBack };
        }
    }
}

/// Mann and Whitney's test with 98 %: high when the lower end of the shift is above a quarter of its estimate.
fn is_high(canary: &[f64], baseline: &[f64]) -> bool {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (canary, baseline) = (sorted(canary), sorted(baseline));
    if canary == baseline || canary.is_empty() || baseline.is_empty() {
        return false;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let is_more = mean(&canary) >= mean(&baseline) || mean(&baseline) == 0.0;
    let lower = shift(&canary, &baseline, 2.326);
    let estimate = shift(&canary, &baseline, 0.0);
    is_more && lower > 0.25 * estimate.abs()
}

/// The shift at which the standardised rank sum is `z`.
fn shift(canary: &[f64], baseline: &[f64], z: f64) -> f64 {
    let (mut low, mut high) = (canary[0] - baseline[baseline.len() - 1], canary[canary.len() - 1] - baseline[0]);
    for _ in 0..40 {
        let middle = low + (high - low) / 2.0;
        if standardised(canary, baseline, middle) > z { low = middle } else { high = middle }
    }
    low + (high - low) / 2.0
}

fn standardised(canary: &[f64], baseline: &[f64], shift: f64) -> f64 {
    let (m, n) = (canary.len() as f64, baseline.len() as f64);
    let mut all: Vec<(f64, bool)> = canary.iter().map(|value| (value - shift, true)).collect();
    all.extend(baseline.iter().map(|value| (*value, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let end = all[at..].iter().take_while(|(value, _)| *value - all[at].0 < 1e-12).count() + at;
        let rank = (at + 1 + end) as f64 / 2.0;
        ranks += all[at..end].iter().filter(|(_, is_canary)| *is_canary).count() as f64 * rank;
        let tied = (end - at) as f64;
        ties += tied.powi(3) - tied;
        at = end;
    }
    let off = ranks - m * (m + 1.0) / 2.0 - m * n / 2.0;
    let spread = (m * n / 12.0 * (m + n + 1.0 - ties / ((m + n) * (m + n - 1.0)))).sqrt();
    (off - 0.5 * off.signum()) / spread.max(1e-12)
}
