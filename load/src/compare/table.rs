//! What a comparison found, for people.

use crate::result::Verdict;
use crate::result::compare::{Compare, Conclusion, Metric, Ratio, Values};
use crate::statistics::order::median;
use crate::text::{Columns, bytes, time};

pub(crate) fn render(compare: &Compare) -> String {
    let settings = &compare.settings;
    let mut text = format!(
        "{} pairs at {}/s for {} s each{}\n\n",
        settings.pairs,
        settings.rate,
        settings.run_seconds,
        compare.head.mark()
    );
    let mut header = vec!["median of the runs".to_owned()];
    header.extend(compare.sides.iter().map(|side| side.name.clone()));
    let mut medians = Columns::new(header);
    for metric in &compare.metrics {
        let mut row = vec![metric.name.clone()];
        row.extend(metric.sides.iter().map(|values| middle(metric, values)));
        medians.add(row);
    }
    text += &medians.text();
    text += "\n";
    let header = ["times better than legacy", "", "95 % interval", "p", ""].map(str::to_owned).to_vec();
    let mut ratios = Columns::new(header);
    for metric in &compare.metrics {
        for ratio in metric.ratios.iter().chain([&metric.control]) {
            let side = if ratio.side == "legacy" { "legacy again (control)" } else { &ratio.side };
            let mut row = vec![metric.name.clone(), side.to_owned()];
            row.extend(found(ratio));
            ratios.add(row);
        }
    }
    text += &ratios.text();
    text += &verdicts(compare);
    text
}

fn middle(metric: &Metric, values: &Values) -> String {
    let known: Vec<f64> = values.runs.iter().copied().flatten().collect();
    let Some(middle) = median(&known) else { return "-".to_owned() };
    match metric.unit.as_str() {
        "bytes" => bytes(middle),
        "us" if metric.name == "cpu_us_per_request" => format!("{middle:.1} µs"),
        "us" => time(Some(middle as u64)),
        _ => format!("{middle:.0}/s"),
    }
}

/// The interval, p, and what is to be made of it.
fn found(ratio: &Ratio) -> Vec<String> {
    let Some(times) = ratio.times_better else {
        let middle = median(&ratio.pairs).map(|middle| format!("{middle:.2} ×")).unwrap_or_default();
        return vec![middle, String::new(), "too few pairs to say".to_owned()];
    };
    let said = match ratio.conclusion {
        Conclusion::Better if ratio.side == "legacy" => "THE CONTROL DIFFERS: trust nothing here".to_owned(),
        Conclusion::Worse if ratio.side == "legacy" => "THE CONTROL DIFFERS: trust nothing here".to_owned(),
        Conclusion::Better => format!("{:.2} × better", times.estimate),
        Conclusion::Worse => format!("{:.2} × as good, so worse", times.estimate),
        Conclusion::NoDifference { detectable_factor } => {
            format!("no difference found (could detect ≥ {:.0} %)", (detectable_factor - 1.0) * 100.0)
        }
        Conclusion::Unknown => format!("no headline: {}", ratio.verdict.name()),
    };
    vec![format!("{:.2} to {:.2} (n = {})", times.low, times.high, ratio.pairs.len()), format!("{:.3}", ratio.p), said]
}

fn verdicts(compare: &Compare) -> String {
    let all = compare.runs.iter().flat_map(|turn| std::iter::once(&turn.fixed).chain(&turn.throughput));
    let mut text = String::new();
    let (mut runs, mut valid) = (0, 0);
    let mut failed = std::collections::BTreeMap::<&str, (usize, f64, f64, &str)>::new();
    for run in all {
        runs += 1;
        valid += usize::from(run.validity.verdict == Verdict::Valid);
        for gate in run.validity.gates.iter().filter(|gate| !gate.passed) {
            let entry = failed.entry(&gate.name).or_insert((0, gate.measured, gate.limit, &gate.sentence));
            entry.0 += 1;
            entry.1 = entry.1.max(gate.measured);
        }
    }
    text += &format!("\n{valid} of {runs} runs were valid\n");
    for (name, (count, worst, limit, sentence)) in failed {
        text += &format!("  {count} × not: {sentence} ({name} up to {worst:.4}, at most {limit})\n");
    }
    let repeated: u32 = compare.runs.iter().map(|turn| turn.repeated).sum();
    if repeated > 0 {
        text += &format!("{repeated} turns were done again because the machine did something else\n");
    }
    if !compare.head.complete {
        text += "ended early: these figures are of the pairs that were run\n";
    }
    text
}
