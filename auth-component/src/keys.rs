//! Who holds which key.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub user_id: &'static str,
    /// Seconds since the Unix epoch; the grant is over at this instant.
    pub expires_at: u64,
}

pub trait Keys {
    /// The grant of a key, also when it has expired; `None` when nobody holds it.
    fn find(&self, key: &[u8]) -> Option<Grant>;
}

/// The built-in set for development: `key_123`, `key_456`, `key_789`, and `key_expired`, kept as SHA-256 digests.
///
/// The names of these keys are public, so nothing real may be guarded by them.
pub struct DevelopmentKeys;

impl Keys for DevelopmentKeys {
    fn find(&self, key: &[u8]) -> Option<Grant> {
        let digest: [u8; 32] = Sha256::digest(key).into();
        // Every entry is looked at, so that the time says nothing about which one matched.
        let mut found = None;
        for (known, grant) in &DEVELOPMENT_KEYS {
            if bool::from(known.ct_eq(&digest)) {
                found = Some(*grant);
            }
        }
        found
    }
}

const YEAR_2099_END: u64 = 4_102_444_799;
const YEAR_2020_START: u64 = 1_577_836_800;

const DEVELOPMENT_KEYS: [([u8; 32], Grant); 4] = [
    (
        digest("5feb89c42cd706000626d53195bbe096ce8d1b01390d1b90bb7d3589591c16f5"),
        Grant { user_id: "user_123", expires_at: YEAR_2099_END },
    ),
    (
        digest("2e3c588b9878f29bac12ec525203848d292f1fc87503ecd9455a5e46e4cf35b2"),
        Grant { user_id: "user_456", expires_at: YEAR_2099_END },
    ),
    (
        digest("ca3b082995c85ab5e4a9203e55b92a22330aed520a0d99de30d24b66bb28c193"),
        Grant { user_id: "user_789", expires_at: YEAR_2099_END },
    ),
    (
        digest("bb36a743f01ec302c2b9d0e4b690be0c058d2980786d2eff895cf59c73df0cca"),
        Grant { user_id: "user_expired", expires_at: YEAR_2020_START },
    ),
];

/// The bytes of a digest written in hex.
const fn digest(hex: &str) -> [u8; 32] {
    let hex = hex.as_bytes();
    assert!(hex.len() == 64, "a SHA-256 digest has 64 hex digits");
    let mut bytes = [0; 32];
    let mut at = 0;
    while at < 32 {
        bytes[at] = nibble(hex[2 * at]) << 4 | nibble(hex[2 * at + 1]);
        at += 1;
    }
    bytes
}

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => panic!("a digest is written in lower-case hex"),
    }
}
