//! What is not wrong with a plan, and still not wise: said by `check` before a night is spent waiting.

use super::evidence::clean_pairs_needed;
use super::gate::{grouped, percent, share};
use super::guards;
use super::paired::pairs_needed;
use super::plan::{HOUR_MS, MINUTE_MS, Plan, Step, span};
use super::weight::ALL_PPM;

/// What comes at present, and what is known already.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// Requests that count as evidence, and all that are compared.
    pub counted_per_minute: f64,
    pub pairs_per_minute: f64,
    /// Of all times.
    pub counted: u64,
    pub mismatches: u64,
}

pub fn doubts(plan: &Plan, traffic: Option<&Traffic>) -> Vec<String> {
    let mut doubts = of_itself(plan);
    if let Some(traffic) = traffic.filter(|traffic| traffic.counted_per_minute > 0.0) {
        let with_next = plan.steps.iter().zip(plan.steps.iter().skip(1));
        doubts.extend(with_next.filter_map(|(step, next)| budget_in_time(traffic, step, next)));
        doubts.extend(margin_in_time(plan, traffic));
        doubts.extend(plan.steps.iter().filter_map(|step| below_one(traffic, step)));
    }
    doubts
}

fn of_itself(plan: &Plan) -> Vec<String> {
    let mut doubts = Vec::new();
    let steps = plan.steps.len() as f64;
    let (by_chance, alphas) = (steps * guards::ALPHA_ALL, plan.steps.iter().map(Step::alpha).sum::<f64>());
    if by_chance > CHANCE_MAX {
        doubts.push(format!(
            "shift.steps: with {steps} steps a candidate as good as legacy is rolled back in up to {} of all shifts; take fewer steps",
            percent(by_chance)
        ));
    }
    if alphas > 0.5 {
        doubts.push(format!(
            "shift.confidence: with {steps} steps, a step is taken without its budget being kept in up to {} of all shifts; take fewer steps or more confidence",
            percent(alphas.min(1.0))
        ));
    }
    if let Some(last) = plan.steps.last().filter(|step| step.weight_ppm < ALL_PPM) {
        doubts.push(format!("shift.steps: the plan ends at {}; add \"100%\"", share(last.weight_ppm)));
    }
    for (step, next) in plan.steps.iter().zip(plan.steps.iter().skip(1)) {
        if next.mismatch_ppm > step.mismatch_ppm {
            doubts.push(format!(
                "shift.steps: {} may have more mismatches than {}; what was not good enough before is not better for more people",
                share(next.weight_ppm),
                share(step.weight_ppm)
            ));
        }
    }
    doubts
}

/// A chance that is too high for a plan.
const CHANCE_MAX: f64 = 0.01;

fn budget_in_time(traffic: &Traffic, step: &Step, next: &Step) -> Option<String> {
    let needed = clean_pairs_needed(traffic.mismatches, traffic.counted, next.budget(), next.alpha());
    let minutes = needed as f64 / traffic.counted_per_minute;
    (minutes > in_minutes(step.max_dwell_ms)).then(|| {
        format!(
            "shift.steps: {} needs {} more clean requests, which takes {} at the present rate, and max_dwell at {} is {}; raise max_dwell or mismatch_ppm, or replay recorded traffic",
            share(next.weight_ppm),
            grouped(needed),
            of_minutes(minutes),
            share(step.weight_ppm),
            span(step.max_dwell_ms)
        )
    })
}

/// Of the step that needs most.
fn margin_in_time(plan: &Plan, traffic: &Traffic) -> Option<String> {
    let needs =
        plan.steps.iter().map(|step| (pairs_needed(step.error_margin, 0, 0, 0, step.alpha()), step.error_margin));
    let (needed, margin) = needs.max_by_key(|(needed, _)| *needed)?;
    let minutes = needed as f64 / traffic.pairs_per_minute;
    let patience = plan.steps.iter().map(|step| step.max_dwell_ms).min()?;
    (minutes > in_minutes(patience)).then(|| {
        format!(
            "shift.error_margin: {} is only known after {} requests at a weight, which takes {} at the present rate, and max_dwell is {}; raise the margin or max_dwell",
            percent(margin),
            grouped(needed),
            of_minutes(minutes),
            span(patience)
        )
    })
}

/// In its shortest dwell, or an hour where it has none.
fn below_one(traffic: &Traffic, step: &Step) -> Option<String> {
    let dwell = if step.min_dwell_ms == 0 { HOUR_MS } else { step.min_dwell_ms };
    let served = traffic.pairs_per_minute * in_minutes(dwell) * f64::from(step.weight_ppm) / 1e6;
    (served < 1.0).then(|| {
        format!(
            "shift.steps: in {} at {} the candidate answers less than one request ({served:.2}) at the present rate; begin with a greater step or dwell longer",
            span(dwell),
            share(step.weight_ppm)
        )
    })
}

fn in_minutes(ms: u64) -> f64 {
    ms as f64 / MINUTE_MS as f64
}

fn of_minutes(minutes: f64) -> String {
    span((minutes * MINUTE_MS as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(plan: &Plan, per_minute: f64) -> Vec<String> {
        let traffic =
            Traffic { counted_per_minute: per_minute, pairs_per_minute: per_minute * 2.0, counted: 0, mismatches: 0 };
        doubts(plan, Some(&traffic))
    }

    #[test]
    fn the_plan_that_is_built_in_is_for_much_traffic() {
        let plan = Plan::default();
        assert_eq!(doubts(&plan, None), Vec::<String>::new());
        assert_eq!(found(&plan, 1_000.0), Vec::<String>::new());
        assert_eq!(found(&plan, 0.0), Vec::<String>::new());
        let doubts = found(&plan, 0.05);
        let all = doubts.join("\n");
        for said in [
            "5 % needs 11,094 more clean requests, which takes 154 days at the present rate, and max_dwell at 1 % is 7 days",
            "shift.error_margin: 0.2 % is only known after 2,013 requests at a weight, which takes 14 days",
            "in 10 minutes at 0.1 % the candidate answers less than one request (0.00)",
        ] {
            assert!(all.contains(said), "{said}\n{all}");
        }
    }

    #[test]
    fn chances_add_up() {
        let step = |weight_ppm| Step { weight_ppm, ..Plan::default().steps[0].clone() };
        let plan = Plan { steps: (1..=15).map(|part| step(part * 50_000)).collect(), ..Plan::default() };
        let doubts = doubts(&plan, None);
        assert_eq!(doubts.len(), 3, "{doubts:?}");
        for (doubt, said) in doubts.iter().zip(["rolled back in up to 1.5 %", "in up to 75 %", "ends at 75 %"]) {
            assert!(doubt.contains(said), "{doubt}");
        }
        let mut plan = Plan::default();
        plan.steps[3].mismatch_ppm = 5_000;
        assert!(super::doubts(&plan, None)[0].contains("25 % may have more mismatches than 5 %"));
    }
}
