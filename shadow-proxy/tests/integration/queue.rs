//! The mirror's queue is bounded by count and by bytes, and what finds no room is counted.

use crate::scripted::{Gate, Reply, allow, ok};
use crate::wire::{get, within};
use crate::world::{Candidate, Legacy, Proxy, World, count};

#[tokio::test]
async fn what_finds_the_queue_full_is_dropped_and_counted() {
    let (proxy, gate) = held("mirror.queue_max = 3\nmirror.concurrency = 2").await;
    let mut wire = proxy.connect().await;
    // Two are being mirrored, three wait, five find no room.
    for number in 0..10 {
        assert_eq!(wire.ask(get("/")).await.status(), 200);
        if number < 2 {
            proxy.candidate().received(number + 1).await;
        }
    }
    let status = proxy.status().await;
    assert_eq!(status["requests"]["mirrored"], 5, "{status:#}");
    assert_eq!(status["requests"]["dropped"]["queue_count"], 5, "{status:#}");
    gate.open();
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["compared"], 5, "{status:#}");
    assert_eq!(status["requests"]["received"], 10, "{status:#}");
}

#[tokio::test]
async fn what_finds_no_memory_in_the_queue_is_dropped_and_counted() {
    let (proxy, gate) = held("mirror.queue_bytes_max = 40000").await;
    let large = upload(30_000);
    let mut wire = proxy.connect().await;
    for _ in 0..3 {
        assert_eq!(wire.ask(&large).await.status(), 200);
    }
    // There is room for a small one still.
    assert_eq!(wire.ask(get("/")).await.status(), 200);
    let status = proxy.status().await;
    assert_eq!(status["requests"]["mirrored"], 2, "{status:#}");
    assert_eq!(status["requests"]["dropped"]["queue_bytes"], 2, "{status:#}");
    gate.open();
    proxy.settled().await;
    // What was held is given back.
    assert_eq!(wire.ask(&large).await.status(), 200);
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["compared"], 3, "{status:#}");
    let metrics = proxy.admin_get("/metrics").await.text();
    assert!(metrics.contains("shadow_proxy_queue_bytes 0\n"), "{metrics}");
}

#[tokio::test]
async fn a_mirror_that_is_switched_off_is_counted_as_that() {
    let candidate = Candidate::scripted(|_| allow());
    let proxy = World::new().candidate(candidate).config("mirror.enabled = false").start().await;
    assert_eq!(proxy.ask(get("/")).await.status(), 200);
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["skipped"]["off"], 1, "{status:#}");
    assert_eq!(proxy.candidate().count(), 0);
}

#[tokio::test]
async fn a_burst_of_everything_adds_up() {
    const CLIENTS: usize = 12;
    const ROUNDS: usize = 6;
    let legacy = Legacy::scripted(|request| match request.start.split(' ').nth(1).unwrap_or_default() {
        "/reset" => Reply::default().reset(),
        "/cut" => Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx").close(),
        "/large" => Reply::bytes(ok("text/plain", &"x".repeat(50_000))),
        path if path.starts_with("/never") => Reply::default().hang(),
        _ => allow(),
    });
    let config = "limits.body_bytes_max = 20000\nlegacy.deadline_ms = 200\ncandidate.deadline_ms = 20\n\
                  candidate.cpu_ms = 10\nmirror.queue_max = 8\nmirror.concurrency = 4";
    let proxy = World::new().legacy(legacy).candidate(Candidate::hostile()).config(config).start().await;
    let paths =
        ["/a", "/trap", "/reset", "/cut", "/large", "/never", "/slow/9000", "/loop", "/silent", "/upload", "/b"];
    let clients = (0..CLIENTS).map(|client| {
        let proxy = &proxy;
        async move {
            for (number, path) in paths.iter().cycle().skip(client).take(paths.len() * ROUNDS).enumerate() {
                let mut wire = proxy.connect().await;
                match *path {
                    "/upload" => wire.send(upload(30_000)).await,
                    path => wire.send(get(path)).await,
                }
                assert!(wire.try_answer().await.is_some(), "{path}");
                // Another leaves while legacy thinks.
                let path = format!("/never/{client}/{number}");
                let mut wire = proxy.connect().await;
                wire.send(get(&path)).await;
                proxy.legacy().received_for(&path).await;
            }
        }
    });
    within("all clients", all(clients)).await;
    let status = proxy.settled().await;
    let requests = &status["requests"];
    assert_eq!(requests["received"], 2 * CLIENTS * ROUNDS * paths.len());
    for member in ["compared", "not_comparable", "dropped", "unanswered"] {
        assert!(count(&requests[member]) > 0, "{member}: {requests:#}");
    }
    for reason in ["body_too_large", "served_failed", "client_gone"] {
        assert!(count(&requests["skipped"][reason]) > 0, "{reason}: {requests:#}");
    }
}

/// A proxy whose candidate answers once the gate is open.
async fn held(config: &str) -> (Proxy, Gate) {
    let gate = Gate::new();
    let waits = gate.clone();
    let candidate =
        Candidate::scripted(move |_| Reply::default().wait(&waits).then(ok("application/json", r#"{"valid":true}"#)));
    let config = format!("candidate.deadline_ms = 600000\n{config}");
    (World::new().candidate(candidate).config(&config).start().await, gate)
}

fn upload(bytes: usize) -> String {
    format!("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes))
}

/// All at the same time.
async fn all(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut running: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        running.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
