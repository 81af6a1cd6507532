//! The document `settings`: peppers, whose tokens are good, and what is copied of the service that is replaced.

use serde::Deserialize;

use super::Bucket;
#[cfg(feature = "introspection")]
use super::introspection::{Endpoint, RawEndpoint};
use crate::api_key::Peppers;
use crate::grant::StoreUnavailable;
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
    /// None, more than 4, two of one name, or a secret of fewer than 32 bytes.
    Peppers,
    /// More than 4 issuers, an unknown algorithm, or a policy that lets nothing or too much through.
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
const PEPPERS_MAX: usize = 4;
const PEPPER_BYTES_MIN: usize = 32;
pub const ISSUERS_MAX: usize = 4;

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
    let pepper = |RawPepper { name, secret }| match bytes(&secret) {
        Some(secret) if secret.len() >= PEPPER_BYTES_MIN => Ok(Pepper { name, secret }),
        _ => Err(SettingsDefect::Peppers),
    };
    raw.into_iter().map(pepper).collect()
}

/// Of two hex digits each.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let pair = |pair: &[u8; 2]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    if rest.is_empty() { pairs.iter().map(pair).collect() } else { None }
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
    (policy.defects().is_empty() && !raw.jwks.is_empty()).then_some(Issuer { jwks: raw.jwks, policy })
}
