//! Who gets how much, and what has to be shown before it is more.

pub mod weight;

pub mod evidence;
pub mod gate;
pub mod observed;
#[allow(dead_code, reason = "until the tests are here")]
pub mod paired;
pub mod plan;
pub mod state;
pub mod step;

pub mod backtest;
pub mod controller;
pub mod decommission;
pub mod history;
pub mod hooks;
pub mod journal;
pub mod shared;
pub mod watch;
