//! What a component writes to the buckets of keys: over what the files say, in memory, for one run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use sha2::{Digest as _, Sha256};

use crate::keys;
use crate::metrics::Metrics;

use super::Start;

/// Shared by all instances of a component. The files never see it.
pub struct Overlay {
    writes: Mutex<Writes>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Writes {
    /// By the names of bucket and value.
    by_name: BTreeMap<(String, String), Write>,
    /// Of names and values.
    bytes: usize,
}

struct Write {
    /// None: deleted.
    value: Option<Vec<u8>>,
    /// What the files had there. Once they say something else that stands, or a key that was written to could not be
    /// revoked any more.
    over: Option<[u8; 32]>,
}

const ENTRIES_MAX: usize = 10_000;
const BYTES_MAX: usize = 8 << 20;
const NAME_BYTES_MAX: usize = 256;
/// As much as the largest value that the files can make.
const VALUE_BYTES_MAX: usize = 256 << 10;

impl Overlay {
    pub fn new(metrics: Arc<Metrics>) -> Overlay {
        Overlay { writes: Mutex::default(), metrics }
    }

    /// `files` is the bucket of this name as the files have it.
    pub fn get(&self, bucket: &str, key: &str, files: &keys::Bucket) -> Option<Vec<u8>> {
        let writes = self.lock();
        match writes.of(bucket, key, files) {
            Some(write) => write.value.clone(),
            None => files.get(key).map(<[u8]>::to_vec),
        }
    }

    /// # Errors
    /// The name or the value is too large, or there is no room; nothing has changed then.
    pub fn write(&self, bucket: &str, key: &str, value: Option<Vec<u8>>, files: &keys::Bucket) -> Result<(), String> {
        self.lock().write(bucket, key, value, files).inspect_err(|_| {
            self.metrics.stateful.overlay_writes_refused.inc();
        })
    }

    /// So many names in their order, and whether there are more; none where nothing was written to this bucket.
    pub fn names(&self, bucket: &str, from: Start, count: usize, files: &keys::Bucket) -> Option<(Vec<String>, bool)> {
        let writes = self.lock();
        let written = || writes.by_name.keys().filter(|(of, _)| of == bucket).map(|(_, key)| key.as_str());
        written().next()?;
        let is_there = |key: &&str| writes.of(bucket, key, files).is_none_or(|write| write.value.is_some());
        let is_new = |key: &&str| files.get(key).is_none() && writes.of(bucket, key, files).is_some();
        let mut names: Vec<&str> = files.keys_from(0).chain(written().filter(is_new)).filter(is_there).collect();
        // Two sorted lists behind each other, which a stable sort only merges.
        names.sort();
        let at = match from {
            Start::Place(at) => at,
            Start::Behind(last) => names.partition_point(|name| *name <= last),
        };
        let page: Vec<String> = names.iter().skip(at).take(count).map(|&name| name.to_owned()).collect();
        let has_more = names.len() > at.saturating_add(page.len());
        Some((page, has_more))
    }

    fn lock(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().expect("nothing panics while it holds the writes")
    }
}

impl Writes {
    fn of(&self, bucket: &str, key: &str, files: &keys::Bucket) -> Option<&Write> {
        if self.by_name.is_empty() {
            return None;
        }
        let write = self.by_name.get(&(bucket.to_owned(), key.to_owned()))?;
        (write.over == digest(files.get(key))).then_some(write)
    }

    fn write(&mut self, bucket: &str, key: &str, value: Option<Vec<u8>>, files: &keys::Bucket) -> Result<(), String> {
        let length = value.as_ref().map_or(0, Vec::len);
        if key.len() > NAME_BYTES_MAX || length > VALUE_BYTES_MAX {
            return Err(format!("names have at most {NAME_BYTES_MAX} bytes here, values {VALUE_BYTES_MAX}"));
        }
        let name = (bucket.to_owned(), key.to_owned());
        let before = self.by_name.get(&name).map(|write| bytes(&name, write.value.as_ref()));
        let after = self.bytes - before.unwrap_or(0) + bytes(&name, value.as_ref());
        if after > BYTES_MAX || before.is_none() && self.by_name.len() >= ENTRIES_MAX {
            return Err(format!("one run keeps at most {ENTRIES_MAX} writes and {BYTES_MAX} bytes"));
        }
        self.bytes = after;
        self.by_name.insert(name, Write { value, over: digest(files.get(key)) });
        Ok(())
    }
}

fn digest(value: Option<&[u8]>) -> Option<[u8; 32]> {
    value.map(|value| Sha256::digest(value).into())
}

fn bytes((bucket, key): &(String, String), value: Option<&Vec<u8>>) -> usize {
    bucket.len() + key.len() + value.map_or(0, Vec::len)
}
