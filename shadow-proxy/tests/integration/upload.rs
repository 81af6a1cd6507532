//! Bodies that are sent on while they come.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::scripted::Gate;
use crate::wire::{Message, Wire};
use crate::world::{Legacy, World};

const REFUSED: &str = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\ngood";

/// RFC 9110 §10.1.1: a client that waits to be asked for its body is refused on the head alone.
#[tokio::test]
async fn legacy_sees_the_head_before_the_client_is_asked_for_its_body() {
    for length in [5, 8 << 20] {
        let (legacy, mut heads) = Head::then(|_, mut wire| async move { wire.send(REFUSED).await });
        let proxy = World::new().legacy(Legacy::At(legacy)).start().await;
        let mut wire = proxy.connect().await;
        let answer = wire.ask(expecting(length)).await;
        assert_eq!((answer.status(), answer.text().as_str()), (401, "no"), "{}", answer.start);
        assert_eq!(answer.values("connection"), ["close"]);
        let head = heads.recv().await.expect("a request");
        assert_eq!(head.values("expect"), ["100-continue"]);
        let status = proxy.settled().await;
        let why = if length == 5 { "answered_early" } else { "body_too_large" };
        assert_eq!(status["requests"]["skipped"][why], 1, "{status:#}");
    }
}

#[tokio::test]
async fn a_client_is_asked_for_its_body_when_legacy_asks_and_its_call_is_compared() {
    let gate = Gate::new();
    let waits = gate.clone();
    let (legacy, _heads) = Head::then(move |head, mut wire| {
        let waits = waits.clone();
        async move {
            waits.passed().await;
            wire.send("HTTP/1.1 100 Continue\r\n\r\n").await;
            assert_eq!(wire.rest_of(head).await.text(), "hello");
            wire.send(GOOD).await;
        }
    });
    let proxy = World::new().legacy(Legacy::At(legacy)).start().await;
    let mut wire = proxy.connect().await;
    wire.send(expecting(5)).await;
    gate.open();
    let interim = wire.head().await.expect("an interim answer");
    assert_eq!(interim.start, "HTTP/1.1 100 Continue");
    let answer = wire.ask("hello").await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "good"));
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["compared"], 1, "{status:#}");
}

/// Where the candidate may serve, whose the request is may stand in its body: the proxy asks for it.
#[tokio::test]
async fn while_weight_is_on_the_candidate_the_proxy_asks_for_the_body_itself() {
    let proxy = World::new().weight(500_000).config("shift.sticky = [\"header:x-id\"]").start().await;
    let mut wire = proxy.connect().await;
    wire.send(expecting(5)).await;
    assert_eq!(wire.head().await.expect("an interim answer").status(), 100);
    assert_eq!(wire.ask("hello").await.status(), 200);
    proxy.settled().await;
}

/// The pause counts, and not how long all of it takes.
#[tokio::test]
async fn a_slow_and_steady_body_is_sent_on_while_it_comes_and_compared() {
    let (legacy, mut heads) = Head::then(|head, mut wire| async move {
        let request = wire.rest_of(head).await;
        assert!(request.complete);
        wire.send(GOOD).await;
    });
    let proxy = World::new().legacy(Legacy::At(legacy)).config("limits.body_ms = 1000").start().await;
    let mut wire = proxy.connect().await;
    let length = 10_000;
    wire.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")).await;
    let mut sent = 0;
    // Legacy sees the request long before the body is whole.
    while heads.try_recv().is_err() {
        wire.send("x").await;
        sent += 1;
        assert!(sent < length, "legacy was not asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answer = wire.ask("x".repeat(length - sent)).await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "good"));
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["compared"], 1, "{status:#}");
    let metrics = proxy.admin_get("/metrics").await.text();
    assert!(metrics.contains("shadow_proxy_buffered_bytes 0\n"), "{metrics}");
}

#[tokio::test]
async fn a_body_that_stops_while_it_is_sent_on_is_given_up() {
    let (legacy, mut heads) = Head::then(|_, mut wire| async move { drop(wire.rest().await) });
    let proxy = World::new().legacy(Legacy::At(legacy)).config("limits.body_ms = 300").start().await;
    let mut wire = proxy.connect().await;
    wire.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 3 << 20)).await;
    wire.send("some").await;
    heads.recv().await.expect("a request");
    assert_eq!(wire.answer().await.status(), 408);
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["skipped"]["client_slow"], 1, "{status:#}");
    assert_eq!(status["requests"]["unanswered"], 0, "{status:#}");
}

#[tokio::test]
async fn an_answer_before_the_body_is_whole_is_passed_on() {
    let (legacy, _heads) = Head::then(|_, mut wire| async move {
        wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig").await;
        wire.rest().await;
    });
    let proxy = World::new().legacy(Legacy::At(legacy)).start().await;
    let mut wire = proxy.connect().await;
    wire.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\nsome", 3 << 20)).await;
    let answer = wire.answer().await;
    assert_eq!((answer.status(), answer.text().as_str()), (413, "big"));
    proxy.settled().await;
}

/// A service that refuses a body leaves it unread on its connection, and the next request would wait behind it for ever.
#[tokio::test]
async fn nobody_waits_behind_a_body_that_legacy_refused() {
    let (legacy, mut heads) = Head::then(|_, mut wire| async move {
        wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n").await;
        wire.rest().await;
    });
    let proxy = World::new().legacy(Legacy::At(legacy)).config("threads = 1").start().await;
    for length in [100_000, 3 << 20, 1] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length));
        assert_eq!(proxy.ask(request).await.status(), 413);
        heads.recv().await.expect("a request");
    }
}

/// It answers late without a word, and then the deadline ends it.
#[tokio::test]
async fn legacy_that_does_not_answer_an_upload_is_a_504() {
    let (legacy, _heads) = Head::then(|_, mut wire| async move { drop(wire.rest().await) });
    let config = "legacy.deadline_ms = 100\nlimits.body_bytes_max = 2";
    let proxy = World::new().legacy(Legacy::At(legacy)).config(config).start().await;
    let answer = proxy.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!(answer.status(), 504);
}

fn expecting(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
}

/// A service that looks at the head of a request before it reads on.
struct Head;

impl Head {
    fn then<F>(
        serve: impl Fn(Message, Wire) -> F + Send + Sync + 'static,
    ) -> (SocketAddr, mpsc::UnboundedReceiver<Message>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("a bound socket");
        let listener = TcpListener::from_std(listener).expect("a listening socket");
        let (sender, heads) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut wire = Wire::on(stream);
                let Some(head) = wire.head().await else { continue };
                let _ = sender.send(head.clone());
                tokio::spawn(serve(head, wire));
            }
        });
        (address, heads)
    }
}
