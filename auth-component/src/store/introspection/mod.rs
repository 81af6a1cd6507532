//! Opaque tokens, about which their issuer is asked (RFC 7662), as INTROSPECTION.md says.
//!
//! Asking costs a connection and a wait, so what the issuer said is kept for a moment. Kept is what it said, never what
//! followed from it: whether that lets somebody in is decided anew for each request, by its time and its demands.

mod answer;
mod endpoint;
mod kept;

pub use endpoint::{CACHE_S_MAX, Endpoint, NEGATIVE_S_MAX};

pub(super) use endpoint::RawEndpoint;

use self::answer::Told;
use super::{StoreKeys, StoreTokens};
use crate::grant::{Expiry, Grant, StoreUnavailable, Tokens};

/// A `POST` to the endpoint.
pub struct Question<'a> {
    /// By https.
    pub is_secure: bool,
    pub authority: &'a str,
    pub path_and_query: &'a str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

pub struct Reply {
    pub status: u16,
    /// One for each header line.
    pub content_types: Vec<Vec<u8>>,
    pub body: Vec<u8>,
}

pub trait Outbound {
    /// Where the body has more than `bytes_max`, what is there of it may be cut off behind that.
    ///
    /// # Errors
    /// No answer, for whatever reason: not allowed, not reached, not in time.
    fn ask(&self, question: &Question, bytes_max: usize) -> Result<Reply, StoreUnavailable>;
}

/// It may forget at any time, and fail without a word.
pub trait Cache {
    fn get(&self, name: &str) -> Option<Vec<u8>>;

    fn set(&self, name: &str, value: &[u8]);
}

/// What is beyond the store.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    pub outbound: &'a dyn Outbound,
    pub cache: &'a dyn Cache,
}

/// The tokens of the store, and those of an issuer that can be asked.
pub struct OpaqueTokens<'a> {
    pub signed: StoreTokens<'a>,
    pub keys: StoreKeys<'a>,
    pub endpoint: &'a Endpoint,
    pub outside: Outside<'a>,
}

impl Tokens for OpaqueTokens<'_> {
    fn check(&self, token: &[u8], now: u64, expiry: Expiry) -> Result<Option<Grant>, StoreUnavailable> {
        self.signed.check(token, now, expiry)
    }

    fn introspect(&self, token: &[u8], now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        // Revoked or over here, it may still be good there: the service that was replaced knows the same keys.
        if self.keys.has_old(token)? {
            return Ok(None);
        }
        let Ok(token) = str::from_utf8(token) else { return Ok(None) };
        let name = kept::name(self.endpoint, token);
        let kept = self.outside.cache.get(&name).and_then(|value| kept::read(&value, self.endpoint, now));
        let told = kept.map_or_else(|| self.ask(token, &name, now), Ok)?;
        Ok(told.grant(&self.endpoint.issuer, &self.endpoint.audiences, now))
    }

    fn public_keys(&self) -> Result<String, StoreUnavailable> {
        self.signed.public_keys()
    }

    fn are_ready(&self) -> bool {
        self.signed.are_ready()
    }
}

impl OpaqueTokens<'_> {
    fn ask(&self, token: &str, name: &str, now: u64) -> Result<Told, StoreUnavailable> {
        let reply = self.outside.outbound.ask(&self.endpoint.question(token), answer::BYTES_MAX)?;
        let told = Told::parse(&reply).map_err(|_| StoreUnavailable)?;
        if let Some(value) = kept::value(&told, self.endpoint, now) {
            self.outside.cache.set(name, &value);
        }
        Ok(told)
    }
}
