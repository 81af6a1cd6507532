//! The API keys of legacy-stub/keys.json, kept as SHA-256 digests.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::grant::{Grant, Keys, Origin, StoreUnavailable};

pub struct DevelopmentKeys;

impl Keys for DevelopmentKeys {
    fn find(&self, key: &[u8], now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        let digest: [u8; 32] = Sha256::digest(key).into();
        // Every entry is looked at, so that the time says nothing about which one matched.
        let mut found = None;
        for record in &RECORDS {
            if bool::from(record.digest.ct_eq(&digest)) {
                found = Some(record);
            }
        }
        Ok(found.filter(|record| record.is_in_force(now)).map(Record::grant))
    }

    fn are_ready(&self) -> bool {
        true
    }
}

/// Times are in seconds since the Unix epoch and begin or end something at that very second.
struct Record {
    digest: [u8; 32],
    user_id: &'static str,
    scopes: &'static [&'static str],
    aud: &'static [&'static str],
    email: Option<&'static str>,
    groups: &'static [&'static str],
    not_before: u64,
    expires_at: u64,
    revoked_at: u64,
    /// The key was replaced and is good until then.
    grace_until: u64,
}

impl Record {
    const fn new(digest: &str, user_id: &'static str, scopes: &'static [&'static str]) -> Record {
        Record {
            digest: bytes(digest),
            user_id,
            scopes,
            aud: &[],
            email: None,
            groups: &[],
            not_before: 0,
            expires_at: YEAR_2099_END,
            revoked_at: u64::MAX,
            grace_until: u64::MAX,
        }
    }

    fn end(&self) -> u64 {
        self.expires_at.min(self.grace_until)
    }

    fn is_in_force(&self, now: u64) -> bool {
        self.not_before <= now && now < self.end() && now < self.revoked_at
    }

    fn grant(&self) -> Grant {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Grant {
            user_id: self.user_id.to_owned(),
            email: self.email.map(str::to_owned),
            groups: owned(self.groups),
            scopes: owned(self.scopes),
            audiences: owned(self.aud),
            expires_at_ms: Some(self.end() * 1_000),
            is_replaced: self.grace_until != u64::MAX,
            origin: Origin::Key,
        }
    }
}

const YEAR_2099_START: u64 = 4_070_908_800;
const YEAR_2099_JUNE_30: u64 = 4_086_460_800;
const YEAR_2099_END: u64 = 4_102_444_799;
const YEAR_2020_START: u64 = 1_577_836_800;
const YEAR_2021_START: u64 = 1_609_459_200;
const YEAR_2021_JUNE_30: u64 = 1_625_011_200;

const RECORDS: [Record; 10] = [
    Record::new("5feb89c42cd706000626d53195bbe096ce8d1b01390d1b90bb7d3589591c16f5", "user_123", &["read", "write"]),
    Record::new("2e3c588b9878f29bac12ec525203848d292f1fc87503ecd9455a5e46e4cf35b2", "user_456", &["read"]),
    Record::new(
        "ca3b082995c85ab5e4a9203e55b92a22330aed520a0d99de30d24b66bb28c193",
        "user_789",
        &["read", "introspect"],
    ),
    Record {
        expires_at: YEAR_2020_START,
        ..Record::new("bb36a743f01ec302c2b9d0e4b690be0c058d2980786d2eff895cf59c73df0cca", "user_expired", &["read"])
    },
    Record {
        aud: &["https://api.example"],
        email: Some("person@example.com"),
        groups: &["staff", "ops, europe"],
        ..Record::new("8f327d563a6900ed7099cd3ef19aea69e226f90a76a59fd9640a5a9915c5f1e1", "user_person", &["read"])
    },
    Record::new("e2cce38e1a10ff295df0ccbbe6521c2d98ef4eabc256a211422e499be3bc9a10", "user_rotating", &["read"]),
    Record {
        grace_until: YEAR_2099_JUNE_30,
        ..Record::new("cd4fc36f812a350777d46a2f6c3015f5fe54c7d29f3ec90e6f9d6aaa775a43de", "user_rotating", &["read"])
    },
    Record {
        grace_until: YEAR_2021_JUNE_30,
        ..Record::new("17b57783f07934d8bc6dc54d541759a87edd78cee1feac0d92f39c33ef4ef4e2", "user_rotating", &["read"])
    },
    Record {
        revoked_at: YEAR_2021_START,
        ..Record::new("3411546ac85af569070d0d0fbbcd32a95587b5036ec23103eb6c9e4f1bcf4206", "user_revoked", &["read"])
    },
    Record {
        not_before: YEAR_2099_START,
        ..Record::new("2d60b8fc5ea643b537197b133ed171074969bad21f8148b574c79cfeaaeb37aa", "user_future", &["read"])
    },
];

/// The bytes of a digest written in hex.
const fn bytes(hex: &str) -> [u8; 32] {
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
