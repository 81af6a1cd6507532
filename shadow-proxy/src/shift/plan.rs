//! The plan of a shift: its steps, and what has to be shown for each.

use serde::{Deserialize, Serialize};

use super::gate;
use super::weight::ALL_PPM;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub weight_ppm: u32,
    /// The rate of mismatches that must be excluded before this step.
    pub mismatch_ppm: u32,
    /// How long this weight is in force before the next step may follow, and when a person is asked why it does not.
    pub min_dwell_ms: u64,
    pub max_dwell_ms: u64,
    /// A person has to approve this step.
    pub approval: bool,
    /// How much more often than legacy the candidate may fail, as a share of all requests.
    pub error_margin: f64,
    /// How much slower it may be, as a share of legacy's time.
    pub latency_margin: f64,
    /// With which this step is known to be safe.
    pub confidence: f64,
    /// None: the plan's.
    pub windows: Vec<Window>,
}

/// When steps may be taken: UTC, days from Monday, minutes of the day. `until` not after `from` goes over midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub days: [bool; 7],
    pub from_minute: u16,
    pub until_minute: u16,
}

/// When no step is taken: from, and before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    pub from_ms: u64,
    pub until_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Rising weights, the last of them the whole traffic.
    pub steps: Vec<Step>,
    /// What the gate asks for besides the step's own mismatch budget.
    pub gate: gate::Policy,
    /// From which an answer counts as none.
    pub latency_cap_ms: u64,
    /// None: always.
    pub windows: Vec<Window>,
    pub freezes: Vec<Freeze>,
    /// The weight halves so often while it goes down.
    pub rollback_every_ms: u64,
    /// In reverse shadow, before legacy may be switched off.
    pub decommission_after_ms: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            steps: steps(),
            gate: gate::Policy::default(),
            latency_cap_ms: 1_000,
            windows: Vec::new(),
            freezes: Vec::new(),
            rollback_every_ms: 10_000,
            decommission_after_ms: 7 * DAY_MS,
        }
    }
}

impl Plan {
    /// Of the steps above a weight the smallest.
    pub fn step_above(&self, weight_ppm: u32) -> Option<usize> {
        self.steps.iter().position(|step| step.weight_ppm > weight_ppm)
    }

    /// Of the steps not above a weight the largest.
    pub fn step_at(&self, weight_ppm: u32) -> Option<usize> {
        self.steps.iter().rposition(|step| step.weight_ppm <= weight_ppm)
    }

    /// The step that is in force at a weight: below the first it is the first.
    pub fn at(&self, weight_ppm: u32) -> Step {
        let step = self.steps.get(self.step_at(weight_ppm).unwrap_or(0));
        step.cloned().unwrap_or_else(|| Step { mismatch_ppm: self.gate.mismatch_ppm_max, ..steps().remove(0) })
    }

    /// Why a step may not be taken at this moment, whatever the evidence.
    pub fn closed(&self, step: &Step, now_ms: u64) -> Option<String> {
        let freeze = self.freezes.iter().filter(|freeze| (freeze.from_ms..freeze.until_ms).contains(&now_ms));
        if let Some(until) = freeze.map(|freeze| freeze.until_ms).max() {
            return Some(format!("the plan is frozen for another {}", span(until - now_ms)));
        }
        let windows = if step.windows.is_empty() { &self.windows } else { &step.windows };
        if windows.is_empty() || windows.iter().any(|window| window.is_open(now_ms)) {
            return None;
        }
        let opens = windows.iter().filter_map(|window| window.opens(now_ms)).min();
        let opens = opens.map_or(String::new(), |wait| format!("; the next one opens in {}", span(wait)));
        Some(format!("outside the windows of the plan{opens}"))
    }

    /// The policy of the gate before a step.
    pub fn policy(&self, step: &Step) -> gate::Policy {
        gate::Policy { mismatch_ppm_max: step.mismatch_ppm, alpha: step.alpha(), ..self.gate.clone() }
    }
}

impl Step {
    /// The mismatch budget, as a share.
    pub fn budget(&self) -> f64 {
        f64::from(self.mismatch_ppm) / 1e6
    }

    pub fn alpha(&self) -> f64 {
        1.0 - self.confidence
    }
}

impl Window {
    pub fn is_open(&self, now_ms: u64) -> bool {
        let minute = ((now_ms % DAY_MS) / MINUTE_MS) as u16;
        let (today, yesterday) = (self.days[weekday(now_ms)], self.days[(weekday(now_ms) + 6) % 7]);
        if self.from_minute < self.until_minute {
            return today && (self.from_minute..self.until_minute).contains(&minute);
        }
        today && minute >= self.from_minute || yesterday && minute < self.until_minute
    }

