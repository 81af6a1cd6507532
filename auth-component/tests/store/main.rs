//! Keys and settings from a store, as STORE.md lays them out: one that holds them, one that fails, one that holds garbage.

mod calls;
#[path = "../case/mod.rs"]
mod case;
mod contract;
mod document;
mod held;
mod issuers;
mod opaque;
mod records;
mod settings;
mod unavailable;
