//! What a good credential stands for, and who knows which credentials are good.

/// What the holder of a good credential is.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub user_id: String,
    pub email: Option<String>,
    pub groups: Vec<String>,
    pub scopes: Vec<String>,
    /// Whom the credential is for; a key may have none.
    pub audiences: Vec<String>,
    /// Since the Unix epoch, at most the end of the year 9999; the grant is over at this instant. Only a token without an
    /// end has none, where [`Expiry::Optional`] lets it through.
    pub expires_at_ms: Option<u64>,
    pub origin: Origin,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    Key,
    /// With everything that the token says.
    #[cfg(feature = "jwt")]
    Token(crate::jose::Object),
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
    fn check(&self, token: &[u8], now: u64, expiry: Expiry) -> Option<Grant>;

    /// The JWK set (RFC 7517) of the public keys in use.
    fn public_keys(&self) -> String;

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
    fn check(&self, _token: &[u8], _now: u64, _expiry: Expiry) -> Option<Grant> {
        None
    }

    fn public_keys(&self) -> String {
        "{\"keys\":[]}".to_owned()
    }

    fn are_ready(&self) -> bool {
        true
    }
}
