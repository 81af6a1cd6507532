//! How sure a figure is. Pure: numbers in, numbers out; where chance is needed it comes from a seed.

pub(crate) mod blocks;
pub(crate) mod order;
pub(crate) mod pairs;
pub(crate) mod slope;

/// What every interval is asked to reach.
pub(crate) const CONFIDENCE: f64 = 0.95;
