//! Parity mode: answers like the Express service in legacy-stub, one switch per behaviour. PARITY.md has the reasons.
//!
//! The strict core decides, and `answer` dresses what it has decided, so no switch can turn a no into a yes. Two reach
//! further: [`Switch::JwtExpOptional`] is asked by the checker of tokens, and [`Switch::JsNumbers`] by introspection.

#[cfg(feature = "parity")]
mod answer;
#[cfg(feature = "parity")]
mod body;
#[cfg(feature = "parity")]
mod express;
#[cfg(feature = "parity")]
mod inflate;
#[cfg(feature = "parity")]
mod json;
#[cfg(feature = "parity")]
mod numbers;
#[cfg(feature = "parity")]
mod proxies;

mod switches;

#[cfg(feature = "parity")]
pub(crate) use answer::answer;
#[cfg(feature = "parity")]
pub(crate) use numbers::JsNumbers;
pub use switches::{Parity, Switch, UnknownSwitch};
