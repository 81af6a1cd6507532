//! Who serves a call and who is mirrored. Pure.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, COOKIE, HeaderMap};
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;

use crate::exchange::Side;
use crate::shift::weight::ALL_PPM;

/// The side that serves, given the candidate's weight. The other side is the mirror.
///
/// Sticky: the same client lands in the same bucket, and buckets nest, so that who is served by the candidate at 1 %
/// still is at 5 %.
pub fn serving_side(weight_ppm: u32, hash_key: &[u8; 16], headers: &HeaderMap, peer: IpAddr) -> Side {
    // The two ends need no identity, and 0 is where most of the traffic is for most of a migration.
    match weight_ppm {
        0 => Side::Legacy,
        ALL_PPM.. => Side::Candidate,
        _ if bucket(hash_key, headers, peer) < weight_ppm => Side::Candidate,
        _ => Side::Legacy,
    }
}

/// 0..1,000,000 by the credential, else the cookies, else the address the connection comes from.
fn bucket(hash_key: &[u8; 16], headers: &HeaderMap, peer: IpAddr) -> u32 {
    let mut hash = SipHasher24::new_with_key(hash_key);
    match headers.get(AUTHORIZATION).or_else(|| headers.get(COOKIE)) {
        Some(identity) => hash.write(identity.as_bytes()),
        None => match peer {
            IpAddr::V4(address) => hash.write(&address.octets()),
            IpAddr::V6(address) => hash.write(&address.octets()),
        },
    }
    // The upper bits of the product: uniform without a division.
    ((u128::from(hash.finish()) * u128::from(ALL_PPM)) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = *b"0123456789abcdef";
    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn headers(id: u32) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer id_{id}").parse().expect("a valid value"))])
    }

    #[test]
    fn the_share_is_the_weight_and_nested() {
        let ids = 100_000_u32;
        let buckets: Vec<u32> = (0..ids).map(|id| bucket(&KEY, &headers(id), PEER)).collect();
        for weight_ppm in [1_000, 10_000, 50_000, 250_000, 500_000] {
            let share = f64::from(weight_ppm) / f64::from(ALL_PPM);
            let expected = f64::from(ids) * share;
            let three_sigma = 3.0 * (expected * (1.0 - share)).sqrt();
            let chosen = buckets.iter().filter(|&&bucket| bucket < weight_ppm).count() as f64;
            assert!((chosen - expected).abs() <= three_sigma, "{chosen} of {expected} at {weight_ppm} ppm");
        }
        let side = |weight, id| serving_side(weight, &KEY, &headers(id), PEER);
        for id in 0..1_000 {
            let from = (0..=10).position(|step| side(step * 100_000, id) == Side::Candidate).expect("all at 100 %");
            assert!((from as u32..=10).all(|step| side(step * 100_000, id) == Side::Candidate), "id {id} went back");
        }
        assert!((0..1_000).all(|id| side(0, id) == Side::Legacy));
    }
}
