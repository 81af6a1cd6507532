//! How long refusals take. Only two compares see secrets, and both compare digests the sender cannot know: the tag of an
//! HS token and the hash of an API key. Signatures are checked with public data, there time tells nothing.
//!
//! Timing on a shared machine is noisy, so the test asks only for what a byte-by-byte compare would break by a wide
//! margin when measured; it is run by hand: `cargo test -p auth-component --release -- --ignored timing`.

use std::time::{Duration, Instant};

use auth_component::api_key::{ApiKey, Peppers, RANDOM_BYTES, Record, check};
use auth_component::jose::{Refusal, verify};

use crate::issuer::{Issuer, NOW};

struct One;

impl Peppers for One {
    fn pepper(&self, _: &str) -> Option<&[u8]> {
        Some(b"a pepper of thirty-two bytes....")
    }
}

/// No input takes long: the worst are long ones that get as far as a public-key operation.
#[test]
fn no_refusal_takes_more_than_50_ms() {
    for case in crate::attacks::cases().into_iter().chain(crate::claims::cases()) {
        let best = (0..3).map(|_| elapsed(|| drop(verify(&case.token, &case.keys, &case.policy, NOW)))).min();
        assert!(best < Some(Duration::from_millis(50)), "{}: {best:?}", case.name);
    }
}

/// Welch's t over interleaved samples, the slowest tenth of each left out: |t| < 5 is no difference (a compare that
/// stops early gives hundreds). 4.5 is the threshold of ISO 17825 for a quiet machine.
#[test]
#[ignore = "needs a quiet machine and --release"]
fn timing_does_not_tell_how_much_of_a_secret_is_right() {
    let text = ApiKey::generate(&[9; RANDOM_BYTES], "acme", "live").expect("both labels are good");
    let id = ApiKey::parse(text.as_bytes()).expect("it was generated").id();
    let pepper = One.pepper("p").expect("always");
    let record = Record::new(id, text.as_bytes(), "p", pepper, "user", NOW);
    let right_prefix = format!("{}0", &text[..text.len() - 1]);
    let wrong_prefix = format!("{}{}", &text[..27], "0".repeat(text.len() - 27));
    let api_key = |key: &str, record: Option<&Record>| {
        let answer = check(std::hint::black_box(key.as_bytes()), record, &One, NOW).expect("the pepper is known");
        assert!(answer.is_err());
    };
    report("API key, right prefix", || api_key(&right_prefix, Some(&record)), || api_key(&wrong_prefix, Some(&record)));
    report("API key, unknown id", || api_key(&wrong_prefix, Some(&record)), || api_key(&wrong_prefix, None));

    let issuer = Issuer::new("HS256");
    let (keys, policy) = (issuer.keys(), issuer.policy());
    let good = issuer.signature();
    let tag = |at: usize| {
        let mut tag = good.clone();
        tag[at] ^= 1;
        issuer.token_with_signature(&tag).into_bytes()
    };
    let (first, last) = (tag(0), tag(31));
    let hs256 = |token: &[u8]| {
        let refusal = verify(std::hint::black_box(token), &keys, &policy, NOW).err();
        assert_eq!(refusal, Some(Refusal::SignatureWrong));
    };
    report("HS256, first or last byte of the tag", || hs256(&first), || hs256(&last));
}

fn report(name: &str, one: impl Fn(), other: impl Fn()) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..200_000 {
        ones.push(elapsed(&one).as_nanos() as f64);
        others.push(elapsed(&other).as_nanos() as f64);
    }
    let ((mean, variance), (other_mean, other_variance)) = (moments(ones), moments(others));
    let t = (mean - other_mean) / (variance + other_variance).sqrt();
    println!("{name}: {mean:.1} ns, {other_mean:.1} ns, t = {t:.2}");
    assert!(t.abs() < 5.0, "{name}");
}

/// The mean and its variance, of the fastest nine tenths.
fn moments(mut samples: Vec<f64>) -> (f64, f64) {
    samples.sort_by(f64::total_cmp);
    samples.truncate(samples.len() * 9 / 10);
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}

fn elapsed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
