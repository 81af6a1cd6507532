//! What lets somebody else check it: evidence, claims, method, environment, runs, raw data.

use maud::{Markup, html};

use super::super::{METHOD, judged_words, moment, side_title, value, value_range};
use super::table::table;
use crate::claims::{ClaimShown, Judged};
use crate::report::contents::{Report, RunShown};
use crate::shown::{bytes, count, figure as digits};

pub(super) fn evidence(report: &Report) -> Option<Markup> {
    let decision = report.decision.as_ref()?;
    let share = |share: f64| format!("{} %", digits(share * 100.0));
    let rows: Vec<Vec<String>> = decision
        .endpoints
        .iter()
        .map(|endpoint| {
            vec![
                endpoint.endpoint.clone(),
                count(endpoint.pairs as f64),
                count(endpoint.counted as f64),
                count(endpoint.counted_mismatches as f64),
                share(endpoint.rate_upper_bound),
            ]
        })
        .collect();
    let requests: Vec<Vec<String>> =
        decision.requests.iter().map(|(name, number)| vec![name.clone(), count(*number as f64)]).collect();
    Some(html! {
        p { "shadow-proxy sent a copy of live requests to the component and compared the answers: " (count(decision.pairs as f64)) " pairs, "
            (count(decision.counted as f64)) " of them evidence, " (count(decision.counted_mismatches as f64)) " of these unequal. At most "
            (share(decision.rate_upper_bound)) " are answered differently, with 95 % confidence; " (share(decision.rate_max)) " is what may be." }
        @if decision.verdict != "go" { ul { @for reason in &decision.reasons { li { (reason) } } } }
        (table(&["Endpoint", "Pairs", "Evidence", "Unequal", "At most unequal"], &rows))
        @if !requests.is_empty() { h3 { "Where every request went" } (table(&["Requests", "Number"], &requests)) }
    })
}

pub(super) fn claims(report: &Report) -> Option<Markup> {
    if report.claims.is_empty() {
        return None;
    }
    Some(html! {
        p.small { "Yes: each of our figures is as claimed or beyond. Partly: one of them is, or the advantage is at least half as large. No: neither." }
        div.claims { @for each in &report.claims { (claim(each)) } }
    })
}

fn claim(claim: &ClaimShown) -> Markup {
    let rows: Vec<Vec<String>> = claim
        .figures
        .iter()
        .map(|figure| {
            let ours = figure.ours.map_or("not measured".to_owned(), |ours| value_range(&claim.unit, ours));
            vec![side_title(&figure.side).to_owned(), value(&claim.unit, figure.claimed), ours]
        })
        .collect();
    let class = match claim.reproduced {
        Judged::Yes => "yes",
        Judged::Partly => "partly",
        Judged::No => "no",
        Judged::NotMeasured => "unmeasured",
    };
    html! {
        article.claim {
            h3 { span class={ "judged " (class) } { (judged_words(claim.reproduced)) } " " (claim.title) }
            (table(&["Side", "Claimed", "Ours"], &rows))
            @if let (Some(claimed), Some(ours)) = (claim.times_claimed, claim.times_ours) {
                p { "Advantage: claimed " (digits(claimed)) "×, ours " (crate::shown::range(ours, |times| format!("{}×", digits(times)))) "." }
            }
            p { (claim.why) }
            p.small { "Source: " (claim.source) ". Method: " (claim.method) "." }
        }
    }
}

pub(super) fn baseline(report: &Report) -> Option<Markup> {
    let baseline = report.baseline.as_ref()?;
    let rows: Vec<Vec<String>> = baseline
        .changes
        .iter()
        .map(|change| {
            let shown = |times: crate::result::Interval| {
                format!("{}× ({} to {})", digits(times.estimate), digits(times.low), digits(times.high))
            };
            let conclusion = change.conclusion.replace('-', " ");
            vec![
                format!("{}, {}", change.title, side_title(&change.side)),
                shown(change.before),
                shown(change.now),
                conclusion,
            ]
        })
        .collect();
    Some(html! {
        p { "The baseline is of " (moment(baseline.made_at_ms)) @if !baseline.same_machine { ", from another machine: ratios travel better than times, but not always" } ". A change is one whose intervals lie apart." }
        (table(&["Times better than legacy", "Before", "Now", "Change"], &rows))
    })
}

