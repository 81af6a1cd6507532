use std::net::Ipv4Addr;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const KEY: [u8; 16] = *b"0123456789abcdef";
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in of {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn identity(kinds: &[&str]) -> Identity {
    Identity::new(kinds.iter().map(|kind| kind.parse().unwrap()).collect(), KEY)
}

fn id(kinds: &[&str], of: &[(&'static str, &str)]) -> Option<Id> {
    identity(kinds).of(&headers(of), PEER)
}

fn credential(text: &str) -> Id {
    id(&["credential"], &[("authorization", text)]).unwrap()
}

fn jwt(payload: &str, signature: &str) -> String {
    let [header, payload] =
        [r#"{"alg":"ES256"}"#, payload].map(|part| Base64UrlUnpadded::encode_string(part.as_bytes()));
    format!("{header}.{payload}.{signature}")
}

#[test]
fn a_hundred_thousand_ids_are_spread_evenly_and_keep_their_side() {
    let count = 100_000_u32;
    type Sent = fn(u32) -> HeaderMap;
    let kinds: [(&str, Sent); 5] = [
        ("opaque", |n| headers(&[("authorization", &format!("Bearer id_{n}"))])),
        ("api key", |n| headers(&[("x-api-key", &api_key(n, "A"))])),
        ("jwt", |n| headers(&[("authorization", &format!("Bearer {}", jwt(&format!(r#"{{"sub":"{n}"}}"#), "s")))])),
        ("cookie", |n| headers(&[("cookie", &format!("sid={n}"))])),
        ("header", |n| headers(&[("x-client", &n.to_string())])),
    ];
    let identity = identity(&["credential", "cookie", "header:x-client"]);
    for (name, of) in kinds {
        let buckets: Vec<u32> = (0..count).map(|n| identity.of(&of(n), PEER).unwrap().bucket()).collect();
        assert!(buckets.iter().all(|&bucket| bucket < ALL_PPM));
        for weight_ppm in [1_000, 10_000, 50_000, 250_000, 500_000] {
            let share = f64::from(weight_ppm) / f64::from(ALL_PPM);
            let expected = f64::from(count) * share;
            let three_sigma = 3.0 * (expected * (1.0 - share)).sqrt();
            let chosen = buckets.iter().filter(|&&bucket| bucket < weight_ppm).count() as f64;
            assert!((chosen - expected).abs() <= three_sigma, "{name}: {chosen} of {expected} at {weight_ppm} ppm");
        }
    }
    let peers = (0..count).map(|n| identity_of_address(IpAddr::V4(n.into())).bucket());
    let chosen = peers.filter(|&bucket| bucket < 50_000).count() as f64;
    assert!((chosen - 5_000.0).abs() <= 3.0 * (5_000.0_f64 * 0.95).sqrt(), "{chosen}");
}

fn identity_of_address(peer: IpAddr) -> Id {
    identity(&["address"]).of(&HeaderMap::new(), peer).unwrap()
}

fn api_key(n: u32, secret: &str) -> String {
    format!("ak_{n:016}_{}_abc123", secret.repeat(43))
}

/// Replicas of other releases have to agree on these.
#[test]
fn buckets_never_change() {
    let of = |kind: &str, name: &'static str, value: &str| id(&[kind], &[(name, value)]).unwrap().bucket();
    let buckets = [
        of("credential", "authorization", "Bearer key_123"),
        of("credential", "x-api-key", &api_key(1, "A")),
        of("credential", "authorization", &format!("Bearer {}", jwt(r#"{"iss":"i","sub":"s"}"#, "x"))),
        of("cookie", "cookie", "sid=1"),
        of("cookie:sid", "cookie", "sid=1"),
        of("header:x-client", "x-client", "1"),
        identity_of_address(PEER).bucket(),
        identity_of_address("2001:db8::1".parse().unwrap()).bucket(),
    ];
    assert_eq!(buckets, [93_423, 926_265, 113_231, 126_641, 67_202, 992_790, 248_431, 552_770]);
}

#[test]
fn a_rotated_key_and_a_refreshed_token_are_the_same_client() {
    let key = |secret| credential(&format!("Bearer {}", api_key(1, secret)));
    assert_eq!(key("A"), key("B"));
    assert_eq!(key("A"), credential(&format!("ApiKey {}", api_key(1, "C"))), "whatever the scheme");
    assert_eq!(Some(key("A")), id(&["credential"], &[("x-api-key", &api_key(1, "D"))]), "wherever it stands");
    assert_ne!(key("A"), credential(&format!("Bearer {}", api_key(2, "A"))));

    let token = |payload: &str| credential(&format!("Bearer {}", jwt(payload, "sig")));
    let user = token(r#"{"iss":"i","sub":"u","exp":1,"jti":"a"}"#);
    assert_eq!(user, token(r#"{"jti":"b","aud":["x",{"y":null}],"sub":"u","exp":2e3,"iss":"i","sid":"other"}"#));
    assert_eq!(user, token(r#"{"iss":"i","sub":"\u0075"}"#), "escapes are another spelling");
    let others = [
        token(r#"{"iss":"j","sub":"u"}"#),
        token(r#"{"sub":"u"}"#),
        token(r#"{"iss":"i","sid":"u"}"#),
        token(r#"{"iss":"i","client_id":"u"}"#),
        token(r#"{"iss":"iu","sub":""}"#),
    ];
    for (at, other) in others.iter().enumerate() {
        assert_ne!(*other, user, "{at}");
        assert!(!others[..at].contains(other), "{at}");
    }
    assert_eq!(token(r#"{"sub":17,"iat":1}"#), token(r#"{"sub":17,"iat":2}"#), "a number is a name too");
    assert_eq!(token(r#"{"sub":null,"client_id":"c","n":1}"#), token(r#"{"client_id":"c","n":2}"#));
}

#[test]
fn what_has_no_stable_part_is_taken_whole() {
    let whole = |one: &str, other: &str| {
        assert_ne!(credential(one), credential(other), "{one} {other}");
        assert_eq!(credential(one), credential(&format!(" {one} ")), "{one}");
    };
    whole("Bearer key_123", "Bearer key_124");
    whole("Basic dTpw", "Basic dTpx");
    // Three parts, five parts, an id too short, a secret too short, a prefix in capitals.
    whole("Bearer sk_live_AAAAAAAAAAAAAAAAAAAA", "Bearer sk_live_BBBBBBBBBBBBBBBBBBBB");
    whole("a_bcde_AAAAAAAAAAAAAAAAAA_abcd_e", "a_bcde_BBBBBBBBBBBBBBBBBB_abcd_e");
    whole("aa_bcd_AAAAAAAAAAAAAAAAAA_abcd", "aa_bcd_BBBBBBBBBBBBBBBBBB_abcd");
    whole("aa_bcde_A_abcd", "aa_bcde_B_abcd");
    whole("AA_bcde_AAAAAAAAAAAAAAAAAA_abcd", "AA_bcde_BBBBBBBBBBBBBBBBBB_abcd");
    // No signature, no claims, no object, no base64.
    whole(&jwt(r#"{"sub":"u","n":1}"#, ""), &jwt(r#"{"sub":"u","n":2}"#, ""));
    whole(&jwt(r#"{"n":1}"#, "s"), &jwt(r#"{"n":2}"#, "s"));
    whole(&jwt(r#"["sub",1]"#, "s"), &jwt(r#"["sub",2]"#, "s"));
    whole("e30.!!!!.s", "e30.!!!?.s");
    let long = |n| jwt(&format!(r#"{{"sub":"u","n":"{n}{}"}}"#, "x".repeat(4_000)), "s");
    whole(&long(1), &long(2));
}

#[test]
fn the_first_kind_that_is_there_wins() {
    let kinds = ["credential", "cookie:sid", "cookie", "header:x-client", "address"];
    let all = [("authorization", "Bearer abc"), ("cookie", "a=1; sid=s"), ("x-client", "c")];
    let of = |sent: &[(&'static str, &str)]| id(&kinds, sent).unwrap();
    assert_eq!(of(&all), id(&["credential"], &all).unwrap());
    assert_eq!(of(&all[1..]), id(&["cookie:sid"], &all).unwrap());
    assert_eq!(of(&[("cookie", "a=2; sid=s")]), of(&all[1..]), "the other cookies may change");
    assert_eq!(of(&[("cookie", "a=1")]), id(&["cookie"], &[("cookie", "a=1")]).unwrap());
    assert_eq!(of(&all[2..]), id(&["header:x-client"], &all).unwrap());
    assert_eq!(of(&[]), identity_of_address(PEER));
    // What is empty is not there.
    for empty in [("authorization", ""), ("authorization", "Bearer"), ("authorization", "bearer "), ("cookie", " ")] {
        assert_eq!(of(&[empty]), of(&[]), "{empty:?}");
    }
    assert_eq!(of(&[("authorization", "Bearer"), ("x-api-key", "k")]), of(&[("x-api-key", "k")]));
    assert_eq!(of(&[("cookie", "sid="), ("x-client", "")]), id(&["cookie"], &[("cookie", "sid=")]).unwrap());
    assert_eq!(id(&["cookie:sid", "header:x-client"], &[("cookie", "SID=s")]), None, "nothing to go by");
    // The same text is somebody else in another place.
    let places = [of(&[("cookie", "abc")]), of(&[("x-client", "abc")]), of(&[("x-api-key", "abc")])];
    assert!(places[0] != places[1] && places[1] != places[2] && places[0] != places[2]);
    let named = |name: &str| id(&[&format!("cookie:{name}")], &[("cookie", "a=1; b=1")]).unwrap();
    assert_ne!(named("a"), named("b"));
}

#[test]
fn an_address_is_the_same_however_it_is_written_and_of_ipv6_the_network() {
    let of = |address: &str| identity_of_address(address.parse().unwrap());
    assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2"));
    assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
}

#[test]
fn another_key_draws_other_ids() {
    let moved = (0..1_000).filter(|n| {
        let sent = headers(&[("authorization", &format!("Bearer {n}"))]);
        let of = |key| Identity::new(vec![IdKind::Credential], key).of(&sent, PEER).unwrap().bucket() < ALL_PPM / 2;
        of(KEY) != of([7; 16])
    });
    assert!((400..600).contains(&moved.count()));
}

#[test]
fn who_is_pinned_stays_until_the_other_side_serves_all() {
    assert_eq!(Id::of_side(Side::Candidate).bucket(), 0);
    assert_eq!(Id::of_side(Side::Legacy).bucket(), ALL_PPM - 1);
    assert!(!Id::of_side(Side::Candidate).is_drawn() && credential("a").is_drawn());
}

proptest! {
    /// Bytes that no header may have are none that a call has.
    #[test]
    fn garbage_is_somebody_too(
        authorization in proptest::collection::vec(any::<u8>(), 0..200),
        cookie in proptest::collection::vec(any::<u8>(), 0..200),
        kind in 0..6_usize,
    ) {
        let kinds = ["credential", "cookie", "cookie:a", "header:x-a", "header:cookie2", "address"];
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", &authorization), ("cookie", &cookie), ("x-a", &cookie)] {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(name, value);
            }
        }
        let identity = identity(&[kinds[kind], "address"]);
        let id = identity.of(&headers, PEER);
        prop_assert_eq!(id, identity.of(&headers.clone(), PEER));
        prop_assert!(id.unwrap().bucket() < ALL_PPM);
    }

    #[test]
    fn what_looks_like_a_token_is_somebody_too(
        text in "[a-zA-Z0-9_.=-]{0,80}",
        payload in "\\{\"(sub|iss|sid)\":[\\[\\]{}\",:0-9a-z\\\\-]{0,40}\\}?",
    ) {
        for token in [text, jwt(&payload, "s")] {
            let bearer = credential(&format!("Bearer x{token}"));
            prop_assert!(bearer.bucket() < ALL_PPM);
            let _ = id(&["credential"], &[("x-api-key", &token)]);
        }
    }
}
