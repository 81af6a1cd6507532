//! What stays the same of a client while its credential changes: the id by which it is given a side. Pure.

mod claims;

use std::hash::Hasher as _;
use std::net::IpAddr;
use std::str::FromStr;

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName};
use siphasher::sip::SipHasher24;

use crate::exchange::Side;
use crate::shift::weight::ALL_PPM;

/// Where clients' ids are looked for, in this order, and the key that makes numbers of them.
#[derive(Clone, Debug)]
pub struct Identity {
    kinds: Vec<IdKind>,
    key: [u8; 16],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// Of `Authorization` or `x-api-key`, whatever of it outlives a rotation or a refresh.
    Credential,
    /// The whole header.
    Cookies,
    Cookie(String),
    Header(HeaderName),
    /// Where the connection comes from.
    Address,
}

/// A number for a client, the same on every replica and after every restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(u64);

impl Identity {
    pub fn new(kinds: Vec<IdKind>, key: [u8; 16]) -> Identity {
        Identity { kinds, key }
    }

    /// By the first kind that the call has; none where it has none of them.
    pub fn of(&self, headers: &HeaderMap, peer: IpAddr) -> Option<Id> {
        self.kinds.iter().find_map(|kind| {
            let mut id = Hashed(SipHasher24::new_with_key(&self.key));
            kind.write(headers, peer, &mut id).then(|| Id(id.0.finish()))
        })
    }

    /// The headers that it looks into by name.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.kinds.iter().filter_map(|kind| if let IdKind::Header(name) = kind { Some(name) } else { None })
    }
}

impl Id {
    /// Of whoever stays with a side as long as that serves anybody.
    pub fn of_side(side: Side) -> Id {
        match side {
            Side::Legacy => Id(u64::MAX),
            Side::Candidate => Id(0),
        }
    }

    /// 0 to 999,999, uniform: the candidate serves those below its weight. Buckets nest, so that who is served by it at
    /// 1 % still is at 5 %.
    pub fn bucket(self) -> u32 {
        // The upper bits of the product: uniform without a division.
        ((u128::from(self.0) * u128::from(ALL_PPM)) >> 64) as u32
    }

    /// Whether the side comes of the id alone, so that the shares of such ids are the weight's.
    pub fn is_drawn(self) -> bool {
        self != Id::of_side(Side::Legacy) && self != Id::of_side(Side::Candidate)
    }

    /// Its lower bits have nothing to do with the bucket.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl IdKind {
    /// False: the call has no such thing.
    fn write(&self, headers: &HeaderMap, peer: IpAddr, id: &mut Hashed) -> bool {
        match self {
            IdKind::Credential => credential(headers, id),
            IdKind::Cookies => {
                let whole = headers.get(COOKIE).map_or(&b""[..], |value| value.as_bytes().trim_ascii());
                id.whole(COOKIES, whole)
            }
            IdKind::Cookie(name) => match cookies(headers).find(|(known, _)| *known == name.as_bytes()) {
                // The name too: the same value may stand in cookies of two names.
                Some((_, value)) => id.parts(COOKIE_NAMED, &[name.as_bytes(), value]) && !value.is_empty(),
                None => false,
            },
            IdKind::Header(name) => {
                let value = headers.get(name).map_or(&b""[..], |value| value.as_bytes().trim_ascii());
                id.parts(HEADER, &[name.as_str().as_bytes(), value]) && !value.is_empty()
            }
            IdKind::Address => {
                address(peer, id);
                true
            }
        }
    }
}

/// The names and values of all cookies that have a name.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b';'));
    pairs.filter_map(|pair| {
        let at = pair.iter().position(|&byte| byte == b'=')?;
        Some((pair[..at].trim_ascii(), pair[at + 1..].trim_ascii()))
    })
}

/// What follows the scheme of `Authorization`; the whole where there is none.
pub fn after_scheme(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    value.iter().position(|&byte| byte == b' ').map_or(value, |at| value[at + 1..].trim_ascii_start())
}

fn credential(headers: &HeaderMap, id: &mut Hashed) -> bool {
    let value_of = |name| headers.get(name).map(|value: &http::HeaderValue| value.as_bytes().trim_ascii());
    let is_there = |value: &&[u8]| !value.is_empty() && !is_bare_scheme(value);
    let authorization = value_of(AUTHORIZATION).filter(is_there);
    let Some(whole) = authorization.or_else(|| value_of(X_API_KEY).filter(is_there)) else { return false };
    let token = if authorization.is_some() { after_scheme(whole) } else { whole };
    api_key(token, id) || jwt(token, id) || id.whole(CREDENTIAL, whole)
}

