//! The claims ledger: published figures beside ours, and whether ours reproduce them.

mod book;
mod ours;

mod judge;

pub(crate) use book::Claims;
pub(crate) use judge::{ClaimShown, Judged, ledger};
pub(crate) use ours::Ours;
