//! Costs: the steps, every platform, what is saved in which sense, what would change it, and where prices come from.

use maud::{Markup, html};

use super::super::side_title;
use super::table::{figure, table};
use crate::chart::line::{self, Line, Lines, Mark, Names, Shape};
use crate::chart::{Axis, Kind, Look};
use crate::cost::estimate::PlatformCost;
use crate::cost::{Cost, PriceLine, Priced, Range, pays_back};
use crate::report::contents::Report;
use crate::shown::{count, figure as digits, range, rate_of, usd, usd_range};

pub(super) fn part(report: &Report) -> Option<Markup> {
    report.cost.as_ref().map(|cost| {
        html! {
            @if !cost.notes.is_empty() { ul.notes { @for note in &cost.notes { li { (note) } } } }
            (steps(cost))
            (savings(cost))
            (platforms(cost))
            (sensitivity(cost))
            (prices(cost))
        }
    })
}

fn present_title(cost: &Cost) -> &str {
    cost.platforms
        .iter()
        .find(|platform| platform.name == cost.present)
        .map_or(&cost.present, |platform| &platform.title)
}

fn steps(cost: &Cost) -> Markup {
    let line = |name: &str, look: usize, of: &dyn Fn(usize) -> Option<Range>| {
        let known: Vec<(f64, Range)> =
            cost.curve.iter().enumerate().filter_map(|(index, point)| Some((point.rate, of(index)?))).collect();
        Line {
            shape: Shape::Steps,
            band: known.iter().map(|(rate, usd)| (*rate, usd.low, usd.high)).collect(),
            ..Line::new(name, Look(look), known.iter().map(|(rate, usd)| (*rate, usd.estimate)).collect())
        }
    };
    let lines = [
        line("legacy", 0, &|index| cost.curve[index].legacy),
        line("component", 1, &|index| cost.curve[index].candidate),
    ];
    let on_present = |crossing: &&crate::cost::estimate::BreakEven| crossing.side == "candidate";
    let crossings = cost.break_even.iter().filter(on_present).filter_map(|crossing| {
        let rate = crossing.rate.filter(|rate| (1.0..=10_000.0).contains(rate))?;
        Some(Mark::Place(rate, format!("below: {} is cheaper", crossing.per_request)))
    });
    let marks: Vec<Mark> = crossings.take(1).collect();
    let title = format!("Cost a month on {}", present_title(cost));
    let picture = line::draw(&Lines {
        title: &title,
        description: "Steps, because instances are sold whole. Both axes by factors.",
        height: 360.0,
        x: Axis { label: "requests per second on average", kind: Kind::Log, shown: count },
        y: Axis { label: "USD a month", kind: Kind::Log, shown: |value| format!("${}", count(value)) },
        lines: &lines,
        marks: &marks,
        names: Names::Right,
        rug: &[],
    });
    let shown = |range: Option<Range>| range.map_or("-".to_owned(), usd_range);
    let rows: Vec<Vec<String>> = cost
        .curve
        .iter()
        .step_by(8)
        .map(|point| vec![count(point.rate), shown(point.legacy), shown(point.candidate)])
        .collect();
    let says = "Where the lines lie on one another both sides pay for the smallest size that is sold. Shaded: from the \
                intervals of what was measured.";
    figure(&title, &picture, says, &["Requests/s", "Legacy", "Component"], &rows)
}

fn savings(cost: &Cost) -> Markup {
    let resources: Vec<Vec<String>> = cost
        .savings
        .resources
        .iter()
        .map(|of| {
            let watt_hours = of.kwh.map(|kwh| kwh * 1e3);
            let [cpu, memory, energy] = [of.vcpu_seconds, of.gb_hours, watt_hours].map(|value| range(value, digits));
            vec![side_title(&of.side).to_owned(), cpu, memory, energy]
        })
        .collect();
    let elsewhere: Vec<Vec<String>> = cost
        .savings
        .elsewhere
        .iter()
        .map(|there| {
            let without = there.of_it_by_candidate.map_or("legacy cannot go there".to_owned(), usd_range);
            vec![there.title.clone(), usd_range(there.saved_usd_per_month), without]
        })
        .collect();
    let present = cost.savings.on_present_platform.map_or("no size that is sold has the memory".to_owned(), usd_range);
    let source = cost.savings.resources.first().map_or("", |of| of.kwh_source.as_str());
    html! {
        h3 { "Three savings that are not the same, at " (rate_of(cost.rate_main)) }
        h4 { "What the machines do, for a million requests" }
        (table(&["Side", "vCPU-seconds", "GB-hours", "Wh, an estimate"], &resources))
        p.small { "Electricity is never summed with money; its coefficients: " (source) "." }
        h4 { "Money on the present platform, in sizes that it sells" }
        p.figure { (present) " a month" }
        @if !elsewhere.is_empty() {
            h4 { "Money by moving to where small is cheap" }
            (table(&["Platform", "Saved a month, all in all", "Of it by the component"], &elsewhere))
        }
        @if let Some(payback) = &cost.payback { p { (pays_back(payback)) "." } }
        @if !cost.break_even.is_empty() {
            h4 { "Always on, or by request?" }
            (break_even(cost))
        }
    }
}

