//! A shift over real sockets: commands and refusals, what takes the traffic back, what a restart remembers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::scripted::{Reply, Scripted, allow};
use crate::wire::{Message, Wire, within};
use crate::world::{Candidate, Legacy, Proxy, World};

/// Steps without a dwell, for which a few hundred requests are evidence enough.
const PLAN: &str = "
[gate]
endpoint_pairs_min = 1
[shift]
error_margin = 0.5
latency_margin = 10.0
confidence = 0.5
[[shift.steps]]
weight = \"25%\"
mismatch_ppm = 100000
min_dwell = \"0s\"
[[shift.steps]]
weight = \"50%\"
mismatch_ppm = 100000
min_dwell = \"0s\"
approval = true
[[shift.steps]]
weight = \"100%\"
mismatch_ppm = 100000
min_dwell = \"0s\"
";

fn deny() -> Reply {
    let body = r#"{"valid":false}"#;
    Reply::bytes(format!(
        "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// Requests of so many clients, each of another one.
async fn ask_as(proxy: &Proxy, clients: std::ops::Range<usize>) -> Vec<u16> {
    let mut wire = proxy.connect().await;
    let mut statuses = Vec::new();
    for client in clients {
        let request =
            format!("GET /auth/validate?n={client} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {client}\r\n\r\n");
        statuses.push(wire.ask(request).await.status());
    }
    statuses
}

/// Requests of many clients, and the time for the store to have them.
async fn shown(proxy: &Proxy) {
    ask_as(proxy, 0..200).await;
    proxy.settled().await;
    within("the store", async {
        while proxy.admin_get("/api/gate").await.json()["counted"].as_u64() < Some(200) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

async fn order(proxy: &Proxy, verb: &str) -> (u16, Value) {
    let answer = proxy.admin_post(&format!("/api/{verb}"), &json!({"who": "ada", "why": "a test"})).await;
    (answer.status(), answer.json())
}

/// Asks until the proxy is at a weight.
async fn drive(proxy: &Proxy, ppm: u32) -> Value {
    let is_there = AtomicBool::new(false);
    let asking = async {
        for round in 0.. {
            if is_there.load(Ordering::Relaxed) {
                return;
            }
            ask_as(proxy, round * 50..(round + 1) * 50).await;
        }
    };
    let waiting = async {
        let status = proxy.until("the weight", |status| status["weight_ppm"] == ppm).await;
        is_there.store(true, Ordering::Relaxed);
        status
    };
    tokio::join!(asking, waiting).1
}

fn journal(proxy: &Proxy) -> Vec<Value> {
    let text = std::fs::read_to_string(proxy.data_folder().join("journal.jsonl")).expect("a journal");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn a_plan_goes_its_way_and_a_person_has_the_last_word() {
    let candidate = Candidate::scripted(|_| allow());
    let proxy = World::new().candidate(candidate).again("1", "0").config(PLAN).start().await;
    let (status, refused) = order(&proxy, "advance").await;
    let detail = refused["detail"].as_str().expect("a reason");
    assert!(status == 409 && detail.contains("more clean requests"), "{refused}");
    for (verb, said) in [("hold", "advance"), ("resume", "advance"), ("approve", "advance")] {
        let (status, refused) = order(&proxy, verb).await;
        assert!(status == 409 && refused["detail"].as_str().is_some_and(|detail| detail.contains(said)), "{refused}");
    }
    assert!(journal(&proxy).is_empty(), "a refusal is no decision");

    shown(&proxy).await;
    let ended = proxy.command(&["advance", "--who", "ada", "--why", "it is time"]).await;
    assert!(ended.code == Some(0) && ended.stdout.contains("weight 250000 ppm, was 0 ppm; phase ramp"), "{ended:?}");
    let status = drive(&proxy, 250_000).await;
    assert_eq!((&status["phase"], &status["shift"]["step"]), (&json!("ramp"), &json!(1)));
    let (status, held) = order(&proxy, "hold").await;
    assert_eq!((status, &held["phase"]), (200, &json!("held")));
    assert_eq!(order(&proxy, "approve").await.0, 200);
    assert_eq!(order(&proxy, "resume").await.1["to_ppm"], 250_000);
    let status = drive(&proxy, 1_000_000).await;
    assert_eq!(status["shift"]["step"], 3, "{status:#}");
    proxy.until("reverse shadow", |status| status["phase"] == "reverse-shadow").await;
    assert_eq!(order(&proxy, "advance").await.0, 409);

    let gate = proxy.command(&["gate", "--decommission"]).await;
    assert!(gate.code == Some(2) && gate.stdout.contains("reverse shadow"), "{gate:?}");
    let shift = proxy.admin_get("/api/shift").await.json();
    assert_eq!(shift["state"]["phase"], "reverse-shadow");
    assert_eq!(shift["plan"]["steps"].as_array().map(Vec::len), Some(3));
    let (status, back) = order(&proxy, "rollback").await;
    assert_eq!((status, &back["phase"]), (200, &json!("rolled-back")));
    proxy.until("the weight 0", |status| status["weight_ppm"] == 0).await;
    let ended = proxy.command(&["status"]).await;
    assert!(ended.stdout.contains("rolled-back") && ended.stdout.contains("shift     "), "{ended:?}");

    let lines = journal(&proxy);
    let epochs: Vec<u64> = lines.iter().map(|line| line["epoch"].as_u64().expect("a number")).collect();
    assert_eq!(epochs, (1..=lines.len() as u64).collect::<Vec<_>>());
    for line in &lines {
        let number = line["epoch"].to_string();
        let explained = proxy.command(&["shift", "explain", &number]).await;
        assert!(explained.stdout.contains("the same verdict"), "{explained:?}");
    }
    let unknown = proxy.command(&["shift", "explain", "999"]).await;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("999"), "{unknown:?}");
    let explained = proxy.admin_get("/api/shift/1").await.json();
    assert_eq!((&explained["entry"]["who"], &explained["is_same"]), (&json!("ada"), &json!(true)));
    let metrics = within("the next look", async {
        loop {
            let metrics = proxy.admin_get("/metrics").await.text();
            if metrics.contains("shift_finding{finding=\"hold\"} 1") {
                return metrics;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    for (name, value) in [
        ("shift_decisions_total{finding=\"advance\"}", ""),
        ("shift_finding{finding=\"hold\"}", " 1"),
        ("shift_phase{phase=\"rolled-back\"}", " 1"),
        ("shift_test_statistic{test=\"latency within the margin\"}", ""),
        ("shift_test_threshold{test=\"latency within the margin\"}", ""),
        ("shift_epoch", &format!(" {}", lines.len())),
        ("shift_step", " 0"),
        ("shift_braked", " 0"),
        ("shift_brakes_total", " 0"),
        ("shift_hooks_total", " 0"),
        ("shift_hooks_failed_total", " 0"),
    ] {
        assert!(metrics.contains(&format!("shadow_proxy_{name}{value}")), "{name}{value}\n{metrics}");
    }
    // What it left says the same.
    let mut proxy = proxy;
    proxy.ended().await;
    let explained = proxy.command_on_data(&["shift", "explain"]).await;
    assert!(explained.stdout.contains(&format!("decision {}", lines.len())), "{explained:?}");
    let plan = proxy.data_folder().join("../config.toml");
    let backtest = ["shift", "backtest", "--plan", plan.to_str().expect("text")];
    let backtest = proxy.command_on_data(&backtest).await;
    assert!(backtest.code == Some(0) && backtest.stdout.contains("would advance"), "{backtest:?}");
    let gate = proxy.command_on_data(&["gate", "--decommission"]).await;
    assert_eq!(gate.code, Some(2), "{gate:?}");
}

#[tokio::test]
async fn a_candidate_that_locks_out_at_25_percent_is_taken_back_and_hooks_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = folder.path().join("told");
    let hooks = format!(
        "[[shift.hooks]]\non = [\"roll-back\"]\ncommand = [\"sh\", \"-c\", \"cat >> {}\"]\n\
         [[shift.hooks]]\non = [\"roll-back\"]\ncommand = [\"false\"]\n",
        told.display()
    );
    let sink = Scripted::start(|_| allow());
    let hooks = format!("{hooks}[[shift.hooks]]\non = [\"advance\"]\nurl = \"{}/decisions\"\n", sink.url());
    let is_bad = Arc::new(AtomicBool::new(false));
    let bad = is_bad.clone();
    let candidate = Candidate::scripted(move |_| if bad.load(Ordering::Relaxed) { deny() } else { allow() });
    let proxy = World::new().candidate(candidate).again("1", "0").config(&format!("{PLAN}{hooks}")).start().await;
    shown(&proxy).await;
    assert_eq!(order(&proxy, "advance").await.1["to_ppm"], 250_000);
    sink.received_for("/decisions").await;
    let body: Value = serde_json::from_slice(&sink.so_far()[0].body).expect("JSON");
    assert_eq!((&body["finding"], &body["state"]["weight_ppm"]), (&json!("advance"), &json!(250_000)));

    is_bad.store(true, Ordering::Relaxed);
    let status = drive(&proxy, 0).await;
    assert_eq!(status["phase"], "rolled-back", "{status:#}");
    assert!(ask_as(&proxy, 0..50).await.iter().all(|status| *status == 200), "legacy lets everybody in");
    let explained = proxy.command(&["shift", "explain"]).await;
    assert!(explained.stdout.contains("roll back") && explained.stdout.contains("same verdict"), "{explained:?}");
    within("the hooks", async {
        while !proxy.admin_get("/metrics").await.text().contains("shift_hooks_failed_total 1") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let told = std::fs::read_to_string(told).expect("the hook wrote it");
    let first: Value = serde_json::from_str(told.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["finding"], &first["who"]), (&json!("roll-back"), &json!("shadow-proxy")));
}

#[tokio::test]
async fn a_failing_candidate_is_braked_on_the_path_and_only_a_person_goes_on() {
    let is_bad = Arc::new(AtomicBool::new(false));
    let bad = is_bad.clone();
    let candidate =
        Candidate::scripted(move |_| if bad.load(Ordering::Relaxed) { Reply::default().close() } else { allow() });
    let proxy = World::new().candidate(candidate).weight(1_000_000).start().await;
    ask_as(&proxy, 0..30).await;
    is_bad.store(true, Ordering::Relaxed);
    assert!(ask_as(&proxy, 0..40).await.iter().all(|status| *status == 200), "whom it failed legacy rescued");
    let status = proxy.until("the brake", |status| status["phase"] == "rolled-back").await;
    assert_eq!((&status["weight_ppm"], &status["shift"]["brake"]), (&json!(0), &json!(true)), "{status:#}");
    assert_eq!(status["requests"]["rescued"], 5, "five of twenty, and it is asked no more");
    let refused = proxy.set_weight(10_000).await;
    assert!(refused.status() == 409 && refused.text().contains("resume"), "{}", refused.text());
    assert_eq!(order(&proxy, "resume").await.0, 200);
    assert_eq!(proxy.set_weight(10_000).await.status(), 200);
}

#[tokio::test]
async fn a_breach_takes_everything_back_at_once() {
    let proxy = World::new().legacy(Legacy::scripted(|_| deny())).candidate(Candidate::scripted(|_| allow()));
    let proxy = proxy.weight(10_000).start().await;
    ask_as(&proxy, 0..1).await;
    let status = proxy.until("the rollback", |status| status["phase"] == "rolled-back").await;
    assert_eq!((&status["weight_ppm"], &status["shift"]["in_force_ppm"]), (&json!(0), &json!(0)), "{status:#}");
    let explained = proxy.command(&["shift", "explain", "--json"]).await;
    let explained: Value = serde_json::from_str(&explained.stdout).expect("JSON");
    assert_eq!(explained["entry"]["decision"]["finding"], "roll-back");
    assert!(explained["entry"]["why"].as_str().is_some_and(|why| why.contains("breach")), "{explained:#}");
}

#[tokio::test]
async fn a_damaged_journal_gives_everything_back_to_legacy_and_loses_nothing() {
    let mut proxy = World::new().weight(500_000).start().await;
    assert_eq!(proxy.set_weight(600_000).await.status(), 200);
    proxy.ended().await;
    let path = proxy.data_folder().join("journal.jsonl");
    let whole = std::fs::read_to_string(&path).expect("a journal");
    let proxy = proxy.started_again().await;
    assert_eq!(proxy.status().await["weight_ppm"], 600_000);

    let mut proxy = proxy;
    proxy.ended().await;
    std::fs::write(&path, &whole[..whole.len() - 10]).expect("it can be written");
    let mut proxy = proxy.started_again().await;
    assert_eq!(proxy.status().await["weight_ppm"], 500_000, "the line that was cut was never in force");
    proxy.ended().await;
    assert!(proxy.process.said().contains("cut short"), "{}", proxy.process.said());

    std::fs::write(&path, whole.replacen("600000", "900000", 1)).expect("it can be written");
    let mut proxy = proxy.started_again().await;
    let status = proxy.status().await;
    assert_eq!((&status["weight_ppm"], &status["phase"]), (&json!(0), &json!("rolled-back")));
    proxy.ended().await;
    assert!(proxy.process.said().contains("journal.rejected"), "{}", proxy.process.said());
    let rejected = std::fs::read_to_string(proxy.data_folder().join("journal.rejected")).expect("it is there");
    assert!(rejected.contains("900000"), "{rejected}");
}

#[tokio::test]
async fn killed_at_any_moment_it_comes_back_with_a_weight_that_the_journal_allows() {
    killed(200).await;
}

/// Both sides say who they are; whoever is at weight 0 or the whole must be answered by that side alone.
async fn killed(times: u32) {
    let side = |name: &'static str| {
        move |_: &Message| Reply::bytes(format!("HTTP/1.1 200 OK\r\nServer: {name}\r\nContent-Length: 2\r\n\r\nok"))
    };
    let world = World::new().legacy(Legacy::scripted(side("legacy"))).candidate(Candidate::scripted(side("candidate")));
    let mut proxy = world.start().await;
    for time in 0..times {
        let wanted = if time % 2 == 0 { 1_000_000 } else { 0 };
        let before = proxy.status().await["weight_ppm"].as_u64().expect("a weight");
        // The kill comes somewhere between the command and long after its answer.
        let (admin, kill_after) = (proxy.admin, Duration::from_micros(u64::from(time * 7_919 % 4_000)));
        let request = proxy.admin_request(
            "/api/weight",
            "",
            &json!({"ppm": wanted, "who": "a test", "why": "it is killed"}).to_string(),
        );
        let mut wire = Wire::connect(admin).await;
        let command = tokio::spawn(async move {
            wire.try_send(request.as_bytes()).await.ok()?;
            wire.try_answer().await
        });
        tokio::time::sleep(kill_after).await;
        proxy = proxy.killed_and_restarted().await;
        let answered = command.await.expect("it does not panic").is_some_and(|answer| answer.status() == 200);
        let weight = proxy.status().await["weight_ppm"].as_u64().expect("a weight");
        let allowed = if answered { vec![wanted] } else { vec![before, wanted] };
        assert!(allowed.contains(&weight), "{time}: {weight}, and {allowed:?} may be");
        let last = journal(&proxy).pop().map_or(json!(0), |line| line["state"]["weight_ppm"].clone());
        assert_eq!(last, json!(weight), "{time}: what is in force is what is written down");
        let served = proxy.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(served.values("server"), [if weight == 0 { "legacy" } else { "candidate" }], "{time}");
        proxy.settled().await;
    }
}
