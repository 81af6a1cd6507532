//! Cold starts rung by rung, and memory.

use maud::{Markup, html};

use super::super::side_title;
use super::table::{figure, table};
use crate::chart::line::{self, Line, Lines, Names, Shape};
use crate::chart::{Axis, Kind, Look, ecdf};
use crate::report::contents::{ColdShown, MemoryFigures, MemoryLine, MemoryShown, Report, RungShown};
use crate::shown::{bytes, count, figure as digits, time};

pub(super) fn part(report: &Report) -> Option<Markup> {
    let nothing = report.cold.is_none() && report.memory.is_none();
    (!nothing).then(|| {
        html! {
            @if let Some(cold) = &report.cold { (starts(cold)) }
            @if let Some(memory) = &report.memory { (memory_of(memory)) }
        }
    })
}

fn look(rung: &RungShown) -> Look {
    rung.side.as_deref().map_or(Look(4), |side| Look::of(side, usize::from(side == "fastapi")))
}

fn starts(cold: &ColdShown) -> Markup {
    let measured: Vec<&RungShown> = cold.rungs.iter().filter(|rung| !rung.starts_ms.is_empty()).collect();
    let lines: Vec<Line> = measured
        .iter()
        .map(|rung| {
            let us: Vec<f64> = rung.starts_ms.iter().map(|ms| ms * 1e3).collect();
            Line { shape: Shape::Steps, ..Line::new(short(rung), look(rung), ecdf(&us)) }
        })
        .collect();
    let rug: Vec<(Look, Vec<f64>)> =
        measured.iter().map(|rung| (look(rung), rung.starts_ms.iter().map(|ms| ms * 1e3).collect())).collect();
    let title = "From start to the first correct answer";
    let picture = line::draw(&Lines {
        title,
        description: "For each rung, the share of starts that were at most so long.",
        height: 400.0,
        x: Axis { label: "time", kind: Kind::Log, shown: time },
        y: Axis { label: "share of starts", kind: Kind::Linear, shown: |share| format!("{:.0} %", share * 100.0) },
        lines: &lines,
        marks: &[],
        names: Names::Above,
        rug: &rug,
    });
    let rows: Vec<Vec<String>> = cold.rungs.iter().map(row).collect();
    let head = ["Rung", "What", "Side", "Starts", "Failed", "Median", "95 %"];
    let key = measured.iter().filter(|rung| rung.step.is_some()).map(|rung| format!("{} {}", short(rung), rung.name));
    let rungs = "Only equal rungs may be compared: a process with a process, a container with a container. The marks at the \
                bottom are single starts.";
    let says = format!("{}. {rungs}", key.collect::<Vec<_>>().join(", "));
    figure(title, &picture, &says, &head, &rows)
}

/// As the method calls it: there is no room for more.
fn short(rung: &RungShown) -> &str {
    rung.step.as_deref().unwrap_or(&rung.name)
}

fn row(rung: &RungShown) -> Vec<String> {
    let median = rung
        .median_ms
        .map(|ms| format!("{} ({} to {})", time(ms.estimate * 1e3), time(ms.low * 1e3), time(ms.high * 1e3)));
    let step = rung.step.as_ref().map_or(rung.name.clone(), |step| format!("{step} {}", rung.name));
    vec![
        step,
        rung.sentence.clone(),
        rung.side.as_deref().map_or("-", side_title).to_owned(),
        rung.starts_ms.len().to_string(),
        rung.failed.to_string(),
        median.or_else(|| rung.left_out.clone()).unwrap_or_else(|| "too few".to_owned()),
        rung.p95_ms.map_or("-".to_owned(), |ms| time(ms * 1e3)),
    ]
}

fn memory_of(memory: &MemoryShown) -> Markup {
    let rows: Vec<Vec<String>> = memory
        .sides
        .iter()
        .flat_map(|side| {
            let named = |when: &str| format!("{}, {when}", side_title(&side.side));
            let load = side.load_rate.map_or("under load".to_owned(), |rate| format!("at {}/s", count(rate)));
            [row_of(named("idle"), side.idle), row_of(named(&load), side.loaded)]
        })
        .collect();
    let head = ["Side", "RSS", "RSS peak", "PSS", "USS", "cgroup", "cgroup peak"];
    html! {
        h3 { "Memory by six measures" }
        (table(&head, &rows))
        p.small { "RSS counts shared pages in full, PSS in part, USS not at all; a cgroup is charged for files that it read first. A limit is not a use and is not here." }
        (each(memory))
        @if let (Some(line), Some(sentence)) = (&memory.components, &memory.components_sentence) { (components(line, sentence)) }
    }
}

