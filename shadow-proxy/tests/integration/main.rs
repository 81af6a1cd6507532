//! The real binary between real services.

mod canary;
mod config;
mod contract;
mod process;
mod scripted;
mod wire;
mod world;

mod alone;
mod answer;
mod capture;
mod crowd;
mod diffs;
mod evidence;
mod failure;
mod hosts;
mod isolation;
mod keys;
mod keys_in_force;
mod observability;
mod opaque;
mod parity;
mod proxies;
mod queue;
mod replay;
mod request;
mod rules;
mod shift;
mod shift_failures;
mod shutdown;
mod stateful;
mod sticky;
mod store;
mod weight;
