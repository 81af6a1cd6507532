//! What a good credential stands for, and who knows which credentials are good.

use std::time::{Duration, UNIX_EPOCH};

use crate::http::Response;
#[cfg(feature = "jwt")]
use crate::jose::{Claims, Json, Number};

/// The end of the year 9999, the last second that RFC 3339 can write, since the Unix epoch: what lies beyond is a mistake in
/// the unit, or means never.
pub const LAST_S: u64 = 253_402_300_799;

/// What the holder of a good credential is.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub user_id: String,
    pub email: Option<String>,
    pub groups: Vec<String>,
    pub scopes: Vec<String>,
    /// Whom the credential is for; a key may have none.
    pub audiences: Vec<String>,
    /// Since the Unix epoch, at most the end of the year 9999; the grant is over at this instant. A key and an opaque token may
    /// have no end, another token only where [`Expiry::Optional`] lets it through.
    pub expires_at_ms: Option<u64>,
    /// By another key, both of which are good until this one's end: whoever holds it should change over.
    pub is_replaced: bool,
    pub origin: Origin,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    Key,
    /// With everything that the token says, less what only the grant has: `email` and `groups`.
    #[cfg(feature = "jwt")]
    Token(crate::jose::Object),
}

impl Grant {
    /// Adds when a credential that was replaced ends (`Sunset`, RFC 8594), as the proxy's log or the client may notice.
    pub(crate) fn mark(&self, response: Response) -> Response {
        match self.expires_at_ms.filter(|_| self.is_replaced) {
            Some(ms) => response.with("sunset", httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(ms))),
            None => response,
        }
    }
}

#[cfg(feature = "jwt")]
impl Grant {
    /// Of a token that was found good, by a policy that asks for a subject.
    pub(crate) fn of_token(mut claims: Claims) -> Grant {
        let text = |value| match value {
            Json::String(text) => Some(text),
            _ => None,
        };
        let texts = |value| match value {
            Json::Array(elements) => elements.into_iter().map(text).collect(),
            _ => None,
        };
        Grant {
            email: claims.members.take("email").and_then(text),
            groups: claims.members.take("groups").and_then(texts).unwrap_or_default(),
            expires_at_ms: end_ms(&claims),
            is_replaced: false,
            user_id: claims.subject.expect("the policy asks for a subject"),
            scopes: claims.scopes,
            audiences: claims.audiences,
            origin: Origin::Token(claims.members),
        }
    }
}

/// With the fraction that [`Claims::expires_at`] has rounded up.
#[cfg(feature = "jwt")]
fn end_ms(claims: &Claims) -> Option<u64> {
    match claims.members.get("exp") {
        Some(Json::Number(Number::Fraction(seconds))) => Some((seconds * 1_000.0) as u64),
        _ => claims.expires_at.map(|seconds| seconds * 1_000),
    }
}

/// A store of API keys.
pub trait Keys {
    /// The grant of a key that is known and in force at `now`, in seconds since the Unix epoch; `None` for any cause.
    fn find(&self, key: &[u8], now: u64) -> Result<Option<Grant>, StoreUnavailable>;

    /// Whether [`find`](Keys::find) can answer now.
    fn are_ready(&self) -> bool;
}

/// The store cannot be asked, or holds what cannot be read: neither a yes nor a no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreUnavailable;

/// Who checks tokens.
pub trait Tokens {
    /// The grant of a token that is good at `now`, in seconds since the Unix epoch; `None` for any cause.
    fn check(&self, token: &[u8], now: u64, expiry: Expiry) -> Result<Option<Grant>, StoreUnavailable>;

    /// The grant of what only its issuer can read: neither written like one of our keys nor like a signed token. Where no
    /// issuer can be asked, none is good.
    fn introspect(&self, _token: &[u8], _now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        Ok(None)
    }

    /// The JWK set (RFC 7517) of the public keys in use.
    fn public_keys(&self) -> Result<String, StoreUnavailable>;

    fn are_ready(&self) -> bool;
}

/// Whether a token must say when it ends. What it says is kept to either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    Required,
    Optional,
}

/// No token is good.
pub struct NoTokens;

impl Tokens for NoTokens {
    fn check(&self, _token: &[u8], _now: u64, _expiry: Expiry) -> Result<Option<Grant>, StoreUnavailable> {
        Ok(None)
    }

    fn public_keys(&self) -> Result<String, StoreUnavailable> {
        Ok("{\"keys\":[]}".to_owned())
    }

    fn are_ready(&self) -> bool {
        true
    }
}

/// Settings that cannot be read: no key and no token can be told good or bad.
#[cfg(feature = "store")]
impl Keys for StoreUnavailable {
    fn find(&self, _key: &[u8], _now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        Err(StoreUnavailable)
    }

    fn are_ready(&self) -> bool {
        false
    }
}

#[cfg(feature = "store")]
impl Tokens for StoreUnavailable {
    fn check(&self, _token: &[u8], _now: u64, _expiry: Expiry) -> Result<Option<Grant>, StoreUnavailable> {
        Err(StoreUnavailable)
    }

    fn introspect(&self, _token: &[u8], _now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        Err(StoreUnavailable)
    }

    fn public_keys(&self) -> Result<String, StoreUnavailable> {
        Err(StoreUnavailable)
    }

    fn are_ready(&self) -> bool {
        false
    }
}