/// From which rate on what always runs is no dearer.
fn break_even(cost: &Cost) -> Markup {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for crossing in &cost.break_even {
        let from = crossing.rate.map_or("at no rate".to_owned(), |rate| format!("from {} on", rate_of(rate)));
        match rows.last_mut().filter(|row| row[0] == crossing.per_request) {
            Some(row) => row.push(from),
            None => rows.push(vec![crossing.per_request.clone(), from]),
        }
    }
    table(&[&format!("{} is no dearer than", present_title(cost)), "Legacy", "Component"], &rows)
}

fn platforms(cost: &Cost) -> Markup {
    let sold: Vec<&PlatformCost> = cost.platforms.iter().filter(|platform| !platform.rates.is_empty()).collect();
    let left_out = cost.platforms.iter().filter_map(|platform| Some((&platform.title, platform.left_out.as_ref()?)));
    html! {
        h3 { "Every platform, USD a month" }
        div.scroll {
            table.bills {
                thead { tr { @for name in ["Requests/s", "Legacy", "Component", "Saved"] { th scope="col" { (name) } } } }
                @for platform in sold {
                    tbody {
                        tr { th.group scope="rowgroup" colspan="4" { (platform.title) (mark(&platform.prices)) } }
                        @for at in &platform.rates {
                            tr {
                                th scope="row" { (count(at.rate)) }
                                (bill(at.legacy.as_ref()))
                                (bill(at.candidate.as_ref()))
                                td { (at.saved_usd_per_month.map_or("-".to_owned(), usd_range)) }
                            }
                        }
                    }
                }
            }
        }
        ul.notes {
            @for (title, why) in left_out { li { (title) " is left out: " (why) } }
            @for fixed in &cost.fixed {
                li { "Whichever side runs: " (fixed.name) ", " (usd(fixed.usd_per_month)) " a month" (mark(std::slice::from_ref(&fixed.price))) "; in no bill and no saving." }
            }
        }
    }
}

fn mark(prices: &[PriceLine]) -> &'static str {
    if prices.iter().all(|line| line.verified) { "" } else { " (a price is not verified)" }
}

fn bill(priced: Option<&Priced>) -> Markup {
    let Some(Priced { size, instances, usd_per_month, usd_per_million }) = priced else {
        return html! { td { "no size has the memory" } };
    };
    let million = format!("${}", digits(usd_per_million.estimate));
    html! { td { (usd_range(*usd_per_month)) " " span.size { (instances) " × " (size) "; " (million) " a million" } } }
}

fn sensitivity(cost: &Cost) -> Markup {
    let rows: Vec<Vec<String>> = cost
        .sensitivity
        .iter()
        .map(|of| {
            let saved = of.legacy_usd_per_month.less(of.candidate_usd_per_month);
            vec![
                of.change.clone(),
                usd_range(of.legacy_usd_per_month),
                usd_range(of.candidate_usd_per_month),
                usd_range(saved),
            ]
        })
        .collect();
    html! {
        h3 { "What would change it, on " (present_title(cost)) }
        (table(&["If", "Legacy", "Component", "Saved a month"], &rows))
        p.small { "A range is that of the two bills at their ends; where both hang on the same price, it is wider than it need be." }
    }
}

fn prices(cost: &Cost) -> Markup {
    let lines =
        cost.platforms.iter().flat_map(|platform| &platform.prices).chain(cost.fixed.iter().map(|fixed| &fixed.price));
    let rows: Vec<Vec<String>> = lines
        .map(|line| {
            let verified = if line.verified { "" } else { " · not verified" };
            let date = format!("{}{verified}", line.date);
            vec![
                line.product.clone(),
                line.region.clone(),
                line.unit.clone(),
                format!("${}", line.usd),
                date,
                line.source.clone(),
            ]
        })
        .collect();
    html! {
        details { summary { "Prices, each with its source and date" } div.wide { (table(&["Product", "Region", "Unit", "USD", "Date", "Source"], &rows)) } }
    }
}
