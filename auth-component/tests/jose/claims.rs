//! Claims at their limits, and what a verified token says.

use auth_component::jose::{Json, Policy, Refusal, verify};
use serde_json::{Value, json};

use crate::attacks::Case;
use crate::issuer::{Issuer, NOW};

#[test]
fn every_claim_gets_its_answer() {
    cases().iter().for_each(Case::check);
}

pub fn cases() -> Vec<Case> {
    [times(), dates(), payloads(), identities(), audiences(), scopes()].into_iter().flatten().collect()
}

fn issuer() -> Issuer {
    Issuer::new("HS256")
}

fn refused(members: Value, expected: Refusal) -> Case {
    Case::new(format!("claims {members:.80}"), &issuer(), issuer().claims_with(members).token(), expected)
}

fn good(members: Value) -> Case {
    Case::good(&format!("claims {members:.80}"), &issuer().claims_with(members))
}

fn under(policy: Policy, case: Case) -> Case {
    Case { name: format!("{}, {policy:?}", case.name), policy, ..case }
}

/// T49, T53.
fn times() -> Vec<Case> {
    let skewed = || Policy { skew_s: 60, ..issuer().policy() };
    let endless = || Policy { expiry_required: false, ..issuer().policy() };
    let now = NOW as f64;
    vec![
        refused(json!({"exp": NOW}), Refusal::Expired),
        refused(json!({"exp": NOW - 1}), Refusal::Expired),
        refused(json!({"exp": now - 0.5}), Refusal::Expired),
        refused(json!({"exp": 0}), Refusal::Expired),
        good(json!({"exp": now + 0.5})),
        good(json!({"exp": NOW + 1})),
        under(skewed(), good(json!({"exp": NOW - 59}))),
        under(skewed(), refused(json!({"exp": NOW - 60}), Refusal::Expired)),
        good(json!({"exp": NOW + 86_400})),
        refused(json!({"exp": NOW + 86_401}), Refusal::LifetimeTooLong),
        refused(json!({"exp": now + 86_400.5}), Refusal::LifetimeTooLong),
        refused(json!({"exp": null}), Refusal::ExpiryMissing),
        under(endless(), good(json!({"exp": null}))),
        under(endless(), refused(json!({"exp": NOW}), Refusal::Expired)),
        good(json!({"nbf": NOW})),
        refused(json!({"nbf": NOW + 1}), Refusal::NotYetValid),
        refused(json!({"nbf": now + 0.5}), Refusal::NotYetValid),
        under(skewed(), good(json!({"nbf": NOW + 60}))),
        under(skewed(), refused(json!({"nbf": NOW + 61}), Refusal::NotYetValid)),
        good(json!({"nbf": null, "iat": null})),
        good(json!({"iat": NOW})),
        refused(json!({"iat": NOW + 1}), Refusal::IssuedInTheFuture),
        refused(json!({"iat": NOW + 3_600}), Refusal::IssuedInTheFuture),
        under(skewed(), good(json!({"iat": NOW + 60}))),
        under(skewed(), refused(json!({"iat": NOW + 61}), Refusal::IssuedInTheFuture)),
    ]
}

/// T50, T51: what is no date.
fn dates() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["exp", "nbf", "iat"] {
        for value in ["\"1900000000\"", "null", "true", "false", "[1900000000]", "{}", "253402300800", "253402300799.5"]
        {
            cases.push(date(name, value, Refusal::DateShape));
        }
        for value in ["1e15", "1e20", "9223372036854775808", "18446744073709551616", "1e308"] {
            cases.push(date(name, value, Refusal::DateShape));
        }
        for value in ["1e400", "-1e400", "NaN", "Infinity", "0x1", "01"] {
            cases.push(date(name, value, Refusal::NotJson));
        }
    }
    for value in ["-1", "-0.5", "-1e308"] {
        cases.push(date("exp", value, Refusal::DateShape));
        for name in ["nbf", "iat"] {
            cases.push(Case { expected: Ok(()), ..date(name, value, Refusal::DateShape) });
        }
    }
    cases.push(date("exp", "1800000600000", Refusal::DateShape));
    cases.push(date("exp", "253402300799", Refusal::LifetimeTooLong));
    cases
}

