//! How long refusals take. Only two compares see secrets, and both compare digests the sender cannot know: the tag of an
//! HS token and the hash of an API key. Signatures are checked with public data, there time tells nothing.
//!
//! The measuring is that of dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", DATE 2017): two
//! classes of inputs in random order, Welch's t-test on the samples below several percentiles, and |t| > [`T_MAX`] tells
//! the classes apart. It depends on the clock, so it is ignored here and run by `cargo ci timing`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use auth_component::api_key::{ApiKey, Peppers, RANDOM_BYTES, Record, check};
use auth_component::jose::{Refusal, verify};
use auth_component::{Body, BodyDefect, Headers, Request, Service, handle};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::issuer::{Issuer, NOW};

/// As dudect has it: by chance, classes that take the same time pass it once in 150,000 tests.
const T_MAX: f64 = 4.5;
/// A difference must show each time, which a real one does and a noisy neighbour's does not.
const TIMES: usize = 3;
const ID_NS_MAX: f64 = 50.0;
/// The test is made once with the faster half of all samples, once with three quarters, once with nine tenths: what is
/// slower was interrupted, says nothing, and hides what the others say.
const PERCENTILES: [usize; 3] = [50, 75, 90];
const SAMPLES: usize = 400_000;

struct One;

impl Peppers for One {
    fn pepper(&self, _: &str) -> Option<&[u8]> {
        Some(b"a pepper of thirty-two bytes....")
    }
}

/// No input takes long: the worst are long ones that get as far as a public-key operation. Whole requests: cost.rs.
#[test]
fn no_refusal_takes_more_than_50_ms() {
    let cpu_time = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("it only grows from 0");
    for case in crate::attacks::cases().into_iter().chain(crate::claims::cases()) {
        let start = cpu_time();
        drop(verify(&case.token, &case.keys, &case.policy, NOW));
        let taken = cpu_time() - start;
        assert!(taken <= Duration::from_millis(50), "{}: {taken:?}", case.name);
    }
}

#[test]
#[ignore = "depends on the clock; `cargo ci timing` runs it"]
fn timing_does_not_tell_how_much_of_a_secret_is_right() {
    let held = [Held::new(1, 9), Held::new(1, 77)];
    let wrong_end = held.each_ref().map(Held::key_with_wrong_end);
    let control = Measured::of(crossed(&wrong_end), &|key, stored| {
        held[stored].refuse(key);
        assert!(!is_same_up_to_the_first_difference(key, &held[stored].key));
    });
    println!("{:<58} {control}", "control: the same work, and a compare that stops early");
    assert!(control.t.abs() > T_MAX, "even that does not show, so nothing can; run it again on a quieter machine");

    let mut told = Vec::new();
    let mut look = |name: &'static str, inputs, work: &dyn Fn(&[u8], usize)| {
        if is_told(name, inputs, work) {
            told.push(name);
        }
    };
    look("API key: secret wrong at its end or from its start", crossed(&wrong_end), &|key, stored| {
        held[stored].refuse(key);
    });
    // The development keys are fixed, so here the classes are of different texts, as alike as can be.
    let texts = [["key_124", "jey_123"], ["ley_123", "key_122"]].map(|row| row.map(|key| format!("Bearer {key}")));
    look("POST /auth/validate: key wrong at its end or its start", all(&texts), &|text, _| refuse_whole(text));
    let issuers = ["a", "b"].map(|id| Issuer::new("HS256").claims_with(json!({"jti": id})));
    let (set, policy) = (issuers[0].keys(), issuers[0].policy());
    let tokens = issuers.each_ref().map(|signed| {
        issuers.each_ref().map(|tagged| {
            let mut tag = tagged.signature();
            tag[31] ^= 1;
            signed.token_with_signature(&tag)
        })
    });
    look("HS256: tag wrong at its end or from its start", all(&tokens), &|token, _| {
        assert_eq!(verify(token, &set, &policy, NOW).err(), Some(Refusal::SignatureWrong));
    });
    assert!(told.is_empty(), "|t| > {T_MAX} {TIMES} times: {}", told.join("; "));
}

/// Ids are no secret, and a branch costs what it costs; but an unknown id must not save the hash, which takes 500 ns.
#[test]
#[ignore = "depends on the clock; `cargo ci timing` runs it"]
fn timing_tells_next_to_nothing_about_which_ids_exist() {
    let held = [Held::new(1, 9), Held::new(2, 9)];
    let wrong_secret = held.each_ref().map(Held::key_with_wrong_secret);
    let measured = Measured::of(crossed(&wrong_secret), &|key, stored| held[stored].refuse(key));
    println!("{:<58} {measured}", "API key: id known or not");
    assert!(measured.difference_ns.abs() < ID_NS_MAX, "{measured}");
}

/// Whether a difference shows, each time it is looked for.
fn is_told(name: &str, inputs: Inputs, work: &dyn Fn(&[u8], usize)) -> bool {
    (0..TIMES).all(|_| {
        let measured = Measured::of(inputs, work);
        println!("{name:<58} {measured}");
        measured.t.abs() > T_MAX
    })
}

/// What is sent, by what it is held against and by which of two it is. Where both are the same number, the two belong
/// together: that is one class, the rest the other. So each input and each secret is as often in the one as in the other,
/// and what it costs by itself cancels out.
type Inputs<'a> = [[&'a [u8]; 2]; 2];

