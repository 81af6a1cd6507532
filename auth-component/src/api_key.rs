//! API keys: how they are written, and what is kept of one.
//!
//! A key is `<prefix>_<id>_<secret>_<checksum>`: 2 to 16 of `a-z0-9`, then 16, 43 and 6 characters, all base62. Secret scanners find the prefix; the checksum refuses a typing mistake before any store is
//! asked; the id, and never the secret, finds the [`Record`].
//!
//! Kept is HMAC-SHA-256 of the whole key under a pepper that is not kept with the records. A key has 256 random bits, so
//! nothing is gained by a slow hash; the pepper is what protects imported keys that have fewer.

mod record;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::crc32::Crc32;
use crate::hex;

pub use record::{Peppers, RECORD_BYTES_MAX, Record, RecordDefect, Refusal, Unavailable, check, old_name};

/// A key that is written as ours are; nothing says yet that anybody holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ApiKey<'a> {
    text: &'a str,
    prefix: &'a str,
    id: &'a str,
}

/// Why a text is not one of our keys. It may still be an old key without an id: see [`digest_hex`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatDefect {
    /// Not four parts of their lengths and alphabets.
    Shape,
    Checksum,
}

/// The random bytes of a key: 11 for its id, 32 for its secret.
pub const RANDOM_BYTES: usize = ID_RANDOM_BYTES + SECRET_RANDOM_BYTES;

const ID_RANDOM_BYTES: usize = 11;
const SECRET_RANDOM_BYTES: usize = 32;
const ID_CHARS: usize = 16;
const SECRET_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
const LABEL_CHARS: std::ops::RangeInclusive<usize> = 2..=16;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl<'a> ApiKey<'a> {
    pub fn parse(key: &'a [u8]) -> Result<ApiKey<'a>, FormatDefect> {
        let text = str::from_utf8(key).map_err(|_| FormatDefect::Shape)?;
        let mut parts = text.split('_');
        let (Some(prefix), Some(id), Some(secret), Some(written), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(FormatDefect::Shape);
        };
        let is_base62 = |part: &str, chars| part.len() == chars && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_shaped =
            is_base62(id, ID_CHARS) && is_base62(secret, SECRET_CHARS) && is_base62(written, CHECKSUM_CHARS);
        if !is_label(prefix) || !is_shaped {
            return Err(FormatDefect::Shape);
        }
        let body = &text[..text.len() - CHECKSUM_CHARS - 1];
        if checksum(body) != written {
            return Err(FormatDefect::Checksum);
        }
        Ok(ApiKey { text, prefix, id })
    }

    /// A new key from bytes that only a cryptographic source of randomness may supply; `None` if the prefix is
    /// not 2 to 16 lower-case letters and digits.
    pub fn generate(random: &[u8; RANDOM_BYTES], prefix: &str) -> Option<String> {
        if !is_label(prefix) {
            return None;
        }
        let (id, secret) = random.split_at(ID_RANDOM_BYTES);
        let body = format!("{prefix}_{}_{}", base62(id, ID_CHARS), base62(secret, SECRET_CHARS));
        let checksum = checksum(&body);
        Some(format!("{body}_{checksum}"))
    }

    /// What a store is asked for: 16 letters and digits, whatever the client sent.
    pub fn id(&self) -> &'a str {
        self.id
    }

    pub fn prefix(&self) -> &'a str {
        self.prefix
    }

    /// The whole key, for [`check`].
    pub fn as_bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }
}

/// Never the secret.
impl std::fmt::Debug for ApiKey<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{}_{}_…", self.prefix, self.id)
    }
}

/// What is kept of a key; in hex, it is also the name under which an old key without an id is found, so that no secret
/// becomes the name of anything.
pub fn digest(pepper: &[u8], key: &[u8]) -> [u8; 32] {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(pepper).expect("HMAC takes keys of any length");
    mac.chain_update(key).finalize().into_bytes().into()
}

pub fn digest_hex(pepper: &[u8], key: &[u8]) -> String {
    hex::encode(&digest(pepper, key))
}

