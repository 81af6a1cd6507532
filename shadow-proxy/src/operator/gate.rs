//! `shadow-proxy gate`: may traffic move?

use std::path::Path;

use serde_json::json;

use crate::clock::now_ms;
use crate::shadow::record::Store;
use crate::shift::decommission::{self, Farewell};
use crate::shift::gate::{Judgement, Policy};
use crate::shift::history;
use crate::shift::journal;
use crate::shift::plan::Plan;
use crate::shift::state::State;
use crate::shift::step::Input;
use crate::show::gate;

use super::AdminPort;

/// What to print and with what to end: 0 go, 1 no-go, 2 not enough evidence.
///
/// # Errors
/// Nobody answers at the port, or there is no store in the directory: nothing is known then.
pub fn gate(port: &AdminPort, data: Option<&Path>, policy: &Policy, as_json: bool) -> anyhow::Result<(String, u8)> {
    let judgement: Judgement = match data {
        Some(data) => gate::judgement(&Store::open(data)?, policy, now_ms())?,
        None => serde_json::from_value(port.ask(reqwest::Method::GET, "/api/gate", None)?)
            .map_err(|_| anyhow::anyhow!(port.is_no_proxy()))?,
    };
    let text = if as_json { format!("{:#}\n", json!(judgement)) } else { gate::text(&judgement) };
    Ok((text, judgement.verdict.exit_code()))
}

/// The same for the question whether legacy may be switched off.
///
/// # Errors
/// As above.
pub fn decommission(port: &AdminPort, data: Option<&Path>, plan: &Plan, as_json: bool) -> anyhow::Result<(String, u8)> {
    let judged: Farewell = match data {
        Some(data) => {
            let state = journal::find(data, None)?.map_or_else(State::start, |entry| entry.state);
            let (evidence, live) =
                (gate::evidence(&Store::open(data)?, now_ms())?, history::since_state(data, &state)?);
            decommission::judge(&state, plan, &Input { live, evidence, ..Input::nothing(now_ms()) })
        }
        None => port.read("/api/shift/decommission")?,
    };
    let text = if as_json { format!("{:#}\n", json!(judged)) } else { gate::farewell_text(&judged) };
    Ok((text, judged.verdict.exit_code()))
}
