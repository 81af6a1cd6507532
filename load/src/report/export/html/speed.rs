//! Latency by percentile, against the rate, and second by second.

use maud::{Markup, html};

use super::super::side_title;
use super::first;
use super::table::figure;
use crate::chart::heatmap::{self, Column, Heatmap};
use crate::chart::line::{self, Line, Lines, Mark, Names};
use crate::chart::{Axis, Kind, Look};
use crate::report::contents::{ProbeShown, Report, SearchShown, SearchSide, Second, SideLatency, Timeline};
use crate::shown::{bytes, count, figure as digits, rate_of, time};

pub(super) fn part(report: &Report) -> Option<Markup> {
    let nothing = report.latency.is_empty() && report.search.is_none() && report.timelines.is_empty();
    (!nothing).then(|| {
        html! {
            @if !report.standing.quotable { (first::ratios(report, "What these runs showed, not to be quoted")) }
            @if !report.latency.is_empty() { (by_percentile(&report.latency)) }
            (first::others(report))
            @if let Some(search) = &report.search { (by_rate(search)) (cores_by_rate(search)) }
            @if !report.timelines.is_empty() { (timelines(&report.timelines)) }
        }
    })
}

const PERCENTILE: Axis =
    Axis { label: "share of answers that are at least as fast", kind: Kind::Nines, shown: percent };
const TIME: Axis = Axis { label: "response time", kind: Kind::Log, shown: time };
const RATE: Axis = Axis { label: "requests per second", kind: Kind::Log, shown: count };
const SECOND: Axis = Axis { label: "second of the run", kind: Kind::Linear, shown: digits };

/// 0.999 as `99.9 %`.
fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn look(side: &str) -> Look {
    Look::of(side, usize::from(side == "fastapi"))
}

