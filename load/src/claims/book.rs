//! What is claimed, as `load/claims.toml` has it.

use serde::Deserialize;

const SHIPPED: &str = include_str!("../../claims.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    #[serde(rename = "claim")]
    pub(crate) claims: Vec<Claim>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) source: String,
    /// How it was likely measured.
    pub(crate) method: String,
    /// Of all its figures: `us`, `bytes`, `per_second` or `usd`.
    pub(crate) unit: String,
    /// Requests per second that it was measured at; ours must be the same.
    pub(crate) rate: Option<f64>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) why: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figure {
    pub(crate) side: String,
    pub(crate) value: f64,
    pub(crate) claims: Sense,
    /// Which of our figures answers it.
    pub(crate) ours: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sense {
    AtMost,
    AtLeast,
}

impl Claims {
    pub(crate) fn shipped() -> Self {
        toml::from_str(SHIPPED).expect("a test reads it")
    }
}
