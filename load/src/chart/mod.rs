//! Pictures as inline SVG: no script, nothing from elsewhere. Each has a title and a description for who cannot see it,
//! and no colour says anything that a shape, a dash or a word does not say too. Colours are custom properties of the
//! page, so that they follow its light or dark scheme.

mod scale;

mod frame;
mod label;

pub(crate) mod forest;
pub(crate) mod heatmap;
pub(crate) mod line;

mod ecdf;

pub(crate) use ecdf::ecdf;
pub(crate) use frame::Axis;
pub(crate) use scale::Kind;

/// How a side is drawn, everywhere alike: the number of its class in the style sheet and of its dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look(pub(crate) usize);

impl Look {
    /// Legacy and candidate have looks of their own, others take turns.
    pub(crate) fn of(side: &str, other: usize) -> Self {
        match side {
            "legacy" => Self(0),
            "candidate" => Self(1),
            _ => Self(2 + other % 3),
        }
    }

    fn class(self) -> String {
        format!("look{}", self.0)
    }
}

/// A coordinate: a tenth of a pixel is enough.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
