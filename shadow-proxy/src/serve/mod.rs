//! What the client waits for: accept, decide who serves, answer. Nothing in here awaits `shadow`, `shift` or `show`'s work.

pub mod accept;
pub mod alone;
pub mod answer;
mod body;
pub mod budget;
pub mod carried;
pub mod client;
mod entry;
pub mod families;
pub mod forwarded;
pub mod identity;
pub mod line;
mod patience;
mod receive;
mod refused;
pub mod route;
pub mod seat;
pub mod strict;
pub mod testers;
mod tunnel;
mod turn;
mod upload;

#[cfg(test)]
mod cost;
