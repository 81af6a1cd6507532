//! What is shown in place of content: `‹CLASS LENGTH HASH›`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::shadow::class::Class;

/// No text that is shown contains these two characters otherwise, so stand-ins can be found in it again.
pub(crate) const OPEN: char = '‹';
pub(crate) const CLOSE: char = '›';

pub(crate) struct StandIns {
    /// Keyed once; each stand-in starts from a copy.
    mac: Hmac<Sha256>,
}

impl StandIns {
    pub(crate) fn new(key: &[u8; 32]) -> StandIns {
        StandIns { mac: Hmac::new_from_slice(key).expect("HMAC takes keys of any length") }
    }

    /// Nothing stands for nothing: that a value is empty is no secret, and people look for it.
    pub(crate) fn of(&self, content: &[u8]) -> String {
        if content.is_empty() {
            return String::new();
        }
        let hash = self.mac.clone().chain_update(content).finalize().into_bytes();
        let hash = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        format!("{OPEN}{} {} {hash:08x}{CLOSE}", Class::of(content).name(), content.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_content_has_equal_stand_ins_under_one_key_only() {
        let (one, other) = (StandIns::new(&[1; 32]), StandIns::new(&[2; 32]));
        assert_eq!(one.of(b"secret"), one.of(b"secret"));
        assert_ne!(one.of(b"secret"), one.of(b"secreT"));
        assert_ne!(one.of(b"secret"), other.of(b"secret"));
        assert_eq!(one.of(b""), "");
    }
}