fn date(name: &str, value: &str, expected: Refusal) -> Case {
    let rest: Vec<String> = [("exp", NOW + 600), ("nbf", NOW), ("iat", NOW)]
        .iter()
        .filter(|(other, _)| *other != name)
        .map(|(other, at)| format!("\"{other}\":{at}"))
        .collect();
    let payload = format!(
        "{{\"iss\":\"https://issuer.example\",\"sub\":\"u\",\"aud\":\"orders\",{},\"{name}\":{value}}}",
        rest.join(",")
    );
    Case::new(format!("{name} {value}"), &issuer(), issuer().payload(payload).token(), expected)
}

/// T54 to T56, T61, T62.
fn payloads() -> Vec<Case> {
    let raw = |payload: &[u8], expected: Refusal| {
        let name = format!("payload {:.60}", String::from_utf8_lossy(payload));
        Case::new(name, &issuer(), issuer().payload(payload).token(), expected)
    };
    let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let many: String = (0..600).map(|at| format!(",\"{at}\":1")).collect();
    vec![
        raw(b"", Refusal::NotJson),
        raw(b"not json", Refusal::NotJson),
        raw(b"null", Refusal::NotAnObject),
        raw(b"1", Refusal::NotAnObject),
        raw(b"\"text\"", Refusal::NotAnObject),
        raw(b"[]", Refusal::NotAnObject),
        raw(b"[1900000000,0,\"user_123\",\"https://issuer.example\",\"orders\"]", Refusal::NotAnObject),
        raw(b"{\"sub\":\"a\",\"sub\":\"a\"}", Refusal::DuplicateMember),
        raw(b"{\"sub\":\"a\",\"s\\u0075b\":\"admin\"}", Refusal::DuplicateMember),
        raw(b"{\"exp\":1,\"exp\":1900000000}", Refusal::DuplicateMember),
        raw(b"{\"x\":[{\"y\":{\"a\":1,\"a\":2}}]}", Refusal::DuplicateMember),
        raw(b"\xef\xbb\xbf{}", Refusal::NotJson),
        raw(b"{\"sub\":\"\xff\"}", Refusal::NotJson),
        raw(b"{\"sub\":\"\xc0\x80\"}", Refusal::NotJson),
        raw(b"{\"sub\":\"\\ud800\"}", Refusal::NotJson),
        raw(b"{\"sub\":\"\\udc00\\ud800\"}", Refusal::NotJson),
        raw(b"{} {}", Refusal::NotJson),
        raw(b"{\"a\":1}\0", Refusal::NotJson),
        raw(b"eyJhbGciOiJub25lIn0.e30.", Refusal::NotJson),
        raw(deep(32).as_bytes(), Refusal::TooDeep),
        raw(deep(2_900).as_bytes(), Refusal::TooDeep),
        raw("[".repeat(5_000).as_bytes(), Refusal::TooDeep),
        raw("{\"a\":".repeat(1_000).as_bytes(), Refusal::TooDeep),
        raw(format!("{{\"exp\":1{many}}}").as_bytes(), Refusal::TooManyValues),
        good(json!({"__proto__": {"sub": "admin"}, "constructor": 1})),
        good(json!({"exp ": 1, "EXP": 1})),
    ]
}

