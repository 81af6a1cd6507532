//! What a component may look up, read from the files that say it.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use auth_component::jose::{Algorithm, Jwks, Origin, SetDefect};
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

/// What all files say together.
#[derive(Clone, PartialEq)]
pub struct Set {
    parts: Parts,
    settings: Bucket,
}

/// What the files say, each for itself: one that is not good must not hold up a key that was revoked in another.
#[derive(Clone, PartialEq)]
struct Parts {
    own: Arc<Own>,
    /// One for each issuer.
    jwks: Vec<Vec<u8>>,
    client_secret: Option<String>,
}

/// The key file and the pepper file: a key is good only with the pepper of its time.
#[derive(PartialEq)]
struct Own {
    keys: Bucket,
    peppers: Vec<Written>,
    weak: usize,
}

/// In the order of the keys.
#[derive(Clone, PartialEq)]
pub struct Bucket(Vec<(String, Vec<u8>)>);

/// The value of `settings`.
#[derive(Serialize)]
struct Settings<'a> {
    v: u32,
    peppers: &'a [Written],
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
        Set::of(Parts::read(sources)?, sources)
    }

    /// As the files are now; what one of them said before where it is no longer good, and why it is not.
    pub fn reread(&self, sources: &Sources) -> (Set, Vec<anyhow::Error>) {
        let mut problems = Vec::new();
        let set = Set::of(self.parts.reread(sources, &mut problems), sources).unwrap_or_else(|problem| {
            problems.push(problem);
            self.clone()
        });
        (set, problems)
    }

    fn of(parts: Parts, sources: &Sources) -> anyhow::Result<Set> {
        let name = |at: usize| format!("jwks-{at}");
        let mut settings: Vec<_> = (1..).zip(&parts.jwks).map(|(at, jwks)| (name(at), jwks.clone())).collect();
        let issuers = (1..).zip(&sources.issuers);
        let tokens = issuers.map(|(at, issuer)| NamedTokens { jwks: name(at), tokens: &issuer.tokens }).collect();
        let introspection = sources.introspection.as_ref().zip(parts.client_secret.as_deref());
        let introspection = introspection.map(|(introspection, secret)| introspection.written(secret));
        let value =
            Settings { v: VERSION, peppers: &parts.own.peppers, tokens, introspection, parity: &sources.parity };
        let value = serde_json::to_vec(&value).expect("it has string keys and no failing serializer");
        if let Err(defect) = auth_component::store::Settings::parse(&value) {
            bail!("[auth] is more than a component reads ({defect:?}); give fewer issuers, or shorter lists");
        }
        settings.push(("settings".to_owned(), value));
        Ok(Set { parts, settings: Bucket(settings) })
    }

    pub fn records(&self) -> usize {
        self.parts.own.keys.len()
    }

    pub fn weak(&self) -> usize {
        self.parts.own.weak
    }

    pub fn bucket(&self, name: &str) -> Option<&Bucket> {
        match name {
            "auth-keys" => Some(&self.parts.own.keys),
            "auth-settings" => Some(&self.settings),
            _ => None,
        }
    }
}

impl Parts {
    fn read(sources: &Sources) -> anyhow::Result<Parts> {
        Ok(Parts {
            own: Arc::new(Own::read(sources)?),
            jwks: sources.issuers.iter().map(read_jwks).collect::<anyhow::Result<_>>()?,
            client_secret: sources.introspection.as_ref().map(Introspection::read_secret).transpose()?,
        })
    }

    fn reread(&self, sources: &Sources, problems: &mut Vec<anyhow::Error>) -> Parts {
        let own = or_before(Own::read(sources).map(Arc::new), &self.own, problems);
        let jwks = sources.issuers.iter().zip(&self.jwks);
        let jwks = jwks.map(|(issuer, before)| or_before(read_jwks(issuer), before, problems)).collect();
        let secret = sources.introspection.as_ref().zip(self.client_secret.as_ref());
        let client_secret = secret.map(|(from, before)| or_before(from.read_secret(), before, problems));
        Parts { own, jwks, client_secret }
    }
}

fn or_before<T: Clone>(read: anyhow::Result<T>, before: &T, problems: &mut Vec<anyhow::Error>) -> T {
    read.unwrap_or_else(|problem| {
        problems.push(problem);
        before.clone()
    })
}

impl Own {
    fn read(sources: &Sources) -> anyhow::Result<Own> {
        let peppers = Peppers::read(&sources.peppers)?;
        let records = file::read(&sources.keys)?;
        if let Some((at, record)) =
            (2..).zip(records.values()).find(|(_, record)| peppers.named(&record.pepper).is_none())
        {
            bail!(
                "line {at} of {} needs the pepper {}, which the pepper file does not have; put it back there",
                sources.keys.display(),
                record.pepper
            );
        }
        let weak = records.values().filter(|record| record.weak).count();
        let keys = records.into_iter().map(|(name, record)| (name, record.to_json().into_bytes())).collect();
        Ok(Own { keys: Bucket(keys), peppers: peppers.written(), weak })
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

fn read_jwks(issuer: &Issuer) -> anyhow::Result<Vec<u8>> {
    let path = &issuer.jwks;
    let file = File::open(path).with_context(|| format!("{} cannot be read; check the path", path.display()))?;
    let content = disk::read(file, path, JWKS_BYTES_MAX)?;
    match Jwks::parse(&content, Origin::Operator) {
        Err(SetDefect::Mixed) => bail!(
            "{} has public keys and shared secrets; give each kind a file and an issuer of its own",
            path.display()
        ),
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
            let keyless = keyless(&issuer.tokens.algorithms, &content);
            if !keyless.is_empty() {
                tracing::warn!(file = %path.display(), "no key in it is for {}: such tokens are refused", keyless.join(", "));
            }
            Ok(content)
        }
    }
}

/// The algorithms that no usable key is pinned to.
fn keyless<'a>(algorithms: &'a [String], jwks: &[u8]) -> Vec<&'a str> {
    let has_key = |name: &str| {
        let wanted = Algorithm::named(name);
        let keys = Jwks::parse_some(jwks, Origin::Operator, |algorithm| Some(algorithm) == wanted);
        keys.is_ok_and(|keys| !keys.is_empty())
    };
    algorithms.iter().map(String::as_str).filter(|name| !has_key(name)).collect()
}

fn ignored(set: &Jwks) -> String {
    let ignored = set.ignored().iter().map(|(at, defect)| format!("{at}: {defect:?}"));
    ignored.collect::<Vec<_>>().join(", ")
}
