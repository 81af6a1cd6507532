//! Who gets how much.

pub mod journal;
pub mod weight;
