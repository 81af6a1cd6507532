//! The real binary between real services.

mod contract;
mod process;
mod scripted;
mod wire;
mod world;

mod answer;
mod parity;
mod request;
