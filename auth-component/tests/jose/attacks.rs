//! Every class of bad token as a made token, with the reason it must be refused for. Where it is possible the signature is
//! right, so that nothing but the named fault can be the cause.

use std::collections::BTreeSet;

use auth_component::jose::{Answer, Jwks, Policy, Refusal, verify};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

use crate::issuer::{Issuer, NOW, RSA_N, decode, encode, hs256, merged, parse_keys, pss, public_jwk};

pub struct Case {
    pub name: String,
    pub token: Vec<u8>,
    pub keys: Jwks,
    pub policy: Policy,
    pub expected: Result<(), Refusal>,
}

impl Case {
    /// Against the issuer's own key and policy.
    pub fn new(name: impl Into<String>, issuer: &Issuer, token: impl Into<Vec<u8>>, expected: Refusal) -> Case {
        Case {
            name: name.into(),
            token: token.into(),
            keys: issuer.keys(),
            policy: issuer.policy(),
            expected: Err(expected),
        }
    }

    pub fn good(name: &str, issuer: &Issuer) -> Case {
        Case { expected: Ok(()), ..Case::new(name, issuer, issuer.token(), Refusal::NotJson) }
    }

    pub fn check(&self) {
        let verified = verify(&self.token, &self.keys, &self.policy, NOW);
        assert_eq!(verified.map(drop), self.expected, "{}", self.name);
    }
}

const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    "Ed25519",
];

#[test]
fn good_tokens_of_every_algorithm() {
    for algorithm in ALGORITHMS {
        let issuer = Issuer::new(algorithm);
        let claims = verify(issuer.token().as_bytes(), &issuer.keys(), &issuer.policy(), NOW).expect(algorithm);
        assert_eq!(claims.subject.as_deref(), Some("user_123"));
        assert_eq!(claims.scopes, ["read", "write"]);
        assert_eq!(claims.expires_at, Some(NOW + 600));
    }
}

#[test]
fn every_attack_gets_its_reason() {
    cases().iter().for_each(Case::check);
}

