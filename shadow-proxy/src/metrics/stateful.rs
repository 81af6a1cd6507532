//! Metrics of traffic that changes something.

use prometheus_client::registry::Registry;

use super::{Count, Level, new};

pub struct Stateful {
    pub overlay_writes_refused: Count,
    pub session_values: Level,
    pub session_values_mapped: Count,
    pub session_values_evicted: Count,
    pub session_calls_waited: Count,
}

impl Stateful {
    pub(super) fn new(r: &mut Registry) -> Stateful {
        Stateful {
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
