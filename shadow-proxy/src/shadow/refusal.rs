//! Requests that one side's parser refuses and the other reads: about HTTP, not about credentials, and anybody can send them.

use http::StatusCode;

use crate::exchange::{Decision, Leg};

/// Whether a pair is of this class: legacy's parser refused what the candidate read, or the candidate's what legacy read and
/// did not let in. Whom legacy lets in and the candidate refuses is never one of many odd requests.
pub(super) fn is_parsers(legacy: &Leg, candidate: &Leg, decided: Decision) -> bool {
    let status = |leg: &Leg| leg.said().map(|answer| answer.status);
    let (legacy, candidate) = (status(legacy), status(candidate));
    let refuses = |status: Option<StatusCode>| status.is_some_and(|status| PARSERS.contains(&status.as_u16()));
    legacy != candidate && (refuses(legacy) || refuses(candidate) && decided != Decision::Allow)
}

/// Bad request, content too large, URI too long, expectation failed, header fields too large.
const PARSERS: [u16; 5] = [400, 413, 414, 417, 431];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;
    use crate::exchange::{Answer, Failure};

    #[test]
    fn what_a_parser_refuses_is_told_from_what_the_service_does() {
        let leg = |status: u16| match status {
            0 => Leg::failed(Failure::Closed, 0, Duration::ZERO),
            status => {
                let status = StatusCode::from_u16(status).unwrap();
                Leg::answered(Answer { status, headers: HeaderMap::new(), body: Bytes::new() }, 0, Duration::ZERO)
            }
        };
        for (legacy, candidate, decided, is) in [
            (431, 200, Decision::Neither, true),
            (431, 401, Decision::Neither, true),
            (400, 413, Decision::Neither, true),
            (401, 431, Decision::Deny, true),
            (404, 414, Decision::Neither, true),
            (417, 0, Decision::Neither, true),
            (431, 431, Decision::Neither, false),
            (200, 431, Decision::Allow, false),
            (200, 400, Decision::Allow, false),
            (401, 200, Decision::Deny, false),
            (200, 500, Decision::Allow, false),
            (404, 405, Decision::Neither, false),
        ] {
            assert_eq!(is_parsers(&leg(legacy), &leg(candidate), decided), is, "{legacy} {candidate}");
        }
    }
}
