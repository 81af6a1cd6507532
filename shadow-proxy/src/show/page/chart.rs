//! A chart as SVG, drawn from the numbers in the table below it. Pure.
//!
//! What a script adds (a cursor that shows the numbers of one time) it reads from that table, so that there is one place
//! for a number and the page works without a script.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use super::figures;

pub struct Chart {
    /// Of the figure on the page, and of its parts.
    pub id: &'static str,
    pub title: &'static str,
    /// What exactly the numbers are.
    pub about: String,
    pub scale: Scale,
    pub lines: Vec<Line>,
    /// A value to stay below, and what it is.
    pub limit: Option<(f64, String)>,
    /// When each point's stretch of time ends.
    pub until_ms: Vec<u64>,
    pub words: fn(f64) -> String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    FromZero,
    /// Powers of ten; nothing is drawn at the bottom.
    Log,
}

pub struct Line {
    pub name: &'static str,
    /// Colour, dash and mark, by a class of the style sheet.
    pub look: &'static str,
    /// None where nothing was measured.
    pub values: Vec<Option<f64>>,
}

impl Chart {
    pub fn markup(&self) -> Markup {
        let id = self.id;
        html! {
            figure.chart id=(format!("chart-{id}")) {
                figcaption {
                    h3 id=(format!("{id}-title")) { (self.title) }
                    span.when data-when="" { "now" }
                    p.readout {
                        @for line in &self.lines {
                            span.key.(line.look) {
                                (swatch()) (line.name) " " b data-of=(line.name) { (self.latest(line)) }
                            }
                        }
                    }
                }
                svg.plot role="img" tabindex="0" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-labelledby=(format!("{id}-title {id}-about"))
                    data-left=(LEFT) data-right=(WIDTH - RIGHT) {
                    desc id=(format!("{id}-about")) { (self.about) " " (self.summary()) }
                    (self.plot())
                }
                details.numbers id=(format!("{id}-numbers")) {
                    summary { "Numbers" span.hidden { ": " (self.title) } }
                    div.scroll tabindex="0" role="region" aria-label=(format!("Numbers: {}", self.title)) { (self.table()) }
                }
            }
        }
    }

    fn latest(&self, line: &Line) -> String {
        line.values.iter().rev().find_map(|value| *value).map_or_else(|| "-".to_owned(), self.words)
    }

    fn summary(&self) -> String {
        let line = |line: &Line| format!("{} {}", line.name, self.latest(line));
        format!("Latest: {}.", self.lines.iter().map(line).collect::<Vec<_>>().join(", "))
    }

