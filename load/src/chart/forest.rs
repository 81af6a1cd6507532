//! Ratios with their intervals, one row each, around "no difference".

use maud::{Markup, html};

use super::frame::{WIDTH, svg};
use super::line::shape;
use super::scale::{Kind, Scale};
use super::{Look, px};

pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// Least, estimate, most; none: it cannot be said.
    pub(crate) interval: Option<(f64, f64, f64)>,
    /// What this machine calls a difference where there is none.
    pub(crate) noise: Option<(f64, f64)>,
    /// Shown at the right.
    pub(crate) words: String,
    /// Something was found; drawn hollow otherwise.
    pub(crate) found: bool,
}

pub(crate) struct Forest<'a> {
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    pub(crate) shown: fn(f64) -> String,
    /// Under the left and the right half.
    pub(crate) halves: (&'a str, &'a str),
    pub(crate) rows: &'a [Row],
}

pub(crate) fn draw(forest: &Forest<'_>) -> Markup {
    let Forest { title, description, shown, halves, rows } = forest;
    let values = rows.iter().flat_map(|row| {
        let interval = row.interval.iter().flat_map(|(low, _, high)| [*low, *high]);
        interval.chain(row.noise.iter().flat_map(|(low, high)| [*low, *high])).collect::<Vec<f64>>()
    });
    // Both halves are there, so that better and worse have a side.
    let scale = Scale::around(Kind::Log, values.chain([0.5, 2.0]), LEFT, WIDTH - RIGHT);
    let bottom = TOP + ROW * rows.len() as f64;
    let one = scale.at(1.0);
    let content = html! {
        g.grid { @for tick in scale.ticks() { path d={ "M" (px(scale.at(tick))) " " (px(TOP)) "V" (px(bottom)) } {} } }
        path.one d={ "M" (px(one)) " " (px(TOP - 8.0)) "V" (px(bottom + 4.0)) } {}
        g.ticks {
            @for tick in scale.ticks() { text x=(px(scale.at(tick))) y=(px(bottom + 18.0)) text-anchor="middle" { ((shown)(tick)) } }
            text.name x=(px(one - 8.0)) y=(px(bottom + 38.0)) text-anchor="end" { "← " (halves.0) }
            text.name x=(px(one + 8.0)) y=(px(bottom + 38.0)) text-anchor="start" { (halves.1) " →" }
        }
        @for (index, each) in rows.iter().enumerate() { (row(&scale, each, TOP + ROW * (index as f64 + 0.5))) }
    };
    svg(WIDTH, bottom + 46.0, title, description, &content)
}

fn row(scale: &Scale, row: &Row, y: f64) -> Markup {
    html! {
        @if let Some((low, high)) = row.noise {
            @let (from, to) = (scale.at(low), scale.at(high));
            path.noise d={ "M" (px(from)) " " (px(y - 9.0)) "H" (px(to)) "v18H" (px(from)) "z" } {}
        }
        text.row x="0" y=(px(y + 4.5)) { (row.name) }
        @if let Some((low, estimate, high)) = row.interval {
            @let (from, to) = (scale.at(low), scale.at(high));
            path class={ "interval " (row.look.class()) } d={ "M" (px(from)) " " (px(y - 7.5)) "v15m0 -7.5H" (px(to)) "m0 -7.5v15" } {}
            (shape(row.look, scale.at(estimate), y, if row.found { "dot plain" } else { "dot hollow" }))
        }
        text.words x=(px(WIDTH)) y=(px(y + 4.5)) text-anchor="end" { (row.words) }
    }
}

const TOP: f64 = 14.0;
const ROW: f64 = 30.0;
const LEFT: f64 = 215.0;
const RIGHT: f64 = 165.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shown::figure;

    fn forest(rows: &[Row]) -> String {
        draw(&Forest { title: "t", description: "d", shown: figure, halves: ("worse", "better"), rows }).into_string()
    }

    #[test]
    fn what_was_not_found_is_hollow_and_what_cannot_be_said_has_no_dot() {
        let row = |interval, found| Row {
            name: "p99".to_owned(),
            look: Look(1),
            interval,
            noise: Some((0.97, 1.03)),
            words: "w".to_owned(),
            found,
        };
        assert!(!forest(&[row(Some((2.0, 3.0, 4.0)), true)]).contains("hollow"));
        assert!(forest(&[row(Some((0.9, 1.0, 1.1)), false)]).contains("hollow"));
        let silent = forest(&[row(None, false)]);
        assert!(silent.contains("noise") && !silent.contains("dot"), "{silent}");
    }
}
