//! The first page, for whoever decides: may traffic move, three sentences, the ratios, the cost.

use maud::{Markup, html};

use super::super::{moment, side_title, verdict_words};
use super::table::{figure, table};
use crate::chart::Look;
use crate::chart::forest::{self, Forest, Row};
use crate::report::contents::{Decision, Ratio, Report};
use crate::shown::{count, usd_range};

pub(super) fn part(report: &Report) -> Markup {
    html! {
        header {
            p.kicker { (moment(report.made_at_ms)) @if let Some(machine) = machine(report) { " · " (machine) } }
            h1 { "Before and after" }
            p.lede { (compared(report)) }
        }
        @if !report.standing.quotable {
            div.banner role="note" {
                strong { "Not to be quoted." }
                ul { @for reason in &report.standing.reasons { li { (reason) } } }
            }
        }
        @if !report.standing.remarks.is_empty() { ul.notes { @for remark in &report.standing.remarks { li { (remark) } } } }
        div.top {
            (decision(report.decision.as_ref()))
            @if !report.sentences.is_empty() {
                ul class="sentences" { @for sentence in &report.sentences { li { (led(sentence)) } } }
            }
        }
        @if report.standing.quotable {
            (ratios(report, "How many times better than legacy"))
            (cost(report))
        }
    }
}

fn machine(report: &Report) -> Option<String> {
    let environment = report.environment.as_ref()?;
    let model = environment.cpu_model.as_deref().unwrap_or("unknown CPU");
    Some(format!("{} × {model}", environment.cpus_online))
}

fn compared(report: &Report) -> String {
    let spec = |name: &str| report.sides.iter().find(|side| side.name == name).map(|side| side.spec.as_str());
    match (spec("legacy"), spec("candidate")) {
        (Some(legacy), Some(candidate)) => {
            format!("The legacy service ({legacy}) and the component that is to replace it ({candidate}).")
        }
        _ => "The legacy service and the component that is to replace it.".to_owned(),
    }
}

fn decision(decision: Option<&Decision>) -> Markup {
    let verdict = decision.map(|decision| decision.verdict.as_str());
    let (mark, word) = verdict_words(verdict);
    let missing = ["Give it what `shadow-proxy gate --json` says, with --gate.".to_owned()];
    let reasons = decision.map_or(&missing[..], |decision| &decision.reasons);
    html! {
        div class={ "verdict " (verdict.unwrap_or("none")) } {
            p.question { "May traffic move?" }
            p.answer { span.mark aria-hidden="true" { (mark) } " " (word) }
            @for reason in reasons.iter().take(3) { p.reason { (reason) } }
            @if let Some(decision) = decision {
                p.counts { (count(decision.breaches as f64)) " breaches, " (count(decision.lockouts as f64)) " lockouts in " (count(decision.pairs as f64)) " pairs" }
            }
        }
    }
}

/// The word before the colon stands out.
fn led(sentence: &str) -> Markup {
    match sentence.split_once(": ") {
        Some((lead, rest)) => {
            let first = rest.chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
            html! { strong { (lead) } span { (first) (rest.chars().skip(1).collect::<String>()) } }
        }
        None => html! { span { (sentence) } },
    }
}

/// The candidate's, like for like.
pub(super) fn ratios(report: &Report, title: &str) -> Markup {
    let of_candidate =
        |ratio: &&Ratio| ratio.side == "candidate" && ratio.like_for_like && ratio.times_better.is_some();
    let ratios: Vec<&Ratio> = report.ratios.iter().filter(of_candidate).collect();
    picture(title, &ratios)
}

/// Of the bars beside them.
pub(super) fn others(report: &Report) -> Markup {
    let ratios: Vec<&Ratio> = report
        .ratios
        .iter()
        .filter(|ratio| ratio.side != "candidate" && ratio.like_for_like && ratio.times_better.is_some())
        .collect();
    if ratios.is_empty() {
        html! {}
    } else {
        picture("The bars beside them, against legacy", &ratios)
    }
}

fn picture(title: &str, ratios: &[&Ratio]) -> Markup {
    if ratios.is_empty() {
        return html! { p.none { "No ratio can be shown: `cargo load compare` gives them, from valid runs of six pairs or more." } };
    }
    let one_side = ratios.iter().all(|ratio| ratio.side == ratios[0].side);
    let rows: Vec<Row> = ratios.iter().map(|ratio| row(ratio, one_side)).collect();
    let description =
        ratios.iter().map(|ratio| format!("{}, {}: {}. ", ratio.title, ratio.side, ratio.words)).collect::<String>();
    let drawn = forest::draw(&Forest {
        title,
        description: &description,
        shown: |times| format!("{}×", crate::shown::figure(times)),
        halves: ("worse than legacy", "better than legacy"),
        rows: &rows,
    });
    let data: Vec<Vec<String>> = ratios
        .iter()
        .map(|ratio| {
            let shown =
                |range: Option<_>| range.map_or("-".to_owned(), |range| super::super::value_range(&ratio.unit, range));
            let side = side_title(&ratio.side).to_owned();
            vec![ratio.title.clone(), side, shown(ratio.legacy), shown(ratio.value), ratio.words.clone()]
        })
        .collect();
    let says = "Dot: median over pairs; line: 95 % confidence. Right of 1× is better than legacy. Grey: what legacy against \
                itself gives on this machine. Hollow: no difference was found.";
    figure(title, &drawn, says, &["Figure", "Side", "Legacy", "Side's", "Times better"], &data)
}

fn row(ratio: &Ratio, one_side: bool) -> Row {
    let found = ratio.conclusion == "better" || ratio.conclusion == "worse";
    let name = if one_side { ratio.title.clone() } else { format!("{} ({})", ratio.title, side_title(&ratio.side)) };
    // The rest stands in the table below.
    let short = ratio.words.split([',', ':']).next().unwrap_or_default();
    Row {
        name,
        look: Look::of(&ratio.side, usize::from(ratio.side == "fastapi")),
        interval: ratio.times_better.map(|times| (times.low, times.estimate, times.high)),
        noise: ratio.control.map(|control| (control.low, control.high)),
        words: short.trim_end_matches(" found").split(" (could").next().unwrap_or(short).to_owned(),
        found,
    }
}

fn cost(report: &Report) -> Markup {
    let Some(cost) = &report.cost else {
        return html! { p.none { "Costs were not computed: `cargo load cost`." } };
    };
    let Some(present) = cost.platforms.iter().find(|platform| platform.name == cost.present) else { return html! {} };
    let rows: Vec<Vec<String>> = present
        .rates
        .iter()
        .map(|at| {
            let bill = |priced: &Option<crate::cost::Priced>| {
                priced.as_ref().map_or("no size has the memory".to_owned(), |priced| usd_range(priced.usd_per_month))
            };
            let saved = at.saved_usd_per_month.map_or("-".to_owned(), usd_range);
            vec![format!("{}/s", count(at.rate)), bill(&at.legacy), bill(&at.candidate), saved]
        })
        .collect();
    html! {
        h3 { "Cost a month on " (present.title) }
        (table(&["Requests", "Legacy", "Component", "Saved"], &rows))
        p.small { "In sizes that are sold, " (cost.assumptions.instances_min) " instances at least, for peaks of " (crate::shown::figure(cost.assumptions.peak_factor)) " times the average; what is paid whichever side runs is not in it. " a href="#money" { "How it comes about" } }
    }
}
