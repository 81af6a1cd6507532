//! How much one client's requests are worth as evidence: a share, for the candidate and against it.
//!
//! A client is a credential that legacy let in, or the network that a call came from. What is kept of it is a slot of a
//! table of fixed size; two clients in one slot count as one, so that it is too little evidence then, never too much.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::exchange::Sender;

/// Of what speaks for the candidate, more than one in so many is never one client's.
pub const CLIENTS_MIN: usize = 4;

pub struct Voices {
    /// A bit for each credential that legacy let in.
    verified: Box<[AtomicU64]>,
    heard: Mutex<Heard>,
}

/// What speaks against a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The candidate refuses whom legacy lets in.
    Lockout,
    CandidateFailed,
    LegacyFailed,
    Mismatch,
    /// One side's parser refuses what the other reads.
    Parser,
}

const KINDS: usize = 5;

struct Heard {
    slots: Box<[Slot]>,
    /// Pairs that counted, and of each kind the most that one client has shown.
    pairs: u64,
    most: [u64; KINDS],
    /// Clients of this stretch of time, and of the one before.
    stretch: u64,
    clients: [usize; 2],
}

#[derive(Clone, Default)]
struct Slot {
    /// The last stretch in which it was heard, from 1.
    stretch: u64,
    pairs: u64,
    against: [u64; KINDS],
}

impl Voices {
    pub fn new() -> Voices {
        let heard = Heard {
            slots: vec![Slot::default(); SLOTS].into(),
            pairs: 0,
            most: [0; KINDS],
            stretch: 1,
            clients: [0; 2],
        };
        Voices { verified: (0..VERIFIED_WORDS).map(|_| AtomicU64::new(0)).collect(), heard: Mutex::new(heard) }
    }

    /// The client that sent a call. `is_let_in` is what legacy decided, where that is known: only then, or when it was so
    /// before, a credential is more than what somebody made up.
    pub fn client(&self, sender: &Sender, is_let_in: Option<bool>) -> u64 {
        let Some(credential) = sender.credential.filter(|_| is_let_in != Some(false)) else { return sender.network };
        let word = &self.verified[(credential >> 6) as usize % VERIFIED_WORDS];
        let bit = 1 << (credential % 64);
        let is_known = word.load(Ordering::Relaxed) & bit != 0;
        if is_let_in == Some(true) && !is_known {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        if is_known || is_let_in == Some(true) { credential } else { sender.network }
    }

    /// A client sent something, at a time in milliseconds.
    pub fn hear(&self, client: u64, now_ms: u64) {
        self.with(|heard| heard.hear(client, now_ms / STRETCH_MS + 1));
    }

    /// Whether one more pair of a client is evidence for the candidate; asking counts it.
    pub fn counts(&self, client: u64) -> bool {
        self.with(|heard| {
            let is_shared = heard.is_shared();
            let all = heard.pairs;
            let slot = heard.slot(client);
            let most = (all / CLIENTS_MIN as u64).max(PAIRS_MIN);
            let counts = !is_shared || slot.pairs < most;
            slot.pairs += u64::from(counts);
            heard.pairs += u64::from(counts);
            counts
        })
    }

    /// Whether this is evidence against a side; asking counts it. The client that shows the most of it is left out, so
    /// that what counts is all but what any one client has shown.
    pub fn counts_against(&self, client: u64, what: Against) -> bool {
        self.with(|heard| {
            let shown = &mut heard.slot(client).against[what as usize];
            *shown += 1;
            let (shown, most) = (*shown, &mut heard.most[what as usize]);
            let is_most = shown > *most;
            *most = (*most).max(shown);
            !is_most || !heard.is_shared()
        })
    }

    /// Whether there are so many clients that none of them needs to be heard alone.
    pub fn is_shared(&self) -> bool {
        self.with(|heard| heard.is_shared())
    }

    /// What was counted is evidence no more. Who is there is still known.
    pub fn forget(&self) {
        self.with(|heard| {
            for slot in &mut heard.slots {
                (slot.pairs, slot.against) = (0, [0; KINDS]);
            }
            (heard.pairs, heard.most) = (0, [0; KINDS]);
        });
    }

    fn with<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.heard.lock().expect("nothing panics while it counts"))
    }
}

impl Default for Voices {
    fn default() -> Voices {
        Voices::new()
    }
}

