//! Rules over real answers: until their day, and those that somebody accepted.

use serde_json::Value;

use crate::process::finished;
use crate::scripted::{Reply, ok};
use crate::wire::get;
use crate::world::{BINARY, Candidate, Legacy, Proxy, World, count};

/// Both sides answer with an id of their own.
fn world() -> World {
    let answer = |id: &'static str| {
        let body = format!("{{\"valid\":true,\"id\":\"{id}\"}}");
        move |_: &_| Reply::bytes(ok("application/json", &body))
    };
    let legacy = Legacy::scripted(answer("00000000-0000-4000-8000-000000000001"));
    let candidate = Candidate::scripted(answer("00000000-0000-4000-8000-000000000002"));
    World::new().legacy(legacy).candidate(candidate)
}

fn rule(key: &str, expires: &str) -> String {
    format!(
        "[[{key}]]\nname = \"ids\"\npath = \"body.id\"\nclass = \"uuid\"\nreason = \"a test\"\nexpires = \"{expires}\"\n"
    )
}

async fn verdicts(proxy: &Proxy) -> (u64, u64) {
    proxy.ask(get("/auth/validate")).await;
    let status: Value = proxy.settled().await;
    (count(&status["verdicts"]["explained"]), count(&status["verdicts"]["mismatch"]))
}

#[tokio::test]
async fn a_rule_explains_until_its_day_and_is_told_from_then_on() {
    let proxy = world().config(&rule("compare.rules", "9999-12-31")).start().await;
    assert_eq!(verdicts(&proxy).await, (1, 0));
    assert!(!proxy.process.said().contains("expired"), "{}", proxy.process.said());

    let proxy = world().config(&rule("compare.rules", "2020-01-01")).start().await;
    assert_eq!(verdicts(&proxy).await, (0, 1));
    assert!(proxy.process.said().contains("expired on 2020-01-01"), "{}", proxy.process.said());
}

#[tokio::test]
async fn accepted_rules_stand_beside_those_of_the_configuration() {
    let proxy = world().start().await;
    assert_eq!(verdicts(&proxy).await, (0, 1));
    std::fs::write(proxy.data_folder().join("rules.toml"), rule("compare.rules", "9999-12-31")).expect("a file");
    let proxy = proxy.killed_and_restarted().await;
    assert_eq!(verdicts(&proxy).await, (1, 0));
}

#[tokio::test]
async fn a_broken_file_of_accepted_rules_stops_the_start_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let (config, rules) = (folder.path().join("config.toml"), folder.path().join("rules.toml"));
    let toml = format!(
        "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nlegacy.url = \"http://127.0.0.1:1\"\ndata = {:?}\n",
        folder.path()
    );
    std::fs::write(&config, toml + &rule("compare.rules", "2020-01-01")).expect("a file");
    for (accepted, said) in [
        ("[[compare.rules".to_owned(), "; correct it, or move it away"),
        (rule("compare.rules", "soon"), "expires = \"soon\": not a day"),
        (rule("compare.rules", "9999-12-31"), "another rule has this name"),
    ] {
        std::fs::write(&rules, &accepted).expect("a file");
        for command in ["check", "run"] {
            let mut started = tokio::process::Command::new(BINARY);
            started.args([command, "--config"]).arg(&config);
            let ended = finished(started).await;
            assert!(ended.code == Some(1) && ended.stderr.contains("rules.toml"), "{command} {ended:?}");
            assert!(ended.stderr.contains(said), "{command} {ended:?}");
        }
        assert_eq!(std::fs::read_to_string(&rules).expect("the file"), accepted);
    }
    std::fs::remove_file(&rules).expect("the file");
    let mut check = tokio::process::Command::new(BINARY);
    check.args(["check", "--config"]).arg(&config);
    let ended = finished(check).await;
    assert!(ended.code == Some(0) && ended.stderr.contains("rule \"ids\" expired on 2020-01-01"), "{ended:?}");
}
