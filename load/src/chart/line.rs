//! Lines over an axis: by percentile, by rate, by time, by number, as steps.

use maud::{Markup, html};

use super::frame::{Axis, Frame, Room};
use super::label::spread;
use super::{Look, px};

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) look: Look,
    pub(crate) shape: Shape,
    pub(crate) points: Vec<(f64, f64)>,
    /// What the line may as well be: at x from the second to the third.
    pub(crate) band: Vec<(f64, f64, f64)>,
    /// Points that are shown as dots, and whether they count: hollow ones do not.
    pub(crate) dots: Vec<(f64, f64, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Straight,
    /// The value holds until the next.
    Steps,
}

/// A line across the picture that has a meaning.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// At a height.
    Level(f64, String),
    /// At a place of the x axis.
    Place(f64, String),
}

/// Where the names of lines stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Right,
    /// For lines that all end at the top.
    Above,
}

pub(crate) struct Lines<'a> {
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    pub(crate) height: f64,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: &'a [Line],
    pub(crate) marks: &'a [Mark],
    pub(crate) names: Names,
    /// Every single value, as a mark on the x axis.
    pub(crate) rug: &'a [(Look, Vec<f64>)],
}

impl Line {
    pub(crate) fn new(name: &str, look: Look, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), look, shape: Shape::Straight, points, band: Vec::new(), dots: Vec::new() }
    }
}

pub(crate) fn draw(chart: &Lines<'_>) -> Markup {
    let Lines { title, description, height, x, y, lines, marks, names, rug } = chart;
    let levels = marks.iter().filter_map(|mark| if let Mark::Level(at, _) = mark { Some(*at) } else { None });
    let places = marks.iter().filter_map(|mark| if let Mark::Place(at, _) = mark { Some(*at) } else { None });
    let all =
        || lines.iter().flat_map(|line| line.points.iter().copied().chain(line.dots.iter().map(|dot| (dot.0, dot.1))));
    let bands = lines.iter().flat_map(|line| line.band.iter().flat_map(|(_, low, high)| [*low, *high]));
    let rugs = rug.iter().flat_map(|(_, values)| values.iter().copied());
    let frame = Frame::new(
        Room { height: *height, left: 64.0, ..names.room() },
        (*x, all().map(|point| point.0).chain(places).chain(rugs)),
        (*y, all().map(|point| point.1).chain(levels).chain(bands)),
    );
    let content = html! {
        (frame.axes())
        @for (place, mark) in marks.iter().enumerate() { (meaning(&frame, mark, place)) }
        @for line in *lines { @if line.band.len() > 1 { path class={ "band " (line.look.class()) } d=(band(&frame, line)) {} } }
        @for line in *lines {
            path class={ "line " (line.look.class()) } d=(path(&frame, line)) {}
            @for (x, y, counts) in &line.dots { (dot(&frame, line.look, *x, *y, *counts)) }
        }
        @for (row, (look, values)) in rug.iter().enumerate() {
            @let top = frame.bottom - 7.0 * (row + 1) as f64;
            path class={ "rug " (look.class()) } d=(values.iter().map(|value| format!("M{} {}v6", px(frame.x.at(*value)), px(top))).collect::<String>()) {}
        }
        @match names { Names::Right => (beside(&frame, lines)), Names::Above => (above(&frame, lines)) }
    };
    frame.svg(title, description, &content)
}

fn path(frame: &Frame, line: &Line) -> String {
    let mut path = String::new();
    for (index, (x, y)) in line.points.iter().enumerate() {
        let (x, y) = (px(frame.x.at(*x)), px(frame.y.at(*y)));
        path += &match (index, line.shape) {
            (0, _) => format!("M{x} {y}"),
            (_, Shape::Straight) => format!("L{x} {y}"),
            (_, Shape::Steps) => format!("H{x}V{y}"),
        };
    }
    path
}

/// There along the lower ends, and back along the upper ones.
fn band(frame: &Frame, line: &Line) -> String {
    let edge = |points: Vec<(f64, f64)>| {
        let edge = Line { points, ..Line::new("", line.look, Vec::new()) };
        path(frame, &Line { shape: line.shape, ..edge })
    };
    let low = edge(line.band.iter().map(|(x, low, _)| (*x, *low)).collect());
    // Steps are drawn towards the right, so the way back is the upper edge turned round point by point.
    let mut high: Vec<(f64, f64)> = Vec::new();
    for (x, _, value) in &line.band {
        if let (Shape::Steps, Some((_, last))) = (line.shape, high.last().copied()) {
            high.push((*x, last));
        }
        high.push((*x, *value));
    }
    let back: String =
        high.iter().rev().map(|(x, y)| format!("L{} {}", px(frame.x.at(*x)), px(frame.y.at(*y)))).collect();
    format!("{low}{back}Z")
}

fn dot(frame: &Frame, look: Look, x: f64, y: f64, counts: bool) -> Markup {
    let (x, y) = (frame.x.at(x), frame.y.at(y));
    shape(look, x, y, if counts { "dot" } else { "dot hollow" })
}

