//! What the starts took, for people.

use crate::result::cold::{Cold, Rung};
use crate::text::{Columns, time};

pub(crate) fn render(cold: &Cold) -> String {
    let mut text = format!("{} starts of each rung, in turn{}\n\n", cold.starts, cold.head.mark());
    let header = ["rung", "", "median", "95 % interval", "p95", "failed", "1st answer after", "10th", "100th"];
    let mut rows = Columns::new(header.map(str::to_owned).to_vec());
    for rung in &cold.rungs {
        rows.add(row(rung));
    }
    text += &rows.text();
    text += "\n";
    for ratio in &cold.ratios {
        let Some(times) = ratio.times else { continue };
        let label = if ratio.equal_rungs { "" } else { "  (unequal rungs: two ways to scale out)" };
        text += &format!(
            "{} takes {:.2} × as long as {} (95 % interval {:.2} to {:.2}){label}\n",
            ratio.slower, times.estimate, ratio.faster, times.low, times.high
        );
    }
    if !cold.head.complete {
        text += "ended early: these figures are of the starts that were made\n";
    }
    text
}

fn row(rung: &Rung) -> Vec<String> {
    let step = rung.step.clone().unwrap_or_default();
    if let Some(why) = &rung.left_out {
        return vec![rung.name.clone(), step, format!("left out: {why}")];
    }
    let ms = |ms: f64| time(Some((ms * 1e3).round() as u64));
    let middle = crate::statistics::order::median(&rung.starts_ms).map(ms).unwrap_or_else(|| "-".to_owned());
    let interval = rung.median_ms.map(|interval| format!("{} to {}", ms(interval.low), ms(interval.high)));
    let answer = |number: usize| rung.first_answers_us.get(number - 1).map(|us| time(Some(*us))).unwrap_or_default();
    vec![
        rung.name.clone(),
        step,
        middle,
        interval.unwrap_or_else(|| "(too few)".to_owned()),
        rung.p95_ms.map(ms).unwrap_or_default(),
        rung.failed.to_string(),
        answer(1),
        answer(10),
        answer(100),
    ]
}
