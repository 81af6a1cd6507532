//! How many answers took how long, second by second: dark is many.

use maud::{Markup, html};

use super::frame::{Axis, Frame, Room};
use super::{Look, px};

pub(crate) struct Heatmap<'a> {
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) columns: &'a [Column],
    pub(crate) look: Look,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// From, to, count.
    pub(crate) cells: Vec<(f64, f64, u64)>,
}

pub(crate) fn draw(map: &Heatmap<'_>) -> Markup {
    let Heatmap { title, description, x, y, columns, look } = map;
    let filled = || columns.iter().flat_map(|column| column.cells.iter().filter(|cell| cell.2 > 0));
    let frame = Frame::new(
        Room { height: 240.0, left: 64.0, right: 20.0, top: 30.0 },
        (*x, columns.iter().flat_map(|column| [column.from, column.to])),
        (*y, filled().flat_map(|cell| [cell.0, cell.1])),
    );
    let most = filled().map(|cell| cell.2).max().unwrap_or(1);
    let mut paths = vec![String::new(); LEVELS];
    for column in *columns {
        let (left, right) = (frame.x.at(column.from), frame.x.at(column.to));
        for (from, to, count) in column.cells.iter().filter(|cell| cell.2 > 0) {
            let (bottom, top) = (frame.y.at(*from), frame.y.at(*to));
            let cell = format!("M{} {}H{}V{}H{}z", px(left), px(bottom), px(right), px(top), px(left));
            paths[level(*count, most)] += &cell;
        }
    }
    let content = html! {
        (frame.axes())
        @for (level, path) in paths.iter().enumerate() {
            @if !path.is_empty() { path class={ "heat " (look.class()) } fill-opacity=(format!("{:.2}", (level + 1) as f64 / LEVELS as f64)) d=(path) {} }
        }
    };
    frame.svg(title, description, &content)
}

/// Equal factors of the count are equal steps of the shade: what is rare must be seen.
fn level(count: u64, most: u64) -> usize {
    let share = ((count + 1) as f64).ln() / ((most + 1) as f64).ln();
    ((share * LEVELS as f64).ceil() as usize).clamp(1, LEVELS) - 1
}

const LEVELS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_is_seen_and_the_most_is_darkest() {
        assert_eq!((level(1, 1_000), level(1_000, 1_000)), (0, LEVELS - 1));
        assert!(level(30, 1_000) > level(1, 1_000));
        assert_eq!(level(1, 1), LEVELS - 1);
    }
}
