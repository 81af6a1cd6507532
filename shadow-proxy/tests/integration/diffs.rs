//! `diffs` and its commands, on a running proxy and on what one left.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::process::Ended;
use crate::scripted::{Reply, ok};
use crate::wire::{Message, get, within};
use crate::world::{Candidate, Legacy, Proxy, World};

/// The same role for everybody, and a status of its own for `/gone`.
fn service(role: &'static str, gone: &'static str) -> impl Fn(&Message) -> Reply + Send + Sync + 'static {
    move |request| {
        let body = format!(r#"{{"valid":true,"role":"{role}"}}"#);
        let answer = ok("application/json", &body);
        Reply::bytes(if request.start.contains("/gone") { answer.replace("200 OK", gone) } else { answer })
    }
}

fn world() -> World {
    World::new()
        .legacy(Legacy::scripted(service("user", "404 Not Found")))
        .candidate(Candidate::scripted(service("admin", "410 Gone")))
        .config("compare.endpoints = [\"/users/*\", \"/gone\"]")
}

/// Sends as many calls to each of two endpoints, and waits for the store to have them, `before` included.
async fn compared(proxy: &Proxy, calls: u64, before: u64) {
    for number in 0..calls {
        proxy.ask(get(&format!("/users/{number}"))).await;
        proxy.ask(get("/gone")).await;
    }
    proxy.settled().await;
    let stored = async { while proxy.stored("SELECT coalesce(sum(seen), 0) FROM endpoints") < before + 2 * calls {} };
    within("the pairs to be stored", stored).await;
}

async fn findings(proxy: &Proxy) -> Vec<Value> {
    proxy.admin_get("/api/diffs").await.json().as_array().expect("a list").clone()
}

fn at<'a>(findings: &'a [Value], endpoint: &str, path: &str) -> &'a Value {
    let found = findings.iter().find(|finding| finding["endpoint"] == endpoint && finding["path"] == path);
    found.unwrap_or_else(|| panic!("{endpoint} {path} in {findings:#?}"))
}

fn said(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    &ended.stdout
}

#[tokio::test]
async fn findings_are_listed_shown_and_repeated_while_the_proxy_runs_and_after() {
    let mut proxy = world().start().await;
    compared(&proxy, 5, 0).await;
    let list = findings(&proxy).await;
    let role = at(&list, "GET /users/*", "body.role");
    for (key, value) in [
        ("kind", Value::from("value")),
        ("status", "finding".into()),
        ("severity", "low".into()),
        ("count", 5.into()),
        ("pairs", 5.into()),
        ("rate", 1.0.into()),
        ("upper_bound", 1.0.into()),
        ("trend", "new".into()),
        ("rule", Value::Null),
    ] {
        assert_eq!(role[key], value, "{key} of {role:#}");
    }
    assert_eq!(role["classes"], serde_json::json!({"legacy": "text", "candidate": "text"}));
    assert_eq!(role["hours"].as_array().map(|hours| hours.iter().filter_map(Value::as_u64).sum()), Some(5_u64));
    assert!(role["first_seen_ms"].as_u64() <= role["last_seen_ms"].as_u64(), "{role:#}");
    assert!(role["sentence"].as_str().is_some_and(|text| text.starts_with("body field `body.role` differs")));
    assert!(role["curl"].as_str().is_some_and(|curl| curl.starts_with("curl ")), "{role:#}");
    assert!(role.get("samples").is_none());
    assert_eq!(at(&list, "GET /gone", "status")["severity"], "high");
    assert_eq!(list[0]["path"], "status", "the worst first");

    let id = role["id"].to_string();
    let shown = proxy.admin_get(&format!("/api/diffs/{id}")).await.json();
    assert_eq!(shown["samples"].as_array().map(Vec::len), Some(3));
    assert_eq!(shown["samples"][0]["candidate"]["status"], 200);
    let mut texts = Vec::new();
    for arguments in [
        &["diffs"][..],
        &["diffs", "list", "--all"],
        &["diffs", "show", &id],
        &["diffs", "curl", &id],
        &["diffs", "--json"],
    ] {
        texts.push(said(&proxy.command(arguments).await).to_owned());
    }
    assert!(texts[0].contains("high     5 of 5  GET /gone: legacy answers 404, the candidate 410"), "{}", texts[0]);
    assert!(texts[1].contains("body field `body.role` differs"), "{}", texts[1]);
    for part in ["> GET /users/", "< legacy 200", "< candidate 200", "legacy (text): ", "finding, new: 5 since 20"] {
        assert!(texts[2].contains(part), "{part} in {}", texts[2]);
    }
    assert_eq!(texts[3].trim_end(), role["curl"].as_str().expect("text"));
    let none = proxy.command(&["diffs", "show", "999"]).await;
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.stderr.contains("there is no finding 999"), "{none:?}");

    proxy.ended().await;
    let left = proxy.command_on_data(&["diffs", "list", "--json"]).await;
    let left: Vec<Value> = serde_json::from_str(said(&left)).expect("JSON");
    assert_eq!(at(&left, "GET /users/*", "body.role")["count"], 5);
    for arguments in [&["diffs", "show", &id][..], &["diffs", "curl", &id], &["diffs"]] {
        said(&proxy.command_on_data(arguments).await);
    }
}