fn is_label(label: &str) -> bool {
    LABEL_CHARS.contains(&label.len()) && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// Of all that stands before the last `_`.
fn checksum(body: &str) -> String {
    let mut crc = Crc32::new();
    crc.update(body.as_bytes());
    base62(&crc.value().to_be_bytes(), CHECKSUM_CHARS)
}

/// The big-endian number in `chars` digits, zeros first; the callers' numbers fit.
fn base62(number: &[u8], chars: usize) -> String {
    let mut number = number.to_vec();
    let mut digits = vec![b'0'; chars];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let value = remainder << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 62).expect("the remainder is below 62, so the quotient fits a byte");
            remainder = value % 62;
        }
        *digit = BASE62[remainder as usize];
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of the development keys, which everybody has.
    const KEY: &str = "dev_mD8ArZUn4FifhC2a_0qJhTgfPh0HX3vXLMEhluGQCc674MIY8k5HGQH6D9iZ_1GT8eQ";

    #[test]
    fn a_generated_key_is_read_back() {
        let mut random = [0; RANDOM_BYTES];
        for round in 0..=255_u8 {
            for (at, byte) in (0_u8..).zip(random.iter_mut()) {
                *byte = at.wrapping_mul(37).wrapping_add(round);
            }
            let text = ApiKey::generate(&random, "acme").expect("a good prefix");
            let key = ApiKey::parse(text.as_bytes()).expect("it was generated");
            assert_eq!((key.prefix(), text.len()), ("acme", 72));
            assert!(!format!("{key:?}").contains(&text[22..]), "the secret is not printed");
        }
        for extreme in [[0; RANDOM_BYTES], [255; RANDOM_BYTES]] {
            let text = ApiKey::generate(&extreme, "a1").expect("a good prefix");
            assert!(ApiKey::parse(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn different_bytes_give_different_keys() {
        let mut keys = std::collections::BTreeSet::new();
        for at in 0..RANDOM_BYTES {
            for bit in 0..8 {
                let mut random = [0xa5; RANDOM_BYTES];
                random[at] ^= 1 << bit;
                keys.insert(ApiKey::generate(&random, "acme").expect("a good prefix"));
            }
        }
        assert_eq!(keys.len(), RANDOM_BYTES * 8);
    }

    #[test]
    fn base62_and_checksum_are_as_documented() {
        assert_eq!(base62(&[0, 0], 3), "000");
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[62], 2), "10");
        assert_eq!(base62(&[255; 32], SECRET_CHARS).len(), SECRET_CHARS);
        assert_eq!(base62(&[255; 4], CHECKSUM_CHARS), "4gfFC3", "2^32 - 1");
        // The check value of CRC-32/ISO-HDLC: cbf43926.
        assert_eq!(checksum("123456789"), base62(&[0xcb, 0xf4, 0x39, 0x26], 6));
    }

    #[test]
    fn any_single_change_is_noticed() {
        let text = ApiKey::generate(&[0x5a; RANDOM_BYTES], "acme").expect("a good prefix");
        for at in 0..text.len() {
            for byte in [b'0', b'A', b'a', b'_', b'/', b' ', 0, 0xff] {
                let mut changed = text.clone().into_bytes();
                if changed[at] != byte {
                    changed[at] = byte;
                    assert!(ApiKey::parse(&changed).is_err(), "{}", String::from_utf8_lossy(&changed));
                }
            }
        }
    }

    #[test]
    fn refuses_what_is_not_written_as_a_key() {
        let long = "a".repeat(100_000);
        let cases: &[(&str, FormatDefect)] = &[
            ("", FormatDefect::Shape),
            ("key_123", FormatDefect::Shape),
            ("___", FormatDefect::Shape),
            ("constructor", FormatDefect::Shape),
            ("__proto__", FormatDefect::Shape),
            (&KEY[1..], FormatDefect::Checksum),
            (&KEY[..KEY.len() - 1], FormatDefect::Shape),
            (&KEY[..KEY.len() - 7], FormatDefect::Shape),
            ("Acme_0000000000000000_0000000000000000000000000000000000000000000_000000", FormatDefect::Shape),
            ("acme_../../etc/passwd_0000000000000000000000000000000000000000000_000000", FormatDefect::Shape),
            ("acme_000000000000000*_0000000000000000000000000000000000000000000_000000", FormatDefect::Shape),
            ("acme_0000000000000000_0000000000000000000000000000000000000000000_00000=", FormatDefect::Shape),
            ("acme_0000000000000000_0000000000000000000000000000000000000000000_00000é", FormatDefect::Shape),
            ("acme_live_0000000000000000_0000000000000000000000000000000000000000000_000000", FormatDefect::Shape),
            ("acme_0000000000000000_0000000000000000000000000000000000000000000000000", FormatDefect::Shape),
            ("acme_0000000000000000_0000000000000000000000000000000000000000000_000000", FormatDefect::Checksum),
            (&long, FormatDefect::Shape),
        ];
        assert!(ApiKey::parse(KEY.as_bytes()).is_ok());
        for (text, defect) in cases {
            assert_eq!(ApiKey::parse(text.as_bytes()).err(), Some(*defect), "{text}");
        }
        assert_eq!(ApiKey::generate(&[1; RANDOM_BYTES], "Acme"), None);
        assert_eq!(ApiKey::generate(&[1; RANDOM_BYTES], "ac_me"), None);
    }

    /// RFC 4231 §4.2 to §4.4 (test cases 1 to 3).
    #[test]
    fn the_digest_is_hmac_sha_256() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ];
        for (pepper, key, expected) in cases {
            assert_eq!(digest_hex(pepper, key), expected);
        }
    }
}