/// Nobody's in particular.
fn is_bare_scheme(value: &[u8]) -> bool {
    [&b"bearer"[..], b"basic", b"token", b"apikey"].iter().any(|scheme| value.eq_ignore_ascii_case(scheme))
}

/// `prefix_id_secret_checksum`: the secret may be rotated.
fn api_key(token: &[u8], id: &mut Hashed) -> bool {
    if token.len() > API_KEY_BYTES_MAX {
        return false;
    }
    let mut parts = token.split(|&byte| byte == b'_');
    let (Some(prefix), Some(key_id), Some(secret), Some(checksum), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let is_label = prefix.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_plain = |part: &[u8]| part.iter().all(u8::is_ascii_alphanumeric);
    let is_key = (2..=16).contains(&prefix.len())
        && is_label
        && (4..=64).contains(&key_id.len())
        && (16..=128).contains(&secret.len())
        && (4..=8).contains(&checksum.len())
        && [key_id, secret, checksum].into_iter().all(is_plain);
    is_key && id.parts(API_KEY, &[prefix, key_id])
}

/// Who issued a signed token to whom. Not verified: who forges one chooses a side, and no more.
fn jwt(token: &[u8], id: &mut Hashed) -> bool {
    // As text a kilobyte is split in less time.
    let Ok(token) = std::str::from_utf8(token) else { return false };
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    !header.is_empty()
        && !signature.is_empty()
        && claims::read(payload.as_bytes(), |issuer, name, subject| {
            id.parts(TOKEN, &[issuer, name.as_bytes(), subject])
        })
}

/// IPv4 is the same however it came. Of IPv6 the network (RFC 6177 §2): hosts change the rest by themselves (RFC 8981).
fn address(peer: IpAddr, id: &mut Hashed) {
    match peer.to_canonical() {
        IpAddr::V4(address) => id.whole(ADDRESS, &address.octets()),
        IpAddr::V6(address) => id.whole(ADDRESS, &address.octets()[..8]),
    };
}

/// Each kind begins with a byte of its own, and where it has several parts each with its length: what differs never
/// reads the same.
struct Hashed(SipHasher24);

impl Hashed {
    fn whole(&mut self, kind: u8, value: &[u8]) -> bool {
        self.0.write(&[kind]);
        self.0.write(value);
        !value.is_empty()
    }

    fn parts(&mut self, kind: u8, parts: &[&[u8]]) -> bool {
        self.0.write(&[kind]);
        for part in parts {
            self.0.write(&(part.len() as u64).to_le_bytes());
            self.0.write(part);
        }
        true
    }
}

// They are part of what every replica of every release has to agree on.
const CREDENTIAL: u8 = 1;
const API_KEY: u8 = 2;
const TOKEN: u8 = 3;
const COOKIES: u8 = 4;
const COOKIE_NAMED: u8 = 5;
const HEADER: u8 = 6;
const ADDRESS: u8 = 7;

const API_KEY_BYTES_MAX: usize = 16 + 64 + 128 + 8 + 3;

pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

impl FromStr for IdKind {
    type Err = String;

    fn from_str(text: &str) -> Result<IdKind, String> {
        let is_token = |name: &str| HeaderName::from_bytes(name.as_bytes()).is_ok();
        match text.split_once(':').map_or((text, None), |(kind, name)| (kind, Some(name))) {
            ("credential", None) => Ok(IdKind::Credential),
            ("cookie", None) => Ok(IdKind::Cookies),
            ("address", None) => Ok(IdKind::Address),
            // A name of a cookie is a token as that of a header is (RFC 6265 §4.1.1), but its case counts.
            ("cookie", Some(name)) if is_token(name) => Ok(IdKind::Cookie(name.to_owned())),
            ("header", Some(name)) => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(AUTHORIZATION | COOKIE) => Err("is `credential` or `cookie`, which know how it changes".to_owned()),
                Ok(name) => Ok(IdKind::Header(name)),
                Err(_) => Err("has no name of a header behind the colon".to_owned()),
            },
            ("cookie", Some(_)) => Err("has no name of a cookie behind the colon".to_owned()),
            _ => Err("is none of credential, cookie, cookie:NAME, header:NAME, address".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