#[tokio::test]
async fn findings_and_counters_survive_a_restart() {
    let proxy = world().again("1", "0").start().await;
    compared(&proxy, 4, 0).await;
    let before = findings(&proxy).await;
    let fields = proxy.stored("SELECT count(*) FROM fields");
    let proxy = proxy.killed_and_restarted().await;
    compared(&proxy, 4, 8).await;
    let after = findings(&proxy).await;
    assert_eq!(before.len(), after.len(), "{after:#?}");
    for finding in &before {
        let same = after.iter().find(|other| other["id"] == finding["id"]).expect("it is still there");
        assert_eq!((&same["path"], &same["count"], &same["pairs"]), (&finding["path"], &8.into(), &8.into()));
        assert_eq!(same["first_seen_ms"], finding["first_seen_ms"]);
    }
    assert_eq!((proxy.stored("SELECT count(*) FROM fields"), fields > 0), (fields, true));
    assert_eq!(proxy.stored("SELECT sum(b) FROM fields WHERE path = 'body.role'"), 16, "asked twice each time");
    assert_eq!(proxy.stored("SELECT sum(aa_pairs) FROM endpoints"), 16);
    // What was received in the last moment before the kill may be missing, no more.
    assert!((8..=16).contains(&proxy.stored("SELECT count FROM account WHERE name = 'received'")));
}

#[tokio::test]
async fn another_candidate_begins_another_store_and_other_rules_other_evidence() {
    let proxy = world().start().await;
    compared(&proxy, 2, 0).await;
    let proxy = proxy.restarted_with(Candidate::scripted(service("other", "410 Gone"))).await;
    assert_eq!(findings(&proxy).await, [] as [Value; 0]);
    let previous = proxy.data_folder().join("shadow.previous.db");
    assert!(previous.exists() && proxy.process.said().contains("records begin anew"), "{}", proxy.process.said());
    compared(&proxy, 1, 0).await;

    let rules = "compare.rules = [{name = \"roles\", path = \"body.role\", reason = \"a test\", expires = \"2999-01-01\"}]\n\
                 compare.endpoints = [\"/users/*\", \"/gone\"]";
    let proxy = proxy.restarted_with_config(rules).await;
    assert_eq!(proxy.stored("SELECT sum(pairs) FROM endpoints"), 0, "evidence is about the rules it was gathered by");
    assert_eq!(proxy.stored("SELECT sum(seen) FROM endpoints"), 2);
    compared(&proxy, 1, 2).await;
    let list = findings(&proxy).await;
    let roles: BTreeSet<&str> = list
        .iter()
        .filter(|finding| finding["path"] == "body.role" && finding["endpoint"] == "GET /users/*")
        .filter_map(|finding| finding["status"].as_str())
        .collect();
    assert_eq!(roles, BTreeSet::from(["explained", "finding"]), "{list:#?}");
    assert_eq!(proxy.stored("SELECT sum(pairs) FROM endpoints"), 2);
}

