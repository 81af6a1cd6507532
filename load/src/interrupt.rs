//! Ctrl-C and SIGTERM: whoever measures looks now and then whether it should come to an end, and keeps what it has.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// To be called once. Not where goose runs: it listens itself.
pub(crate) fn listen() -> Result<(), String> {
    ctrlc::set_handler(|| REQUESTED.store(true, Ordering::Relaxed))
        .map_err(|error| format!("cannot listen for Ctrl-C: {error}; what blocks signals for this process?"))
}

pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
