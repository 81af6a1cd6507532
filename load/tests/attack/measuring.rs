//! The commands that start sides, each once and short: the sides are this very test program, as a server.

use std::time::Duration;

use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::{Value, json};

use crate::service::{Reply, Service};
use crate::world::World;

const JOURNEY: [(&str, &str, u16); 2] = [("good", "Bearer good", 200), ("bad", "Bearer bad", 401)];

fn world() -> World {
    JOURNEY.into_iter().fold(World::new(), |world, (name, credential, status)| {
        world.case(json!({
            "name": name, "weight": 1,
            "request": {"method": "POST", "path": "/auth/validate", "headers": [["Authorization", credential]]},
            "expect": {"status": status},
        }))
    })
}

fn answer(asked: &crate::service::Asked) -> Reply {
    Reply::new(if asked.header("authorization") == ["Bearer good"] { 200 } else { 401 })
}

/// A side for others: `PORT` says where, `ANSWERS_AFTER_MS` how slow it is, `PID_FILE` where it leaves its id.
#[test]
#[ignore = "a server for the tests beside it, which start it"]
fn server() {
    let port: u16 = std::env::var("PORT").expect("a port").parse().expect("a number");
    if let Ok(file) = std::env::var("PID_FILE") {
        std::fs::write(file, std::process::id().to_string()).expect("a file");
    }
    let _service = Service::at(port, |asked| {
        let ms = std::env::var("ANSWERS_AFTER_MS").ok().and_then(|ms| ms.parse().ok()).unwrap_or(0);
        std::thread::sleep(Duration::from_millis(ms));
        answer(asked)
    });
    loop {
        std::thread::park();
    }
}

fn side(variables: &str) -> String {
    let own = std::env::current_exe().expect("its own path");
    format!("process:env {variables} {} measuring::server --exact --ignored --nocapture", own.display())
}

fn cases() -> &'static str {
    "--case good --case bad --quick --progress never"
}

fn is_gone(pid_file: &std::path::Path) -> bool {
    let pid: i32 = std::fs::read_to_string(pid_file).expect("it left its id").parse().expect("a number");
    test_kill_process(Pid::from_raw(pid).expect("not 0")).is_err()
}

#[test]
fn compare_measures_sides_that_it_starts_and_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let pid_file = folder.path().join("pid");
    let slow = side(&format!("ANSWERS_AFTER_MS=20 PID_FILE={}", pid_file.display()));
    let world = world();
    let first = ["compare", "--legacy", &slow, "--candidate", &side("ANSWERS_AFTER_MS=1")];
    let arguments = format!("{} --pairs 1 --rate 50 --time 2s --throughput-time 500ms", cases());
    let done = world.run(&first, &arguments).finish();
    assert!(done.code == Some(0) || done.code == Some(1), "{done:?}");
    let json = done.json();
    assert_eq!(
        (&json["schema"], &json["complete"], &json["short"]),
        (&json!("load-compare"), &json!(true), &json!(true))
    );
    let turns: Vec<_> =
        json["runs"].as_array().expect("a list").iter().map(|turn| (&turn["side"], &turn["control"])).collect();
    assert_eq!(turns.len(), 3, "{turns:?}");
    assert!(turns.contains(&(&json!("legacy"), &json!(true))), "{turns:?}");
    let metric = |name: &str| {
        let metrics = json["metrics"].as_array().expect("a list");
        metrics.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("{name}: {metrics:?}")).clone()
    };
    let ratio = metric("service_us_p50")["ratios"][0].clone();
    assert!(ratio["pairs"][0].as_f64() > Some(2.0), "20 ms against 1 ms: {ratio}");
    assert_eq!(ratio["conclusion"]["is"], "unknown", "one pair cannot say: {ratio}");
    assert!(metric("throughput_per_second")["ratios"][0]["pairs"][0].as_f64() > Some(2.0));
    for turn in json["runs"].as_array().expect("a list") {
        assert_eq!((&turn["fixed"]["requests"], &turn["fixed"]["wrong"]), (&json!(100), &json!(0)), "{turn}");
        assert!(turn["fixed"]["resources"]["cpu_us_per_request"].as_f64() > Some(0.0), "{turn}");
        assert!(turn["fixed"]["resources"]["rss_bytes_max"].as_u64() > Some(100_000), "{turn}");
    }
    assert!(done.stdout.contains("too few pairs to say") && done.stdout.contains("SHORT"), "{}", done.stdout);
    assert!(is_gone(&pid_file), "legacy still runs");
}