#[tokio::test]
async fn findings_are_exported_for_other_programs() {
    let proxy = world().config("compare.endpoints = [\"/users/*\", \"/gone\", \"/same\"]").start().await;
    compared(&proxy, 2, 0).await;
    let list = findings(&proxy).await;
    let text = async |format: &str| said(&proxy.command(&["diffs", "export", "--format", format]).await).to_owned();

    let all: Value = serde_json::from_str(&text("json").await).expect("JSON");
    assert_eq!(all["findings"].as_array().map(Vec::len), Some(list.len()));
    assert_eq!(all["endpoints"].as_array().map(Vec::len), Some(2));

    let junit = text("junit").await;
    for part in
        ["<testcase name=\"GET /users/*\"", "<testcase name=\"GET /gone\"", "<failure", "tests=\"2\"", "failures=\"2\""]
    {
        assert!(junit.contains(part), "{part} in {junit}");
    }

    let sarif: Value = serde_json::from_str(&text("sarif").await).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let results = run["results"].as_array().expect("results");
    assert!(run["tool"]["driver"]["name"].is_string() && results.len() == list.len());
    for result in results {
        assert!(result["message"]["text"].is_string(), "{result:#}");
        assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]), "{result:#}");
        let (kind, level) = (result["kind"].as_str(), result["level"].as_str());
        assert!(matches!((kind, level), (Some("fail"), Some("error" | "warning")) | (Some("review"), Some("none"))));
        assert!(result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].is_string());
    }

    let har: Value = serde_json::from_str(&text("har").await).expect("JSON");
    assert_eq!((&har["log"]["version"], har["log"]["creator"]["name"].is_string()), (&"1.2".into(), true));
    let entries = har["log"]["entries"].as_array().expect("entries");
    assert!(entries.len() >= 4 * 2, "an entry for each answer");
    for entry in entries {
        for key in ["startedDateTime", "time", "request", "response", "cache", "timings"] {
            assert!(!entry[key].is_null(), "{key} in {entry:#}");
        }
        for key in ["method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"] {
            assert!(!entry["request"][key].is_null(), "{key} in {entry:#}");
        }
        for key in ["status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "bodySize"] {
            assert!(!entry["response"][key].is_null(), "{key} in {entry:#}");
        }
    }

    let file = proxy.data_folder().join("report.xml");
    let path = file.to_str().expect("a path");
    let ended = proxy.command(&["diffs", "export", "--format", "junit", "--out", path]).await;
    assert!(said(&ended).contains("findings of 2 endpoints in"), "{ended:?}");
    assert!(std::fs::read_to_string(file).expect("a file").contains("<testcase"));
}

