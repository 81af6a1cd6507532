//! Key files: what is read is written again as it was, and is found under its own name.

#![no_main]

use auth_component_fuzz::keys::file;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (first, rest) = data.split_at(end);
    let content = [with_checksum(first, rest.get(1..).unwrap_or_default()).as_slice(), rest].concat();
    let Ok(records) = file::parse(&content) else { return };
    assert!(records.iter().all(|(name, record)| *name == record.id));
    let again = file::parse(&file::render(&records)).expect("what is written can be read");
    assert_eq!(again, records);
});

/// `#` stands for the checksum of what follows, which the fuzzer could never guess.
fn with_checksum(first: &[u8], rest: &[u8]) -> Vec<u8> {
    let Some(at) = first.iter().position(|&byte| byte == b'#') else { return first.to_vec() };
    let checksum: String = Sha256::digest(rest).iter().map(|byte| format!("{byte:02x}")).collect();
    [&first[..at], checksum.as_bytes(), &first[at + 1..]].concat()
}