/// Each held against each.
fn crossed(sent: &[Vec<u8>; 2]) -> Inputs<'_> {
    let row = sent.each_ref().map(Vec::as_slice);
    [row, row]
}

fn all(sent: &[[String; 2]; 2]) -> Inputs<'_> {
    sent.each_ref().map(|row| row.each_ref().map(String::as_bytes))
}

/// A key and a store with its record alone.
struct Held {
    random: [u8; RANDOM_BYTES],
    key: Vec<u8>,
    records: BTreeMap<String, Record>,
}

impl Held {
    fn new(id: u8, secret: u8) -> Held {
        let mut random = [secret; RANDOM_BYTES];
        random[..11].fill(id);
        let key = written(&random);
        let id = ApiKey::parse(&key).expect("it was generated").id();
        let record = Record::new(id, &key, "p", One.pepper("p").expect("always"), "user", NOW);
        Held { random, records: BTreeMap::from([(id.to_owned(), record)]), key }
    }

    /// Right but for the last character of the secret, and the checksum, which is no secret.
    fn key_with_wrong_end(&self) -> Vec<u8> {
        let mut random = self.random;
        random[RANDOM_BYTES - 1] ^= 1;
        let key = written(&random);
        assert_eq!(key[..64], self.key[..64]);
        key
    }

    fn key_with_wrong_secret(&self) -> Vec<u8> {
        let mut random = self.random;
        random[11..].fill(200);
        written(&random)
    }

    fn refuse(&self, key: &[u8]) {
        let parsed = ApiKey::parse(key).expect("well written");
        let answer = check(key, self.records.get(parsed.id()), &One, NOW).expect("the pepper is known");
        assert!(answer.is_err());
    }
}

fn written(random: &[u8; RANDOM_BYTES]) -> Vec<u8> {
    ApiKey::generate(random, "acme").expect("a good prefix").into_bytes()
}

#[inline(never)]
fn is_same_up_to_the_first_difference(key: &[u8], other: &[u8]) -> bool {
    key.len() == other.len() && key.iter().zip(other).all(|(byte, other)| black_box(byte) == other)
}

fn refuse_whole(authorization: &[u8]) {
    let (headers, body) = (Authorization(authorization), Nothing);
    let request = Request { method: "POST", target: "/auth/validate", headers: &headers, body: &body };
    assert_eq!(handle(&request, Service::development(), NOW).status, 401);
}

struct Authorization<'a>(&'a [u8]);

impl Headers for Authorization<'_> {
    fn values(&self, name: &str) -> Vec<Vec<u8>> {
        if name == "authorization" { vec![self.0.to_vec()] } else { Vec::new() }
    }
}

struct Nothing;

impl Body for Nothing {
    fn read(&self, _bytes_max: usize) -> Result<Vec<u8>, BodyDefect> {
        Ok(Vec::new())
    }
}

/// What the samples of two classes say.
struct Measured {
    /// Of the percentiles, the one that tells most.
    t: f64,
    difference_ns: f64,
    /// A greater difference would have been told.
    resolution_ns: f64,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Measured { t, difference_ns, resolution_ns } = self;
        write!(formatter, "t = {t:6.2}   {difference_ns:6.2} ns (from {resolution_ns:.2} ns on it would be told)")
    }
}

impl Measured {
    /// `work` gets an input and the number of what it is held against.
    fn of(inputs: Inputs, work: &dyn Fn(&[u8], usize)) -> Measured {
        let samples = sample(inputs, work);
        let mut sorted: Vec<f64> = samples.iter().map(|(_, ns)| *ns).collect();
        sorted.sort_by(f64::total_cmp);
        let all = PERCENTILES.map(|percentile| welch(&samples, sorted[(sorted.len() * percentile).div_ceil(100) - 1]));
        all.into_iter().max_by(|one, other| one.t.abs().total_cmp(&other.t.abs())).expect("there are percentiles")
    }
}

/// The class and the nanoseconds of each sample. Every input is copied to one place before the clock starts, so that its
/// address tells nothing; which comes next follows no pattern that a branch predictor could learn.
fn sample(inputs: Inputs, work: &dyn Fn(&[u8], usize)) -> Vec<(bool, f64)> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut place = inputs[0][0].to_vec();
    let mut next = || {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (sent, stored) = black_box(((random >> 40 & 1) as usize, (random >> 41 & 1) as usize));
        place.copy_from_slice(inputs[stored][sent]);
        (sent == stored, elapsed(|| work(black_box(&place), stored)).as_nanos() as f64)
    };
    // The first are slower, and so not like the others.
    let samples = (0..SAMPLES / 20 * 21).map(|_| next());
    samples.skip(SAMPLES / 20).collect()
}

/// Of the samples up to `ns_max`, which is the same for both classes.
fn welch(samples: &[(bool, f64)], ns_max: f64) -> Measured {
    let moments = |class| {
        let own = || samples.iter().filter(|(of, ns)| *of == class && *ns <= ns_max).map(|(_, ns)| *ns);
        let count = own().count() as f64;
        let mean = own().sum::<f64>() / count;
        let variance = own().map(|ns| (ns - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean, variance), (other_mean, other_variance)) = (moments(true), moments(false));
    let error = (variance + other_variance).sqrt();
    let difference_ns = mean - other_mean;
    Measured { t: difference_ns / error, difference_ns, resolution_ns: T_MAX * error }
}

fn elapsed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
