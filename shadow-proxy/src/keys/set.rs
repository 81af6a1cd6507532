//! What a component may look up, read from the files that say it.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use auth_component::jose::{Jwks, Origin};
use serde::Serialize;

use super::peppers::Written;
use super::{Introspection, Peppers, disk, file, introspection};

/// Where keys come from: the table `[auth]`.
#[derive(Clone)]
pub struct Sources {
    pub keys: PathBuf,
    pub peppers: PathBuf,
    /// Whose tokens are good; none: no token is.
    pub issuers: Vec<Issuer>,
    /// Who is asked about opaque tokens; none: no such token is good.
    pub introspection: Option<Introspection>,
    /// In what the component answers like the service it replaces.
    pub parity: Vec<String>,
}

#[derive(Clone)]
pub struct Issuer {
    /// The keys that check its tokens.
    pub jwks: PathBuf,
    pub tokens: Tokens,
}

/// What its tokens must be like, as a component reads it.
#[derive(Clone, Serialize)]
pub struct Tokens {
    pub issuer: String,
    pub audiences: Vec<String>,
    pub algorithms: Vec<String>,
    pub types: Vec<String>,
    pub type_required: bool,
    pub key_id_required: bool,
    pub claims_required: Vec<String>,
    pub skew_s: u64,
    pub issued_ahead_s: u64,
    pub lifetime_s_max: u64,
}

/// Everything that belongs together: a key is good only with the pepper of its time.
pub struct Set {
    pub keys: Bucket,
    pub settings: Bucket,
    pub weak: usize,
}

/// In the order of the keys.
pub struct Bucket(Vec<(String, Vec<u8>)>);

/// The value of `settings`.
#[derive(Serialize)]
struct Settings<'a> {
    v: u32,
    peppers: Vec<Written>,
    tokens: Vec<NamedTokens<'a>>,
    // A component that asks nobody does not know the member.
    #[serde(skip_serializing_if = "Option::is_none")]
    introspection: Option<introspection::Written<'a>>,
    parity: &'a [String],
}

#[derive(Serialize)]
struct NamedTokens<'a> {
    /// The name of the keys in the bucket.
    jwks: String,
    #[serde(flatten)]
    tokens: &'a Tokens,
}

const VERSION: u32 = 1;
const JWKS_BYTES_MAX: u64 = 256 << 10;

impl Set {
    /// # Errors
    /// One of the files is not good, or they do not fit each other. Never with their content.
    pub fn read(sources: &Sources) -> anyhow::Result<Set> {
        let Sources { keys, peppers, issuers, introspection, parity } = sources;
        let peppers = Peppers::read(peppers)?;
        let records = file::read(keys)?;
        if let Some((at, record)) =
            (2..).zip(records.values()).find(|(_, record)| peppers.named(&record.pepper).is_none())
        {
            bail!(
                "line {at} of {} needs the pepper {}, which the pepper file does not have; put it back there",
                keys.display(),
                record.pepper
            );
        }
        let weak = records.values().filter(|record| record.weak).count();
        let name = |at: usize| format!("jwks-{at}");
        let mut settings = Vec::new();
        for (at, issuer) in (1..).zip(issuers) {
            settings.push((name(at), read_jwks(&issuer.jwks)?));
        }
        let tokens = (1..).zip(issuers).map(|(at, issuer)| NamedTokens { jwks: name(at), tokens: &issuer.tokens });
        let introspection = introspection.as_ref().map(Introspection::read).transpose()?;
        let (peppers, tokens) = (peppers.written(), tokens.collect());
        let value = Settings { v: VERSION, peppers, tokens, introspection, parity };
        let value = serde_json::to_vec(&value).expect("it has string keys and no failing serializer");
        if let Err(defect) = auth_component::store::Settings::parse(&value) {
            bail!("[auth] is more than a component reads ({defect:?}); give fewer issuers, or shorter lists");
        }
        settings.push(("settings".to_owned(), value));
        let keys = records.into_iter().map(|(name, record)| (name, record.to_json().into_bytes())).collect();
        Ok(Set { keys: Bucket(keys), settings: Bucket(settings), weak })
    }

    pub fn bucket(&self, name: &str) -> Option<&Bucket> {
        match name {
            "auth-keys" => Some(&self.keys),
            "auth-settings" => Some(&self.settings),
            _ => None,
        }
    }
}

impl Bucket {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, key: &str) -> Option<&[u8]> {
        let at = self.0.binary_search_by(|(other, _)| other.as_str().cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// All keys from the one at this place on.
    pub fn keys_from(&self, at: usize) -> impl Iterator<Item = &str> {
        self.0.get(at..).unwrap_or_default().iter().map(|(key, _)| key.as_str())
    }

    /// The place of the first key behind this one.
    pub fn behind(&self, key: &str) -> usize {
        self.0.partition_point(|(other, _)| other.as_str() <= key)
    }
}

fn read_jwks(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read; check the path", path.display()))?;
    let content = disk::read(file, path, JWKS_BYTES_MAX)?;
    match Jwks::parse(&content, Origin::Operator) {
        Err(defect) => bail!("{} is no set of keys ({defect:?}); write a JWK set (RFC 7517) there", path.display()),
        Ok(set) if set.is_empty() => bail!(
            "{} has no key that can be used ({}); give each kty, alg, a kid of its own and enough bits",
            path.display(),
            ignored(&set)
        ),
        Ok(set) => {
            if !set.ignored().is_empty() {
                tracing::warn!(file = %path.display(), "keys that are not used, by their place: {}", ignored(&set));
            }
            Ok(content)
        }
    }
}

fn ignored(set: &Jwks) -> String {
    let ignored = set.ignored().iter().map(|(at, defect)| format!("{at}: {defect:?}"));
    ignored.collect::<Vec<_>>().join(", ")
}
