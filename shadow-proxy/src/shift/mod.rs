//! Who gets how much, and what has to be shown before it is more.

#[allow(dead_code, reason = "until the controller is here")]
mod command;
#[allow(dead_code, reason = "until the controller is here")]
pub mod decommission;
pub mod evidence;
pub mod gate;
#[allow(dead_code, reason = "until the controller is here")]
mod guards;
pub mod journal;
pub mod lint;
#[allow(dead_code, reason = "until the controller is here")]
mod needs;
#[allow(dead_code, reason = "until the controller is here")]
pub mod observed;
#[allow(dead_code, reason = "until the controller is here")]
pub mod paired;
#[allow(dead_code, reason = "until the controller is here")]
pub mod plan;
#[allow(dead_code, reason = "until the controller is here")]
pub mod state;
#[allow(dead_code, reason = "until the controller is here")]
pub mod step;
pub mod weight;

#[cfg(test)]
mod simulation;
