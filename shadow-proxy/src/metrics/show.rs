//! Metrics of the admin port: who watches, who is refused, and what the component held when somebody looked.

use prometheus_client::registry::Registry;

use super::{Count, Level, new};

pub struct Show {
    pub page_streams: Level,
    pub page_streams_refused: Count,
    pub admin_refused: Count,
    pub candidate_instances: Level,
    pub candidate_memory_bytes: Level,
}

impl Show {
    pub(super) fn new(r: &mut Registry) -> Show {
        Show {
            page_streams: new(r, "page_streams", "Open pages that are kept up to date"),
            page_streams_refused: new(
                r,
                "page_streams_refused",
                "Pages that were refused that, because there are enough",
            ),
            admin_refused: new(r, "admin_refused", "Tokens sent to the admin port that were wrong, or one too many"),
            candidate_instances: new(r, "candidate_instances", "Instances of the component, at work and waiting"),
            candidate_memory_bytes: new(r, "candidate_memory_bytes", "Linear memory of these instances"),
        }
    }
}
