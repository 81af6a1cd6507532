//! Requests made at random from pieces that matter, against the core: what every answer has in common.

use auth_component::{
    Body, BodyDefect, DevelopmentKeys, Headers, NoTokens, Parity, Request, Response, Service, handle,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const NOW: u64 = 1_782_000_000;
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "OPTIONS", "post", ""];
const PATHS: [&str; 14] = [
    "/auth/validate",
    "/auth/validate?access_token=key_123",
    "/auth/forward",
    "/auth/forward?scope=read+write&aud=%",
    "/auth/forward?scope=read",
    "/auth/nginx?aud=https%3A%2F%2Fapi.example",
    "/auth/nginx",
    "/auth/envoy/orders?scope=x",
    "/oauth2/introspect",
    "/.well-known/jwks.json",
    "/healthz",
    "/readyz",
    "/",
    "",
];
const NAMES: [&str; 9] = [
    "authorization",
    "x-api-key",
    "x-forwarded-method",
    "x-forwarded-host",
    "x-forwarded-uri",
    "x-original-url",
    "x-auth-request-user",
    "content-type",
    "content-encoding",
];
const PIECES: [&[u8]; 29] = [
    b"Bearer key_123",
    b"Basic dXNlcl83ODk6a2V5Xzc4OQ==",
    b"",
    b" ",
    b"\t",
    b"Bearer ",
    b"Basic ",
    b"key_123",
    b"key_789",
    b"key_000",
    b"dev_mD8ArZUn4FifhC2a_0qJhTgfPh0HX3vXLMEhluGQCc674MIY8k5HGQH6D9iZ_1GT8eQ",
    b"dXNlcl83ODk6a2V5Xzc4OQ==",
    b"GET",
    b"http://",
    b"[",
    b"::1",
    b"]",
    b":80",
    b"/a",
    b"@",
    b"eyJhbGciOiJub25lIn0.e30.",
    b".",
    b"=",
    b"application/x-www-form-urlencoded",
    b"token=",
    b"&",
    b"%",
    b"\r\n",
    b"\xff",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn every_answer_is_well_formed_and_only_a_good_credential_has_an_identity(
        method in select(METHODS.to_vec()),
        path in select(PATHS.to_vec()),
        headers in vec((select(NAMES.to_vec()), text()), 0..6),
        body in text(),
    ) {
        let (headers, body) = (Lines(headers), Whole(body));
        let request = Request { method, target: path, headers: &headers, body: &body };
        for service in [Service::development(), Service { keys: &DevelopmentKeys, tokens: &NoTokens, parity: Parity::STRICT }] {
            check(&request, &handle(&request, service, NOW))?;
        }
    }
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(select(PIECES.to_vec()), 0..5).prop_map(|pieces| pieces.concat())
}

fn check(request: &Request, response: &Response) -> Result<(), TestCaseError> {
    prop_assert!([200, 400, 401, 403, 404, 405, 413].contains(&response.status), "{}", response.status);
    for (name, value) in &response.headers {
        prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}: {value:?}");
        let times = response.headers.iter().filter(|(other, _)| other == name).count();
        prop_assert!(times == 1, "{name} {times} times");
    }
    let has = |name| response.headers.iter().any(|(known, _)| *known == name);
    prop_assert!(has("content-length") && has("cache-control"));
    prop_assert!(request.method != "HEAD" || response.body.is_empty());
    let is_for_proxy =
        ["/auth/forward", "/auth/nginx", "/auth/envoy"].iter().any(|path| request.target.starts_with(path));
    prop_assert_eq!(has("x-auth-request-user"), is_for_proxy && response.status == 200);
    let lines = request.headers.values("authorization");
    let holds_key =
        lines.len() == 1 && ["key_", "dev_", "dXN"].iter().any(|key| lines[0].escape_ascii().to_string().contains(key));
    let needs_key =
        is_for_proxy || request.target.starts_with("/auth/validate") || request.target.starts_with("/oauth2");
    prop_assert!(response.status != 200 || !needs_key || holds_key, "a yes without a credential");
    Ok(())
}

struct Lines(Vec<(&'static str, Vec<u8>)>);

impl Headers for Lines {
    fn values(&self, name: &str) -> Vec<Vec<u8>> {
        self.0.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.clone()).collect()
    }
}

struct Whole(Vec<u8>);

impl Body for Whole {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, BodyDefect> {
        if self.0.len() > bytes_max { Err(BodyDefect::TooLong) } else { Ok(self.0.clone()) }
    }
}