#[expect(clippy::unnecessary_wraps, reason = "every part may be missing; this one never is")]
pub(super) fn method(report: &Report) -> Option<Markup> {
    let sides: Vec<Vec<String>> = report
        .sides
        .iter()
        .map(|side| {
            let cpus = side.cpus.as_ref().map_or("any".to_owned(), |cpus| format!("{cpus:?}"));
            vec![side.name.clone(), side.spec.clone(), side.command.clone().unwrap_or_default(), cpus]
        })
        .collect();
    Some(html! {
        ol.method { @for sentence in METHOD { li { (sentence) } } }
        @if !sides.is_empty() { h3 { "Sides" } (table(&["Side", "What", "Command", "CPUs"], &sides)) }
        @if let Some(rows) = environment(report) { h3 { "Environment" } (table(&["What", "Here"], &rows)) }
    })
}

fn environment(report: &Report) -> Option<Vec<Vec<String>>> {
    let of = report.environment.as_ref()?;
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "not told".to_owned());
    let number = |value: Option<f64>| value.map_or("not told".to_owned(), digits);
    let versions =
        of.versions.iter().map(|(program, version)| format!("{program} {version}")).collect::<Vec<_>>().join(", ");
    let rows = [
        ("Kernel", of.kernel.clone()),
        ("CPU", format!("{} × {}", of.cpus_online, text(&of.cpu_model))),
        ("Hypervisor, governor", format!("{}, {}", text(&of.hypervisor), text(&of.governor))),
        ("Memory", of.memory_bytes.map_or("not told".to_owned(), |size| bytes(size as f64))),
        ("Load before, cores", number(of.load_average_before)),
        (
            "Time taken by other guests",
            of.steal_share.map_or("not told".to_owned(), |share| format!("{} %", digits(share * 100.0))),
        ),
        ("Commit, profile", format!("{}, {}", text(&of.commit), of.build_profile)),
        ("Programs", versions),
    ];
    Some(rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect())
}

pub(super) fn data(report: &Report) -> Option<Markup> {
    if report.runs.is_empty() && report.sources.is_empty() {
        return None;
    }
    let rows: Vec<Vec<String>> = report.runs.iter().map(run).collect();
    let valid = report.runs.iter().filter(|run| run.verdict == "valid").count();
    let sources: Vec<Vec<String>> = report
        .sources
        .iter()
        .map(|source| vec![source.file.clone(), bytes(source.bytes as f64), source.sha256.clone()])
        .collect();
    Some(html! {
        p { (valid) " of " (report.runs.len()) " runs count." }
        details { summary { "All runs" } div.wide { (table(&["Run", "Side", "Asked", "Sent a second", "Requests", "Wrong", "Failed", "Verdict", "Why"], &rows)) } }
        @if !sources.is_empty() {
            h3 { "Made of" }
            p.small { "The files have every histogram, second by second: any figure here can be computed again." }
            div.hashes { (table(&["File", "Size", "SHA-256"], &sources)) }
        }
    })
}

fn run(run: &RunShown) -> Vec<String> {
    vec![
        run.what.clone(),
        side_title(&run.side).to_owned(),
        run.rate_planned.map_or("as fast as answered".to_owned(), |rate| format!("{}/s", count(rate))),
        digits(run.achieved_rate),
        count(run.requests as f64),
        run.wrong.to_string(),
        run.failed.to_string(),
        run.verdict.replace('-', " "),
        run.failed_gates.join(" "),
    ]
}