impl Heard {
    fn hear(&mut self, client: u64, stretch: u64) {
        if stretch > self.stretch {
            // After a long silence nobody is known to be there.
            let before = if stretch == self.stretch + 1 { self.clients[0] } else { 0 };
            (self.stretch, self.clients) = (stretch, [0, before]);
        }
        let now = self.stretch;
        let slot = self.slot(client);
        if slot.stretch != now {
            slot.stretch = now;
            self.clients[0] += 1;
        }
    }

    fn slot(&mut self, client: u64) -> &mut Slot {
        &mut self.slots[(client >> 32) as usize % SLOTS]
    }

    fn is_shared(&self) -> bool {
        self.clients.into_iter().max() >= Some(CLIENTS_MIN)
    }
}

const SLOTS: usize = 1 << 12;
/// 128 KiB.
const VERIFIED_WORDS: usize = 1 << 14;
/// For how long a client that is silent is still there.
const STRETCH_MS: u64 = 600_000;
/// Pairs of one client that count in any case, so that evidence can begin.
const PAIRS_MIN: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern in any of their bits.
    fn client(number: u64) -> u64 {
        let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    fn with_clients(count: u64) -> Voices {
        let voices = Voices::new();
        (0..count).for_each(|number| voices.hear(client(number), 0));
        voices
    }

    #[test]
    fn no_client_is_more_than_a_quarter_of_what_speaks_for_the_candidate() {
        let voices = with_clients(50);
        let alone = (0..10_000).filter(|_| voices.counts(client(0))).count() as u64;
        assert_eq!(alone, PAIRS_MIN);
        let others = (0..9_000).filter(|turn| voices.counts(client(1 + turn % 49))).count() as u64;
        assert_eq!(others, 9_000, "none of them sends more than its share");
        let more = (0..10_000).filter(|_| voices.counts(client(0))).count() as u64;
        let share = (alone + more) as f64 / (alone + more + others) as f64;
        assert!((0.24..=0.25).contains(&share), "{share}");
    }

    #[test]
    fn with_few_clients_each_counts_in_full() {
        let voices = with_clients(CLIENTS_MIN as u64 - 1);
        assert!((0..1_000).all(|_| voices.counts(client(0))));
        assert!((0..1_000).all(|_| voices.counts_against(client(0), Against::Lockout)));
        assert!(!voices.is_shared());
    }

    #[test]
    fn what_one_client_alone_shows_counts_for_nothing_against() {
        let voices = with_clients(50);
        assert!((0..1_000).all(|_| !voices.counts_against(client(7), Against::Lockout)));
        // Of another kind, and by others: all but what the one that shows most has shown.
        let shown = |what, clients: u64, each: u64| {
            (0..clients * each).filter(|turn| voices.counts_against(client(turn % clients), what)).count() as u64
        };
        assert_eq!(shown(Against::CandidateFailed, 40, 1), 39);
        assert_eq!(shown(Against::Mismatch, 2, 30), 30);
        voices.forget();
        assert_eq!(shown(Against::CandidateFailed, 10, 3), 27, "it begins anew, and who is there is still known");
    }

    #[test]
    fn a_made_up_credential_is_nobody() {
        let voices = Voices::new();
        let sender = |credential| Sender { credential: Some(credential), network: 9, drawn: None };
        let made_up = (0..1_000).map(|number| voices.client(&sender(client(number)), Some(false)));
        assert!(made_up.into_iter().all(|client| client == 9));
        assert_eq!(voices.client(&sender(client(1)), None), 9, "not known yet");
        assert_eq!(voices.client(&sender(client(1)), Some(true)), client(1));
        assert_eq!(voices.client(&sender(client(1)), None), client(1), "let in before");
        assert_eq!(voices.client(&sender(client(1)), Some(false)), 9, "and refused now");
        assert_eq!(voices.client(&Sender { credential: None, ..sender(0) }, Some(true)), 9);
    }

    #[test]
    fn who_is_silent_for_long_is_no_longer_there() {
        let voices = with_clients(50);
        assert!(voices.is_shared());
        voices.hear(client(0), STRETCH_MS);
        assert!(voices.is_shared(), "they were there a moment ago");
        voices.hear(client(0), 2 * STRETCH_MS);
        assert!(!voices.is_shared());
        voices.hear(client(1), 60 * STRETCH_MS);
        assert!(!voices.is_shared());
    }
}
