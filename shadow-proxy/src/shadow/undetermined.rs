//! Flipped decisions that two equal services could have made too, because of the order or the time of the legs. Pure.

use crate::exchange::{Cell, Exchange, Undetermined};

/// The reason why a flipped decision is neither a breach nor a lockout; none where nothing but the candidate explains it.
pub(crate) fn undetermined(exchange: &Exchange, cell: Cell) -> Option<Undetermined> {
    exchange.doubt.filter(|_| matches!(cell, Cell::DenyAllow | Cell::AllowDeny))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use http::{HeaderMap, Method};

    use super::*;
    use crate::exchange::{Call, Failure, Leg, Side};

    #[test]
    fn only_flipped_decisions_are_undetermined() {
        for why in Undetermined::ALL {
            let doubted = exchange(Some(why));
            for cell in Cell::ALL {
                let expected = matches!(cell, Cell::AllowDeny | Cell::DenyAllow).then_some(why);
                assert_eq!(undetermined(&doubted, cell), expected, "{cell:?}");
            }
            assert_eq!(why.rule(), format!("undetermined:{}", why.name()));
            assert_eq!(serde_json::to_value(why).unwrap(), why.name());
        }
        assert_eq!(undetermined(&exchange(None), Cell::DenyAllow), None);
    }

    fn exchange(doubt: Option<Undetermined>) -> Exchange {
        let leg = || Leg { outcome: Err(Failure::Closed), latency: Duration::ZERO };
        let call =
            Call { method: Method::GET, uri: "/a".parse().unwrap(), headers: HeaderMap::new(), body: Bytes::new() };
        Exchange {
            begun: Instant::now(),
            call: Arc::new(call),
            served_by: Side::Legacy,
            served: leg(),
            mirrored: leg(),
            again: None,
            doubt,
        }
    }
}
