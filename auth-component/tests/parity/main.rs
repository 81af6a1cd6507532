//! Parity mode against the real Express service, byte for byte, and what no switch may do.

#[path = "../case/mod.rs"]
mod case;
mod document;
mod equal;
mod node;
mod random;
