//! What becomes of a shift when a side fails: nobody watches, and the traffic is taken back, or stays where it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::keys::KeyFolder;
use crate::keys_in_force::validate;
use crate::scripted::{Reply, allow};
use crate::wire::{Wire, within};
use crate::world::{Candidate, Legacy, Proxy, World, repository};

/// One request each of other clients, until the status is as wanted; all that were not answered with 200.
async fn traffic_until(proxy: &Proxy, wire: &mut Wire, path: &str, wanted: impl Fn(&Value) -> bool) -> Vec<u16> {
    let mut refused = Vec::new();
    for client in 0..20_000 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer client_{client}\r\n\r\n");
        let status = wire.ask(request).await.status();
        refused.extend(Some(status).filter(|status| *status != 200));
        if client % 10 == 0 && wanted(&proxy.status().await) {
            return refused;
        }
    }
    panic!("20,000 requests, and it is still not so: {:#}", proxy.status().await);
}

fn is_rolled_back(status: &Value) -> bool {
    status["phase"] == "rolled-back" && status["weight_ppm"] == 0
}

fn reasons(status: &Value) -> String {
    status["shift"]["reasons"].to_string()
}

/// The last decision that the journal has.
fn decided(proxy: &Proxy) -> Value {
    let journal = std::fs::read_to_string(proxy.data_folder().join("journal.jsonl")).expect("a journal");
    let last = journal.lines().last().expect("a decision");
    let start = last.find('{').expect("an object");
    let mut values = serde_json::Deserializer::from_str(&last[start..]).into_iter::<Value>();
    values.next().expect("an object").expect("JSON")
}

/// So that the calls of clients alone are what fails.
const UNMIRRORED: &str = "mirror.enabled = false";

#[tokio::test]
async fn a_trap_storm_is_over_after_a_few_calls_and_no_client_sees_it() {
    let proxy = World::new().candidate(Candidate::hostile()).weight(250_000).config(UNMIRRORED).start().await;
    let mut wire = proxy.connect().await;
    let refused = traffic_until(&proxy, &mut wire, "/trap", is_rolled_back).await;
    assert!(refused.is_empty(), "legacy came to the rescue of all: {refused:?}");
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["rescued"], 5, "so many failures among the last calls, and it is asked no more");
    assert_eq!(status["shift"]["brake"], true, "{status:#}");
    let decided = decided(&proxy).to_string();
    assert!(decided.contains("the candidate failed in 5 of its last 5 calls"), "{decided}");
    // It stays off whatever comes, until a person says otherwise.
    let asked =
        traffic_until(&proxy, &mut wire, "/trap", |status| status["requests"]["served"]["legacy"].as_u64() > Some(300));
    assert!(asked.await.is_empty());
    let status = proxy.settled().await;
    assert_eq!((&status["weight_ppm"], &status["requests"]["rescued"]), (&0.into(), &5.into()), "{status:#}");
}

#[tokio::test]
async fn a_candidate_that_takes_three_times_as_long_is_taken_back() {
    let taking = |millis| move |_: &crate::wire::Message| allow().after(Duration::from_millis(millis));
    let legacy = Legacy::scripted(taking(10));
    // Times are compared where the mirror asks both.
    let world = World::new().legacy(legacy).candidate(Candidate::scripted(taking(30))).again("1", "0");
    let proxy = world.weight(250_000).start().await;
    let mut wire = proxy.connect().await;
    let refused = traffic_until(&proxy, &mut wire, "/", is_rolled_back).await;
    assert!(refused.is_empty(), "{refused:?}");
    let (status, decided) = (proxy.settled().await, decided(&proxy).to_string());
    assert_eq!(status["shift"]["brake"], false, "it answers, only late: {status:#}");
    assert!(decided.contains("slower"), "{decided}");
    assert_eq!(status["verdicts"]["mismatch"], 0);
}

