use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use serde_json::Value;
use sha2::Sha256;

use super::*;
use crate::shadow::capture::format::LineCall;

const KEY: &str = "dev_mD8ArZUn4FifhC2a_0qJhTgfPh0HX3vXLMEhluGQCc674MIY8k5HGQH6D9iZ_1GT8eQ";

#[test]
fn a_call_can_still_be_sent_and_says_the_same() {
    let broken = format!("{}R", &KEY[..KEY.len() - 1]);
    let (stand_in, seen) = call_of(
        "/AUTH/validate/hunter2?state=a%40b.c&flag&scope=",
        &[
            ("host", "auth.example.com:8080"),
            ("authorization", &format!("bEARER  {broken}")),
            ("cookie", "sid=s3cr3t; theme=s3cr3t"),
            ("x-api-key", KEY),
            ("if-modified-since", "Wed, 01 Jan 2025 00:00:00 GMT"),
            ("if-none-match", "W/\"2f-abcdef\""),
            ("content-type", "application/json"),
            ("content-length", "24"),
        ],
        r#"{"password": "s3cr3t", }"#,
    );
    let value = |name: &str| stand_in.headers[name].to_str().unwrap();
    let segments: Vec<&str> = stand_in.uri.path().split('/').collect();
    assert_eq!((&segments[..3], segments[3].len()), (&["", "AUTH", "validate"][..], 7));
    assert!(segments[3] != "hunter2" && segments[3].starts_with(|c: char| c.is_ascii_lowercase()));
    let query = stand_in.uri.query().unwrap();
    assert!(query.starts_with("state=") && &query[7..10] == "%40" && query.ends_with("scope="), "{query}");
    let credential = value("authorization").strip_prefix("bEARER  ").unwrap();
    let key = |text: &str| api_key(&Keyed::with(&[1; 32]), text).is_some() && text.starts_with("dev_");
    assert!(key(credential) && key(value("x-api-key")) && credential != broken, "{credential}");
    assert_eq!(value("if-modified-since"), "Wed, 01 Jan 2025 00:00:00 GMT");
    assert!(value("if-none-match").starts_with("W/\"") && !value("if-none-match").contains("abcdef"));
    // One secret, one stand-in, wherever it stands; what is no JSON is none.
    let (sid, theme) = value("cookie").split_once("; ").unwrap();
    let theme = theme.split_once('=').unwrap().1;
    let body = std::str::from_utf8(&stand_in.body).unwrap();
    assert_eq!(sid.split_once('=').unwrap().1, theme);
    assert_eq!(body, format!("{{\"password\": \"{theme}\", }}"));
    assert_eq!(value("content-length"), stand_in.body.len().to_string());
    let listed: Vec<&str> = seen.iter().map(|seen| &*seen.credential).collect();
    assert_eq!(listed, [credential, value("x-api-key")]);
}

