//! Who serves a call and who is mirrored: the other side is.

use std::net::IpAddr;

use bytes::Bytes;
use http::HeaderMap;

use crate::exchange::{Call, Side};
use crate::shift::weight::ALL_PPM;

use super::families::Families;
use super::identity::{Id, Identity};
use super::testers::Testers;

/// One for all threads.
pub struct Choice {
    pub identity: Identity,
    /// None: sessions are known by their ids alone.
    pub families: Option<Families>,
    pub testers: Option<Testers>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub side: Side,
    /// By which it was chosen, so that whatever the answer issues is known by it too; none where nothing was looked at.
    pub id: Option<Id>,
}

impl Choice {
    /// What a tester asks for. To be called before anybody sees the headers.
    pub fn asked_for(&self, headers: &mut HeaderMap) -> Option<Side> {
        self.testers.as_ref().and_then(|testers| testers.take(headers))
    }

    /// The side that serves, given the candidate's weight.
    ///
    /// Sticky: the same client lands in the same bucket, and who is served by the candidate at 1 % still is at 5 %.
    pub fn side(&self, weight_ppm: u32, asked_for: Option<Side>, call: &Call, peer: IpAddr) -> Chosen {
        // The two ends need no identity, and 0 is where most of the traffic is for most of a migration.
        let is_end = weight_ppm == 0 || weight_ppm >= ALL_PPM;
        if let Some(side) = asked_for {
            return Chosen { side, id: (!is_end).then(|| Id::of_side(side)) };
        }
        if is_end {
            return Chosen { side: if weight_ppm == 0 { Side::Legacy } else { Side::Candidate }, id: None };
        }
        let id = self.families.as_ref().and_then(|families| families.find(call));
        let id = id.or_else(|| self.identity.of(&call.headers, peer));
        // Whoever cannot be known again would be sent back and forth.
        let id = id.unwrap_or(Id::of_side(Side::Legacy));
        let side = if id.bucket() < weight_ppm { Side::Candidate } else { Side::Legacy };
        Chosen { side, id: Some(id) }
    }

    /// Takes what an answer issued into the family of whom it was sent to.
    pub fn issued(&self, id: Option<Id>, call: &Call, headers: &HeaderMap, body: &Bytes) {
        if let (Some(families), Some(id)) = (&self.families, id) {
            families.learn(id, call, headers, body);
        }
    }
}

#[cfg(test)]
mod tests;
