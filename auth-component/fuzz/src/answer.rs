//! What must hold of every answer, whatever was asked: legacy-stub/README.md, section "The API".

use auth_component::{Headers, Response};
use base64ct::{Base64, Encoding};
use serde_json::Value;

use crate::Input;
use crate::credentials::{Key, may_be_good};
use crate::request::Written;

const JSON: [&str; 2] = ["application/json", "application/problem+json"];

/// Panics where something does not hold.
pub fn check(asked: &Written, response: &Response, input: &Input) {
    let path = asked.target.split('?').next().unwrap_or_default();
    let statuses = statuses(path, asked.method);
    assert!(statuses.contains(&response.status), "{} {path}: {} is not documented", asked.method, response.status);
    check_form(asked, response);
    let is_proxy = is_proxy(path);
    assert_eq!(header(response, "x-auth-request-user").is_some(), is_proxy && response.status == 200, "identity");
    if response.status != 200 {
        return;
    }
    if path == "/oauth2/introspect" {
        check_introspection(asked, response, input);
    } else if path == "/auth/validate" || is_proxy {
        let credential = bearer(asked).expect("a yes without one bearer credential");
        assert!(may_be_good(&credential, input), "a yes to {}", credential.escape_ascii());
        if let (true, Some(key)) = (is_proxy, Key::good(&credential, input.now)) {
            assert_eq!(header(response, "x-auth-request-user"), Some(key.user_id.as_str()));
        }
    }
}

fn statuses(path: &str, method: &str) -> &'static [u16] {
    match (path, method) {
        ("/auth/validate", "POST") => &[200, 400, 401],
        ("/oauth2/introspect", "POST") => &[200, 400, 401, 403, 413],
        ("/auth/validate" | "/oauth2/introspect", _) => &[405],
        ("/auth/forward", _) => &[200, 400, 401, 403],
        ("/auth/nginx", _) => &[200, 401, 403],
        (path, _) if is_proxy(path) => &[200, 400, 401],
        ("/.well-known/jwks.json" | "/healthz" | "/readyz" | "/version", "GET" | "HEAD") => &[200],
        ("/.well-known/jwks.json" | "/healthz" | "/readyz" | "/version", _) => &[405],
        _ => &[404],
    }
}

fn is_proxy(path: &str) -> bool {
    ["/auth/forward", "/auth/nginx", "/auth/envoy"].contains(&path) || path.starts_with("/auth/envoy/")
}

fn check_form(asked: &Written, response: &Response) {
    for (name, value) in &response.headers {
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}: {value:?}");
        assert_eq!(response.headers.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
    }
    let length: usize = header(response, "content-length").expect("a length").parse().expect("a number");
    let is_head = asked.method == "HEAD";
    assert!(if is_head { response.body.is_empty() } else { response.body.len() == length }, "content-length {length}");
    assert!(header(response, "cache-control").is_some(), "cache-control");
    let is_json = header(response, "content-type").is_some_and(|value| JSON.contains(&value));
    assert!(is_json || length == 0, "a body that is no JSON");
    if is_json && !is_head {
        serde_json::from_slice::<Value>(&response.body).expect("a JSON body");
    }
    let challenged = header(response, "www-authenticate").is_some();
    assert!(!challenged || [400, 401, 403].contains(&response.status), "a challenge with {}", response.status);
}

fn check_introspection(asked: &Written, response: &Response, input: &Input) {
    let client = bearer(asked).map(|key| (None, key)).or_else(|| basic(asked)).expect("a yes to nobody");
    let key = Key::good(&client.1, input.now).expect("a yes to a client without a good key");
    assert!(key.has_scope("introspect"), "a yes to a client without the scope");
    assert!(client.0.is_none_or(|user| user == key.user_id.as_bytes()), "a yes to another user");
    let body: Value = serde_json::from_slice(&response.body).expect("a JSON body");
    if body["active"] == true {
        let tokens: Vec<_> = form_urlencoded::parse(&asked.body.0).filter(|(name, _)| name == "token").collect();
        assert!(matches!(tokens.as_slice(), [(_, token)] if may_be_good(token.as_bytes(), input)), "{body}");
    } else {
        assert_eq!(response.body, b"{\"active\":false}");
    }
}

/// What stands behind the scheme of the one `Authorization`.
fn credential(asked: &Written, scheme: &str) -> Option<Vec<u8>> {
    let lines = asked.headers.values("authorization");
    let [line] = lines.as_slice() else { return None };
    let line = trimmed(line, |byte| matches!(byte, b' ' | b'\t'));
    let (name, rest) = line.split_at_checked(scheme.len())?;
    let is_scheme = name.eq_ignore_ascii_case(scheme.as_bytes()) && rest.first() == Some(&b' ');
    is_scheme.then(|| trimmed(rest, |byte| byte == b' ').to_vec())
}

fn bearer(asked: &Written) -> Option<Vec<u8>> {
    credential(asked, "Bearer")
}

fn basic(asked: &Written) -> Option<(Option<Vec<u8>>, Vec<u8>)> {
    let encoded = credential(asked, "Basic")?;
    let decoded = Base64::decode_vec(str::from_utf8(&encoded).ok()?).ok()?;
    let colon = decoded.iter().position(|&byte| byte == b':')?;
    Some((Some(decoded[..colon].to_vec()), decoded[colon + 1..].to_vec()))
}

fn trimmed(mut value: &[u8], is_space: fn(u8) -> bool) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_space(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_space(*last)
    {
        value = rest;
    }
    value
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}
