//! What is known about the places of two answers while they are compared.

use super::{Comparer, token};
use crate::exchange::Difference;
use crate::shadow::json::{Pairing, Places};

#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) comparer: &'a Comparer,
    pub(super) endpoint: &'a str,
}

impl Places for Known<'_> {
    fn pairing(&self, path: &str) -> Pairing<'_> {
        self.comparer.rules.pairing(self.endpoint, path)
    }

    fn renamed(&self, path: &str) -> Option<&str> {
        self.comparer.rules.renamed(self.endpoint, path)
    }

    fn inside(&self, path: &str, legacy: &str, candidate: &str, found: &mut Vec<Difference>) -> bool {
        let inside = token::differences(path, legacy, candidate, *self);
        let is_token = inside.is_some();
        found.extend(inside.unwrap_or_default());
        is_token
    }
}
