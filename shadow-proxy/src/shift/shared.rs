//! Where the state of a shift is kept. The journal of one proxy is one such place; what several proxies share will be another.

use tokio::sync::watch;

use super::journal::Entry;
use super::state::State;

/// Small on purpose: what a key-value store with revisions offers.
pub trait Shared: Send {
    fn get(&self) -> State;

    /// Writes a change down if the state is still the one before it; in force only afterwards.
    ///
    /// # Errors
    /// It could not be written; nothing changed.
    fn compare_and_set(&mut self, entry: &Entry) -> anyhow::Result<Set>;

    /// Every state from now on.
    fn watch(&self) -> watch::Receiver<State>;
}

#[derive(Clone, Debug, PartialEq)]
pub enum Set {
    Done,
    /// Somebody else was faster; this is the state now.
    Overtaken(State),
}
