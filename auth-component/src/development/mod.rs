//! The built-in credentials for development. All of them are public, so nothing real may be guarded by them.

mod keys;
#[cfg(feature = "jwt")]
mod tokens;

pub use keys::DevelopmentKeys;
#[cfg(feature = "jwt")]
pub use tokens::DevelopmentTokens;
