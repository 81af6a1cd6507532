//! Traffic that changes something: what may be asked a second time, and of whom.

use serde_json::json;

use crate::scripted::allow;
use crate::wire::get;
use crate::world::{Candidate, Proxy, World};

const ROUTES: &str = r#"
[[routes]]
path = "/sessions/*"
methods = ["POST", "DELETE"]
class = "never"

[[routes]]
path = "/search"
class = "safe"

[[routes]]
path = "/reports"
methods = ["GET"]
class = "isolated"
"#;

#[tokio::test]
async fn what_changes_something_is_mirrored_to_the_candidate_alone() {
    let proxy = World::new().candidate(Candidate::scripted(|_| allow())).config(ROUTES).start().await;
    let mirrored = ["POST /search", "POST /keys", "GET /reports", "POST /auth/validate", "GET /sessions/1"];
    let not_mirrored = ["POST /sessions/1", "DELETE /sessions/1"];
    for call in mirrored.iter().chain(&not_mirrored) {
        assert_eq!(ask(&proxy, call).await, 200, "{call}: the client is served like any other");
    }
    let requests = proxy.settled().await["requests"].clone();
    assert_eq!((&requests["mirrored"], &requests["skipped"]["route"]), (&json!(5), &json!(2)), "{requests:#}");
    assert_eq!(asked(proxy.candidate().so_far()), sorted(&mirrored));
    assert_eq!(proxy.legacy().count(), 7, "each once");

    // The candidate has done it: legacy would do it once more.
    proxy.set_weight(1_000_000).await;
    for call in mirrored.iter().chain(&not_mirrored) {
        assert_eq!(ask(&proxy, call).await, 200, "{call}: the client is served like any other");
    }
    let requests = proxy.settled().await["requests"].clone();
    let skipped = &requests["skipped"];
    assert_eq!((&skipped["route"], &skipped["unsafe"]), (&json!(4), &json!(2)), "{requests:#}");
    let safe = ["POST /search", "POST /auth/validate", "GET /sessions/1"];
    assert_eq!(asked(proxy.legacy().so_far().split_off(7)), sorted(&safe));
    assert_eq!(proxy.candidate().count(), 12);
}

#[tokio::test]
async fn a_route_that_is_safe_can_be_rescued_and_one_that_is_not_cannot() {
    let candidate = Candidate::scripted(|_| crate::scripted::Reply::default().close());
    let proxy = World::new().candidate(candidate).config(ROUTES).weight(1_000_000).start().await;
    for (call, status) in [("POST /search", 200), ("GET /reports", 502), ("POST /sessions/1", 502)] {
        assert_eq!(ask(&proxy, call).await, status, "{call}");
    }
    assert_eq!(proxy.settled().await["requests"]["rescued"], 1);
    assert_eq!(asked(proxy.legacy().so_far()), ["POST /search"]);
    assert_eq!(proxy.ask(get("/sessions/1")).await.status(), 200);
}

async fn ask(proxy: &Proxy, call: &str) -> u16 {
    proxy.ask(format!("{call} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")).await.status()
}

/// Methods and paths, in alphabetical order: the mirror keeps none.
fn asked(requests: Vec<crate::wire::Message>) -> Vec<String> {
    let mut asked: Vec<String> =
        requests.iter().map(|request| request.start.trim_end_matches(" HTTP/1.1").to_owned()).collect();
    asked.sort_unstable();
    asked
}

fn sorted(calls: &[&'static str]) -> Vec<&'static str> {
    let mut sorted = calls.to_vec();
    sorted.sort_unstable();
    sorted
}
