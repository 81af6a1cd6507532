//! What the client waits for: accept, decide who serves, answer. Nothing in here awaits `shadow`, `shift` or `show`'s work.

pub mod accept;
pub mod alone;
pub mod answer;
mod body;
pub mod budget;
mod entry;
pub mod families;
pub mod identity;
pub mod route;
pub mod seat;
pub mod testers;

#[cfg(test)]
mod cost;
