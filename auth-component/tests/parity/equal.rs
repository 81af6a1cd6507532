//! With every switch on, the core answers as the Express service does; with one dropped, as the cases say.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use auth_component::{Parity, Service, Switch};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, answer, cases, text};
use crate::node::{Answer, Node};
use crate::random::{bodies, is_yes};

/// A request, and what the Express service says.
struct Asked {
    case: Case,
    legacy: Answer,
}

/// Everything that is compared, asked once.
static ASKED: LazyLock<Vec<Asked>> = LazyLock::new(|| {
    let node = Node::start(&[]);
    // Of its default file, Express also publishes the keys that nobody should sign with; a deployed set has none.
    let published = Node::start(&[("JWKS_FILE", "contract/keys/jwks.json")]);
    let contract = cases().into_iter().filter(|case| !matches!(case.class.as_deref(), Some("declared" | "host")));
    contract
        .chain(more())
        .map(|case| {
            let is_about_keys = text(&case.request["path"]).starts_with("/.well-known/jwks.json");
            let legacy = if is_about_keys { &published } else { &node }.ask(&case.request);
            Asked { case, legacy }
        })
        .collect()
});

#[test]
fn every_answer_is_that_of_the_express_service() {
    assert!(ASKED.len() >= 500, "{}", ASKED.len());
    let different: Vec<String> = ASKED.iter().flat_map(|asked| differences(asked, Parity::ALL)).collect();
    assert!(different.is_empty(), "{} differences in {}\n{}", different.len(), ASKED.len(), different.join("\n"));
}

#[test]
fn the_express_service_takes_the_same_bodies_for_json() {
    let node = Node::start(&[]);
    let mut different = Vec::new();
    let (mut good, mut bad) = (0, 0);
    for body in bodies().into_iter().chain(json_bodies()) {
        let request = json!({
            "method": "POST", "path": "/auth/validate", "body_base64": body,
            "headers": [["Authorization", "Bearer key_123"], ["Content-Type", "application/json"]],
        });
        let case = Case { name: body.clone(), request, expect: Value::Null, class: None, parity: Vec::new() };
        let legacy = node.ask(&case.request);
        if legacy.status == 200 {
            good += 1
        } else {
            bad += 1
        }
        different.extend(differences(&Asked { case, legacy }, Parity::ALL));
    }
    assert!(good >= 100 && bad >= 100, "{good} good, {bad} bad");
    assert!(different.is_empty(), "{}\n{}", different.len(), different.join("\n"));
}

/// So a team can drop one after the other and knows before which answers change.
#[test]
fn a_switch_that_is_dropped_changes_what_it_stands_for_and_nothing_else() {
    let mut wrong = Vec::new();
    for switch in Switch::ALL {
        let mut changed = 0;
        for asked in ASKED.iter() {
            let differs = !differences(asked, Parity::ALL.without(switch)).is_empty();
            let name = switch.name();
            if differs != stands_for(switch, asked) {
                let what = if differs { "changes, and does not name" } else { "names, and does not change without" };
                wrong.push(format!("{} {what} {name}", asked.case.name));
            }
            changed += usize::from(differs);
        }
        assert!(changed > 0, "nothing depends on {}", switch.name());
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// What stands on every answer of a kind is told from the answer; all else by the member `parity` of the case.
fn stands_for(switch: Switch, asked: &Asked) -> bool {
    let Answer { status, headers, .. } = &asked.legacy;
    match switch {
        Switch::PoweredBy => headers.contains_key("x-powered-by"),
        Switch::Etag => headers.contains_key("etag"),
        Switch::JsonCharset => headers.get("content-type").is_some_and(|value| value.starts_with("application/json")),
        Switch::NoCacheControl => true,
        Switch::NoSunset => {
            let strict = answer(&as_routed(&asked.case.request), Service::development());
            crate::case::header(&strict, "sunset").is_some()
        }
        Switch::NoChallenge => matches!(status, 401 | 403),
        _ => asked.case.parity.iter().any(|name| name == switch.name()),
    }
}

#[test]
fn cases_name_switches_that_exist() {
    for case in cases().into_iter().chain(more()) {
        let names: BTreeSet<&str> = case.parity.iter().map(String::as_str).collect();
        let known = Parity::from_names(names.iter().copied()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(known.names().count(), case.parity.len(), "{} names a switch twice", case.name);
    }
}

/// All cases, the declared ones too: parity mode is never the reason for a yes.
#[test]
fn no_switch_lets_in_what_strict_mode_refuses() {
    for case in cases().into_iter().chain(more()) {
        for parity in Switch::ALL.map(|switch| Parity::STRICT.with(switch)).into_iter().chain([Parity::ALL]) {
            let strict = answer(&as_routed(&case.request), Service::development());
            let dressed = answer(&case.request, Service::development().with_parity(parity));
            let may_be_endless =
                parity.has(Switch::JwtExpOptional) && case.parity.contains(&"jwt-exp-optional".to_owned());
            if is_yes(&dressed) && !may_be_endless {
                assert!(is_yes(&strict), "{}: {parity:?}", case.name);
            }
        }
    }
}

/// Express leaves the header away, and the application would get what the client wrote (T78).
#[test]
fn an_identity_that_the_client_sent_is_overwritten_in_parity_mode_too() {
    let case = cases().into_iter().find(|case| case.name == "forward-spoofed-email").expect("it is in the contract");
    let response = answer(&case.request, Service::development().with_parity(Parity::ALL));
    let email = crate::case::header(&response, "x-auth-request-email");
    assert_eq!((response.status, email.as_deref()), (200, Some("")));
}

/// With the path that the router of Express would see.
fn as_routed(request: &Value) -> Value {
    let (path, query) = text(&request["path"]).split_once('?').unwrap_or((text(&request["path"]), ""));
    let mut routed = request.clone();
    let path = path.to_ascii_lowercase();
    let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(&path);
    routed["path"] = if query.is_empty() { path.into() } else { format!("{path}?{query}").into() };
    routed
}

fn differences(asked: &Asked, parity: Parity) -> Vec<String> {
    let response = answer(&asked.case.request, Service::development().with_parity(parity));
    let differences = Answer::of_core(&response).differences(&asked.legacy);
    differences.into_iter().map(|difference| format!("{}: {difference}", asked.case.name)).collect()
}

/// Requests that no case of the contract sends, in its form.
pub(crate) fn more() -> Vec<Case> {
    read("more-requests.json")
}

/// In base64.
fn json_bodies() -> Vec<String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        Text(String),
        Bytes { base64: String },
    }
    let encode = |text: &str| <base64ct::Base64 as base64ct::Encoding>::encode_string(text.as_bytes());
    let bodies: Vec<Body> = read("json-bodies.json");
    bodies
        .into_iter()
        .map(|body| match body {
            Body::Text(text) => encode(&text),
            Body::Bytes { base64 } => base64,
        })
        .collect()
}

fn read<T: for<'de> Deserialize<'de>>(file: &str) -> T {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parity/");
    let text = std::fs::read(format!("{path}{file}")).expect("the file is there");
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}
