//! JWK sets, as an issuer or an operator could hand them over: what is published of one is a set again, without secrets.

#![no_main]

use auth_component::jose::{Jwks, Origin};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for origin in [Origin::Operator, Origin::Fetched] {
        let Ok(set) = Jwks::parse(data, origin) else { continue };
        let published = set.public_json();
        let again = Jwks::parse(published.as_bytes(), Origin::Fetched).expect("what ours publishes it reads");
        assert!(again.len() <= set.len() && again.ignored().is_empty(), "{published}");
        assert!(origin == Origin::Operator || again.len() == set.len(), "{published}");
        assert_eq!(again.public_json(), published);
    }
});
