//! Who gets how much, and what has to be shown before it is more.

pub mod weight;

pub mod evidence;
pub mod gate;
pub mod observed;
pub mod paired;
pub mod plan;
pub mod state;
pub mod step;

pub mod lint;

mod command;
pub mod decommission;
mod guards;
mod needs;

pub mod backtest;
pub mod controller;
pub mod history;
pub mod hooks;
pub mod journal;
pub mod shared;
mod split;
pub mod watch;
