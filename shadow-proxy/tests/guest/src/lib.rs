//! A component that does what its path says, mostly what no component should do; anything else it answers like the
//! auth component without a credential.
//!
//! `cargo ci component` builds it into the target folder, under `component/hostile-guest.wasm`.

#[cfg(target_arch = "wasm32")]
mod guest;
