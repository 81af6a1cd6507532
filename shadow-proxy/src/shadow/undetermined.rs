//! Flipped decisions that two equal services could have made too, because of the order or the time of the legs. Pure.

mod claims;

use std::time::Duration;

use crate::exchange::{Call, Cell, Decision, Exchange, Leg, Side, Undetermined};

use self::claims::{Claim, Moment};

/// The reason why a flipped decision is neither a breach nor a lockout; none where nothing but the candidate explains it.
pub(crate) fn undetermined(exchange: &Exchange, cell: Cell) -> Option<Undetermined> {
    exchange.doubt.filter(|_| is_flip(cell))
}

pub(crate) fn is_flip(cell: Cell) -> bool {
    matches!(cell, Cell::DenyAllow | Cell::AllowDeny)
}

/// How to find out whether something ended or began between two legs: both sides are asked again, a little later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// A token of the call says so, by its claims.
    pub is_claimed: bool,
    /// When the moment that it claims is over by both clocks; 0 without one.
    pub over_ms: u64,
    /// When both sides have to decide alike, in milliseconds since the Unix epoch.
    pub ask_at_ms: u64,
}

/// The question that a flipped decision asks. `calls` are those that legacy and the candidate were asked. `is_suspected`:
/// the candidate decided as legacy did before. Clocks may be apart by `tolerance_ms`.
pub(crate) fn question(
    exchange: &Exchange,
    calls: [&Call; 2],
    first: Pair,
    is_suspected: bool,
    tolerance_ms: u64,
    now_ms: u64,
) -> Option<Question> {
    // A token that has only just begun excuses no breach, unless legacy was asked before that.
    let beginning_tolerance_ms = if first.1 == Decision::Allow { 0 } else { tolerance_ms };
    let asked = |side: Side| (calls[side as usize], exchange.leg(side));
    let (allowing, denying) = match Cell::of(first.0, first.1) {
        Cell::DenyAllow => (asked(Side::Candidate), asked(Side::Legacy)),
        Cell::AllowDeny => (asked(Side::Legacy), asked(Side::Candidate)),
        Cell::AllowAllow | Cell::DenyDeny | Cell::Other => return None,
    };
    let claimed = claimed(allowing, denying, (tolerance_ms, beginning_tolerance_ms));
    // A breach that nothing excuses is not waited for.
    let wait_ms = if claimed.is_some() || is_suspected { tolerance_ms } else { 0 };
    let ask_at_ms = claimed.unwrap_or(0).max(now_ms).saturating_add(wait_ms);
    let over_ms = claimed.map_or(0, |at_ms| at_ms.saturating_add(tolerance_ms));
    Some(Question { is_claimed: claimed.is_some(), over_ms, ask_at_ms })
}

/// The moment, claimed by a token of the call, that may lie between a leg that let it in and one that refused it: an end
/// behind the first and before the second, or a beginning the other way round; each has a tolerance of its own.
///
/// A mirrored call may carry the token that the other side issued in its place, a moment later: each side is held to its
/// own.
fn claimed(allowing: Asked, denying: Asked, (tolerance_ms, beginning_tolerance_ms): (u64, u64)) -> Option<u64> {
    let (let_in, refused) = (Span::of(allowing.1)?, Span::of(denying.1)?);
    let others = claims::moments(denying.0);
    let pair = |moment: Moment| others.iter().find(|other| other.is_of(&moment)).map(|other| (moment, *other));
    let explains = |(good, bad): &(Moment, Moment)| match good.claim {
        Claim::End => {
            let_in.may_begin_before(good.at_ms, tolerance_ms) && refused.may_end_after(bad.at_ms, tolerance_ms)
        }
        Claim::NotBefore | Claim::Issued => {
            refused.may_begin_before(bad.at_ms, beginning_tolerance_ms)
                && let_in.may_end_after(good.at_ms, tolerance_ms)
        }
    };
    let pairs = claims::moments(allowing.0).into_iter().filter_map(pair);
    pairs.filter(explains).map(|(good, bad)| good.at_ms.max(bad.at_ms)).max()
}

/// The call that a side was asked, and its leg.
type Asked<'a> = (&'a Call, &'a Leg);

/// The time within which a side decided.
struct Span {
    begin_ms: u64,
    end_ms: u64,
}

impl Span {
    /// None where it is not known.
    fn of(leg: &Leg) -> Option<Span> {
        let took_ms = leg.latency.checked_add(PART)?.as_millis() as u64;
        (leg.begun_ms > 0).then(|| Span { begin_ms: leg.begun_ms, end_ms: leg.begun_ms.saturating_add(took_ms) })
    }

    fn may_begin_before(&self, at_ms: u64, tolerance_ms: u64) -> bool {
        at_ms.saturating_add(tolerance_ms) >= self.begin_ms
    }

    fn may_end_after(&self, at_ms: u64, tolerance_ms: u64) -> bool {
        at_ms <= self.end_ms.saturating_add(tolerance_ms)
    }
}

/// What a millisecond that is cut off may have been.
const PART: Duration = Duration::from_millis(1);

/// Decisions of both sides about a call: legacy's, then the candidate's.
pub(crate) type Pair = (Decision, Decision);

/// Whether what both sides decide now shows that something ended or began between the legs.
///
/// Where a token claims so, or where legacy itself decides otherwise now, it is enough that they agree. A candidate that
/// alone came round may as well decide by chance: what it decided first must have been legacy's last word about the same
/// request before.
pub(crate) fn is_explained(question: Question, first: Pair, again: Pair, legacy_before: Option<Decision>) -> bool {
    let agree = again.0 == again.1 && matches!(again.0, Decision::Allow | Decision::Deny);
    agree && (question.is_claimed || again.0 != first.0 || legacy_before == Some(first.1))
}

#[cfg(test)]
mod tests;