#[test]
fn a_token_keeps_what_decides_and_nothing_else() {
    let header = r#"{"alg":"ES256","typ":"JWT","kid":"Zq7XkKid"}"#;
    let claims = r#"{"iss":"https://Zq7XkIss","sub":"Zq7XkSub","exp":4102444799,"iat":1704067200,"roles":["Zq7XkRole"],"Zq7XkName":1.50}"#;
    let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let token = format!("{}.{}.{}", encode(header), encode(claims), encode(&"s".repeat(64)));
    let stand_in = |decision| {
        let headers = headers(&[("authorization", &format!("Bearer {token}"))]);
        let call = Call { method: Method::GET, uri: Uri::from_static("/"), headers, body: Bytes::new() };
        let stand_in = stand_ins().call(&call, decision).0;
        stand_in.headers["authorization"].to_str().unwrap()["Bearer ".len()..].to_owned()
    };
    let (good, refused) = (stand_in(Decision::Allow), stand_in(Decision::Deny));
    let part = |token: &str, index: usize| {
        String::from_utf8(Base64UrlUnpadded::decode_vec(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
    };
    let (header, other) = (part(&good, 0), part(&good, 1));
    let claims: Value = serde_json::from_str(&other).unwrap();
    assert!(header.starts_with(r#"{"alg":"ES256","typ":"JWT","kid":""#) && !header.contains("Zq7Xk"), "{header}");
    assert_eq!((&claims["exp"], &claims["iat"]), (&4_102_444_799_u64.into(), &1_704_067_200_u64.into()));
    assert!(claims["roles"].is_array() && claims["iss"].as_str().unwrap().starts_with("https://"), "{other}");
    assert!(!other.contains("Zq7Xk") && good.len() == token.len(), "{other}");
    assert_eq!((part(&refused, 0), part(&refused, 1)), (header, other));
    assert_ne!(good, refused, "what was refused is not signed by a key that both sides are given");
}

#[test]
fn a_token_that_was_refused_for_something_else_than_its_signature_is_signed_again() {
    let folder = tempfile::tempdir().unwrap();
    let jwks = folder.path().join("jwks.json");
    std::fs::write(
        &jwks,
        r#"{"keys":[{"kty":"oct","alg":"HS256","k":"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA"}]}"#,
    )
    .unwrap();
    let signatures = Some(Arc::new(Signatures::read(&jwks).unwrap()));
    let stand_ins = StandIns::new(Keyed::with(&[7; 32]), &[], &Endpoints::default(), signatures);
    let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let signed = format!("{}.{}", encode(br#"{"alg":"HS256"}"#), encode(br#"{"sub":"a","exp":1}"#));
    let mac = Hmac::<Sha256>::new_from_slice(b"secret secret secret secret secret").unwrap();
    let signature = mac.chain_update(&signed).finalize().into_bytes();
    let is_good = |token: String| {
        let headers = headers(&[("authorization", &format!("Bearer {token}"))]);
        let call = Call { method: Method::GET, uri: Uri::from_static("/"), headers, body: Bytes::new() };
        let stand_in = stand_ins.call(&call, Decision::Deny).0;
        let stand_in_keys = folder.path().join("stand-ins.json");
        std::fs::write(&stand_in_keys, serde_json::json!({"keys": stand_ins.jwks(true)}).to_string()).unwrap();
        let keys = Signatures::read(&stand_in_keys);
        keys.is_ok_and(|keys| keys.holds(&stand_in.headers["authorization"].to_str().unwrap()["Bearer ".len()..]))
    };
    assert!(!is_good(format!("{signed}.{}", encode(b"another"))));
    assert!(is_good(format!("{signed}.{}", encode(&signature))));
}

#[test]
fn a_compressed_body_is_one_again_when_it_is_read() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(br#"{"password":"s3cr3t"}"#).unwrap();
    let body: Bytes = encoder.finish().unwrap().into();
    let length = body.len().to_string();
    let fields = [("content-encoding", "gzip"), ("content-length", &*length), ("content-type", "application/json")];
    let call = Call { method: Method::POST, uri: Uri::from_static("/"), headers: headers(&fields), body };
    let (stand_in, is_decoded, _) = stand_ins().call(&call, Decision::Allow);
    assert!(is_decoded && stand_in.body.starts_with(br#"{"password":""#));
    let line = serde_json::to_string(&LineCall::new(&stand_in, is_decoded)).unwrap();
    let read = serde_json::from_str::<LineCall>(&line).unwrap().call().unwrap();
    assert_eq!(decoded(&read.headers, &read.body, 1_000).unwrap(), stand_in.body);
    assert_eq!(read.headers["content-length"].to_str().unwrap(), read.body.len().to_string());
    let plain = serde_json::to_string(&LineCall::new(&call, false)).unwrap();
    let read = serde_json::from_str::<LineCall>(&plain).unwrap().call().unwrap();
    assert_eq!((read.body, read.headers), (call.body, call.headers), "bytes that are no text");
}

#[test]
fn an_answer_keeps_what_people_compare() {
    let fields = [
        (
            "set-cookie",
            "sid=s3cr3t; Path=/auth/x7; Max-Age=60; Expires=Wed, 01 Jan 2025 00:00:00 GMT; HttpOnly; SameSite=Lax",
        ),
        ("location", "https://auth.example/login?next=%2Fa"),
        ("x-powered-by", "Express"),
        ("expires", "Zq7Xk"),
    ];
    let answer = Answer {
        status: StatusCode::OK,
        headers: headers(&fields),
        body: Bytes::from_static(br#"{"valid":true,"expires_at":"2099-12-31T23:59:59.000Z","user_id":"u_4711x"}"#),
    };
    let (stand_in, _) = stand_ins().answer(&answer);
    let value = |name: &str| stand_in.headers[name].to_str().unwrap();
    let (cookie, attributes) = value("set-cookie").split_once("; ").unwrap();
    assert!(cookie.len() == "sid=s3cr3t".len() && !cookie.contains("s3cr3t"), "{cookie}");
    assert!(attributes.starts_with("Path=/auth/") && !attributes.contains("x7"), "{attributes}");
    assert!(
        attributes.ends_with("; Max-Age=60; Expires=Wed, 01 Jan 2025 00:00:00 GMT; HttpOnly; SameSite=Lax"),
        "{attributes}"
    );
    assert!(value("location").starts_with("https://") && value("location").contains("=%2F"), "{}", value("location"));
    assert_eq!((value("x-powered-by"), value("expires").len()), ("Express", 5));
    assert!(!value("expires").contains("Zq7Xk"));
    let body: Value = serde_json::from_slice(&stand_in.body).unwrap();
    assert_eq!((&body["valid"], &body["expires_at"]), (&true.into(), &"2099-12-31T23:59:59.000Z".into()));
    assert_ne!(body["user_id"], "u_4711x");
}

fn call_of(target: &str, fields: &[(&str, &str)], body: &str) -> (Call, Vec<Seen>) {
    let (uri, body) = (target.parse().unwrap(), Bytes::from(body.to_owned()));
    let call = Call { method: Method::POST, uri, headers: headers(fields), body };
    let (stand_in, _, seen) = stand_ins().call(&call, Decision::Allow);
    (stand_in, seen)
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let field =
        |(name, value): &(&str, &str)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    fields.iter().map(field).collect()
}

fn stand_ins() -> StandIns {
    StandIns::new(Keyed::with(&[7; 32]), &[], &Endpoints::default(), None)
}