    /// How long it is until it opens, in milliseconds; none for a window without a day.
    fn opens(&self, now_ms: u64) -> Option<u64> {
        let midnight = now_ms - now_ms % DAY_MS;
        let on = |day| midnight.saturating_add(day * DAY_MS + u64::from(self.from_minute) * MINUTE_MS);
        (0..8).find(|day| self.days[weekday(on(*day))] && on(*day) > now_ms).map(|day| on(day) - now_ms)
    }
}

/// 0 is Monday; the epoch began on a Thursday.
fn weekday(now_ms: u64) -> usize {
    ((now_ms / DAY_MS + 3) % 7) as usize
}

/// As people say it.
pub fn span(ms: u64) -> String {
    let units = [(DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute"), (1_000, "second")];
    // One of a unit is said in the next smaller one: 90 minutes, not 2 hours.
    let (unit, name) = units.into_iter().find(|(unit, _)| ms >= 2 * unit).unwrap_or((1_000, "second"));
    let count = ms.saturating_add(unit / 2) / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

pub const MINUTE_MS: u64 = 60_000;
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// For a service in which a wrong answer is a person let in or kept out.
fn steps() -> Vec<Step> {
    let steps = [
        (1_000, 1_000, 10 * MINUTE_MS),
        (10_000, 1_000, 30 * MINUTE_MS),
        (50_000, 300, HOUR_MS),
        (250_000, 100, 2 * HOUR_MS),
        (500_000, 100, 4 * HOUR_MS),
        (ALL_PPM, 100, 0),
    ];
    steps
        .map(|(weight_ppm, mismatch_ppm, min_dwell_ms)| Step {
            weight_ppm,
            mismatch_ppm,
            min_dwell_ms,
            max_dwell_ms: 7 * DAY_MS,
            approval: false,
            error_margin: 0.002,
            latency_margin: 0.25,
            confidence: 0.95,
            windows: Vec::new(),
        })
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2026-11-23, midnight.
    const MONDAY: u64 = 1_795_392_000_000;

    #[test]
    fn windows_open_and_close() {
        let mut office = Window { days: [true; 7], from_minute: 9 * 60, until_minute: 16 * 60 };
        office.days[5] = false;
        office.days[6] = false;
        let night =
            Window { days: [false, false, false, false, true, false, false], from_minute: 1_320, until_minute: 120 };
        let at = |day: u64, hour: u64| MONDAY + day * DAY_MS + hour * HOUR_MS;
        for (window, day, hour, open, opens) in [
            (&office, 0, 8, false, 1),
            (&office, 0, 9, true, 24),
            (&office, 0, 16, false, 17),
            (&office, 4, 15, true, 66),
            (&office, 5, 10, false, 47),
            (&night, 4, 21, false, 1),
            (&night, 4, 23, true, 167),
            (&night, 5, 1, true, 165),
            (&night, 5, 2, false, 164),
        ] {
            assert_eq!(window.is_open(at(day, hour)), open, "{day} {hour}");
            assert_eq!(window.opens(at(day, hour)), Some(opens * HOUR_MS), "{day} {hour}");
        }
        let mut plan = Plan { windows: vec![office], ..Plan::default() };
        let [step, at_night] = [vec![], vec![night]].map(|windows| Step { windows, ..plan.steps[0].clone() });
        assert_eq!(plan.closed(&step, at(0, 10)), None);
        assert_eq!(
            plan.closed(&step, at(5, 10)).as_deref(),
            Some("outside the windows of the plan; the next one opens in 47 hours")
        );
        assert!(plan.closed(&at_night, at(0, 10)).is_some() && plan.closed(&at_night, at(4, 23)).is_none());
        plan.freezes = vec![Freeze { from_ms: at(0, 0), until_ms: at(3, 0) }];
        assert_eq!(plan.closed(&step, at(0, 10)).as_deref(), Some("the plan is frozen for another 3 days"));
        assert_eq!(plan.closed(&step, at(3, 10)), None);
    }

    #[test]
    fn times_read_well() {
        let spans = [500, 90_000, 600_000, 5_400_000, 172_800_000];
        assert_eq!(spans.map(span), ["1 second", "90 seconds", "10 minutes", "90 minutes", "2 days"]);
    }

    #[test]
    fn the_plan_without_a_line_is_a_good_one() {
        let plan = Plan::default();
        assert!(plan.steps.is_sorted_by(|a, b| a.weight_ppm < b.weight_ppm));
        assert_eq!(plan.steps.last().map(|step| step.weight_ppm), Some(ALL_PPM));
        let steps = [0, 999, 1_000, 60_000, ALL_PPM].map(|ppm| (plan.step_at(ppm), plan.step_above(ppm)));
        assert_eq!(steps, [(None, Some(0)), (None, Some(0)), (Some(0), Some(1)), (Some(2), Some(3)), (Some(5), None)]);
    }
}