#[test]
fn cold_counts_from_the_start_to_the_first_correct_answer() {
    let world = world();
    let first = ["cold", "--legacy", &side("ANSWERS_AFTER_MS=80"), "--candidate", &side("ANSWERS_AFTER_MS=0")];
    let done = world.run(&first, cases()).finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    let json = done.json();
    let rung = |name: &str| {
        let rungs = json["rungs"].as_array().expect("a list");
        rungs.iter().find(|rung| rung["name"] == name).unwrap_or_else(|| panic!("{name}: {rungs:?}")).clone()
    };
    let starts = |rung: &Value| -> Vec<f64> {
        rung["starts_ms"].as_array().expect("a list").iter().map(|ms| ms.as_f64().expect("a number")).collect()
    };
    assert_eq!(starts(&rung("empty-process")).len(), 3);
    let legacy = rung("legacy");
    assert!(starts(&legacy).len() == 3 && starts(&legacy).iter().all(|ms| *ms >= 80.0), "{legacy}");
    assert_eq!(legacy["first_answers_us"].as_array().map(Vec::len), Some(100));
    assert_eq!(starts(&rung("candidate")).len(), 3);
    assert!(rung("legacy-container")["left_out"].is_string());
}

#[test]
fn memory_is_that_of_the_side_and_of_more_of_it() {
    let world = world();
    let first = ["memory", "--legacy", &side("X=1"), "--candidate", &side("X=2")];
    let done = world.run(&first, &format!("{} --rate 50 --components 0", cases())).finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    let json = done.json();
    for used in json["sides"].as_array().expect("a list") {
        for when in ["idle", "loaded"] {
            assert!(used[when]["rss_bytes"].as_u64() > Some(100_000), "{used}");
            assert!(used[when]["uss_bytes"].as_u64() <= used[when]["pss_bytes"].as_u64(), "{used}");
        }
        let points = used["marginal"]["points"].as_array().expect("a list");
        assert_eq!(points.iter().map(|point| &point["instances"]).collect::<Vec<_>>(), [&json!(1), &json!(2)]);
        assert!(points[1]["rss_bytes"].as_u64() > points[0]["rss_bytes"].as_u64(), "{used}");
    }
}

#[test]
fn a_search_that_is_ended_early_keeps_its_probes_and_its_sides_go() {
    let service = Service::start(answer);
    let world = world();
    let url = format!("url:{}", service.url());
    let running = world.run(&["search", "--legacy", &url, "--candidate", &url], cases());
    // Both closed loops are over when the first planned requests come.
    service.wait_for(1_000);
    running.signal(Signal::INT);
    let done = running.finish();
    assert!(done.code == Some(1) || done.code == Some(2), "{done:?}");
    if done.code == Some(1) {
        let json = done.json();
        assert_eq!((&json["schema"], &json["complete"]), (&json!("load-search"), &json!(false)));
    }
}

#[test]
fn a_side_that_does_not_start_says_so() {
    let world = world();
    let first = ["compare", "--legacy", "process:echo why >&2; exit 3", "--candidate", "process:true"];
    let done = world.run(&first, cases()).finish();
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(
        done.stderr.contains("the side legacy") && done.stderr.contains("ended before it was ready"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("why"), "{}", done.stderr);
}

#[test]
fn everything_that_is_wrong_with_the_sides_is_told_at_once() {
    let world = world();
    for (first, says) in [
        (["compare", "--legacy", "nodes", "--candidate", "serve"], "write url:http://HOST:PORT"),
        (["compare", "--legacy", "node", "--candidate", "url:x"], "write it like http://127.0.0.1:8080"),
    ] {
        let done = world.run(&first, "").finish();
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.stderr.contains(says), "{}", done.stderr);
    }
}
