//! The real binary between real services.

mod contract;
mod process;
mod scripted;
mod wire;
mod world;

mod parity;
mod request;
