//! Which charts there are, and what each is drawn from. Pure.

use maud::{Markup, html};

use super::chart::{Chart, Line, Scale};
use super::figures;
use super::series::{Point, Span};
use super::view::View;

pub fn region(view: &View, span: Span, points: &[Point]) -> Markup {
    html! {
        div.charts {
            @for chart in charts(points, span, view.judgement.rate_max) { (chart.markup()) }
            @if view.has_component { @for chart in component(points, span) { (chart.markup()) } }
            @else { p.card.empty { "The candidate is a service elsewhere: its memory is not seen from here." } }
        }
    }
}

pub fn spans(chosen: Span) -> Markup {
    html! {
        nav.tabs aria-label="How far back the charts reach" {
            @for span in Span::ALL {
                a href=(format!("/?span={}#charts", span.name())) aria-current=[(span == chosen).then_some("page")] { (span.words()) }
            }
        }
    }
}

fn charts(points: &[Point], span: Span, rate_max: f64) -> Vec<Chart> {
    let chart = |id, title, about: &str, scale, lines, words| Chart {
        id,
        title,
        about: format!("{about} Each row is {}.", each(span)),
        scale,
        lines,
        limit: None,
        until_ms: points.iter().map(|point| point.until_ms).collect(),
        words,
    };
    let line = |name, look, value: &dyn Fn(&Point) -> Option<f64>| Line {
        name,
        look,
        values: points.iter().map(value).collect(),
    };
    vec![
        chart(
            "requests",
            "Requests answered",
            "Requests answered to clients each second, by the side that answered.",
            Scale::FromZero,
            vec![
                line("legacy", "legacy", &|point| point.served_per_s[0]),
                line("candidate", "candidate", &|point| point.served_per_s[1]),
            ],
            figures::per_second,
        ),
        Chart {
            limit: Some((rate_max, "to stay below".to_owned())),
            ..chart(
                "mismatches",
                "Answered differently",
                "The share of different requests that were answered differently, of all times: seen, and what it is below with confidence.",
                Scale::Log,
                vec![
                    line("seen", "seen", &|point| point.mismatch_rate[0]),
                    line("at most", "bound", &|point| point.mismatch_rate[1]),
                ],
                figures::percent,
            )
        },
        chart(
            "latency",
            "Time to the whole answer",
            "Over exchanges that both sides answered: p50 is the mean of the medians, p99 the worst of two seconds.",
            Scale::Log,
            vec![
                line("legacy p50", "legacy", &|point| point.p50_us[0]),
                line("legacy p99", "legacy dashed", &|point| point.p99_us[0]),
                line("candidate p50", "candidate", &|point| point.p50_us[1]),
                line("candidate p99", "candidate dashed", &|point| point.p99_us[1]),
            ],
            figures::duration,
        ),
        chart(
            "losses",
            "Not compared",
            "Requests each second that were not mirrored: dropped for lack of room, and skipped on purpose.",
            Scale::FromZero,
            vec![
                line("dropped", "bound", &|point| point.dropped_per_s),
                line("skipped", "seen", &|point| point.skipped_per_s),
            ],
            figures::per_second,
        ),
    ]
}

fn component(points: &[Point], span: Span) -> [Chart; 2] {
    let chart = |id, title, about: &str, value: &dyn Fn(&Point) -> Option<f64>, words| Chart {
        id,
        title,
        about: format!("{about} Each row is {}.", each(span)),
        scale: Scale::FromZero,
        lines: vec![Line { name: "component", look: "candidate", values: points.iter().map(value).collect() }],
        limit: None,
        until_ms: points.iter().map(|point| point.until_ms).collect(),
        words,
    };
    let memory = |point: &Point| point.memory_bytes;
    [
        chart(
            "memory",
            "Component memory",
            "Linear memory of all instances, the most that was seen.",
            &memory,
            figures::bytes,
        ),
        chart(
            "instances",
            "Component instances",
            "Instances at work and waiting, the most that was seen.",
            &|point| point.instances,
            figures::count,
        ),
    ]
}

fn each(span: Span) -> &'static str {
    match span {
        Span::Minutes => "5 seconds",
        Span::Hour => "a minute",
        Span::Day => "20 minutes",
    }
}
