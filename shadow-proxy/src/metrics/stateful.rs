//! Metrics of traffic that changes something.

use prometheus_client::registry::Registry;

use prometheus_client::metrics::family::Family;
use serde::Serialize;

use crate::exchange::Side;

use super::{Count, Level, OfSide, new, register};

/// The sessions that a side holds, as far as this proxy saw them begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    pub held: u64,
    /// Of these, those that were used within the last five minutes.
    pub active: u64,
    /// Seconds since the last of them was used; none where there is none.
    pub last_used_s: Option<u64>,
}

pub struct Stateful {
    /// Sessions that stay with legacy, with the candidate.
    pub sticky_sessions: [Level; 2],
    pub overlay_writes_refused: Count,
    pub session_values: Level,
    pub session_values_mapped: Count,
    pub session_values_evicted: Count,
    pub session_calls_waited: Count,
}

impl Stateful {
    pub(super) fn new(r: &mut Registry) -> Stateful {
        let sticky_sessions = Family::<OfSide, Level>::default();
        register(r, "sticky_sessions", "Sessions that stay with the side that began them", &sticky_sessions);
        let of = |side: Side| sticky_sessions.get_or_create_owned(&OfSide { side: side.name() });
        Stateful {
            sticky_sessions: [of(Side::Legacy), of(Side::Candidate)],
            overlay_writes_refused: new(
                r,
                "overlay_writes_refused",
                "Writes of a component to a bucket of keys for which its overlay has no room",
            ),
            session_values: new(r, "session_values", "Tokens, cookies and the like held to be mapped"),
            session_values_mapped: new(
                r,
                "session_values_mapped",
                "Values in mirrored calls replaced by those that the other side issued",
            ),
            session_values_evicted: new(
                r,
                "session_values_evicted",
                "Values that had to make room for others before their time was over",
            ),
            session_calls_waited: new(
                r,
                "session_calls_waited",
                "Mirrored calls that waited for the other side to issue what they carry",
            ),
        }
    }
}
