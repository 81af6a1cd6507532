//! What the fuzz targets share: how an input is written, which credentials are good, and what every answer must be.
//!
//! An input is text that a person can write and read:
//!
//! - `@1782000000` on a first line of its own is the time, in seconds since the Unix epoch; without it: [`NOW`];
//! - `<<header||payload>>` stands for the token of these two, signed with the public development secret `hs256`. So
//!   the fuzzer gets behind the signature, which it could never guess.
//!
//! `cargo ci fuzz` runs all targets, `cargo run --release --bin token` in this folder one of them. A new one needs a file in
//! fuzz_targets, a `[[bin]]` in Cargo.toml and a row in ci/src/fuzz.rs.

pub mod answer;
pub mod credentials;
pub mod keys;
pub mod request;

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

/// The middle of 2026, between the dates at which development keys begin and end.
pub const NOW: u64 = 1_782_000_000;

/// An input after its time is taken off and its tokens are signed.
pub struct Input {
    pub now: u64,
    pub text: Vec<u8>,
    pub signed: Vec<Signed>,
}

/// A token that this input had signed.
pub struct Signed {
    pub token: String,
    pub header: Vec<u8>,
    pub payload: Vec<u8>,
}

/// The public development secret, `k` of the key `hs256`.
const SECRET: &str = "S2oLoq5x6dIO5YGdhvenQriSqWQmnn6ImV4k6rSaHLM";

impl Input {
    pub fn read(data: &[u8]) -> Input {
        let (now, mut rest) = time(data).unwrap_or((NOW, data));
        let mut input = Input { now, text: Vec::with_capacity(rest.len()), signed: Vec::new() };
        while let Some(found) = next_token(rest) {
            let signed = Signed::new(found.header, found.payload);
            input.text.extend_from_slice(found.before);
            input.text.extend_from_slice(signed.token.as_bytes());
            input.signed.push(signed);
            rest = found.after;
        }
        input.text.extend_from_slice(rest);
        input
    }

    /// The same at its own time and at those around what the members `names` of `object` name: something begins or ends
    /// there, and an error by one second shows nowhere else.
    pub fn at_its_moments(mut self, object: &Value, names: &[&str], mut look: impl FnMut(&Input)) {
        look(&self);
        let seconds = |name: &&str| object[*name].as_u64().or(object[*name].as_f64().map(|seconds| seconds as u64));
        for at in names.iter().filter_map(seconds) {
            for now in [at.saturating_sub(1), at, at.saturating_add(1)] {
                self.now = now;
                look(&self);
            }
        }
    }
}

impl Signed {
    fn new(header: &[u8], payload: &[u8]) -> Signed {
        let encode = Base64UrlUnpadded::encode_string;
        let signed = format!("{}.{}", encode(header), encode(payload));
        let secret = Base64UrlUnpadded::decode_vec(SECRET).expect("a constant of this file");
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&secret).expect("HMAC takes keys of any length");
        let tag = mac.chain_update(signed.as_bytes()).finalize().into_bytes();
        Signed { token: format!("{signed}.{}", encode(&tag)), header: header.to_vec(), payload: payload.to_vec() }
    }
}

fn time(data: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = split(data.strip_prefix(b"@")?, b"\n")?;
    Some((str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// A token as it is written, and the text around it.
struct Found<'a> {
    before: &'a [u8],
    header: &'a [u8],
    payload: &'a [u8],
    after: &'a [u8],
}

fn next_token(text: &[u8]) -> Option<Found<'_>> {
    let (before, rest) = split(text, b"<<")?;
    let (header, rest) = split(rest, b"||")?;
    let (payload, after) = split(rest, b">>")?;
    Some(Found { before, header, payload, after })
}

pub(crate) fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}
