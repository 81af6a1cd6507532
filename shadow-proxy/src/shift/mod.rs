//! Who gets how much, and what has to be shown before it is more.

pub mod evidence;
pub mod gate;
pub mod journal;
pub mod split;
pub mod weight;
