//! For people and Prometheus: reads what the others count and keep, and hands commands on.

pub mod admin;
pub mod export;
pub mod finding;
pub mod gate;
pub mod guard;
pub mod page;
pub mod shift;