/// Circle, square, triangle, diamond, circle: a side is known by it without its colour.
pub(super) fn shape(look: Look, x: f64, y: f64, class: &str) -> Markup {
    let class = format!("{class} {}", look.class());
    let d = match look.0 {
        1 => format!("M{} {}h8v8h-8z", px(x - 4.0), px(y - 4.0)),
        2 => format!("M{} {}l5 9h-10z", px(x), px(y - 5.5)),
        3 => format!("M{} {}l5.5 5.5l-5.5 5.5l-5.5 -5.5z", px(x), px(y - 5.5)),
        _ => return html! { circle class=(class) cx=(px(x)) cy=(px(y)) r="4.5" {} },
    };
    html! { path class=(class) d=(d) {} }
}

/// `place`: one below the other, that names do not meet.
fn meaning(frame: &Frame, mark: &Mark, place: usize) -> Markup {
    match mark {
        Mark::Level(at, name) => {
            let y = frame.y.at(*at);
            html! {
                path.mark d={ "M" (px(frame.left)) " " (px(y)) "H" (px(frame.right)) } {}
                text.mark x=(px(frame.left + 6.0)) y=(px(y - 5.0)) { (name) }
            }
        }
        Mark::Place(at, name) => {
            let x = frame.x.at(*at);
            // Names near the right edge stand to the left of their mark.
            let (x_name, anchor) =
                if x > f64::midpoint(frame.left, frame.right) { (x - 5.0, "end") } else { (x + 5.0, "start") };
            html! {
                path.mark d={ "M" (px(x)) " " (px(frame.top)) "V" (px(frame.bottom)) } {}
                text.mark x=(px(x_name)) y=(px(frame.top + 10.0 + 16.0 * place as f64)) text-anchor=(anchor) { (name) }
            }
        }
    }
}

impl Names {
    fn room(self) -> Room {
        match self {
            Names::Right => Room { height: 0.0, left: 0.0, right: 112.0, top: 30.0 },
            Names::Above => Room { height: 0.0, left: 0.0, right: 50.0, top: 78.0 },
        }
    }
}

/// In two rows, each with a thread to the end of its line.
fn above(frame: &Frame, lines: &[Line]) -> Markup {
    let named: Vec<(&Line, f64)> =
        lines.iter().filter_map(|line| line.points.last().map(|(x, _)| (line, frame.x.at(*x)))).collect();
    let wanted: Vec<f64> = named.iter().map(|(_, x)| *x).collect();
    let placed = spread(&wanted, 48.0, frame.left, frame.right + 20.0);
    let mut order: Vec<usize> = (0..named.len()).collect();
    order.sort_by(|one, other| placed[*one].total_cmp(&placed[*other]));
    html! {
        @for (place, index) in order.into_iter().enumerate() {
            @let ((line, x_end), x) = (named[index], placed[index]);
            @let y = if place % 2 == 0 { 34.0 } else { 52.0 };
            path.thread d={ "M" (px(x)) " " (px(y + 5.0)) "L" (px(x)) " " (px(frame.top - 16.0)) "L" (px(x_end)) " " (px(frame.top)) } {}
            text class={ "series " (line.look.class()) } x=(px(x)) y=(px(y)) text-anchor="middle" { (line.name) }
        }
    }
}

/// Beside the end of each line.
fn beside(frame: &Frame, lines: &[Line]) -> Markup {
    let named: Vec<(&Line, f64, f64)> = lines
        .iter()
        .filter(|line| !line.name.is_empty())
        .filter_map(|line| line.points.last().map(|(x, y)| (line, frame.x.at(*x), frame.y.at(*y))))
        .collect();
    let wanted: Vec<f64> = named.iter().map(|(_, _, y)| y + 4.0).collect();
    let placed = spread(&wanted, 15.0, frame.top, frame.bottom);
    html! {
        @for ((line, x, _), y) in named.iter().zip(placed) {
            (shape(line.look, x + 11.0, y - 4.0, "dot"))
            text class={ "series " (line.look.class()) } x=(px(x + 20.0)) y=(px(y)) { (line.name) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Kind;
    use crate::shown::figure;

    fn chart(lines: &[Line], marks: &[Mark]) -> String {
        let axis = Axis { label: "x", kind: Kind::Linear, shown: figure };
        draw(&Lines {
            title: "A & B",
            description: "d",
            height: 300.0,
            x: axis,
            y: axis,
            lines,
            marks,
            names: Names::Right,
            rug: &[],
        })
        .into_string()
    }

    #[test]
    fn steps_hold_their_value_until_the_next() {
        let mut line = Line::new("a", Look(0), vec![(0.0, 0.0), (5.0, 10.0), (10.0, 10.0)]);
        line.shape = Shape::Steps;
        assert!(chart(&[line], &[]).contains("M64 256H356V30H648V30"));
    }

    #[test]
    fn a_picture_says_what_it_is_and_escapes_what_it_was_given() {
        let svg =
            chart(&[Line::new("<b>", Look(1), vec![(0.0, 1.0), (1.0, 2.0)])], &[Mark::Level(1.0, "a<b".to_owned())]);
        for part in ["<title>A &amp; B</title>", "<desc>d</desc>", "&lt;b&gt;", "a&lt;b", "role=\"img\""] {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
        assert!(!svg.contains("<b>"));
    }

    #[test]
    fn a_line_of_nothing_is_drawn_without_harm() {
        assert!(!chart(&[Line::new("none", Look(2), Vec::new())], &[]).contains("NaN"));
    }
}
