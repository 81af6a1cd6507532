//! Decisions that differ and say nothing.

use serde::{Deserialize, Serialize};

/// The reason why two decisions that differ say nothing about the candidate: two equal services could have decided so.
/// Such an exchange is neither a breach nor a lockout, and evidence for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undetermined {
    /// Calls that change the same thing overlapped.
    Raced,
    /// Something ended or began between the two legs.
    ExpiredBetween,
    /// The two sides may have seen the calls of a session in another order.
    OrderUnknown,
    /// The session is of the other side, and this one was never told of it.
    OtherSidesSession,
}

impl Undetermined {
    pub const ALL: [Undetermined; 4] = [
        Undetermined::Raced,
        Undetermined::ExpiredBetween,
        Undetermined::OrderUnknown,
        Undetermined::OtherSidesSession,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Undetermined::Raced => "raced",
            Undetermined::ExpiredBetween => "expired_between",
            Undetermined::OrderUnknown => "order_unknown",
            Undetermined::OtherSidesSession => "other_sides_session",
        }
    }

    /// The name by which the differences of such an exchange are explained.
    pub fn rule(self) -> &'static str {
        match self {
            Undetermined::Raced => "undetermined:raced",
            Undetermined::ExpiredBetween => "undetermined:expired_between",
            Undetermined::OrderUnknown => "undetermined:order_unknown",
            Undetermined::OtherSidesSession => "undetermined:other_sides_session",
        }
    }
}