#[tokio::test]
async fn with_legacy_down_the_weight_stays_and_what_is_wrong_with_the_candidate_waits() {
    let (legacy_down, candidate_down) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let failing = |is_down: &Arc<AtomicBool>, failure: Reply| {
        let is_down = is_down.clone();
        move |_: &crate::wire::Message| if is_down.load(Ordering::Relaxed) { failure.clone() } else { allow() }
    };
    let error = Reply::bytes("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    let legacy = Legacy::scripted(failing(&legacy_down, Reply::default().close()));
    let candidate = Candidate::scripted(failing(&candidate_down, error));
    let proxy = World::new().legacy(legacy).candidate(candidate).weight(500_000).start().await;
    let mut wire = proxy.connect().await;
    let served = |side: &'static str, count: u64| {
        move |status: &Value| status["requests"]["served"][side].as_u64() >= Some(count)
    };
    assert!(traffic_until(&proxy, &mut wire, "/", served("candidate", 20)).await.is_empty());

    legacy_down.store(true, Ordering::Relaxed);
    let refused = traffic_until(&proxy, &mut wire, "/", served("candidate", 60)).await;
    assert!(!refused.is_empty() && refused.iter().all(|status| *status == 502), "legacy's part alone: {refused:?}");
    let status = proxy.status().await;
    assert_eq!((&status["weight_ppm"], &status["phase"]), (&500_000.into(), &"held".into()), "{status:#}");

    // Now nobody is left: to take the traffic back would help nobody.
    candidate_down.store(true, Ordering::Relaxed);
    let is_said = |status: &Value| reasons(status).contains("legacy does not answer");
    traffic_until(&proxy, &mut wire, "/", is_said).await;
    let status = proxy.status().await;
    assert_eq!((&status["weight_ppm"], &status["phase"]), (&500_000.into(), &"held".into()), "{status:#}");

    legacy_down.store(false, Ordering::Relaxed);
    let refused = traffic_until(&proxy, &mut wire, "/", is_rolled_back).await;
    assert!(refused.iter().all(|status| *status == 500), "by the candidate, until it is taken back: {refused:?}");
    let refused = traffic_until(&proxy, &mut wire, "/", |_| true).await;
    assert!(refused.is_empty(), "{refused:?}");
    proxy.settled().await;
}

/// The real component beside the real service, and the keys of one of them go: of the same keys and with the demo's rules,
/// so that before that nothing speaks against it.
#[tokio::test]
async fn a_component_that_refuses_valid_keys_at_25_percent_is_taken_back() {
    let folder = KeyFolder::legacy().await;
    let rules = std::fs::read_to_string(repository("migration-guide/samples/demo.toml")).expect("a file");
    let config = format!("{}\n{rules}", folder.config());
    let proxy = World::new().legacy(Legacy::node()).config(&config).weight(250_000).start().await;
    let list: Vec<Value> =
        serde_json::from_slice(&std::fs::read(repository("legacy-stub/keys.json")).expect("a file")).expect("a list");
    let mut wire = proxy.connect().await;
    let mut good = Vec::new();
    for key in list.iter().map(|entry| entry["key"].as_str().expect("text")) {
        if wire.ask(validate(key)).await.status() == 200 {
            good.push(key);
        }
    }
    for _ in 0..20 {
        for key in &good {
            assert_eq!(wire.ask(validate(key)).await.status(), 200);
        }
    }
    let status = proxy.settled().await;
    assert_eq!((&status["weight_ppm"], &status["decisions"]["allow_deny"]), (&json!(250_000), &json!(0)), "{status:#}");

    let keys: Vec<Value> = serde_json::from_str(&folder.keys(&["list", "--json"]).await.stdout).expect("a list");
    for entry in keys {
        folder.keys(&["revoke", entry["id"].as_str().expect("text")]).await;
    }
    let mut refused = 0;
    within("the rollback", async {
        while !is_rolled_back(&proxy.status().await) {
            for key in &good {
                refused += usize::from(wire.ask(validate(key)).await.status() == 401);
            }
        }
    })
    .await;
    let decided = decided(&proxy).to_string();
    assert!(decided.contains("were refused by the candidate and let in by legacy"), "{decided}");
    for key in &good {
        assert_eq!(wire.ask(validate(key)).await.status(), 200, "legacy still knows them; {refused} were refused");
    }
}

