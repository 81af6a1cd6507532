//! The space of a picture: axes, grid, and where a value lies in it.

use maud::{Markup, html};

use super::px;
use super::scale::{Kind, Scale};

/// What an axis counts.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    /// With the unit, where the values do not carry it.
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    pub(crate) shown: fn(f64) -> String,
}

pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) x: Scale,
    pub(super) y: Scale,
    x_axis: Axis,
    y_axis: Axis,
}

/// Room beside the plot, in pixels.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
}

impl Frame {
    pub(super) fn new(
        room: Room,
        (x_axis, xs): (Axis, impl Iterator<Item = f64>),
        (y_axis, ys): (Axis, impl Iterator<Item = f64>),
    ) -> Self {
        let (left, right) = (room.left, WIDTH - room.right);
        let (top, bottom) = (room.top, room.height - BOTTOM);
        Self {
            width: WIDTH,
            height: room.height,
            left,
            right,
            top,
            bottom,
            x: Scale::around(x_axis.kind, xs, left, right),
            y: Scale::around(y_axis.kind, ys, bottom, top),
            x_axis,
            y_axis,
        }
    }

    /// Grid, ticks and names of the axes.
    pub(super) fn axes(&self) -> Markup {
        let (left, right, top, bottom) = (self.left, self.right, self.top, self.bottom);
        html! {
            g class="grid" {
                @for tick in self.y.ticks() {
                    @let y = self.y.at(tick);
                    path d={ "M" (px(left)) " " (px(y)) "H" (px(right)) } {}
                }
                @for tick in self.x.ticks() {
                    @let x = self.x.at(tick);
                    path d={ "M" (px(x)) " " (px(bottom)) "v4" } {}
                }
                path.axis d={ "M" (px(left)) " " (px(bottom)) "H" (px(right)) } {}
            }
            g class="ticks" {
                @for tick in self.y.ticks() {
                    text x=(px(left - 8.0)) y=(px(self.y.at(tick) + 4.0)) text-anchor="end" { ((self.y_axis.shown)(tick)) }
                }
                @for tick in self.x.ticks() {
                    text x=(px(self.x.at(tick))) y=(px(bottom + 18.0)) text-anchor="middle" { ((self.x_axis.shown)(tick)) }
                }
                text.name x=(px(f64::midpoint(left, right))) y=(px(self.height - 6.0)) text-anchor="middle" { (self.x_axis.label) }
                text.name x=(px(left)) y=(px(top - 12.0)) text-anchor="start" { (self.y_axis.label) }
            }
        }
    }

    /// The picture around its content.
    pub(super) fn svg(&self, title: &str, description: &str, content: &Markup) -> Markup {
        svg(self.width, self.height, title, description, content)
    }
}

pub(super) fn svg(width: f64, height: f64, title: &str, description: &str, content: &Markup) -> Markup {
    html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox={ "0 0 " (px(width)) " " (px(height)) } {
            title { (title) }
            desc { (description) }
            (content)
        }
    }
}

pub(super) const WIDTH: f64 = 760.0;
const BOTTOM: f64 = 44.0;
