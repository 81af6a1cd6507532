//! What is kept has bounds, and a store that fails does not concern the clients.

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use crate::scripted::ok;
use crate::wire::{get, within};
use crate::world::{Candidate, Legacy, Proxy, World, count};

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
    // A finding's example is one that is still there.
    let lost = "SELECT count(*) FROM findings WHERE exchange NOT IN (SELECT id FROM exchanges)";
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
async fn every_mismatch_and_one_match_in_so_many_are_kept() {
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
    for _ in 0..7 {
        proxy.ask(get("/flip")).await;
    }
    let status = proxy.settled().await;
    assert_eq!(
        (&status["verdicts"]["mismatch"], &status["requests"]["compared"]),
        (&7.into(), &57.into()),
        "{status:#}"
    );
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    assert_eq!(proxy.stored("SELECT count(*) FROM exchanges WHERE verdict = 'mismatch'"), 7);
    assert_eq!(proxy.stored("SELECT count(*) FROM exchanges WHERE verdict != 'mismatch'"), 5);
}

#[tokio::test]
async fn a_full_disk_costs_records_and_nothing_else() {
    const EXCHANGES_SENT: u64 = 600;
    // 512 kB for any one file.
    let mut proxy = World::new().config("record.keep_match_every = 1").file_blocks_max(1024).start().await;
    let mut wire = proxy.connect().await;
    for number in 0..EXCHANGES_SENT {
        assert_eq!(wire.ask(large(number)).await.status(), 200);
    }
    let has_lost = |status: &Value| count(&status["records_lost"]) > 0;
    proxy.until("records to be lost", has_lost).await;
    for number in 0..20 {
        assert_eq!(wire.ask(large(number)).await.status(), 200);
    }
    for path in ["/", "/api/diffs", "/metrics"] {
        assert_eq!(proxy.admin_get(path).await.status(), 200, "{path}");
    }
    let compared = count(&proxy.settled().await["requests"]["compared"]);
    assert_eq!(compared, EXCHANGES_SENT + 20);
    let is_told = |status: &Value| lost(&proxy, status) == compared;
    let status = proxy.until("every record to be kept or lost", is_told).await;
    assert!(count(&status["records_lost"]) > 0);
    proxy.process.signal(Signal::TERM);
    assert_eq!(proxy.process.ended().await.code(), Some(0));
    let said = proxy.process.said();
    assert_eq!(said.matches("exchanges are not recorded; free space").count(), 1, "{said}");
}

/// Records kept and lost.
fn lost(proxy: &Proxy, status: &Value) -> u64 {
    proxy.stored("SELECT coalesce(sum(pairs), 0) FROM endpoints") + count(&status["records_lost"])
}

async fn moment() {
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
}

/// A request with some kilobytes of headers, all of which are kept, each as a stand-in.
fn large(number: u64) -> String {
    let headers: String =
        (0..60).map(|header| format!("X-Unlisted-{header}: {number}-{header}-unlisted\r\n")).collect();
    format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}