#[tokio::test]
async fn a_rollback_on_a_full_disk_is_in_force_and_a_restart_does_not_undo_it() {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = is_down.clone();
    let candidate =
        Candidate::scripted(move |_| if down.load(Ordering::Relaxed) { Reply::default().close() } else { allow() });
    let proxy = World::new().candidate(candidate).weight(500_000).confinable().start().await;
    let mut wire = proxy.connect().await;
    proxy.file_bytes_max(Some(0));
    is_down.store(true, Ordering::Relaxed);
    let in_force = |status: &Value| status["shift"]["in_force_ppm"] == 0;
    let refused = traffic_until(&proxy, &mut wire, "/", in_force).await;
    assert!(refused.is_empty(), "legacy came to the rescue: {refused:?}");
    proxy.until("the attempt to write it down", |_| proxy.data_folder().join("journal.behind").exists()).await;
    assert_eq!(proxy.status().await["weight_ppm"], 500_000, "as the journal has it");

    is_down.store(false, Ordering::Relaxed);
    let proxy = proxy.killed_and_restarted().await;
    let status = proxy.status().await;
    assert!(is_rolled_back(&status), "{status:#}");
    let explained = proxy.command(&["shift", "explain"]).await;
    assert!(explained.stdout.contains("a rollback could not be written before the restart"), "{explained:?}");
    assert!(proxy.process.said().contains("shadow-proxy advance"), "{}", proxy.process.said());
}

#[tokio::test]
async fn a_hook_that_hangs_is_ended_and_nothing_waits_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (hung, told) = (folder.path().join("hung"), folder.path().join("told"));
    let hook = |command: &str, timeout: &str| {
        format!("[[shift.hooks]]\ncommand = [\"sh\", \"-c\", \"{command}\"]\ntimeout = \"{timeout}\"\n")
    };
    // The shell becomes the sleep, so that its number is that of what hangs.
    let hanging = hook(&format!("echo $$ > {}; exec sleep 600", hung.display()), "1s");
    let config = hanging + &hook(&format!("cat >> {}", told.display()), "10s");
    let mut proxy = World::new().candidate(Candidate::scripted(|_| allow())).config(&config).start().await;
    let begun = Instant::now();
    assert_eq!(proxy.set_weight(10_000).await.status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(600));
    within("the hook after it", async {
        while !std::fs::read_to_string(&told).is_ok_and(|told| told.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let metrics = proxy.admin_get("/metrics").await.text();
    for metric in ["shift_hooks_total 2", "shift_hooks_failed_total 1"] {
        within(metric, async {
            while !proxy.admin_get("/metrics").await.text().contains(metric) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
    assert!(metrics.contains("shift_hooks_failed_total 1"), "the first of the two had failed by then: {metrics}");
    let number: i32 = std::fs::read_to_string(hung).expect("it wrote it").trim().parse().expect("a number");
    let pid = rustix::process::Pid::from_raw(number).expect("a process has a number");
    assert!(rustix::process::test_kill_process(pid).is_err(), "what hung is gone");
    assert!(proxy.process.said().contains("not done within 1s"), "{}", proxy.process.said());
    proxy.ended().await;
}

#[tokio::test]
async fn check_says_what_cannot_be_shown_at_the_traffic_that_there_was() {
    let config = "shift.steps = [\"0.01%\", \"100%\"]\nshift.error_margin = 0.0001\n";
    let mut proxy = World::new().candidate(Candidate::scripted(|_| allow())).config(config).start().await;
    let legacy = proxy.legacy().url();
    let file = proxy.data_folder().join("../config.toml");
    let check = ["check", "--config", file.to_str().expect("text"), "--legacy", &legacy, "--candidate-url", &legacy];
    let nothing = proxy.command_on_data(&check).await;
    assert!(nothing.code == Some(0) && !nothing.stderr.contains("present rate"), "no traffic, no rate: {nothing:?}");
    let mut wire = proxy.connect().await;
    let compared = |status: &Value| status["requests"]["compared"].as_u64() > Some(20);
    assert_eq!(traffic_until(&proxy, &mut wire, "/", compared).await, [0_u16; 0], "legacy answers everybody");
    proxy.settled().await;
    proxy.ended().await;
    let doubts = proxy.command_on_data(&check).await;
    assert!(doubts.code == Some(0) && doubts.stderr.contains("at the present rate"), "{doubts:?}");
}
