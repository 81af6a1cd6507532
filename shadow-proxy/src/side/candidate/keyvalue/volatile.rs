//! A bucket that a component may write to: in memory, bounded, and each entry is gone after a while.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Shared by all instances of a component.
pub struct Volatile {
    lifetime: Duration,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<Arc<str>, Entry>,
    /// By their numbers, which is by their ages too: all live equally long.
    by_age: BTreeMap<u64, Arc<str>>,
    /// Of keys and values.
    bytes: usize,
    next: u64,
}

struct Entry {
    number: u64,
    ends: Instant,
    value: Vec<u8>,
}

const ENTRIES_MAX: usize = 10_000;
const BYTES_MAX: usize = 8 << 20;
const KEY_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 4_096;

impl Volatile {
    pub fn new(lifetime: Duration) -> Volatile {
        Volatile { lifetime, entries: Mutex::default() }
    }

    pub fn get(&self, key: &str, now: Instant) -> Option<Vec<u8>> {
        let entries = self.lock();
        entries.by_key.get(key).filter(|entry| now < entry.ends).map(|entry| entry.value.clone())
    }

    /// Where there is no room the oldest entries go.
    ///
    /// # Errors
    /// The key or the value is too large.
    pub fn set(&self, key: &str, value: Vec<u8>, now: Instant) -> Result<(), String> {
        if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            return Err(format!("keys have at most {KEY_BYTES_MAX} bytes here, values {VALUE_BYTES_MAX}"));
        }
        let mut entries = self.lock();
        entries.remove(key);
        while entries.is_full_for(key.len() + value.len()) || entries.oldest_ended(now) {
            entries.remove_oldest();
        }
        let (key, number) = (Arc::<str>::from(key), entries.next);
        entries.next += 1;
        entries.bytes += key.len() + value.len();
        entries.by_age.insert(number, key.clone());
        entries.by_key.insert(key, Entry { number, ends: now + self.lifetime, value });
        Ok(())
    }

    pub fn remove(&self, key: &str) {
        self.lock().remove(key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().expect("nothing panics while it holds the entries")
    }
}

impl Entries {
    fn is_full_for(&self, bytes: usize) -> bool {
        self.by_key.len() >= ENTRIES_MAX || self.bytes + bytes > BYTES_MAX
    }

    fn oldest_ended(&self, now: Instant) -> bool {
        let oldest = self.by_age.values().next().and_then(|key| self.by_key.get(key));
        oldest.is_some_and(|entry| entry.ends <= now)
    }

    fn remove_oldest(&mut self) {
        if let Some((_, key)) = self.by_age.pop_first() {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.by_key.remove(key) {
            self.by_age.remove(&entry.number);
            self.bytes -= key.len() + entry.value.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(60);

    fn filled(entries: usize, value: &[u8], now: Instant) -> Volatile {
        let bucket = Volatile::new(LIFETIME);
        for number in 0..entries {
            bucket.set(&number.to_string(), value.to_vec(), now).expect("it is small");
        }
        bucket
    }

    #[test]
    fn an_entry_is_there_until_its_time_is_over() {
        let now = Instant::now();
        let bucket = filled(1, b"a", now);
        let last = now + LIFETIME - Duration::from_nanos(1);
        assert_eq!((bucket.get("0", last), bucket.get("0", now + LIFETIME)), (Some(b"a".to_vec()), None));
        bucket.set("0", b"b".to_vec(), last).expect("it is small");
        assert_eq!(bucket.get("0", now + LIFETIME), Some(b"b".to_vec()), "writing it again begins its time anew");
        bucket.set("1", Vec::new(), last + LIFETIME).expect("it is small");
        assert_eq!(bucket.lock().by_key.len(), 1, "what is over goes when something comes");
        bucket.remove("1");
        let entries = bucket.lock();
        assert_eq!((entries.by_key.len(), entries.by_age.len(), entries.bytes), (0, 0, 0));
    }

    #[test]
    fn the_oldest_make_room() {
        let now = Instant::now();
        let bucket = filled(ENTRIES_MAX + 5, b"", now);
        assert_eq!(bucket.lock().by_key.len(), ENTRIES_MAX);
        assert_eq!((bucket.get("4", now), bucket.get("5", now)), (None, Some(Vec::new())));
        let bucket = filled(3_000, &[b'x'; VALUE_BYTES_MAX], now);
        let entries = bucket.lock();
        assert!(entries.bytes <= BYTES_MAX && entries.by_key.len() > 2_000 && !entries.by_key.contains_key("0"));
        let bytes: usize = entries.by_key.iter().map(|(key, entry)| key.len() + entry.value.len()).sum();
        assert_eq!(entries.bytes, bytes);
    }

    #[test]
    fn the_same_key_again_and_again_takes_no_more_room() {
        let now = Instant::now();
        let bucket = filled(1, b"", now);
        for _ in 0..50_000 {
            bucket.set("0", b"again".to_vec(), now).expect("it is small");
        }
        let entries = bucket.lock();
        assert_eq!((entries.by_key.len(), entries.by_age.len(), entries.bytes), (1, 1, 6));
    }

    #[test]
    fn what_is_too_large_is_refused_and_changes_nothing() {
        let now = Instant::now();
        let bucket = filled(1, b"a", now);
        assert!(bucket.set("0", vec![0; VALUE_BYTES_MAX + 1], now).is_err());
        assert!(bucket.set(&"k".repeat(KEY_BYTES_MAX + 1), Vec::new(), now).is_err());
        assert_eq!(bucket.get("0", now), Some(b"a".to_vec()));
    }
}