fn by_percentile(sides: &[SideLatency]) -> Markup {
    let line = |side: &SideLatency| {
        let points = side.points.iter().map(|point| (point.quantile, point.us)).collect();
        let band = side.points.iter().filter_map(|point| Some((point.quantile, point.us_low?, point.us_high?)));
        Line { band: band.collect(), ..Line::new(side_title(&side.side), look(&side.side), points) }
    };
    let lines: Vec<Line> = sides.iter().map(line).collect();
    let title = "Response time by percentile";
    let picture = line::draw(&Lines {
        title,
        description: "One line for each side; each step to the right is ten times rarer.",
        height: 360.0,
        x: PERCENTILE,
        y: TIME,
        lines: &lines,
        marks: &[],
        names: Names::Right,
        rug: &[],
    });
    let wanted = [0.9, 0.99, 0.999, 0.9999, 0.99999];
    let rows: Vec<Vec<String>> = sides
        .iter()
        .map(|side| {
            let at = wanted.map(|quantile| {
                let point = side.points.iter().find(|point| (point.quantile - quantile).abs() < 1e-9);
                point.map_or("too few".to_owned(), |point| time(point.us))
            });
            let named = [side_title(&side.side).to_owned(), count(side.answers as f64)];
            named.into_iter().chain(at).collect()
        })
        .collect();
    let says = "From the planned moment to the last byte, all valid runs together. Shaded: 95 % confidence of the median \
                over runs. A line ends where fewer than ten answers lie above it.";
    figure(title, &picture, says, &["Side", "Answers", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"], &rows)
}

fn by_rate(search: &SearchShown) -> Markup {
    let line = |side: &SearchSide| {
        let of = |probe: &ProbeShown| probe.us_p99.map(|us| (probe.rate, us as f64));
        let counts = |probe: &ProbeShown| of(probe).map(|(rate, us)| (rate, us, probe.decision != "invalid"));
        let band = side
            .probes
            .iter()
            .filter(|probe| probe.decision != "invalid")
            .filter_map(|probe| probe.us_p99_interval.map(|interval| (probe.rate, interval.low, interval.high)));
        let points = side.probes.iter().filter(|probe| probe.decision != "invalid").filter_map(of).collect();
        Line {
            band: band.collect(),
            dots: side.probes.iter().filter_map(counts).collect(),
            ..Line::new(side_title(&side.side), look(&side.side), points)
        }
    };
    let lines: Vec<Line> = search.sides.iter().map(line).collect();
    let limit = Mark::Level(
        search.latency_us_p99_max as f64,
        format!("objective: 99 % within {}", time(search.latency_us_p99_max as f64)),
    );
    let found = search.sides.iter().filter_map(|side| side.rate.map(|rate| Mark::Place(rate, rate_of(rate))));
    let marks: Vec<Mark> = [limit].into_iter().chain(found).collect();
    let title = "99th percentile against the rate";
    let picture = line::draw(&Lines {
        title,
        description: "Dots are probes of the search for the highest rate that keeps the objective.",
        height: 360.0,
        x: RATE,
        y: TIME,
        lines: &lines,
        marks: &marks,
        names: Names::Right,
        rug: &[],
    });
    let found = search.sides.iter().map(|side| {
        let rate = side.rate.map_or("no rate".to_owned(), rate_of);
        let least = if side.rate.is_some() && side.failed_at.is_none() { "at least " } else { "" };
        format!(
            "{} keeps it up to {least}{rate}{}. ",
            side_title(&side.side),
            if side.confirmed { "" } else { ", not confirmed" }
        )
    });
    let says = format!("{}Hollow: the run did not count.", found.collect::<String>());
    figure(title, &picture, &says, &PROBES, &probes(search))
}

const PROBES: [&str; 8] = ["Side", "Requests/s", "Decision", "p50", "p95", "p99", "p99.9", "Cores"];

fn probes(search: &SearchShown) -> Vec<Vec<String>> {
    let us = |us: Option<u64>| us.map_or("too few".to_owned(), |us| time(us as f64));
    let row = |side: &str, probe: &ProbeShown| {
        let ProbeShown { rate, decision, us_p50, us_p95, us_p99, us_p999, cpu_cores, .. } = probe;
        let cores = cpu_cores.map_or("-".to_owned(), digits);
        let named = [side_title(side).to_owned(), count(*rate), decision.clone()];
        named.into_iter().chain([*us_p50, *us_p95, *us_p99, *us_p999].map(us)).chain([cores]).collect()
    };
    search.sides.iter().flat_map(|side| side.probes.iter().map(|probe| row(&side.side, probe))).collect()
}

fn cores_by_rate(search: &SearchShown) -> Markup {
    let line = |side: &SearchSide| {
        let points: Vec<(f64, f64)> =
            side.probes.iter().filter_map(|probe| probe.cpu_cores.map(|cores| (probe.rate, cores))).collect();
        let dots = points.iter().map(|(rate, cores)| (*rate, *cores, true)).collect();
        Line { dots, ..Line::new(side_title(&side.side), look(&side.side), points) }
    };
    let lines: Vec<Line> = search.sides.iter().map(line).filter(|line| !line.points.is_empty()).collect();
    if lines.is_empty() {
        return html! {};
    }
    let title = "Cores used against the rate";
    let axis = Axis { label: "cores", kind: Kind::Linear, shown: digits };
    let picture = line::draw(&Lines {
        title,
        description: "CPU time of all threads of the service, for each second.",
        height: 280.0,
        x: RATE,
        y: axis,
        lines: &lines,
        marks: &[],
        names: Names::Right,
        rug: &[],
    });
    figure(title, &picture, "CPU time of all threads of the service, for each second.", &PROBES, &probes(search))
}

/// Rate, p99, CPU and memory above one another, then where all answers lie.
fn timelines(timelines: &[Timeline]) -> Markup {
    let panels = [
        panel(
            timelines,
            "Answers a second",
            Axis { label: "answers a second", kind: Kind::Linear, shown: count },
            |second| Some(second.answered as f64),
        ),
        panel(timelines, "99th percentile by second", Axis { label: "99th percentile", ..TIME }, |second| {
            second.us_p99.map(|us| us as f64)
        }),
        panel(timelines, "Cores by second", Axis { label: "cores", kind: Kind::Linear, shown: digits }, |second| {
            second.cpu_cores
        }),
        panel(
            timelines,
            "Memory by second",
            Axis { label: "resident set, MB", kind: Kind::Linear, shown: count },
            |second| second.rss_bytes.map(|bytes| bytes as f64 / 1_048_576.0),
        ),
    ];
    let row = |timeline: &Timeline, second: &Second| {
        let us = second.us_p99.map_or("too few".to_owned(), |us| time(us as f64));
        let memory = second.rss_bytes.map_or("-".to_owned(), |rss| bytes(rss as f64));
        let cores = second.cpu_cores.map_or("-".to_owned(), digits);
        vec![
            side_title(&timeline.side).to_owned(),
            second.second.to_string(),
            second.answered.to_string(),
            us,
            cores,
            memory,
        ]
    };
    let rows: Vec<Vec<String>> =
        timelines.iter().flat_map(|timeline| timeline.seconds.iter().map(|second| row(timeline, second))).collect();
    let drawn = html! { @for picture in panels.into_iter().flatten() { (picture) } };
    let says = "One run of each side, the one whose 99th percentile is in the middle.";
    html! {
        (figure("Second by second", &drawn, says, &["Side", "Second", "Answers", "p99", "Cores", "Memory"], &rows))
        @for timeline in timelines.iter().filter(|timeline| ["legacy", "candidate"].contains(&timeline.side.as_str())) { (heat(timeline)) }
    }
}

/// None: nobody measured it.
fn panel(timelines: &[Timeline], title: &str, axis: Axis, of: fn(&Second) -> Option<f64>) -> Option<Markup> {
    let line = |timeline: &Timeline| {
        let points = timeline.seconds.iter().filter_map(|second| Some((second.second as f64, of(second)?)));
        Line::new(side_title(&timeline.side), look(&timeline.side), points.collect())
    };
    let lines: Vec<Line> = timelines.iter().map(line).filter(|line| !line.points.is_empty()).collect();
    (!lines.is_empty()).then(|| {
        line::draw(&Lines {
            title,
            description: "Second by second, a line for each side.",
            height: 180.0,
            x: SECOND,
            y: axis,
            lines: &lines,
            marks: &[],
            names: Names::Right,
            rug: &[],
        })
    })
}

fn heat(timeline: &Timeline) -> Markup {
    let seconds = timeline.seconds.len() as u64;
    let width = seconds.div_ceil(COLUMNS_MAX).max(1);
    let column = |start: u64| {
        let end = start + width;
        let mut cells: Vec<(f64, f64, u64)> = Vec::new();
        for (_, from, to, answers) in timeline.cells.iter().filter(|cell| (start..end).contains(&cell.0)) {
            match cells.iter_mut().find(|cell| cell.0 == *from) {
                Some(cell) => cell.2 += answers,
                None => cells.push((*from, *to, *answers)),
            }
        }
        Column { from: start as f64, to: end as f64, cells }
    };
    let columns: Vec<Column> = (0..seconds).step_by(width as usize).map(column).collect();
    let title = format!("All answers of {}", side_title(&timeline.side));
    let picture = heatmap::draw(&Heatmap {
        title: &title,
        description: "Darker is more answers of that second within that response time.",
        x: SECOND,
        y: TIME,
        columns: &columns,
        look: look(&timeline.side),
    });
    let rows: Vec<Vec<String>> = columns
        .iter()
        .map(|column| {
            let most = column.cells.iter().max_by_key(|cell| cell.2);
            let slowest = column.cells.iter().map(|cell| cell.1).fold(0.0, f64::max);
            let most = most.map_or("-".to_owned(), |cell| format!("{} to {}", time(cell.0), time(cell.1)));
            vec![
                digits(column.from),
                column.cells.iter().map(|cell| cell.2).sum::<u64>().to_string(),
                most,
                time(slowest),
            ]
        })
        .collect();
    let says =
        "Darker is more, by equal factors. What a percentile hides is seen here: two modes, stalls, a slow drift.";
    figure(&title, &picture, says, &["Second", "Answers", "Most of them", "All within"], &rows)
}

const COLUMNS_MAX: u64 = 60;
