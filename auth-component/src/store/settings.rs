//! The document `settings`: peppers, whose tokens are good, and what is copied of the service that is replaced.

use std::ops::RangeInclusive;

use serde::Deserialize;

use super::Bucket;
#[cfg(feature = "introspection")]
use super::introspection::{Endpoint, RawEndpoint};
use crate::api_key::Peppers;
use crate::grant::StoreUnavailable;
use crate::hex;
use crate::jose::{Algorithm, Policy};
use crate::parity::Parity;

#[derive(Debug)]
pub struct Settings {
    pub(super) peppers: Vec<Pepper>,
    pub(super) issuers: Vec<Issuer>,
    /// Who can be asked about opaque tokens.
    #[cfg(feature = "introspection")]
    pub introspection: Option<Endpoint>,
    pub parity: Parity,
}

#[derive(Debug)]
pub(super) struct Pepper {
    pub(super) name: String,
    pub(super) secret: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Issuer {
    /// The name of its set of keys in the bucket.
    pub(super) jwks: String,
    pub(super) policy: Policy,
}

/// Why a document is not understood; it is then as if the store could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsDefect {
    /// More than 64 KiB.
    TooLong,
    /// Not the object that STORE.md describes; unknown members count.
    Shape,
    /// `v` is newer than this program.
    Version,
    /// None, more than 4, two of one name, a name that is not 1 to 16 of `a-z0-9`, or a secret that is not 32 to 128 bytes
    /// in lower-case hex.
    Peppers,
    /// More than 4 issuers, an unknown algorithm, a policy that lets nothing or too much through, or a name for its keys
    /// that is not 1 to 64 of `A-Za-z0-9._-`.
    Tokens,
    /// A URL that is none, an empty or long text, or seconds beyond their limit.
    #[cfg(feature = "introspection")]
    Introspection,
    /// A switch that this program does not know.
    Parity,
}

const NAME: &str = "settings";
const VERSION: u32 = 1;
const BYTES_MAX: usize = 65_536;
/// An old key is looked for under each.
pub const PEPPERS_MAX: usize = 4;
pub const PEPPER_NAME_BYTES: RangeInclusive<usize> = 1..=16;
pub const PEPPER_BYTES: RangeInclusive<usize> = 32..=128;
pub const ISSUERS_MAX: usize = 4;
const JWKS_NAME_BYTES: RangeInclusive<usize> = 1..=64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    v: u32,
    peppers: Vec<RawPepper>,
    #[serde(default)]
    tokens: Vec<RawIssuer>,
    // An artifact without it refuses the member: tokens that are to be good would all be bad.
    #[cfg(feature = "introspection")]
    introspection: Option<RawEndpoint>,
    #[serde(default)]
    parity: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPepper {
    name: String,
    secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIssuer {
    jwks: String,
    issuer: String,
    audiences: Vec<String>,
    algorithms: Vec<String>,
    types: Vec<String>,
    #[serde(default)]
    type_required: bool,
    #[serde(default)]
    key_id_required: bool,
    #[serde(default)]
    claims_required: Vec<String>,
    #[serde(default)]
    skew_s: u64,
    #[serde(default)]
    issued_ahead_s: u64,
    lifetime_s_max: u64,
}

impl Settings {
    /// # Errors
    /// There are none, or they are not understood.
    pub fn read(bucket: &dyn Bucket) -> Result<Settings, StoreUnavailable> {
        let text = bucket.get(NAME)?.ok_or(StoreUnavailable)?;
        Settings::parse(&text).map_err(|_| StoreUnavailable)
    }

    pub fn parse(text: &[u8]) -> Result<Settings, SettingsDefect> {
        if text.len() > BYTES_MAX {
            return Err(SettingsDefect::TooLong);
        }
        // serde would take an array for the structure.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(SettingsDefect::Shape);
        }
        let raw: Raw = serde_json::from_slice(text).map_err(|_| SettingsDefect::Shape)?;
        if raw.v != VERSION {
            return Err(SettingsDefect::Version);
        }
        let parity = Parity::from_names(raw.parity.iter().map(String::as_str)).map_err(|_| SettingsDefect::Parity)?;
        #[cfg(feature = "introspection")]
        let introspection = raw.introspection.map(|raw| raw.read().ok_or(SettingsDefect::Introspection)).transpose()?;
        Ok(Settings {
            peppers: peppers(raw.peppers)?,
            issuers: issuers(raw.tokens)?,
            #[cfg(feature = "introspection")]
            introspection,
            parity,
        })
    }
}

impl Peppers for Settings {
    fn pepper(&self, name: &str) -> Option<&[u8]> {
        self.peppers.iter().find(|pepper| pepper.name == name).map(|pepper| pepper.secret.as_slice())
    }
}

fn peppers(raw: Vec<RawPepper>) -> Result<Vec<Pepper>, SettingsDefect> {
    let is_twin = |at: usize| raw[..at].iter().any(|other| other.name == raw[at].name);
    if raw.is_empty() || raw.len() > PEPPERS_MAX || (0..raw.len()).any(is_twin) {
        return Err(SettingsDefect::Peppers);
    }
    raw.into_iter().map(|raw| pepper(raw).ok_or(SettingsDefect::Peppers)).collect()
}

fn pepper(RawPepper { name, secret }: RawPepper) -> Option<Pepper> {
    // The name becomes a part of names in the store.
    let is_name = PEPPER_NAME_BYTES.contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let secret = hex::decode(&secret).filter(|secret| PEPPER_BYTES.contains(&secret.len()))?;
    is_name.then_some(Pepper { name, secret })
}

fn issuers(raw: Vec<RawIssuer>) -> Result<Vec<Issuer>, SettingsDefect> {
    if raw.len() > ISSUERS_MAX {
        return Err(SettingsDefect::Tokens);
    }
    raw.into_iter().map(|raw| issuer(raw).ok_or(SettingsDefect::Tokens)).collect()
}

fn issuer(raw: RawIssuer) -> Option<Issuer> {
    let algorithms: Option<Vec<Algorithm>> = raw.algorithms.iter().map(|name| Algorithm::named(name)).collect();
    let policy = Policy {
        audiences: raw.audiences,
        types: raw.types,
        type_required: raw.type_required,
        key_id_required: raw.key_id_required,
        claims_required: raw.claims_required,
        skew_s: raw.skew_s,
        issued_ahead_s: raw.issued_ahead_s,
        lifetime_s_max: raw.lifetime_s_max,
        ..Policy::strict(&raw.issuer, "", &algorithms?)
    };
    let is_name = JWKS_NAME_BYTES.contains(&raw.jwks.len())
        && raw.jwks.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (policy.defects().is_empty() && is_name).then_some(Issuer { jwks: raw.jwks, policy })
}
