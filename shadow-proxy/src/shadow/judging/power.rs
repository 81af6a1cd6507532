//! How often either rule calls a field different, summed exactly over all that can happen, and held against what others
//! have computed.

use statrs::function::factorial::ln_binomial;

use crate::exchange::{Kind, Severity};
use crate::shadow::noise::{AA_PAIRS_MIN, FieldCount, Place, Status, Suspect, statuses};
use crate::shift::evidence::EndpointCount;

use super::diffy::Counters;

/// The rates at which legacy differs from itself and the candidate from legacy, for `cargo ci judge --full`.
pub(super) fn print() {
    println!(
        "\nHow often a field that differs from itself is called different, ours | Diffy's rule, by calls asked twice"
    );
    println!("  {:<26}  {:>15}  {:>15}  {:>15}", "legacy → candidate", "100", "500", "1000");
    for (noise, raw) in RATES {
        let cells: Vec<String> = [100, 500, 1_000]
            .map(|calls| format!("{:>6.4} |{:>7.4}", ours(noise, raw, calls), diffys(noise, raw, calls)))
            .into();
        println!("  {:<26}  {}", format!("{:>5} % → {:>5} %", noise * 100.0, raw * 100.0), cells.join("  "));
    }
    println!(
        "\nHow often a service like legacy has a field called different that is seldom noisy, ours | Diffy's rule"
    );
    println!("  {:<26}  {:>15}  {:>15}", "of its answers differ", "2,000 exchanges", "10,000");
    for noise in [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02] {
        let cells: Vec<String> = [2_000, 10_000]
            .map(|exchanges| format!("{:>6.4} |{:>7.4}", seldom(noise, exchanges), diffys(noise, noise, exchanges)))
            .into();
        println!("  {:<26}  {}", format!("{:>5} %", noise * 100.0), cells.join("  "));
    }
}

/// Legacy, asked twice for 500 calls and 5 of 100 later ones, does not show the noise, and the candidate does.
fn seldom(noise: f64, exchanges: u64) -> f64 {
    let aa_pairs = AA_PAIRS_MIN as f64 + 0.05 * (exchanges - AA_PAIRS_MIN) as f64;
    (1.0 - noise).powf(aa_pairs) * (1.0 - (1.0 - noise).powf(exchanges as f64))
}

const RATES: [(f64, f64); 12] = [
    (0.001, 0.001),
    (0.01, 0.01),
    (0.1, 0.1),
    (0.5, 0.5),
    (0.9, 0.9),
    (0.01, 0.02),
    (0.01, 0.05),
    (0.1, 0.2),
    (0.1, 0.3),
    (0.5, 0.7),
    (0.6, 0.9),
    (0.7, 1.0),
];

/// One field, tested alone; the two answers are noisy independently of each other.
fn ours(noise: f64, raw: f64, calls: u64) -> f64 {
    let place = Place { endpoint: String::new(), path: "p".into(), kind: Kind::Value, classes: (None, None) };
    let endpoint = EndpointCount { askable: calls, aa_pairs: calls.min(AA_PAIRS_MIN - 1), ..EndpointCount::default() };
    let suspect = [Suspect { place: &place, severity: Severity::Low, is_explained: false }];
    let (b_rate, c_rate) = (raw * (1.0 - noise), noise * (1.0 - raw));
    let discordant_rate = b_rate + c_rate;
    let mut sum = 0.0;
    for discordant in 0..=calls {
        let chance = binomial(discordant, calls, discordant_rate);
        if chance < NEGLIGIBLE {
            continue;
        }
        // The more of them are the candidate's, the sooner it is called different.
        let is_called = |b: u64| {
            let field = FieldCount { place: place.clone(), b, c: discordant - b, both: 0 };
            statuses(&suspect, &[field], std::slice::from_ref(&endpoint))[0] == Status::Finding
        };
        let Some(least) = (0..=discordant).find(|b| is_called(*b)) else { continue };
        let tail: f64 = (least..=discordant).map(|b| binomial(b, discordant, b_rate / discordant_rate)).sum();
        sum += chance * tail;
    }
    sum
}

fn diffys(noise: f64, raw: f64, requests: u64) -> f64 {
    let chances = |rate| -> Vec<(u64, f64)> {
        let counts = (0..=requests).map(|count| (count, binomial(count, requests, rate)));
        counts.filter(|(_, chance)| *chance > NEGLIGIBLE).collect()
    };
    let (of_raw, of_noise) = (chances(raw), chances(noise));
    let mut sum = 0.0;
    for (raw, chance) in &of_raw {
        for (noise, other) in &of_noise {
            let is_reported = Counters { raw: *raw as i64, noise: *noise as i64 }.is_reported(requests);
            sum += if is_reported { chance * other } else { 0.0 };
        }
    }
    sum
}

fn binomial(count: u64, of: u64, rate: f64) -> f64 {
    let (hits, misses) = (count as f64, (of - count) as f64);
    let power = |base: f64, exponent: f64| if exponent == 0.0 { 0.0 } else { exponent * base.ln() };
    (ln_binomial(of, count) + power(rate, hits) + power(1.0 - rate, misses)).exp()
}

const NEGLIGIBLE: f64 = 1e-12;

/// Diffy's rule, as its users meet it: services that are alike, by rate of noise and number of requests.
#[test]
fn diffys_rule_calls_noise_a_difference_as_often_as_was_computed() {
    for (noise, expected) in [
        (0.001, [0.010, 0.047, 0.087, 0.266, 0.334]),
        (0.01, [0.087, 0.266, 0.333, 0.250, 0.177]),
        (0.1, [0.332, 0.239, 0.166, 0.017, 0.001]),
        (0.5, [0.169, 0.023, 0.003, 0.0, 0.0]),
    ] {
        for (requests, expected) in [10, 50, 100, 500, 1_000].into_iter().zip(expected) {
            let found = diffys(noise, noise, requests);
            assert!((found - expected).abs() < 0.000_6, "{noise} {requests}: {found}");
        }
    }
}

#[test]
fn a_field_that_gets_noisier_is_seen_as_often_as_was_computed() {
    for (noise, raw, calls, of_ours, of_diffys) in [
        (0.7, 1.0, 100, 1.00, 0.22),
        (0.6, 0.9, 100, 0.96, 0.49),
        (0.5, 0.7, 100, 0.35, 0.28),
        (0.5, 0.7, 1_000, 1.00, 0.035),
    ] {
        let found = (ours(noise, raw, calls), diffys(noise, raw, calls));
        assert!((found.0 - of_ours).abs() < 0.006, "{noise} → {raw}, {calls}: ours {found:?}");
        assert!((found.1 - of_diffys).abs() < 0.006, "{noise} → {raw}, {calls}: Diffy's {found:?}");
    }
    for (raw, calls, expected) in [(0.2, 100, 0.09), (0.2, 1_000, 0.999)] {
        assert!((ours(0.1, raw, calls) - expected).abs() < 0.006, "{raw} {calls}: {}", ours(0.1, raw, calls));
    }
}

#[test]
fn noise_is_called_a_difference_once_in_a_thousand_services_at_most() {
    for noise in [0.001, 0.01, 0.1, 0.5, 0.9] {
        for calls in [10, 50, 100, 500] {
            assert!(ours(noise, noise, calls) <= 0.001, "{noise} {calls}: {}", ours(noise, noise, calls));
        }
    }
}