/// Nothing can be refused for a reason that no made token has.
#[test]
fn every_reason_has_its_attack() {
    let all = cases().into_iter().chain(crate::claims::cases());
    let seen: BTreeSet<Refusal> = all.filter_map(|case| case.expected.err()).collect();
    let unseen: Vec<_> = Refusal::ALL.iter().filter(|refusal| !seen.contains(refusal)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

#[test]
fn the_client_learns_nothing_from_the_reason() {
    let texts: BTreeSet<&str> = Refusal::ALL.iter().map(|refusal| refusal.reason()).collect();
    assert_eq!(texts.len(), Refusal::ALL.len());
    for refusal in Refusal::ALL {
        let forbidden = refusal.answer() == Answer::InsufficientScope;
        assert_eq!(forbidden, refusal.is_of_signed_token(), "{refusal:?}");
    }
}

/// What is forged is refused for its signature before anything is said about permission.
#[test]
fn permission_is_judged_only_after_the_signature() {
    for members in [json!({"aud": "other"}), json!({"scope": ""})] {
        let issuer = Issuer::new("ES256").claims_with(members);
        let mut signature = issuer.signature();
        signature[40] ^= 1;
        let policy = Policy { scopes: vec!["read".to_owned()], ..issuer.policy() };
        let token = issuer.token_with_signature(&signature);
        let refusal = verify(token.as_bytes(), &issuer.keys(), &policy, NOW).map(drop);
        assert_eq!(refusal, Err(Refusal::SignatureWrong));
    }
}

/// T82: a token that says what no good one does costs no signature, of which RSA's are dear.
#[test]
fn what_a_token_says_is_judged_before_its_signature() {
    let issuer = Issuer::new("RS512");
    let claims = [
        (json!({"exp": NOW}), Refusal::Expired),
        (json!({"exp": "never"}), Refusal::DateShape),
        (json!({"nbf": NOW + 1}), Refusal::NotYetValid),
        (json!({"iss": "another"}), Refusal::IssuerOther),
        (json!({"sub": null}), Refusal::SubjectMissing),
    ];
    let headers = [
        (json!({"alg": "RS256"}), Refusal::AlgorithmNotAllowed),
        (json!({"typ": "logout+jwt"}), Refusal::TypeNotAllowed),
        (json!({"kid": "k2"}), Refusal::KeyUnknown),
    ];
    let claims = claims.map(|(members, refusal)| (issuer.clone().claims_with(members), refusal));
    let headers = headers.map(|(members, refusal)| (issuer.clone().header_with(members), refusal));
    for (bad, refusal) in claims.into_iter().chain(headers) {
        let token = bad.token_with_signature(&[7; 256]);
        let verified = verify(token.as_bytes(), &issuer.keys(), &issuer.policy(), NOW);
        assert_eq!(verified.map(drop), Err(refusal));
    }
}

pub fn cases() -> Vec<Case> {
    [no_algorithm(), confused_keys(), header_members(), key_ids(), shapes(), texts(), signatures(), ecdsa(), rsa()]
        .into_iter()
        .flatten()
        .collect()
}

/// T24, T26, T27.
fn no_algorithm() -> Vec<Case> {
    let issuer = Issuer::new("HS256");
    let mut cases = Vec::new();
    let names =
        ["none", "None", "nOnE", "NONE", "", "hs256", "HS256 ", " HS256", "HS1", "ES512", "ES256K", "Ed448", "RSA1_5"];
    for name in names {
        let bad = issuer.clone().header_with(json!({"alg": name}));
        cases.push(Case::new(
            format!("alg {name:?}, empty signature"),
            &issuer,
            format!("{}.", bad.signed()),
            Refusal::AlgorithmUnknown,
        ));
        cases.push(Case::new(format!("alg {name:?}, real MAC"), &issuer, bad.token(), Refusal::AlgorithmUnknown));
    }
    for value in [json!(["HS256"]), json!(1), json!({"alg": "HS256"}), json!(true)] {
        let bad = issuer.clone().header_with(json!({"alg": value}));
        cases.push(Case::new(format!("alg {value}"), &issuer, bad.token(), Refusal::AlgorithmUnknown));
    }
    let absent = issuer.clone().header_with(json!({"alg": null}));
    cases.push(Case::new("no alg", &issuer, absent.token(), Refusal::AlgorithmMissing));
    let null = issuer.clone().header(r#"{"alg":null,"typ":"JWT","kid":"k1"}"#);
    cases.push(Case::new("alg null", &issuer, null.token(), Refusal::AlgorithmUnknown));
    for (label, other) in
        [("HS256", "HS512"), ("HS512", "HS256"), ("RS256", "PS256"), ("RS256", "RS512"), ("ES256", "ES384")]
    {
        let labelled = Issuer::new(label);
        let made = Issuer::new(other).header_with(json!({"alg": label}));
        cases.push(Case::new(format!("{label} over {other}"), &labelled, made.token(), Refusal::SignatureWrong));
        cases.push(Case::new(
            format!("{other} for {label}"),
            &labelled,
            Issuer::new(other).token(),
            Refusal::AlgorithmNotAllowed,
        ));
    }
    cases
}

/// T25, T31, T39: what is public is not taken for a secret, nor one kind of key for another.
fn confused_keys() -> Vec<Case> {
    let rsa = Issuer::new("RS256");
    let both = Policy {
        algorithms: vec![rsa.policy().algorithms[0], Issuer::new("HS256").policy().algorithms[0]],
        ..rsa.policy()
    };
    let forged = Issuer::new("HS256").signed();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{RSA_N}\n-----END PUBLIC KEY-----");
    let jwk = rsa.jwk().to_string();
    let secrets: [(&str, Vec<u8>); 6] = [
        ("PEM", pem.clone().into_bytes()),
        ("PEM and newline", format!("{pem}\n").into_bytes()),
        ("modulus bytes", decode(RSA_N)),
        ("modulus text", RSA_N.as_bytes().to_vec()),
        ("JWK text", jwk.into_bytes()),
        ("nothing", Vec::new()),
    ];
    let mut cases = Vec::new();
    for (name, secret) in secrets {
        let token = format!("{forged}.{}", encode(&hs256(&secret, forged.as_bytes())));
        let case =
            Case::new(format!("HS256 with the RSA key's {name}"), &rsa, token.clone(), Refusal::AlgorithmNotAllowed);
        cases.push(case);
        let wide = Case::new(format!("the same, HS256 allowed: {name}"), &rsa, token, Refusal::KeyForOtherAlgorithm);
        cases.push(Case { policy: both.clone(), ..wide });
    }
    for (algorithm, other) in [("ES256", "ES384"), ("RS256", "ES256"), ("EdDSA", "ES256"), ("HS256", "RS256")] {
        let made = Issuer::new(algorithm);
        let keys = parse_keys(&[merged(Issuer::new(other).jwk(), json!({"kid": "k1"}))]);
        let case = Case::new(
            format!("{algorithm} with a key for {other}"),
            &made,
            made.token(),
            Refusal::KeyForOtherAlgorithm,
        );
        cases.push(Case { keys, ..case });
    }
    let unpinned = Issuer::new("RS256");
    let keys = unpinned.keys_with(json!({"alg": null}));
    let policy = Policy {
        algorithms: [unpinned.policy(), Issuer::new("PS256").policy()].map(|p| p.algorithms[0]).to_vec(),
        ..unpinned.policy()
    };
    let case =
        Case::new("a key that could be RS256 or PS256", &unpinned, unpinned.token(), Refusal::KeyForOtherAlgorithm);
    cases.push(Case { keys, policy, ..case });
    let single = Case::good("a key without alg, one algorithm allowed", &unpinned);
    cases.push(Case { keys: unpinned.keys_with(json!({"alg": null})), ..single });
    let attacker = [0xaa; 32];
    let own_key = json!({"kty": "oct", "k": encode(&attacker)});
    for header in [json!({"jwk": own_key}), json!({"jwk": own_key, "kid": null}), json!({"jwk": own_key, "kid": "k2"})]
    {
        let made = Issuer::new("HS256").header_with(header.clone());
        let token = made.token_with_signature(&hs256(&attacker, made.signed().as_bytes()));
        let expected =
            if header.get("kid") == Some(&json!("k2")) { Refusal::KeyUnknown } else { Refusal::SignatureWrong };
        cases.push(Case::new(format!("the sender's own key in {header}"), &Issuer::new("HS256"), token, expected));
    }
    cases
}

/// T28 to T32, T36 to T38.
fn header_members() -> Vec<Case> {
    let issuer = Issuer::new("HS256");
    let with = |members: Value, expected: Refusal| {
        Case::new(format!("header {members}"), &issuer, issuer.clone().header_with(members).token(), expected)
    };
    let text = |header: &str, expected: Refusal| {
        Case::new(format!("header {header:.60}"), &issuer, issuer.clone().header(header).token(), expected)
    };
    let deep = format!(r#"{{"alg":"HS256","typ":"JWT","x":{}{}}}"#, "[".repeat(400), "]".repeat(400));
    let long = format!(r#"{{"alg":"HS256","typ":"JWT","x":"{}"}}"#, "a".repeat(2_048));
    let mut cases = vec![
        with(json!({"crit": ["x"]}), Refusal::CriticalExtension),
        with(json!({"crit": ["x"], "x": 1}), Refusal::CriticalExtension),
        with(json!({"crit": []}), Refusal::CriticalExtension),
        with(json!({"crit": ["exp"], "exp": 1}), Refusal::CriticalExtension),
        with(json!({"crit": "x"}), Refusal::CriticalExtension),
        with(json!({"crit": ["b64"], "b64": false}), Refusal::CriticalExtension),
        with(json!({"b64": false}), Refusal::UnencodedPayload),
        with(json!({"b64": true}), Refusal::UnencodedPayload),
        with(json!({"zip": "DEF"}), Refusal::Compressed),
        with(json!({"enc": "A256GCM"}), Refusal::Encrypted),
        with(json!({"typ": null}), Refusal::TypeMissing),
        with(json!({"typ": "logout+jwt"}), Refusal::TypeNotAllowed),
        with(json!({"typ": "JWTx"}), Refusal::TypeNotAllowed),
        with(json!({"typ": "application/"}), Refusal::TypeNotAllowed),
        with(json!({"typ": 1}), Refusal::TypeNotAllowed),
        with(json!({"typ": ["JWT"]}), Refusal::TypeNotAllowed),
        text(r#"{"alg":"none","alg":"HS256","typ":"JWT"}"#, Refusal::DuplicateMember),
        text(r#"{"alg":"HS256","alg":"none","typ":"JWT"}"#, Refusal::DuplicateMember),
        text(r#"{"alg":"HS256","\u0061lg":"HS256","typ":"JWT"}"#, Refusal::DuplicateMember),
        text(r#"{"alg":"HS256","typ":"JWT","x":{"a":1,"a":1}}"#, Refusal::DuplicateMember),
        text(r#"["JWT","HS256"]"#, Refusal::NotAnObject),
        text("\"HS256\"", Refusal::NotAnObject),
        text("null", Refusal::NotAnObject),
        text("", Refusal::NotJson),
        text("{\"alg\":\"HS256\",\"typ\":\"JWT\"", Refusal::NotJson),
        text("{\"alg\":\"HS256\",\"typ\":\"JWT\"}x", Refusal::NotJson),
        text("\u{feff}{\"alg\":\"HS256\",\"typ\":\"JWT\"}", Refusal::NotJson),
        text(&deep, Refusal::TooDeep),
        with(json!({"x": vec![0; 61]}), Refusal::TooManyValues),
        text(&long, Refusal::HeaderTooLong),
    ];
    for typ in ["at+jwt", "AT+JWT", "jwt", "application/at+jwt", "Application/JWT"] {
        let name = format!("typ {typ}");
        cases.push(Case::good(&name, &issuer.clone().header_with(json!({"typ": typ}))));
    }
    let ignored = json!({"jku": "https://evil.example/", "x5u": 1, "x5c": "x", "jwk": [], "x5t": {}, "cty": "x", "__proto__": {}});
    cases.push(Case::good("members that are never looked at", &issuer.clone().header_with(ignored)));
    cases.push(Case::good("64 values in the header", &issuer.clone().header_with(json!({"x": vec![0; 60]}))));
    let access_tokens = Policy { types: vec!["at+jwt".to_owned()], ..issuer.policy() };
    let other = Case::new("typ JWT where at+jwt is asked for", &issuer, issuer.token(), Refusal::TypeNotAllowed);
    cases.push(Case { policy: access_tokens, ..other });
    let bad_utf8 = [b"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"x\":\"\xff\"}".as_slice()].concat();
    let signed = format!("{}.{}", encode(&bad_utf8), encode(b"{}"));
    cases.push(Case::new("header not UTF-8", &issuer, issuer.token_over(&signed), Refusal::NotJson));
    cases
}

/// T33 to T35.
fn key_ids() -> Vec<Case> {
    let issuer = Issuer::new("HS256");
    let with = |id: Value, expected: Refusal| {
        let header = merged(json!({"alg": "HS256", "typ": "JWT"}), json!({"kid": id})).to_string();
        Case::new(format!("kid {id:.40}"), &issuer, issuer.clone().header(&header).token(), expected)
    };
    let mut cases: Vec<Case> = [
        "../../../dev/null",
        "/dev/null",
        "x' UNION SELECT 'a",
        "k1|/bin/sleep 5",
        "k1\0",
        "K1",
        " k1",
        "k1 ",
        "k",
        "k11",
        "http://evil.example/k1",
        "__proto__",
        "${jndi:ldap://x}",
        "k1\r\nx: y",
    ]
    .iter()
    .map(|id| with(json!(id), Refusal::KeyUnknown))
    .collect();
    for id in [json!(1), json!(["k1"]), json!({}), json!(true), json!(""), json!("k".repeat(257))] {
        cases.push(with(id, Refusal::KeyIdShape));
    }
    let null = issuer.clone().header(r#"{"alg":"HS256","typ":"JWT","kid":null}"#);
    cases.push(Case::new("kid null", &issuer, null.token(), Refusal::KeyIdShape));
    let longest = "k".repeat(256);
    let named = issuer.clone().header_with(json!({"kid": longest}));
    cases.push(Case { keys: issuer.keys_with(json!({"kid": longest})), ..Case::good("the longest kid", &named) });
    let without = issuer.clone().header_with(json!({"kid": null}));
    cases.push(Case::good("no kid, one key", &without));
    let other = merged(public_jwk(issuer.policy().algorithms[0]), json!({"kid": "k2", "k": encode(&[7; 32])}));
    let two = || parse_keys(&[issuer.jwk(), other.clone()]);
    cases.push(Case { keys: two(), ..Case::new("no kid, two keys", &issuer, without.token(), Refusal::KeyAmbiguous) });
    cases.push(Case { keys: two(), ..Case::good("kid picks one of two", &issuer) });
    let wanted = Policy { key_id_required: true, ..issuer.policy() };
    cases.push(Case { policy: wanted, ..Case::new("kid asked for", &issuer, without.token(), Refusal::KeyIdMissing) });
    let none = || parse_keys(&[]);
    cases.push(Case { keys: none(), ..Case::new("no keys at all", &issuer, without.token(), Refusal::KeyUnknown) });
    let twins = parse_keys(&[issuer.jwk(), merged(other, json!({"kid": "k1"}))]);
    cases.push(Case { keys: twins, ..Case::new("two keys of one kid", &issuer, issuer.token(), Refusal::KeyUnknown) });
    let fitting = parse_keys(&[Issuer::new("ES256").jwk()]);
    let es384 = Issuer::new("ES384").header_with(json!({"kid": null}));
    cases.push(Case {
        keys: fitting,
        ..Case::new("no kid, no key fits", &es384, es384.token(), Refusal::KeyForOtherAlgorithm)
    });
    cases
}

/// T48, T37, T8, T62: what is not three parts of a size.
fn shapes() -> Vec<Case> {
    let issuer = Issuer::new("HS256");
    let token = issuer.token();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let json_form = json!({"protected": header, "payload": payload, "signature": signature}).to_string();
    let shapes = [
        String::new(),
        ".".to_owned(),
        "eyJ".to_owned(),
        format!("{header}.{payload}"),
        format!("{token}."),
        format!("{token}.AA"),
        format!(".{token}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{header}.AA.AA.AA.{signature}"),
        json_form,
    ];
    let mut cases: Vec<Case> = shapes
        .into_iter()
        .map(|shape| Case::new(format!("shape {shape:.30}"), &issuer, shape, Refusal::NotThreeParts))
        .collect();
    cases.push(Case::new("..", &issuer, "..", Refusal::NotJson));
    let long = issuer.clone().claims_with(json!({"x": "a".repeat(6_200)}));
    cases.push(Case::new("more than 8 KiB", &issuer, long.token(), Refusal::TokenTooLong));
    cases.push(Case::new("1 MB", &issuer, "a".repeat(1_000_000), Refusal::TokenTooLong));
    cases.push(Case::new("1 MB of dots", &issuer, ".".repeat(1_000_000), Refusal::TokenTooLong));
    let nearly = issuer.clone().claims_with(json!({"x": "a".repeat(5_700)}));
    assert!(nearly.token().len() > 7_900);
    cases.push(Case::good("nearly 8 KiB", &nearly));
    cases
}

/// T40, T41, T47: other texts for the same bytes.
fn texts() -> Vec<Case> {
    let issuer = Issuer::new("HS256");
    let token = issuer.token();
    let signed = issuer.signed();
    let (header, payload) = signed.split_once('.').expect("two parts");
    let last = token.as_bytes()[token.len() - 1];
    let slack = char::from(last + 1);
    let insert = |at: usize, text: &str| format!("{}{text}{}", &token[..at], &token[at..]);
    let mut cases: Vec<Case> = ["=", "==", " ", "\n", "\r\n", "\t", "\0", "\u{e9}", "%20", ","]
        .iter()
        .flat_map(|text| {
            [0, 10, header.len(), header.len() + 1, signed.len(), signed.len() + 1, token.len()]
                .map(|at| insert(at, text))
        })
        .map(|text| Case::new(format!("text {text:.60}"), &issuer, text, Refusal::Encoding))
        .collect();
    // 43 characters carry 258 bits: the last two are slack.
    let slacked = format!("{}{slack}", &token[..token.len() - 1]);
    cases.push(Case::new("slack bits of the signature", &issuer, slacked, Refusal::Encoding));
    for over in [
        format!("{header}=.{payload}"),
        format!("{header}.{payload}="),
        format!("{header} .{payload}"),
        format!("{header}.{payload}\n"),
    ] {
        cases.push(Case::new("signed with padding or space", &issuer, issuer.token_over(&over), Refusal::Encoding));
    }
    let standard = issuer.clone().header_with(json!({"x": "\u{ff}\u{ff}\u{ff}???>>>"}));
    let swapped = standard.signed().replace('-', "+").replace('_', "/");
    assert_ne!(swapped, standard.signed());
    cases.push(Case::new("standard alphabet", &issuer, issuer.token_over(&swapped), Refusal::Encoding));
    cases
}

/// T46, and changes to what was signed.
fn signatures() -> Vec<Case> {
    let mut cases = Vec::new();
    for algorithm in ALGORITHMS {
        let issuer = Issuer::new(algorithm);
        let good = issuer.signature();
        let mut flipped = good.clone();
        *flipped.last_mut().expect("not empty") ^= 1;
        let mut first = good.clone();
        first[0] ^= 0x80;
        let changed = [
            ("empty", Vec::new()),
            ("one byte", good[..1].to_vec()),
            ("16 bytes", good[..16].to_vec()),
            ("one byte short", good[..good.len() - 1].to_vec()),
            ("without its first byte", good[1..].to_vec()),
            ("one byte long", [good.as_slice(), &[0]].concat()),
            ("a zero before", [&[0], good.as_slice()].concat()),
            ("twice", [good.as_slice(), &good].concat()),
            ("all zero", vec![0; good.len()]),
            ("all ones", vec![0xff; good.len()]),
            ("last bit", flipped),
            ("first bit", first),
        ];
        for (what, signature) in changed {
            let token = issuer.token_with_signature(&signature);
            cases.push(Case::new(format!("{algorithm} signature {what}"), &issuer, token, Refusal::SignatureWrong));
        }
        let other = issuer.clone().claims_with(json!({"sub": "admin"}));
        let token = other.token_with_signature(&good);
        cases.push(Case::new(format!("{algorithm} other payload"), &issuer, token, Refusal::SignatureWrong));
        let other = issuer.clone().header_with(json!({"x": 1}));
        let token = other.token_with_signature(&good);
        cases.push(Case::new(format!("{algorithm} other header"), &issuer, token, Refusal::SignatureWrong));
    }
    cases
}

/// T42.
fn ecdsa() -> Vec<Case> {
    let issuer = Issuer::new("ES256");
    let good = issuer.signature();
    let (r, s) = good.split_at(32);
    let order = decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
    let less_one = [&order[..31], &[order[31] - 1]].concat();
    let zero = vec![0; 32];
    let one = [&[0; 31][..], &[1]].concat();
    let both = |r: &[u8], s: &[u8]| [r, s].concat();
    let parsed = p256::ecdsa::Signature::from_slice(&good).expect("it was just made");
    let bad = [
        ("r zero", both(&zero, s)),
        ("s zero", both(r, &zero)),
        ("both zero", both(&zero, &zero)),
        ("both one", both(&one, &one)),
        ("r = n", both(&order, s)),
        ("s = n", both(r, &order)),
        ("r = n-1", both(&less_one, s)),
        ("s = n-1", both(r, &less_one)),
        ("all ones", vec![0xff; 64]),
        ("P-384 lengths", both(&[&[0; 16], r].concat(), &[&[0; 16], s].concat())),
        ("swapped", both(s, r)),
        ("DER", der(r, s)),
    ];
    let mut cases: Vec<Case> = bad
        .into_iter()
        .map(|(what, signature)| {
            let token = issuer.token_with_signature(&signature);
            Case::new(format!("ES256 {what}"), &issuer, token, Refusal::SignatureWrong)
        })
        .collect();
    let twin =
        p256::ecdsa::Signature::from_scalars(*parsed.r().as_ref(), -*parsed.s().as_ref()).expect("n-s is not zero");
    assert_ne!(twin.to_bytes().as_slice(), good);
    let token = issuer.token_with_signature(&twin.to_bytes());
    cases.push(Case { token: token.into_bytes(), ..Case::good("the twin holds: revoke by jti, not by text", &issuer) });
    cases
}

fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let padded = if number[0] >= 0x80 { [&[0], number].concat() } else { number.to_vec() };
        [&[2, u8::try_from(padded.len()).expect("short")], padded.as_slice()].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).expect("short")], body.as_slice()].concat()
}

/// T43, T44; the many modified paddings are Wycheproof's.
fn rsa() -> Vec<Case> {
    let issuer = Issuer::new("PS256");
    let signed = issuer.signed();
    let mut cases = Vec::new();
    for salt_bytes in [0, 20, 31, 33, 64] {
        let token = issuer.token_with_signature(&pss::<Sha256>(salt_bytes, signed.as_bytes()));
        cases.push(Case::new(format!("PS256, salt of {salt_bytes}"), &issuer, token, Refusal::SignatureWrong));
    }
    let token = issuer.token_with_signature(&pss::<Sha512>(32, signed.as_bytes()));
    cases.push(Case::new("PS256 made with SHA-512", &issuer, token, Refusal::SignatureWrong));
    let modulus = decode(RSA_N);
    let less_one = [&modulus[..255], &[modulus[255] - 1]].concat();
    let one = [&[0; 255][..], &[1]].concat();
    for algorithm in ["RS256", "PS256"] {
        let issuer = Issuer::new(algorithm);
        for (what, signature) in [("n", &modulus), ("n-1", &less_one), ("1", &one)] {
            let token = issuer.token_with_signature(signature);
            cases.push(Case::new(format!("{algorithm}, s = {what}"), &issuer, token, Refusal::SignatureWrong));
        }
    }
    cases
}
