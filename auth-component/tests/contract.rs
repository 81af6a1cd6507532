//! Every case of legacy-stub/contract against the core, natively.
//!
//! Left out are the cases that are about bytes on a connection (`raw`), which the core never sees. What another case adds
//! that the core does not ask for (a body, headers) changes no answer, which is part of the contract.

mod case;

use auth_component::{
    Body, BodyDefect, DevelopmentKeys, Grant, Keys, NoTokens, Parity, Request, Response, Service, StoreUnavailable,
    handle,
};
use case::{Case, NOW, answer, ask, cases, header, lines};
use serde_json::Value;

#[cfg(feature = "jwt")]
#[test]
fn every_case_is_answered_as_the_api_demands() {
    let mut unmet = Vec::new();
    let mut played = 0;
    for case in cases() {
        unmet.extend(unmet_by(&answer(&case.request, Service::development()), &case));
        played += 1;
    }
    assert!(played >= 480, "{played} cases");
    assert!(unmet.is_empty(), "{} of {played}\n{}", unmet.len(), unmet.join("\n"));
}

/// The base artifact has no way to check a token; for it, a token is like any other credential that is not good.
#[test]
fn without_tokens_every_token_is_refused_and_nothing_else_changes() {
    let service = Service { keys: &DevelopmentKeys, tokens: &NoTokens, parity: Parity::STRICT };
    let mut unmet = Vec::new();
    let mut refused = 0;
    for case in cases() {
        let response = answer(&case.request, service);
        if is_about_a_token(&case) {
            let inactive = response.status == 200 && response.body == b"{\"active\":false}";
            assert!(inactive || matches!(response.status, 401), "{}: {}", case.name, response.status);
            refused += 1;
        } else if !case.name.starts_with("jwks-") {
            unmet.extend(unmet_by(&response, &case));
        }
    }
    assert!(refused > 30, "{refused}");
    assert!(unmet.is_empty(), "{}", unmet.join("\n"));
}

/// 200 and 403 are for whoever has a good token.
fn is_about_a_token(case: &Case) -> bool {
    let status = &case.expect["status"];
    let request = case.request.to_string();
    (request.contains("Bearer eyJ") || request.contains("token=eyJ")) && (*status == 200 || *status == 403)
}

#[test]
fn every_answer_has_the_length_of_its_body() {
    let paths = ["/auth/validate", "/auth/forward", "/auth/nginx", "/auth/envoy/x", "/oauth2/introspect"];
    for path in paths.into_iter().chain(["/.well-known/jwks.json", "/healthz", "/readyz", "/version", "/else"]) {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let response = ask(method, path, &[], &[], Service::development());
            let announced: usize = header(&response, "content-length").expect("a length").parse().expect("a number");
            let sent = response.body.len();
            assert!(announced == sent || (method == "HEAD" && sent == 0 && announced > 0), "{method} {path}");
            assert!(header(&response, "cache-control").is_some(), "{method} {path}");
            assert_eq!(header(&response, "etag"), None, "{method} {path}");
        }
    }
}

/// T77, T80: the credential decides alone, so that no spelling of a path gets around a rule.
#[test]
fn no_path_and_no_method_of_a_question_opens_or_closes_anything() {
    let paths =
        ["/public/../admin", "/%2e%2e/admin", "//admin", "/admin;x", "/ADMIN", "/a\\..\\admin", "/", "/%00", "/%"];
    for path in paths {
        for method in ["GET", "HEAD", "POST", "QUERY", "PROPFIND", "NONSENSE", "get", "G@T", ""] {
            for (credential, wanted) in [("Bearer key_123", 200), ("Bearer key_000", 401), ("", 401)] {
                let proxy = [("authorization", credential), ("x-forwarded-method", "GET"), ("x-forwarded-uri", path)];
                let url = format!("https://app.example.com{path}");
                let nginx = [("authorization", credential), ("x-original-url", url.as_str())];
                let (envoy, own) = (format!("/auth/envoy{path}"), [("authorization", credential)]);
                for (target, headers) in
                    [("/auth/forward", proxy.as_slice()), ("/auth/nginx", &nginx), (envoy.as_str(), &own)]
                {
                    let response = ask(method, target, headers, &[], Service::development());
                    assert_eq!(response.status, wanted, "{method} {target} {headers:?}");
                }
            }
        }
    }
}

