//! Who gets how much, and what has to be shown before it is more.

pub mod weight;

pub mod times;

pub mod evidence;
pub mod gate;
pub mod lint;
pub mod observed;
pub mod paired;
pub mod plan;
pub mod state;
pub mod step;

mod command;
pub mod decommission;
mod guards;
mod needs;

pub mod backtest;
pub mod controller;
pub mod history;
pub mod hooks;
pub mod journal;
mod recent;
pub mod shared;
mod split;
pub mod watch;

#[cfg(test)]
mod simulation;
