//! The fingerprint of CVE-2017-15361 ("ROCA", Nemec et al., CCS 2017): moduli of an Infineon library whose primes are
//! `k·M + 65537^a mod M`. For every small prime dividing `M`, such a modulus is a power of 65537.

/// The primes up to 167 for which the powers of 65537 are few. All of them hold by chance for one modulus in 2^27.
const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// `modulus` is big-endian.
pub(crate) fn is_weak(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|&prime| {
        let remainder = modulus.iter().fold(0, |remainder, &byte| (remainder * 256 + u32::from(byte)) % prime);
        is_power_of_65537(remainder, prime)
    })
}

fn is_power_of_65537(remainder: u32, prime: u32) -> bool {
    let mut power = 1;
    for _ in 1..prime {
        if power == remainder {
            return true;
        }
        power = power * 65_537 % prime;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_powers_and_others() {
        // 65537 mod 11 is 10, so its powers are 1 and 10.
        let powers: Vec<u32> = (0..11).filter(|&remainder| is_power_of_65537(remainder, 11)).collect();
        assert_eq!(powers, [1, 10]);
        assert!(is_weak(&[1]), "1 is the zeroth power");
        assert!(is_weak(&[1, 0, 1]), "65537 is the first");
        assert!(is_weak(&[1, 0, 2, 0, 1]), "65537 squared is the second");
        assert!(!is_weak(&[1, 0, 2, 0, 3]));
        assert!(!is_weak(&[0]));
    }
}
