//! Tokens of the issuers in the settings.

use std::cell::Cell;

use super::settings::Issuer;
use super::{Bucket, Settings};
use crate::grant::{Expiry, Grant, StoreUnavailable, Tokens};
use crate::jose::{self, Algorithm, Jwks, Origin, Policy};

#[derive(Clone, Copy)]
pub struct StoreTokens<'a> {
    pub bucket: &'a dyn Bucket,
    pub settings: &'a Settings,
}

impl Tokens for StoreTokens<'_> {
    fn check(&self, token: &[u8], now: u64, expiry: Expiry) -> Result<Option<Grant>, StoreUnavailable> {
        let mut answer = Ok(None);
        for issuer in &self.settings.issuers {
            match self.check_for(issuer, token, now, expiry) {
                Ok(None) => {}
                // What another issuer's keys would say changes nothing.
                Ok(Some(grant)) => return Ok(Some(grant)),
                Err(unavailable) => answer = Err(unavailable),
            }
        }
        answer
    }

    fn public_keys(&self) -> Result<String, StoreUnavailable> {
        let sets: Result<Vec<Jwks>, _> =
            self.settings.issuers.iter().map(|issuer| self.keys(issuer, |_| true)).collect();
        Ok(Jwks::public_json_of(&sets?))
    }

    fn are_ready(&self) -> bool {
        self.settings.issuers.iter().all(|issuer| self.keys(issuer, |_| true).is_ok_and(|keys| !keys.is_empty()))
    }
}

impl StoreTokens<'_> {
    fn check_for(
        &self,
        issuer: &Issuer,
        token: &[u8],
        now: u64,
        expiry: Expiry,
    ) -> Result<Option<Grant>, StoreUnavailable> {
        let policy = Policy { expiry_required: expiry == Expiry::Required, ..issuer.policy.clone() };
        let failed = Cell::new(false);
        // The set is read only for a token that says all that the issuer's tokens must say, and of it the keys for its
        // algorithm alone.
        let keys_for = |algorithm: Algorithm| {
            self.keys(issuer, |own| own == algorithm).unwrap_or_else(|StoreUnavailable| {
                failed.set(true);
                Jwks::empty()
            })
        };
        let claims = jose::verify_by(token, keys_for, &policy, now);
        if failed.get() { Err(StoreUnavailable) } else { Ok(claims.ok().map(Grant::of_token)) }
    }

    /// Those for the algorithms that are wanted.
    fn keys(&self, issuer: &Issuer, is_wanted: impl Fn(Algorithm) -> bool) -> Result<Jwks, StoreUnavailable> {
        let text = self.bucket.get(&issuer.jwks)?.ok_or(StoreUnavailable)?;
        Jwks::parse_some(&text, Origin::Operator, is_wanted).map_err(|_| StoreUnavailable)
    }
}