    fn table(&self) -> Markup {
        html! {
            table {
                caption { (self.about) }
                thead { tr { th scope="col" { "until (UTC)" } @for line in &self.lines { th scope="col" { (line.name) } } } }
                tbody {
                    @for (index, until_ms) in self.until_ms.iter().enumerate() {
                        tr {
                            th scope="row" { (figures::clock(*until_ms)) }
                            @for line in &self.lines {
                                td { (line.values.get(index).copied().flatten().map_or_else(|| "-".to_owned(), self.words)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn plot(&self) -> Markup {
        let axis = Axis::of(self);
        html! {
            g.grid {
                @for (value, label) in axis.ticks(self.words) {
                    @let y = axis.y(value);
                    line x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) {}
                    text x=(LEFT - 6.0) y=(y) { (label) }
                }
                @for (index, anchor) in self.marks() {
                    text.time x=(self.x(index)) y=(HEIGHT - 4.0) text-anchor=(anchor) { (figures::clock(self.until_ms[index])[..5]) }
                }
            }
            @if let Some((value, name)) = &self.limit {
                @let y = axis.y(*value);
                line.limit x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) {}
                // Below the line where there is no room above it.
                text.limit x=(WIDTH - RIGHT) y=(y) dy=(if y < TOP + 12.0 { 12 } else { -4 }) text-anchor="end" { (name) }
            }
            @for line in &self.lines { (PreEscaped(self.path(line, &axis))) }
            line.cursor x1="0" x2="0" y1=(TOP) y2=(HEIGHT - BOTTOM) {}
        }
    }

    /// Numbers only, so there is nothing to escape. One path for each stretch without gaps, a dot at the last point.
    fn path(&self, line: &Line, axis: &Axis) -> String {
        let (mut path, mut is_drawing, mut last) = (String::new(), false, None);
        for (index, value) in line.values.iter().enumerate() {
            let Some(value) = value else {
                is_drawing = false;
                continue;
            };
            let (x, y) = (self.x(index), axis.y(*value));
            write!(path, "{}{x} {y}", if is_drawing { "L" } else { "M" }).expect("writing to a String cannot fail");
            (is_drawing, last) = (true, Some((x, y)));
        }
        let dot = last.map(|(x, y)| format!("<circle class=\"{}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>", line.look));
        format!("<path class=\"{}\" d=\"{path}\"/>{}", line.look, dot.unwrap_or_default())
    }

    fn x(&self, index: usize) -> f64 {
        let steps = self.until_ms.len().saturating_sub(1).max(1) as f64;
        tenth(LEFT + (WIDTH - RIGHT - LEFT) * index as f64 / steps)
    }

    fn marks(&self) -> Vec<(usize, &'static str)> {
        match self.until_ms.len() {
            0..=2 => Vec::new(),
            points => vec![(0, "start"), (points / 2, "middle"), (points - 1, "end")],
        }
    }
}

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 20.0;

struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
}

impl Axis {
    fn of(chart: &Chart) -> Axis {
        let values = chart.lines.iter().flat_map(|line| line.values.iter().copied().flatten());
        let values = values.chain(chart.limit.as_ref().map(|(value, _)| *value));
        let scale = chart.scale;
        match scale {
            Scale::FromZero => Axis { scale, from: 0.0, to: round_up(values.fold(0.0, f64::max)) },
            Scale::Log => {
                let (least, most) = values
                    .filter(|value| *value > 0.0)
                    .fold((f64::INFINITY, 0.0), |(least, most), value| (f64::min(least, value), f64::max(most, value)));
                let (least, most) = if most > 0.0 { (least, most) } else { (0.1, 1.0) };
                let (from, to) = (least.log10().floor(), most.log10().ceil());
                Axis { scale, from, to: to.max(from + 1.0) }
            }
        }
    }

    fn y(&self, value: f64) -> f64 {
        let at = match self.scale {
            Scale::FromZero => value,
            Scale::Log if value <= 0.0 => self.from,
            Scale::Log => value.log10(),
        };
        let share = ((at - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        tenth(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP))
    }

    fn ticks(&self, words: fn(f64) -> String) -> Vec<(f64, String)> {
        let values: Vec<f64> = match self.scale {
            Scale::FromZero => [0.0, 0.5, 1.0].map(|share| share * self.to).into(),
            Scale::Log => {
                let powers = (self.to - self.from) as i32;
                let each = (powers + 3) / 4;
                (0..=powers)
                    .filter(|power| power % each.max(1) == 0)
                    .map(|power| 10_f64.powi(self.from as i32 + power))
                    .collect()
            }
        };
        values.into_iter().map(|value| (value, words(value))).collect()
    }
}

/// The next of 1, 2, 4, 6, 8 and 10 times a power of ten: half of it is a round number too.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value * 0.999).unwrap_or(value)
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn swatch() -> Markup {
    html! { svg.swatch viewBox="0 0 22 10" aria-hidden="true" { path d="M1 5H21" {} circle cx="11" cy="5" r="2.6" {} } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(scale: Scale, values: Vec<Option<f64>>) -> Chart {
        Chart {
            id: "a",
            title: "Requests",
            about: "Requests each second.".to_owned(),
            scale,
            until_ms: (0..values.len() as u64).map(|n| n * 60_000).collect(),
            lines: vec![Line { name: "legacy", look: "legacy", values }],
            limit: None,
            words: figures::per_second,
        }
    }

    #[test]
    fn what_was_not_measured_is_a_gap_in_the_line_and_a_dash_in_the_table() {
        let drawn = chart(Scale::FromZero, vec![Some(0.0), Some(20.0), None, Some(10.0)]).markup().into_string();
        assert!(drawn.contains(r#"<path class="legacy" d="M54 130L160 10M372 70"/>"#), "{drawn}");
        assert!(drawn.contains(r#"cx="372" cy="70""#), "the last point has a mark");
        assert!(drawn.contains("<td>20.0/s</td>") && drawn.contains("<td>-</td>"), "{drawn}");
        assert!(drawn.contains("Latest: legacy 10.0/s."), "{drawn}");
    }

    #[test]
    fn powers_of_ten_have_the_same_distance_and_nothing_is_at_the_bottom() {
        let drawn = chart(Scale::Log, vec![Some(1.0), Some(10.0), Some(100.0), Some(0.0)]).markup().into_string();
        assert!(drawn.contains("M54 130L160 70L266 10L372 130"), "{drawn}");
    }

    #[test]
    fn nothing_measured_is_drawn_too() {
        for scale in [Scale::FromZero, Scale::Log] {
            for values in [vec![], vec![None; 3], vec![Some(0.0); 3]] {
                let drawn = chart(scale, values).markup().into_string();
                assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
            }
        }
    }

    #[test]
    fn the_scale_ends_at_a_round_number() {
        assert_eq!([0.0, 0.3, 1.0, 1.1, 41.0, 99.0, 1_000.0].map(round_up), [1.0, 0.4, 1.0, 2.0, 60.0, 100.0, 1_000.0]);
    }
}
