//! Who serves a call and who is mirrored: the other side is.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;

use crate::exchange::{Call, Drawn, Sender, Side};
use crate::shadow::races::Group;
use crate::shift::weight::{ALL_PPM, InForce};

use super::carried::Values;
use super::families::{Families, Found, Said, Session};
use super::identity::{Id, Identity};
use super::testers::Testers;

/// One for all threads.
pub struct Choice {
    pub identity: Identity,
    pub values: Values,
    /// None: sessions are known by their ids alone.
    pub families: Option<Families>,
    /// Both sides keep sessions in one place, so that either knows those that the other began.
    pub is_shared: bool,
    pub testers: Option<Testers>,
}

#[derive(Clone)]
pub struct Chosen {
    pub side: Side,
    /// By which it was chosen; none where the weight had no part in it.
    pub id: Option<Id>,
    /// The session that the call belongs to, where it is known.
    pub session: Option<Arc<Session>>,
    /// The calls that can change what it sees: of its session, or with the same first value.
    pub group: Option<Group>,
}

impl Choice {
    /// What a tester asks for. To be called before anybody sees the headers.
    pub fn asked_for(&self, headers: &mut HeaderMap) -> Option<Side> {
        self.testers.as_ref().and_then(|testers| testers.take(headers))
    }

    /// Whether legacy serves a call whatever stands in its body, which then need not be there.
    pub fn is_legacys(&self, in_force: InForce, asked_for: Option<Side>) -> bool {
        in_force == InForce::LEGACY && asked_for != Some(Side::Candidate)
    }

    /// Of a call that legacy serves while its body is still on its way.
    pub fn legacys(&self, call: &Call) -> Chosen {
        let (session, group) = self.known(call);
        Chosen { side: Side::Legacy, id: None, session, group }
    }

    /// The side that serves, given what is in force.
    ///
    /// A session stays with the side that began it, as only that knows it. Who begins one lands in a bucket, the same each
    /// time: who is served by the candidate at 1 % still is at 5 %.
    pub fn side(&self, InForce { ppm, cut }: InForce, asked_for: Option<Side>, call: &Call, peer: IpAddr) -> Chosen {
        let (session, group) = self.known(call);
        let chosen = |side, id, session| Chosen { side, id, session, group };
        if let Some(side) = asked_for {
            return chosen(side, None, session);
        }
        if let Some(begun) = session.as_ref().filter(|session| !self.is_shared && cut != Some(session.side())) {
            return chosen(begun.side(), None, session);
        }
        // The two ends need no identity, and 0 is where most of the traffic is for most of a migration.
        if ppm == 0 || ppm >= ALL_PPM {
            return chosen(if ppm == 0 { Side::Legacy } else { Side::Candidate }, None, session);
        }
        let id = session.as_ref().map_or_else(|| self.own(call, peer), |session| session.id());
        let side = if id.bucket() < ppm { Side::Candidate } else { Side::Legacy };
        chosen(side, Some(id), session)
    }

    /// Who sent a call, for the weighing of evidence.
    pub fn sender(&self, weight_ppm: u32, chosen: &Chosen, call: &Call, peer: IpAddr) -> Sender {
        let credential = self.identity.credential(&call.headers).map(Id::number);
        // An id that stands for no credential is no client's that anybody has checked.
        let drawn = chosen.id.filter(|id| id.is_drawn() && credential.is_some());
        let drawn = drawn.map(|id| Drawn { id: id.number(), side: chosen.side, weight_ppm });
        Sender { credential, network: self.identity.network(peer).number(), drawn }
    }

    /// Takes what an answer issued into the session of whom it was sent to.
    pub fn issued(&self, Chosen { session, id, .. }: &Chosen, call: &Call, peer: IpAddr, said: Said) {
        if let Some(families) = &self.families {
            families.learn(&self.values, session.as_ref(), || id.unwrap_or_else(|| self.own(call, peer)), call, said);
        }
    }

    fn known(&self, call: &Call) -> (Option<Arc<Session>>, Option<Group>) {
        let Found { session, ended, first } = match &self.families {
            Some(families) => families.find(&self.values, call),
            None => Found { first: self.values.first(call), ..Found::default() },
        };
        let is_session = !self.is_shared;
        let number = session.as_ref().map(|session| session.number()).or(ended);
        let of_session = number.map(|number| Group { number, is_session });
        let group = of_session.or(first.map(|number| Group { number, is_session: false }));
        (session, group)
    }

    /// Whoever cannot be known again would be sent back and forth, and stays with legacy.
    fn own(&self, call: &Call, peer: IpAddr) -> Id {
        self.identity.of(&call.headers, peer).unwrap_or(Id::of_side(Side::Legacy))
    }
}

#[cfg(test)]
mod tests;
