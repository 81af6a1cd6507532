//! The artifact `auth-component-keys`: API keys alone, and those for development.
//!
//! A package of its own, so that the artifacts share their compiled dependencies and each has a file of its own.

#[cfg(target_arch = "wasm32")]
extern crate auth_component as _;