/// T57, T59.
fn identities() -> Vec<Case> {
    let shape = Refusal::ClaimShape;
    let wanted = Policy { claims_required: vec!["tenant".to_owned()], ..issuer().policy() };
    let anybody = || Policy { issuer: None, subject_required: false, ..issuer().policy() };
    let mut cases = vec![
        refused(json!({"iss": "https://issuer.example/"}), Refusal::IssuerOther),
        refused(json!({"iss": "https://ISSUER.example"}), Refusal::IssuerOther),
        refused(json!({"iss": "http://issuer.example"}), Refusal::IssuerOther),
        refused(json!({"iss": null}), Refusal::IssuerOther),
        refused(json!({"iss": ["https://issuer.example"]}), shape),
        refused(json!({"iss": 1}), shape),
        refused(json!({"sub": null}), Refusal::SubjectMissing),
        under(anybody(), good(json!({"sub": null, "iss": null}))),
        under(anybody(), refused(json!({"sub": 1}), shape)),
        good(json!({"sub": "a".repeat(256)})),
        good(json!({"sub": "h\u{e9}l\u{e8}ne \u{20ac}"})),
        refused(json!({"sub": "a".repeat(257)}), shape),
        // With the other claims they are 256 values.
        good(json!({"groups": vec!["g"; 247]})),
        refused(json!({"groups": vec!["g"; 248]}), Refusal::TooManyValues),
        under(wanted.clone(), refused(json!({}), Refusal::ClaimMissing)),
        under(wanted.clone(), good(json!({"tenant": "t"}))),
    ];
    for bad in
        [json!(""), json!(1), json!(["a"]), json!({}), json!(true), json!("a\r\nx: y"), json!("a\0"), json!("\u{7f}")]
    {
        for name in ["sub", "jti"] {
            cases.push(refused(json!({name: bad}), shape));
        }
    }
    let null = issuer()
        .payload(format!("{{\"tenant\":null,\"sub\":\"u\",\"exp\":{},\"iss\":\"https://issuer.example\"}}", NOW + 1));
    cases.push(under(wanted, Case::new("required claim null", &issuer(), null.token(), Refusal::ClaimMissing)));
    cases
}

/// T58.
fn audiences() -> Vec<Case> {
    let several = Policy { audiences: vec!["a".to_owned(), "b".to_owned()], ..issuer().policy() };
    let nobody = Policy { audiences: Vec::new(), ..issuer().policy() };
    let many: Vec<String> = (0..101).map(|at| format!("a{at}")).collect();
    vec![
        good(json!({"aud": "orders"})),
        good(json!({"aud": ["orders"]})),
        good(json!({"aud": ["x", "orders"]})),
        refused(json!({"aud": null}), Refusal::AudienceOther),
        refused(json!({"aud": ""}), Refusal::AudienceOther),
        refused(json!({"aud": []}), Refusal::AudienceOther),
        refused(json!({"aud": "Orders"}), Refusal::AudienceOther),
        refused(json!({"aud": "orders/"}), Refusal::AudienceOther),
        refused(json!({"aud": "https://orders"}), Refusal::AudienceOther),
        refused(json!({"aud": "orders billing"}), Refusal::AudienceOther),
        refused(json!({"aud": ["order", "s"]}), Refusal::AudienceOther),
        refused(json!({"aud": ["orders", 1]}), Refusal::ClaimShape),
        refused(json!({"aud": [["orders"]]}), Refusal::ClaimShape),
        refused(json!({"aud": {"orders": true}}), Refusal::ClaimShape),
        refused(json!({"aud": many}), Refusal::ClaimShape),
        under(several.clone(), good(json!({"aud": ["c", "b"]}))),
        under(several, refused(json!({"aud": "c"}), Refusal::AudienceOther)),
        under(nobody.clone(), good(json!({"aud": null}))),
        under(nobody.clone(), refused(json!({"aud": "orders"}), Refusal::AudienceOther)),
        under(nobody, refused(json!({"aud": []}), Refusal::AudienceOther)),
    ]
}

