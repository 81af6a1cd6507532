//! A set of keys (RFC 7517 §5), and which of them a token gets.

use super::header::Header;
use super::json::parse_object_of;
use super::jwk::{Key, KeyDefect};
use super::{Algorithm, Json, Policy, Refusal};

/// The keys of one issuer.
#[derive(Debug)]
pub struct Jwks {
    pub(crate) keys: Vec<Key>,
    ignored: Vec<(usize, KeyDefect)>,
}

/// Who vouches for a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Configured here: it may hold shared secrets.
    Operator,
    /// Fetched from an issuer: what anybody can read is no secret.
    Fetched,
}

/// Why a whole set is refused; whoever has an older good one keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetDefect {
    /// More than 256 KiB.
    TooLong,
    /// Not the JSON a token may have either (an object, no member twice, at most 32 levels; 2048 values), for this reason.
    NotJson(Refusal),
    /// No array `keys`.
    NotASet,
    /// More than 100.
    TooManyKeys,
    /// Shared secrets beside public keys: one of the two is in the wrong place, and perhaps in the open.
    Mixed,
}

const SET_BYTES_MAX: usize = 262_144;
const KEYS_MAX: usize = 100;
/// 20 for each key: enough for certificates and what issuers invent.
const VALUES_MAX: usize = 2_048;

impl Jwks {
    pub fn parse(text: &[u8], origin: Origin) -> Result<Jwks, SetDefect> {
        Jwks::parse_some(text, origin, |_| true)
    }

    /// The same without the keys that name an algorithm which is not wanted: to make one ready costs more than to read it.
    pub fn parse_some(text: &[u8], origin: Origin, is_wanted: impl Fn(Algorithm) -> bool) -> Result<Jwks, SetDefect> {
        if text.len() > SET_BYTES_MAX {
            return Err(SetDefect::TooLong);
        }
        let set = parse_object_of(text, VALUES_MAX).map_err(SetDefect::NotJson)?;
        let Some(Json::Array(members)) = set.get("keys") else { return Err(SetDefect::NotASet) };
        if members.len() > KEYS_MAX {
            return Err(SetDefect::TooManyKeys);
        }
        if is_mixed(members) {
            return Err(SetDefect::Mixed);
        }
        let mut keys = Vec::new();
        let mut ignored = Vec::new();
        for (at, member) in members.iter().enumerate() {
            if algorithm_of(member).is_some_and(|algorithm| !is_wanted(algorithm)) {
                continue;
            }
            let parsed = match member {
                Json::Object(_) if has_twin(at, members) => Err(KeyDefect::DuplicateKeyId),
                Json::Object(object) => Key::parse(object, origin),
                _ => Err(KeyDefect::NotAnObject),
            };
            match parsed {
                Ok(key) => keys.push(key),
                Err(defect) => ignored.push((at, defect)),
            }
        }
        Ok(Jwks { keys, ignored })
    }

    /// In which no token finds its key.
    pub fn empty() -> Jwks {
        Jwks { keys: Vec::new(), ignored: Vec::new() }
    }

    /// Which keys are not used, by their place in the set, and why: for one log line when the set is loaded.
    pub fn ignored(&self) -> &[(usize, KeyDefect)] {
        &self.ignored
    }

    /// How many are used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a token with this `kid` could find its key: if not, the set may be stale.
    pub fn knows(&self, key_id: &str) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == Some(key_id))
    }

    /// By `kid` where the token has one, else the only key that fits. `kid` is compared, never used as a path or query.
    pub(crate) fn pick(&self, header: &Header, policy: &Policy) -> Result<&Key, Refusal> {
        let fits = |key: &&Key| key.is_pinned_to(header.algorithm, policy);
        if let Some(id) = &header.key_id {
            let key = self.keys.iter().find(|key| key.id.as_ref() == Some(id)).ok_or(Refusal::KeyUnknown)?;
            return if fits(&key) { Ok(key) } else { Err(Refusal::KeyForOtherAlgorithm) };
        }
        let mut fitting = self.keys.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(Refusal::KeyAmbiguous),
            (None, _) if self.keys.is_empty() => Err(Refusal::KeyUnknown),
            (None, _) => Err(Refusal::KeyForOtherAlgorithm),
        }
    }
}

fn algorithm_of(member: &Json) -> Option<Algorithm> {
    match member {
        Json::Object(object) => object.get("alg").and_then(Json::as_str).and_then(Algorithm::named),
        _ => None,
    }
}

fn is_mixed(members: &[Json]) -> bool {
    let kinds = members.iter().filter_map(|member| match member {
        Json::Object(object) => object.get("kty").and_then(Json::as_str),
        _ => None,
    });
    let (secrets, others): (Vec<_>, Vec<_>) = kinds.partition(|kind| *kind == "oct");
    !secrets.is_empty() && !others.is_empty()
}

/// Where two keys share a `kid`, neither is used, even if one of them is bad: which was meant cannot be known. A key for
/// encryption is nobody's twin; some issuers give their pair one name.
fn has_twin(at: usize, members: &[Json]) -> bool {
    let own = name_of(&members[at]);
    own.is_some() && members.iter().enumerate().any(|(other, member)| other != at && name_of(member) == own)
}

fn name_of(member: &Json) -> Option<&Json> {
    match member {
        Json::Object(object) if object.get("use").and_then(Json::as_str) != Some("enc") => object.get("kid"),
        _ => None,
    }
}