fn row_of(name: String, figures: MemoryFigures) -> Vec<String> {
    let MemoryFigures { rss_bytes, rss_bytes_peak, pss_bytes, uss_bytes, cgroup_bytes, cgroup_bytes_peak } = figures;
    let measures = [rss_bytes, rss_bytes_peak, pss_bytes, uss_bytes, cgroup_bytes, cgroup_bytes_peak];
    let shown = measures.map(|value| value.map_or("-".to_owned(), |value| bytes(value as f64)));
    [name].into_iter().chain(shown).collect()
}

/// A tick every so many whole MB.
fn megabytes(mb: f64) -> String {
    format!("{} MB", count(mb))
}

fn mb(bytes: f64) -> f64 {
    bytes / 1_048_576.0
}

const INSTANCES: Axis = Axis { label: "processes", kind: Kind::Linear, shown: count };
const MEMORY: Axis = Axis { label: "proportional memory of all together (PSS)", kind: Kind::Linear, shown: megabytes };

fn each(memory: &MemoryShown) -> Markup {
    let with_line: Vec<(&str, &MemoryLine)> =
        memory.sides.iter().filter_map(|side| Some((side.side.as_str(), side.line.as_ref()?))).collect();
    if with_line.is_empty() {
        return html! {};
    }
    let lines: Vec<Line> = with_line
        .iter()
        .map(|(side, line)| through(side_title(side), Look::of(side, usize::from(*side == "fastapi")), line))
        .collect();
    let said: Vec<String> = with_line
        .iter()
        .map(|(side, line)| {
            format!("{}: {} and {} for each process", side_title(side), bytes(line.base_bytes), bytes(line.each_bytes))
        })
        .collect();
    let title = "What one more process takes";
    let description = "Dots are measured, the line is fitted.";
    let picture = line::draw(&Lines {
        title,
        description,
        height: 320.0,
        x: INSTANCES,
        y: MEMORY,
        lines: &lines,
        marks: &[],
        names: Names::Right,
        rug: &[],
    });
    let rows: Vec<Vec<String>> = with_line.iter().flat_map(|(side, line)| points(side_title(side), line)).collect();
    figure(title, &picture, &format!("{}.", said.join("; ")), &["Side", "Processes", "Memory"], &rows)
}

fn components(line: &MemoryLine, sentence: &str) -> Markup {
    let lines = [through("component", Look(1), line)];
    let title = "Many components in one host";
    let axis = Axis { label: "components", kind: Kind::Linear, shown: count };
    let picture = line::draw(&Lines {
        title,
        description: sentence,
        height: 280.0,
        x: axis,
        y: MEMORY,
        lines: &lines,
        marks: &[],
        names: Names::Right,
        rug: &[],
    });
    let says = format!("{sentence} The host and {} for each component.", bytes(line.each_bytes));
    figure(title, &picture, &says, &["What", "Components", "Memory"], &points("component", line))
}

/// Dots where it was measured, and the line that was fitted.
fn through(name: &str, look: Look, line: &MemoryLine) -> Line {
    let ends = [line.points.first(), line.points.last()].into_iter().flatten();
    let fitted = ends.map(|(instances, _)| *instances as f64).map(|x| (x, mb(line.base_bytes + line.each_bytes * x)));
    let dots = line.points.iter().map(|(instances, bytes)| (*instances as f64, mb(*bytes as f64), true));
    Line { dots: dots.collect(), ..Line::new(name, look, fitted.collect()) }
}

fn points(name: &str, line: &MemoryLine) -> Vec<Vec<String>> {
    let row = |(instances, size): &(u64, u64)| vec![name.to_owned(), digits(*instances as f64), bytes(*size as f64)];
    line.points.iter().map(row).collect()
}
