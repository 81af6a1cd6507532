//! What is kept has bounds, and a store that fails does not concern the clients.

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use crate::scripted::ok;
use crate::wire::{get, within};
use crate::world::{Candidate, Legacy, World, count};

const EXCHANGES: &str = "SELECT count(*) FROM exchanges";

#[tokio::test]
async fn the_database_keeps_to_its_size_and_the_newest_exchanges() {
    const EXCHANGES_SENT: u64 = 3_000;
    const BYTES_MAX: u64 = 1 << 20;
    let mut proxy = World::new().config("record.bytes_max = 1048576\nrecord.keep_match_every = 1").start().await;
    let mut wire = proxy.connect().await;
    for number in 0..EXCHANGES_SENT {
        assert_eq!(wire.ask(large(number)).await.status(), 200);
    }
    assert_eq!(proxy.settled().await["requests"]["compared"], EXCHANGES_SENT);
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    let written = proxy.stored("SELECT CAST(avg(length(shown)) AS INTEGER) FROM exchanges") * EXCHANGES_SENT;
    assert!(written > 8 * BYTES_MAX, "only {written} bytes were written in all");
    let bytes = std::fs::metadata(proxy.data_folder().join("shadow.db")).expect("a store").len();
    assert!(bytes < 3 * BYTES_MAX, "{bytes} bytes are kept");
    assert!(proxy.stored(EXCHANGES) > 10);
    assert_eq!(proxy.stored("SELECT max(id) FROM exchanges"), EXCHANGES_SENT);
    assert_eq!(proxy.stored("SELECT sum(pairs) FROM endpoints"), EXCHANGES_SENT, "counts are kept of all");
    // A finding's samples are some that are still there.
    assert!(proxy.stored("SELECT count(*) FROM samples") > 0);
    let lost = "SELECT count(*) FROM samples WHERE exchange NOT IN (SELECT id FROM exchanges)";
    assert_eq!(proxy.stored(lost), 0);
}

#[tokio::test]
async fn what_is_too_old_goes() {
    let proxy = World::new().config("record.age_hours = 1\nrecord.keep_match_every = 1").start().await;
    proxy.ask(get("/")).await;
    proxy.settled().await;
    within("the record", async {
        while proxy.stored(EXCHANGES) == 0 {
            moment().await
        }
    })
    .await;
    {
        let store = Connection::open(proxy.data_folder().join("shadow.db")).expect("a store");
        let old =
            "INSERT INTO exchanges SELECT 1000, 1, endpoint, verdict, served_by, legacy_decision, candidate_decision,
                   legacy_us, candidate_us, shown, differences FROM exchanges";
        store.execute(old, []).expect("a row can be written");
    }
    let old = "SELECT count(*) FROM exchanges WHERE at_ms = 1";
    let gone = async {
        while proxy.stored(old) > 0 {
            proxy.ask(get("/")).await;
            moment().await;
        }
    };
    within("the old record to go", gone).await;
    assert!(proxy.stored(EXCHANGES) > 0);
}

#[tokio::test]
async fn samples_of_findings_and_one_exchange_in_so_many_besides_are_kept() {
    // Legacy's answer but for one path, where it lets somebody in.
    let denied = r#"{"valid":false,"user_id":null,"expires_at":null}"#;
    let denial = ok("application/json", denied).replace("200 OK", "401 Unauthorized");
    let legacy = Legacy::scripted(move |request| {
        let is_flip = request.start.contains("/flip");
        crate::scripted::Reply::bytes(if is_flip { ok("application/json", denied) } else { denial.clone() })
    });
    let config = "record.keep_match_every = 10\ncompare.rules = [{name = \"date\", path = \"header.date\", explains = [\"added\"], reason = \"a test\", expires = \"9999-12-31\"}]";
    let mut proxy = World::new().legacy(legacy).candidate(Candidate::hostile()).config(config).start().await;
    for _ in 0..50 {
        proxy.ask(get("/")).await;
    }
    for _ in 0..60 {
        proxy.ask(get("/flip")).await;
    }
    let status = proxy.settled().await;
    assert_eq!(
        (&status["verdicts"]["mismatch"], &status["requests"]["compared"]),
        (&60.into(), &110.into()),
        "{status:#}"
    );
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    // Each finding has three; they may be others than the first three, and those of another finding.
    let samples = "SELECT count(*) FROM samples GROUP BY finding ORDER BY 1";
    assert_eq!((proxy.stored(samples), proxy.stored(&format!("{samples} DESC"))), (3, 3));
    assert_eq!(proxy.stored("SELECT count(*) FROM findings WHERE count = 60 AND path = 'status'"), 1);
    let others = "SELECT count(*) FROM exchanges WHERE id NOT IN (SELECT exchange FROM samples)";
    assert!((7..110).contains(&proxy.stored(others)), "{} of 110", proxy.stored(others));
    // The 57th and later: that none of 57 was drawn has a chance of 3 in 100,000, and the draw is the same in every run.
    assert!(proxy.stored("SELECT max(exchange) FROM samples") > 6);
}

#[tokio::test]
async fn a_full_disk_costs_exchanges_and_no_counter() {
    const EXCHANGES_SENT: u64 = 600;
    let mut proxy = World::new().config("record.keep_match_every = 1").confinable().start().await;
    let mut wire = proxy.connect().await;
    for number in 0..EXCHANGES_SENT {
        if number == EXCHANGES_SENT / 2 {
            proxy.file_bytes_max(Some(0));
        }
        assert_eq!(wire.ask(large(number)).await.status(), 200);
    }
    let fails = |status: &Value| status["recording"]["state"] == "failing" && count(&status["records_lost"]) > 0;
    let status = proxy.until("records to be lost", fails).await;
    assert!(status["recording"]["reason"].is_string() && status["recording"]["since_ms"].is_u64(), "{status:#}");
    for path in ["/", "/api/diffs"] {
        assert_eq!(proxy.admin_get(path).await.status(), 200, "{path}");
    }
    let metrics = proxy.admin_get("/metrics").await.text();
    assert!(metrics.contains("shadow_proxy_recording_fails 1\n"), "{metrics}");
    let compared = count(&proxy.settled().await["requests"]["compared"]);
    assert_eq!(compared, EXCHANGES_SENT);
    assert!(proxy.stored(PAIRS) < compared, "something waits in memory");

    proxy.file_bytes_max(None);
    let works = |status: &Value| status["recording"]["state"] == "recording";
    proxy.until("records to be written again", works).await;
    within("all counters to be there", async {
        while proxy.stored(PAIRS) < compared {
            moment().await
        }
    })
    .await;
    let seen = "SELECT max(count) FROM findings";
    assert_eq!((proxy.stored(PAIRS), proxy.stored(seen)), (compared, compared));
    let metrics = proxy.admin_get("/metrics").await.text();
    assert!(metrics.contains("shadow_proxy_recording_fails 0\n"), "{metrics}");
    proxy.ended().await;
    let said = proxy.process.said();
    assert_eq!(said.matches("exchanges are not recorded; free space").count(), 1, "{said}");
    assert_eq!(said.matches("records are written again").count(), 1, "{said}");
}

const PAIRS: &str = "SELECT coalesce(sum(pairs), 0) FROM endpoints";

async fn moment() {
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
}

/// A request with some kilobytes of headers, all of which are kept, each as a stand-in.
fn large(number: u64) -> String {
    let headers: String =
        (0..60).map(|header| format!("X-Unlisted-{header}: {number}-{header}-unlisted\r\n")).collect();
    format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}
