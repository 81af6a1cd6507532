//! What the answers depend on besides the request and the time.

use crate::api_key::{ApiKey, FormatDefect};
use crate::bearer::Credential;
use crate::development::DevelopmentKeys;
#[cfg(feature = "jwt")]
use crate::development::DevelopmentTokens;
#[cfg(not(feature = "jwt"))]
use crate::grant::NoTokens;
use crate::grant::{Expiry, Grant, Keys, StoreUnavailable, Tokens};
use crate::parity::{Parity, Switch};

#[derive(Clone, Copy)]
pub struct Service<'a> {
    pub keys: &'a dyn Keys,
    pub tokens: &'a dyn Tokens,
    /// What is copied of the Express service.
    pub parity: Parity,
}

impl Service<'static> {
    /// With the built-in credentials, which are public: nothing real may be guarded by it.
    pub const fn development() -> Service<'static> {
        #[cfg(feature = "jwt")]
        let tokens = &DevelopmentTokens;
        #[cfg(not(feature = "jwt"))]
        let tokens = &NoTokens;
        Service { keys: &DevelopmentKeys, tokens, parity: Parity::STRICT }
    }
}

impl<'a> Service<'a> {
    pub const fn with_parity(self, parity: Parity) -> Service<'a> {
        Service { parity, ..self }
    }

    /// The grant of a credential that is good at `now`; `None` for any cause.
    pub(crate) fn grant(&self, credential: &[u8], now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        match Credential::of(credential) {
            Credential::Token(token) => self.tokens.check(token, now, self.expiry()),
            Credential::Key(key) => match self.grant_of_key(key, now)? {
                None if ApiKey::parse(key) == Err(FormatDefect::Shape) => self.tokens.introspect(key, now),
                grant => Ok(grant),
            },
            Credential::Opaque(token) => self.tokens.introspect(token, now),
            Credential::Malformed => Ok(None),
        }
    }

    /// The same where only an API key will do.
    pub(crate) fn grant_of_key_alone(&self, credential: &[u8], now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        match Credential::of(credential) {
            Credential::Key(key) => self.grant_of_key(key, now),
            Credential::Token(_) | Credential::Opaque(_) | Credential::Malformed => Ok(None),
        }
    }

    fn expiry(&self) -> Expiry {
        if self.parity.has(Switch::JwtExpOptional) { Expiry::Optional } else { Expiry::Required }
    }

    fn grant_of_key(&self, key: &[u8], now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        match ApiKey::parse(key) {
            Err(FormatDefect::Checksum) => Ok(None),
            // A key of another form is an old one: the store may know it.
            Ok(_) | Err(FormatDefect::Shape) => self.keys.find(key, now),
        }
    }
}