/// T60.
fn scopes() -> Vec<Case> {
    let needs =
        |scopes: &[&str]| Policy { scopes: scopes.iter().map(ToString::to_string).collect(), ..issuer().policy() };
    let many = |count: usize| json!({"scope": vec!["s"; count].join(" ")});
    vec![
        under(needs(&["a", "b"]), good(json!({"scope": "b a"}))),
        under(needs(&["a", "b"]), refused(json!({"scope": "a"}), Refusal::ScopeMissing)),
        under(needs(&["a", "b"]), refused(json!({"scope": "ab"}), Refusal::ScopeMissing)),
        under(needs(&["a"]), refused(json!({"scope": null}), Refusal::ScopeMissing)),
        under(needs(&["a"]), refused(json!({"scope": ""}), Refusal::ScopeMissing)),
        under(needs(&["a"]), refused(json!({"scope": null, "scp": "a", "scopes": ["a"]}), Refusal::ScopeMissing)),
        good(json!({"scope": ""})),
        refused(json!({"scope": ["a", "b"]}), Refusal::ClaimShape),
        refused(json!({"scope": "a  b"}), Refusal::ClaimShape),
        refused(json!({"scope": " a"}), Refusal::ClaimShape),
        refused(json!({"scope": "a\tb"}), Refusal::ClaimShape),
        refused(json!({"scope": "a\"b"}), Refusal::ClaimShape),
        refused(json!({"scope": "\u{e9}"}), Refusal::ClaimShape),
        good(many(256)),
        refused(many(257), Refusal::ClaimShape),
    ]
}

#[test]
fn what_a_verified_token_says() {
    let issuer = issuer().claims_with(json!({"aud": ["orders", "x"], "exp": NOW as f64 + 0.25, "tenant": {"id": 7}}));
    let claims = verify(issuer.token().as_bytes(), &issuer.keys(), &issuer.policy(), NOW).expect("it is good");
    assert_eq!(claims.issuer.as_deref(), Some("https://issuer.example"));
    assert_eq!(claims.audiences, ["orders", "x"]);
    assert_eq!((claims.expires_at, claims.not_before), (Some(NOW + 1), Some(NOW - 10)));
    assert_eq!(claims.token_id.as_deref(), Some("token-1"));
    assert!(matches!(claims.members.get("tenant"), Some(Json::Object(_))));
}

/// T83: no clock makes it panic, and an early one accepts nothing that has not begun.
#[test]
fn any_clock() {
    let issuer = issuer();
    let at = |now| verify(issuer.token().as_bytes(), &issuer.keys(), &issuer.policy(), now).map(drop);
    assert_eq!(at(0), Err(Refusal::LifetimeTooLong));
    assert_eq!(at(NOW - 11), Err(Refusal::NotYetValid));
    assert_eq!(at(NOW), Ok(()));
    assert_eq!(at(NOW + 31_536_000), Err(Refusal::Expired));
    assert_eq!(at(u64::MAX), Err(Refusal::Expired));
    let widest = Policy { skew_s: u64::MAX, lifetime_s_max: u64::MAX, ..issuer.policy() };
    assert!(verify(issuer.token().as_bytes(), &issuer.keys(), &widest, u64::MAX - 1).is_ok());
    assert_eq!(widest.defects().len(), 1, "which is why the configuration is checked");
}

#[test]
fn a_policy_says_what_is_wrong_with_it() {
    assert!(issuer().policy().defects().is_empty());
    let rsa = Issuer::new("RS256").policy().algorithms[0];
    let wrong = Policy {
        algorithms: vec![rsa, issuer().policy().algorithms[0]],
        issuer: Some(String::new()),
        audiences: vec![String::new()],
        types: Vec::new(),
        skew_s: 301,
        lifetime_s_max: 0,
        ..issuer().policy()
    };
    assert_eq!(wrong.defects().len(), 6);
    let nothing = Policy { algorithms: Vec::new(), ..issuer().policy() };
    assert_eq!(nothing.defects().len(), 1);
}