#[tokio::test]
async fn stores_of_one_candidate_add_up() {
    let candidate = crate::scripted::Scripted::start(service("admin", "410 Gone"));
    let one_of = |candidate| world().candidate(candidate).start();
    let mut one = one_of(Candidate::Scripted(candidate.clone())).await;
    let mut two = one_of(Candidate::Scripted(candidate)).await;
    let mut other = one_of(Candidate::scripted(service("other", "410 Gone"))).await;
    for (proxy, calls) in [(&mut one, 10), (&mut two, 20), (&mut other, 1)] {
        compared(proxy, calls, 0).await;
        proxy.ended().await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("sum");
    let merge = async |from: [&Proxy; 2]| {
        let folders = from.map(|proxy| proxy.data_folder().to_str().expect("a path").to_owned());
        one.command(&["diffs", "merge", &folders[0], &folders[1], "--out", out.to_str().expect("a path")]).await
    };
    let refused = merge([&one, &other]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("is about another candidate"), "{refused:?}");
    said(&merge([&one, &two]).await);
    let again = merge([&one, &two]).await;
    assert!(again.stderr.contains("is there already; name another directory"), "{again:?}");

    let sum = rusqlite::Connection::open(out.join("shadow.db")).expect("a store");
    let number = |sql: &str| sum.query_row(sql, [], |row| row.get::<_, u64>(0)).expect("a number");
    assert_eq!(number("SELECT sum(pairs) FROM endpoints"), 60);
    assert_eq!(number("SELECT count FROM findings WHERE path = 'body.role' AND endpoint = 'GET /users/*'"), 30);
    assert_eq!(
        number("SELECT sum(t.count) FROM trend t JOIN findings f ON f.id = t.finding WHERE f.path = 'status'"),
        30
    );
    assert_eq!(number("SELECT count FROM account WHERE name = 'compared'"), 60);
    assert_eq!(number("SELECT sum(pairs) FROM minutes"), 60);
    assert_eq!(number("SELECT max(n) FROM (SELECT count(*) AS n FROM samples GROUP BY finding)"), 3);
    assert_eq!(number("SELECT count(*) FROM samples WHERE exchange NOT IN (SELECT id FROM exchanges)"), 0);
    drop(sum);
    let mut list = tokio::process::Command::new(crate::world::BINARY);
    list.args(["diffs", "--data"]).arg(&out);
    assert!(said(&crate::process::finished(list).await).contains("30 of 30  GET /gone: legacy answers 404"));
}

#[tokio::test]
async fn an_accepted_finding_is_explained_at_once_and_after_a_restart() {
    let proxy = world().start().await;
    compared(&proxy, 2, 0).await;
    let id = at(&findings(&proxy).await, "GET /users/*", "body.role")["id"].to_string();
    let word = ["--who", "an operator", "--why", "roles were renamed on purpose"];
    let accept = async |proxy: &Proxy, id: &str, more: &[&str]| {
        proxy.command(&[&["diffs", "accept", id], &word[..], more].concat()).await
    };
    for (more, reason) in [
        (&["--expires", "2001-01-01"][..], "is no day to come"),
        (&["--expires", "tomorrow"], "is no day to come"),
        (&["--who", " "], "give both"),
    ] {
        let refused = match more {
            ["--who", _] => proxy.command(&["diffs", "accept", &id, "--who", " ", "--why", "x"]).await,
            _ => accept(&proxy, &id, more).await,
        };
        assert!(refused.code == Some(1) && refused.stderr.contains(reason), "{refused:?}");
    }
    let status = at(&findings(&proxy).await, "GET /gone", "status")["id"].to_string();
    let refused = accept(&proxy, &status, &[]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("another status is no noise"), "{refused:?}");
    let refused =
        proxy.admin_post(&format!("/api/diffs/{status}/accept"), &serde_json::json!({"who": "a", "why": "b"})).await;
    assert_eq!(refused.status(), 422, "{}", refused.text());
    let none = proxy.admin_post("/api/diffs/999/accept", &serde_json::json!({"who": "a", "why": "b"})).await;
    assert_eq!(none.status(), 404, "{}", none.text());

    let accepted = accept(&proxy, &id, &["--expires", "2999-12-31"]).await;
    let expected = format!("finding {id} is accepted: the rule \"accepted:{id}\" explains it until 2999-12-31\n");
    assert_eq!(said(&accepted), expected);
    let marked = async { while proxy.stored("SELECT count(*) FROM findings WHERE rule LIKE 'accepted:%'") == 0 {} };
    within("the finding to be marked", marked).await;
    assert!(accept(&proxy, &id, &[]).await.stderr.contains("explains it already"));
    compared(&proxy, 3, 4).await;
    let role = at(&findings(&proxy).await, "GET /users/*", "body.role").clone();
    assert_eq!((&role["status"], &role["count"], role["id"].to_string()), (&"explained".into(), &5.into(), id.clone()));
    assert_eq!(proxy.stored("SELECT sum(pairs) FROM endpoints"), 6, "evidence began anew");
    let elsewhere = at(&findings(&proxy).await, "GET /gone", "body.role").clone();
    assert_eq!(elsewhere["status"], "finding", "the rule is for one endpoint: {elsewhere:#}");
    let rules = proxy.command(&["diffs", "rules"]).await;
    assert!(
        said(&rules).contains(&format!("accepted:{id}, until 2999-12-31: roles were renamed on purpose")),
        "{rules:?}"
    );
    let rules: Vec<Value> =
        serde_json::from_str(said(&proxy.command(&["diffs", "rules", "--json"]).await)).expect("JSON");
    let rule = rules.iter().find(|rule| rule["name"] == format!("accepted:{id}")).expect("it is there");
    assert_eq!(rule["hidden"], 5, "{rule:#}");

    let mut proxy = proxy.killed_and_restarted().await;
    compared(&proxy, 1, 10).await;
    let role = at(&findings(&proxy).await, "GET /users/*", "body.role").clone();
    assert_eq!((&role["status"], &role["count"]), (&"explained".into(), &6.into()));
    let other = at(&findings(&proxy).await, "GET /gone", "body.role")["id"].to_string();
    let busy = proxy.command_on_data(&[&["diffs", "accept", &other], &word[..]].concat()).await;
    assert!(busy.code == Some(1) && busy.stderr.contains("another shadow-proxy uses"), "{busy:?}");
    proxy.ended().await;
    said(&proxy.command_on_data(&[&["diffs", "accept", &other], &word[..]].concat()).await);
    let rules = proxy.command_on_data(&["diffs", "rules"]).await;
    assert!(said(&rules).contains(&format!("accepted:{other}, until ")), "{rules:?}");
    let left: Vec<Value> =
        serde_json::from_str(said(&proxy.command_on_data(&["diffs", "--json"]).await)).expect("JSON");
    assert_eq!(at(&left, "GET /gone", "body.role")["status"], "explained");
}
