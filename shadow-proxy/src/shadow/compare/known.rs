//! What is known about the places of two answers while they are compared.

use super::signature::Signatures;

#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) signatures: Option<&'a Signatures>,
    /// By how much two lifetimes may differ that are told by a clock.
    pub(super) tolerance_s: u64,
}
