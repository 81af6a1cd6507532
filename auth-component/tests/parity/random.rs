//! Requests and bodies made at random from pieces that matter.

use auth_component::{Parity, Request, Response, Service, Switch, handle};
use base64ct::{Base64, Encoding};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::case::{Lines, NOW, Whole};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "post", ""];
const PATHS: [&str; 20] = [
    "/auth/validate",
    "/AUTH/validate/",
    "/auth/validate?access_token=key_123",
    "/auth/forward",
    "/auth/Forward/?scope=read+write&aud=%",
    "/auth/forward?scope=read",
    "/auth/nginx?aud=https%3A%2F%2Fapi.example",
    "/auth/nginx/",
    "/auth/envoy/orders?scope=x",
    "/auth/ENVOY",
    "/oauth2/introspect",
    "/OAuth2/Introspect/",
    "/.well-known/jwks.json",
    "/healthz",
    "/readyz/",
    "/",
    "//",
    "/?/",
    "/%zz\"<\u{e9}",
    "",
];
const NAMES: [&str; 16] = [
    "authorization",
    "x-api-key",
    "x-forwarded-method",
    "x-forwarded-host",
    "x-forwarded-uri",
    "x-original-url",
    "x-auth-request-user",
    "x-auth-request-email",
    "content-type",
    "content-type",
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "if-none-match",
    "if-none-match",
    "cache-control",
];
const PIECES: [&[u8]; 52] = [
    b"Bearer key_123",
    b"Bearer key_456",
    b"Bearer key_789",
    b"Bearer dev_hVQ2MGWfHnBBlZZf_BcYTYX8LCTBaFgMcyGlwWtUyYUCNVtZ7AQGQ36BZG2x_0g7tc7",
    b"Basic dXNlcl83ODk6a2V5Xzc4OQ==",
    b"",
    b" ",
    b"\t",
    b"Bearer ",
    b"Basic ",
    b"key_123",
    b"key_789",
    b"key_000",
    b"GET",
    b"http://",
    b"/a",
    b"@",
    b"eyJhbGciOiJub25lIn0.e30.",
    b".",
    b"=",
    b"application/json",
    b"application/json",
    b"application/x-www-form-urlencoded",
    b"; charset=utf-8",
    b"; charset=",
    b"utf-16",
    b"latin1",
    b";",
    b"\"",
    b"gzip",
    b"deflate",
    b"br",
    b"identity",
    b"token=",
    b"&",
    b"%",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"a\":",
    b"1",
    b",",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    b"\x1f\x8b\x08\x1e\x00\x00\x00\x00\x00\x03",
    b"\x78\x9c",
    b"\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",
    b"*",
    b"W/\"f-VaSQ4oDUiZblZNAEkkN+sX+q3Sg\"",
    b"no-cache",
    b"\r\n",
    b"\xff",
];
const JSON_PIECES: [&str; 33] = [
    "{", "}", "[", "]", "{\"a\":", "\"b\":", ",", ":", "\"", "\"c\"", "\\", "\\u", "00e9", "d800", "\\n", "0", "1",
    "-", ".", "5", "e", "E+", "true", "null", "fals", " ", "\n", "\u{0}", "\u{7f}", "\u{e9}", "\u{2028}", "\u{feff}",
    "x",
];

/// Whether somebody is let in, or told that a credential is good.
pub(crate) fn is_yes(response: &Response) -> bool {
    let has_identity = response.headers.iter().any(|(name, _)| name.starts_with("x-auth-request-"));
    let says = |text: &[u8]| response.body.windows(text.len()).any(|window| window == text);
    has_identity || says(b"\"valid\":true") || says(b"\"active\":true")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_request_gets_a_yes_that_strict_mode_refuses(
        method in select(METHODS.to_vec()),
        path in select(PATHS.to_vec()),
        headers in vec((select(NAMES.to_vec()), text(0..5)), 0..7),
        body in text(0..8),
        kept in vec(any::<bool>(), Switch::ALL.len()),
    ) {
        let headers = Lines(headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        let body = Whole(body);
        let routed = routed(path);
        let strict = Request { method, target: &routed, headers: &headers, body: &body };
        let strict = handle(&strict, Service::development(), NOW);
        let some = Switch::ALL.into_iter().zip(kept).filter(|(_, kept)| *kept);
        let some = some.fold(Parity::STRICT, |parity, (switch, _)| parity.with(switch));
        for parity in [Parity::ALL, some] {
            let request = Request { method, target: path, headers: &headers, body: &body };
            let response = handle(&request, Service::development().with_parity(parity), NOW);
            prop_assert!(is_yes(&strict) || !is_yes(&response), "{parity:?}: {response:?}");
            check_form(method, &response)?;
        }
    }
}

/// What every answer has in common.
fn check_form(method: &str, response: &Response) -> Result<(), TestCaseError> {
    prop_assert!([200, 304, 400, 401, 403, 404, 405, 413, 415].contains(&response.status), "{}", response.status);
    for (name, value) in &response.headers {
        prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}: {value:?}");
        let times = response.headers.iter().filter(|(other, _)| other == name).count();
        prop_assert!(times == 1, "{name} {times} times");
    }
    let length = response.headers.iter().find(|(name, _)| *name == "content-length");
    let length = length.map(|(_, length)| length.parse::<usize>().expect("a number"));
    match (method, length) {
        ("HEAD", _) => prop_assert!(response.body.is_empty()),
        (_, length) if response.status == 304 => prop_assert!(response.body.is_empty() && length.is_none()),
        (_, length) => prop_assert_eq!(length, Some(response.body.len())),
    }
    Ok(())
}

fn text(pieces: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(select(PIECES.to_vec()), pieces).prop_map(|pieces| pieces.concat())
}

fn routed(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
    path.to_ascii_lowercase() + query
}

/// The same in every run, in base64: some are JSON, many are nearly.
pub(crate) fn bodies() -> Vec<String> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let torn = vec(select(JSON_PIECES.to_vec()), 0..12).prop_map(|pieces| pieces.concat().into_bytes());
    let changed = (value(), any::<Index>(), any::<u8>(), 0..4_usize).prop_map(|(json, at, byte, change)| {
        let mut json = json.into_bytes();
        let at = at.index(json.len());
        match change {
            0 => drop(json.remove(at)),
            1 => json[at] = byte,
            2 => json.insert(at, byte),
            _ => {}
        }
        json
    });
    let body = prop_oneof![torn, changed];
    let bodies = (0..600).map(|_| body.new_tree(&mut runner).expect("nothing is filtered").current());
    bodies.map(|body| Base64::encode_string(&body)).collect()
}

/// An object or a list.
fn value() -> impl Strategy<Value = String> {
    let leaf =
        select(vec!["null", "true", "-0", "1.5e3", "12", "1E-400", "\"\\ud83d\"", "\"\u{20ac}\"", "\"\"", "[]", "{}"]);
    let inner = leaf.prop_map(str::to_owned).prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
            vec(inner, 0..4).prop_map(|items| {
                let members: Vec<String> = items.iter().map(|item| format!("\"a\": {item}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    vec(inner, 1..4).prop_map(|items| format!("[{}]", items.join(",")))
}
