//! What was decided, as a timeline: each decision with the numbers behind it.

use maud::{Markup, html};

use super::figures::{self, grouped, percent, sentence, share, visible};
use crate::shift::journal::Entry;
use crate::shift::step::{Finding, TestResult};

/// On the first page.
pub const FIRST_MAX: usize = 12;

pub fn region(entries: &[Entry]) -> Markup {
    html! {
        div.box.scroll tabindex="0" role="region" aria-label="Decisions, the newest first" {
            @if entries.is_empty() { p.empty { "Nothing was decided yet." } }
            @else { (timeline(&entries[..entries.len().min(FIRST_MAX)])) }
        }
        p.after { @if entries.len() > FIRST_MAX { a href="/journal" { "Earlier decisions" } } }
    }
}

pub fn timeline(entries: &[Entry]) -> Markup {
    html! { ol.timeline { @for entry in entries { (decision(entry)) } } }
}

fn decision(entry: &Entry) -> Markup {
    let Entry { epoch, at_ms, before, state, who, why, decision, .. } = entry;
    let (sign, class) = match decision.finding {
        Finding::Advance => ("▲", "advance"),
        Finding::Hold => ("■", "hold"),
        Finding::RollBack => ("▼", "back"),
    };
    html! {
        li.(class) data-key=(epoch) {
            p.what {
                span.sign aria-hidden="true" { (sign) } strong { (decision.finding.words()) } ": "
                @if before.weight_ppm == state.weight_ppm { (share(state.weight_ppm)) } @else { (share(before.weight_ppm)) " → " (share(state.weight_ppm)) }
                ", " (state.phase.name())
            }
            p.quiet { span { "#" (epoch) } " " time { (figures::moment(*at_ms)) " UTC" } " by " (visible(who, 80)) }
            p { (visible(why, 300)) }
            details id=(format!("decision-{epoch}")) {
                summary { "Numbers" span.hidden { " of decision " (epoch) } }
                ul { @for reason in &decision.reasons { li { (sentence(reason, 400)) } } }
                (tests(&decision.tests))
                (seen(entry))
            }
        }
    }
}

pub fn tests(tests: &[TestResult]) -> Markup {
    html! {
        @if !tests.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Tests" { table.tests {
                thead { tr { th scope="col" { "test" } th.number scope="col" { "statistic" } th.number scope="col" { "threshold" } th scope="col" { "says" } } }
                tbody { @for TestResult { name, statistic, threshold, says } in tests {
                    tr { th scope="row" { (visible(name, 120)) } td.number { (number(*statistic)) } td.number { (number(*threshold)) } td { (says.words()) } }
                } }
            } }
        }
    }
}

fn seen(entry: &Entry) -> Markup {
    let (live, input) = (&entry.input.live, &entry.input);
    let slower = live.times.surely_slower(entry.plan.at(entry.before.weight_ppm).latency_margin);
    html! {
        p.quiet {
            "Seen at the weight before: " (grouped(live.pairs)) " pairs, " (grouped(live.breaches)) " breaches, " (grouped(live.lockouts))
            " lockouts; failed: candidate alone " (grouped(live.candidate_bad)) ", legacy alone " (grouped(live.legacy_bad))
            "; slower " (grouped(slower)) " of " (grouped(live.times.pairs())) " timed; " (figures::count(input.requests_per_minute))
            " requests a minute, legacy asked for " (percent(input.legacy_load)) " of them"
            @if !input.legacy_up { ", legacy down" } @if input.evidence_failed { ", the store not readable" } "."
        }
    }
}

fn number(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.001 => format!("{number:.2e}"),
        small if small < 100.0 => format!("{number:.3}"),
        _ => format!("{number:.0}"),
    }
}
