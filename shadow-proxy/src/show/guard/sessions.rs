//! Who has shown the token in a browser. In memory, bounded, for half a day. Pure: the time comes in.

use subtle::ConstantTimeEq as _;

#[derive(Default)]
pub struct Sessions {
    /// Digests of the ids, the oldest first, and until when.
    open: Vec<([u8; 32], u64)>,
}

impl Sessions {
    pub fn open(&mut self, id_digest: [u8; 32], now_ms: u64) {
        self.open.retain(|(_, until_ms)| *until_ms > now_ms);
        if self.open.len() >= SESSIONS_MAX {
            self.open.remove(0);
        }
        self.open.push((id_digest, now_ms + LIFETIME_MS));
    }

    pub fn is_open(&self, id_digest: &[u8; 32], now_ms: u64) -> bool {
        self.open.iter().any(|(known, until_ms)| bool::from(known.ct_eq(id_digest)) && *until_ms > now_ms)
    }

    pub fn close(&mut self, id_digest: &[u8; 32]) {
        self.open.retain(|(known, _)| known != id_digest);
    }
}

/// Of a session, in milliseconds.
pub const LIFETIME_MS: u64 = 12 * 3_600_000;
const SESSIONS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_and_the_oldest_make_room() {
        let mut sessions = Sessions::default();
        sessions.open([1; 32], 0);
        assert!(sessions.is_open(&[1; 32], LIFETIME_MS - 1) && !sessions.is_open(&[1; 32], LIFETIME_MS));
        assert!(!sessions.is_open(&[2; 32], 0));
        (0..SESSIONS_MAX).for_each(|n| sessions.open([n as u8 + 2; 32], 1));
        assert!(!sessions.is_open(&[1; 32], 1) && sessions.is_open(&[2; 32], 1));
        sessions.close(&[2; 32]);
        assert!(!sessions.is_open(&[2; 32], 1));
    }
}