/// T83: whatever the clock says, each case has an answer.
#[test]
fn any_clock() {
    for case in cases() {
        for now in [0, 1, 59, NOW + 31_536_000, 253_402_300_799, 253_402_300_800, i64::MAX as u64, u64::MAX] {
            let response = case::answer_at(&case.request, Service::development(), now);
            assert!(response.status < 500, "{} at {now}: {}", case.name, response.status);
        }
    }
}

#[test]
fn a_store_that_cannot_be_asked_is_neither_a_yes_nor_a_no() {
    let service = Service { keys: &Broken, tokens: &NoTokens, parity: Parity::STRICT };
    let headers = [("authorization", "Bearer key_123"), ("x-forwarded-method", "GET")];
    for path in ["/auth/validate", "/auth/forward", "/auth/nginx", "/auth/envoy/x", "/oauth2/introspect"] {
        let response = ask("POST", path, &headers, &[], service);
        let body: Value = serde_json::from_slice(&response.body).expect("JSON");
        assert_eq!((response.status, &body["error"]), (503, &"temporarily_unavailable".into()), "{path}");
        assert_eq!(header(&response, "retry-after").as_deref(), Some("1"), "{path}");
        assert_eq!(header(&response, "www-authenticate"), None, "{path}");
        let nginx = (path == "/auth/nginx").then_some("503");
        assert_eq!(header(&response, "x-error-status").as_deref(), nginx, "{path}");
    }
    let response = ask("GET", "/readyz", &[], &[], service);
    let body: Value = serde_json::from_slice(&response.body).expect("JSON");
    assert_eq!((response.status, &body["checks"]["keys"]), (503, &"failed".into()));
    assert_eq!(ask("GET", "/healthz", &[], &[], service).status, 200);
}

/// A body is asked for where an answer depends on it, and by nobody who has not said who it is.
#[test]
fn a_body_that_breaks_off_matters_only_to_introspection() {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let ask = |path, headers: &[(&str, &str)]| {
        let headers = lines(headers);
        let request = Request { method: "POST", target: path, headers: &headers, body: &BrokenOff };
        handle(&request, Service::development(), NOW).status
    };
    assert_eq!(ask("/auth/validate", &[("authorization", "Bearer key_123")]), 200);
    assert_eq!(ask("/oauth2/introspect", &[form]), 401);
    assert_eq!(ask("/oauth2/introspect", &[form, ("authorization", "Bearer key_789")]), 400);
}

struct Broken;

impl Keys for Broken {
    fn find(&self, _key: &[u8], _now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        Err(StoreUnavailable)
    }

    fn are_ready(&self) -> bool {
        false
    }
}

struct BrokenOff;

impl Body for BrokenOff {
    fn read(&self, _bytes_max: usize) -> Result<Vec<u8>, BodyDefect> {
        Err(BodyDefect::Broken)
    }
}

/// One sentence for each member of `expect` that the answer does not meet.
fn unmet_by(response: &Response, case: &Case) -> Vec<String> {
    let mut unmet = Vec::new();
    let mut check = |member: &str, wanted: &Value, got: Value| {
        if *wanted != got {
            unmet.push(format!("{}: {member}: wanted {wanted}, got {got}", case.name));
        }
    };
    for (member, wanted) in case.expect.as_object().expect("an object") {
        match member.as_str() {
            "status" => check(member, wanted, response.status.into()),
            "content_type" => check(member, wanted, header(response, "content-type").into()),
            "headers" => {
                for (name, wanted) in wanted.as_object().expect("an object") {
                    check(name, wanted, header(response, name).into());
                }
            }
            "json" => check(member, wanted, serde_json::from_slice(&response.body).unwrap_or(Value::Null)),
            "body_bytes" => check(member, wanted, response.body.len().into()),
            unknown => panic!("{}: unknown member {unknown}", case.name),
        }
    }
    unmet
}
