//! Who may ask the issuer at the same time: whoever makes tokens up takes no place from those it knows.

use std::hash::Hasher as _;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use serde::Deserialize;
use siphasher::sip::SipHasher13;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::random;

/// Questions that the issuer answered with yes, as many as are remembered: some 5 MB.
const KNOWN_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("more than none");

pub struct Places {
    all: Arc<Semaphore>,
    /// Those of them that questions about unknown tokens may take: the others are for known ones alone.
    strangers: Arc<Semaphore>,
    /// By a hash under a key of this process: no token stays here.
    known: Mutex<LruCache<u64, ()>>,
    key: [u8; 16],
}

/// A question, as it is recognised when it is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question(u64);

/// Taken for as long as the question is on its way.
pub struct Place {
    _all: OwnedSemaphorePermit,
    _strangers: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(number: usize) -> io::Result<Places> {
        let [all, strangers] = [number, number.div_ceil(2)].map(|number| Arc::new(Semaphore::new(number)));
        Ok(Places { all, strangers, known: Mutex::new(LruCache::new(KNOWN_MAX)), key: random::key()? })
    }

    pub fn question(&self, body: &[u8]) -> Question {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(body);
        Question(hasher.finish())
    }

    /// None while all that it may have are taken.
    pub fn take(&self, question: Question) -> Option<Place> {
        let is_known = self.known().get(&question.0).is_some();
        let free = |places: &Arc<Semaphore>| places.clone().try_acquire_owned().ok();
        let strangers = if is_known { None } else { Some(free(&self.strangers)?) };
        Some(Place { _all: free(&self.all)?, _strangers: strangers })
    }

    /// Remembers whether the issuer said yes. What is no word of it changes nothing.
    pub fn answered(&self, question: Question, body: &[u8]) {
        #[derive(Deserialize)]
        struct Word {
            active: bool,
        }
        match serde_json::from_slice(body) {
            Ok(Word { active: true }) => drop(self.known().put(question.0, ())),
            Ok(Word { active: false }) => drop(self.known().pop(&question.0)),
            Err(_) => {}
        }
    }

    fn known(&self) -> MutexGuard<'_, LruCache<u64, ()>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_take_half_of_the_places_and_leave_the_rest_to_those_who_are_known() {
        for (number, of_strangers) in [(1, 1), (2, 1), (3, 2), (64, 32)] {
            let places = Places::new(number).expect("randomness");
            let good = places.question(b"token=good");
            places.answered(good, br#"{"active":true,"sub":"user_7"}"#);
            let made_up = |n: usize| places.take(places.question(format!("token={n}").as_bytes()));
            let taken: Vec<Place> = (0..1_000).filter_map(made_up).collect();
            assert_eq!(taken.len(), of_strangers);
            let known: Vec<Place> = (0..1_000).filter_map(|_| places.take(good)).collect();
            assert_eq!(known.len(), number - of_strangers);
            drop(taken);
            assert!(places.take(good).is_some());
            drop(known);
            assert!(made_up(1).is_some());
        }
    }

    #[test]
    fn a_token_is_known_for_as_long_as_the_issuer_says_so() {
        let places = Places::new(2).expect("randomness");
        let token = places.question(b"token=good");
        let _stranger = places.take(places.question(b"token=made-up")).expect("a place");
        for (word, is_known) in [
            (r#"{"active":true}"#, true),
            ("no word of it", true),
            (r#"{"active":"true"}"#, true),
            (r#"{"active":false}"#, false),
            ("{}", false),
        ] {
            places.answered(token, word.as_bytes());
            assert_eq!(places.take(token).is_some(), is_known, "{word}");
        }
    }
}
