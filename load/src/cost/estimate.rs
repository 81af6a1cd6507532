//! What `load cost` says, as plain data.

use serde::{Deserialize, Serialize};

use super::bill::Priced;
use super::breakeven::Payback;
use super::demand::{Assumptions, BothFigures, Range};
use super::prices::PriceLine;

pub(crate) const SCHEMA: &str = "load-cost";
pub(crate) const VERSION: u32 = 1;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Cost {
    /// [`SCHEMA`]
    pub(crate) schema: String,
    pub(crate) version: u32,
    /// Unix time in ms.
    pub(crate) made_at_ms: u64,
    /// The measurements were short ones.
    pub(crate) short: bool,
    /// Where a figure came from, and what is not so sure about it; for people.
    pub(crate) notes: Vec<String>,
    pub(crate) figures: BothFigures,
    pub(crate) assumptions: Assumptions,
    /// The platform that the legacy service runs on.
    pub(crate) present: String,
    /// Requests per second for which savings are told.
    pub(crate) rate_main: f64,
    pub(crate) platforms: Vec<PlatformCost>,
    /// On the present platform whichever side runs; in no bill above and in no saving.
    pub(crate) fixed: Vec<FixedCost>,
    pub(crate) savings: Savings,
    pub(crate) break_even: Vec<BreakEven>,
    pub(crate) payback: Option<Payback>,
    /// What the saving on the present platform becomes when one assumption changes.
    pub(crate) sensitivity: Vec<Sensitivity>,
    /// Both bills on the present platform, rate by rate: steps.
    pub(crate) curve: Vec<CurvePoint>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PlatformCost {
    pub(crate) name: String,
    pub(crate) title: String,
    /// `always-on` or `per-request`.
    pub(crate) kind: String,
    pub(crate) prices: Vec<PriceLine>,
    /// Why there are no bills.
    pub(crate) left_out: Option<String>,
    pub(crate) rates: Vec<RateCost>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RateCost {
    /// Average, requests per second.
    pub(crate) rate: f64,
    /// Null where no size has the memory.
    pub(crate) legacy: Option<Priced>,
    pub(crate) candidate: Option<Priced>,
    pub(crate) saved_usd_per_month: Option<Range>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FixedCost {
    pub(crate) name: String,
    pub(crate) usd_per_month: f64,
    pub(crate) price: PriceLine,
}

/// Three things that are often taken for one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Savings {
    /// What the machines do, whoever pays for them.
    pub(crate) resources: [Resources; 2],
    /// Money on the platform as it is, with the sizes it sells. USD a month.
    pub(crate) on_present_platform: Option<Range>,
    /// Money once the service moves to where small is cheap, against the legacy service where it is. USD a month.
    pub(crate) elsewhere: Vec<Elsewhere>,
}

/// Of one side, for a million requests at the main rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Resources {
    pub(crate) side: String,
    pub(crate) vcpu_seconds: Range,
    pub(crate) gb_hours: Range,
    /// An estimate of the electricity for these, by coefficients of others.
    pub(crate) kwh: Range,
    pub(crate) kwh_source: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Elsewhere {
    pub(crate) platform: String,
    pub(crate) title: String,
    /// The legacy service where it is, less the candidate there.
    pub(crate) saved_usd_per_month: Range,
    /// The legacy service there, less the candidate there: the same move without the migration.
    pub(crate) of_it_by_candidate: Option<Range>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct BreakEven {
    pub(crate) side: String,
    /// Titles.
    pub(crate) always_on: String,
    pub(crate) per_request: String,
    /// From this many requests per second on always-on costs no more; null: never under 100,000.
    pub(crate) rate: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Sensitivity {
    pub(crate) change: String,
    pub(crate) legacy_usd_per_month: Range,
    pub(crate) candidate_usd_per_month: Range,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CurvePoint {
    pub(crate) rate: f64,
    pub(crate) legacy: Option<Range>,
    pub(crate) candidate: Option<Range>,
}
