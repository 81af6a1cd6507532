//! What a manager reads first: whether the figures stand, and three sentences. Pure.

use super::contents::{ColdShown, MemoryShown, Ratio, Standing};
use super::ratios::times_words;
use crate::cost::Cost;
use crate::measured::Measured;
use crate::result::{Interval, Verdict};
use crate::shown::{bytes, rate_of, time, usd, usd_range};

/// Whether figures may be quoted, and why not.
pub(super) fn standing(measured: &Measured, ratios: &[Ratio]) -> Standing {
    let (mut reasons, mut remarks) = (Vec::new(), Vec::new());
    match &measured.compare {
        None => reasons.push("The two services were not compared: run `cargo load compare`.".to_owned()),
        Some(compare) => {
            let unknown: Vec<&Ratio> = HEADLINES
                .iter()
                .filter_map(|metric| ratios.iter().find(|ratio| ratio.metric == *metric && ratio.side == "candidate"))
                .filter(|ratio| ratio.conclusion == "unknown")
                .collect();
            reasons.extend(unknown.into_iter().map(|ratio| format!("{} {}.", ratio.title, ratio.words)));
            if !compare.head.complete {
                reasons.push("The comparison was ended early: run it to its end.".to_owned());
            }
            let invalid = compare.runs.iter().filter(|turn| turn.fixed.validity.verdict != Verdict::Valid).count();
            if invalid > 0 {
                remarks.push(format!(
                    "{invalid} of {} runs at the fixed rate do not count: see the runs below.",
                    compare.runs.len()
                ));
            }
        }
    }
    let short = [
        ("compare", measured.compare.as_ref().map(|result| result.head.short)),
        ("search", measured.search.as_ref().map(|result| result.head.short)),
        ("cold", measured.cold.as_ref().map(|result| result.head.short)),
        ("memory", measured.memory.as_ref().map(|result| result.head.short)),
    ];
    let short: Vec<&str> = short.into_iter().filter(|(_, short)| *short == Some(true)).map(|(name, _)| name).collect();
    if !short.is_empty() {
        reasons.push(format!(
            "Short runs, with less than the method asks for: {}. Good for a look, not for a claim.",
            short.join(", ")
        ));
    }
    Standing { quotable: reasons.is_empty(), reasons, remarks }
}

/// Without these there is no first sentence.
const HEADLINES: [&str; 2] = ["latency_us_p99", "cpu_us_per_request"];

/// Speed, size, money; what is missing says which command brings it.
pub(super) fn sentences(
    measured: &Measured,
    ratios: &[Ratio],
    cold: Option<&ColdShown>,
    memory: Option<&MemoryShown>,
    cost: Option<&Cost>,
) -> Vec<String> {
    vec![speed(measured, ratios), size(cold, memory), cost.map_or_else(no_cost, money)]
}

fn speed(measured: &Measured, ratios: &[Ratio]) -> String {
    let of = |metric: &str| ratios.iter().find(|ratio| ratio.metric == metric && ratio.side == "candidate");
    let rate = measured.compare.as_ref().map_or(0.0, |compare| compare.settings.rate);
    let p99 = of("latency_us_p99").map_or_else(
        || "its response times were not compared".to_owned(),
        |ratio| {
            let (legacy, candidate) =
                (ratio.legacy.map_or(0.0, |us| us.estimate), ratio.value.map_or(0.0, |us| us.estimate));
            let slowest = format!("{} against {} at {}", time(candidate), time(legacy), rate_of(rate));
            match (ratio.conclusion.as_str(), ratio.times_better) {
                ("better", Some(times)) => {
                    format!("99 % of answers are there within {slowest}: {} faster", times_words(times))
                }
                ("worse", Some(times)) => {
                    format!("99 % of answers are there only within {slowest}: {} slower", times_words(inverse(times)))
                }
                _ => format!("99 % of answers are there within {slowest}: no difference was found"),
            }
        },
    );
    let cpu = of("cpu_us_per_request")
        .and_then(|ratio| Some((ratio.conclusion.as_str(), ratio.times_better?)))
        .map_or_else(String::new, |(conclusion, times)| match conclusion {
            "better" => format!("; each request takes {} less CPU", times_words(times)),
            "worse" => format!("; each request takes {} more CPU", times_words(inverse(times))),
            _ => "; CPU for each request is the same as far as can be told".to_owned(),
        });
    format!("Speed: {p99}{cpu}.")
}

fn inverse(times: Interval) -> Interval {
    Interval { low: 1.0 / times.high, estimate: 1.0 / times.estimate, high: 1.0 / times.low, ..times }
}

fn size(cold: Option<&ColdShown>, memory: Option<&MemoryShown>) -> String {
    let median = |name: &str| {
        let rung = cold?.rungs.iter().find(|rung| rung.name == name)?;
        rung.median_ms.map(|median| time(median.estimate * 1e3))
    };
    let starts = match (median("precompiled").or_else(|| median("candidate")), median("legacy")) {
        (Some(candidate), Some(legacy)) => {
            format!("the component's host answers {candidate} after its start, the legacy service after {legacy}")
        }
        _ => "starts were not measured (`cargo load cold`)".to_owned(),
    };
    let peak = |side: &str| {
        let used = memory?.sides.iter().find(|used| used.side == side)?;
        used.loaded.rss_bytes_peak.or(used.loaded.rss_bytes).map(|peak| bytes(peak as f64))
    };
    let takes = match (peak("candidate"), peak("legacy")) {
        (Some(candidate), Some(legacy)) => {
            format!("at its peak it takes {candidate} of memory, the legacy service {legacy}")
        }
        _ => "memory was not measured (`cargo load memory`)".to_owned(),
    };
    format!("Size: {starts}; {takes}.")
}

fn no_cost() -> String {
    "Money: not computed; run `cargo load cost`.".to_owned()
}

/// The saving at the main rate and at the smallest, which sizes that are sold may hide.
fn money(cost: &Cost) -> String {
    let Some(present) = cost.platforms.iter().find(|platform| platform.name == cost.present) else { return no_cost() };
    let at = |rate: f64| present.rates.iter().find(|at| at.rate == rate);
    let bill = |rate: f64| {
        let at = at(rate)?;
        let (legacy, candidate) = (at.legacy.as_ref()?, at.candidate.as_ref()?);
        let (legacy, candidate) = (legacy.usd_per_month, candidate.usd_per_month);
        Some(format!("{} a month instead of {} at {}", usd_range(candidate), usd_range(legacy), rate_of(rate)))
    };
    let main = bill(cost.rate_main).unwrap_or_else(|| "no size that is sold has the memory".to_owned());
    let least = present.rates.iter().map(|at| at.rate).fold(f64::INFINITY, f64::min);
    let floor = at(least)
        .filter(|at| at.rate < cost.rate_main)
        .and_then(|at| at.saved_usd_per_month)
        .map(|saved| match saved.estimate.abs() < 0.005 {
            true => format!("; at {} both pay for the smallest size and nothing is saved", rate_of(least)),
            false => format!("; at {} {} are saved", rate_of(least), usd(saved.estimate)),
        })
        .unwrap_or_default();
    format!("Money: on {} {main}{floor}.", present.title)
}
