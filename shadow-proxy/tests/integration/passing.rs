//! What lies between a client and legacy beside a request and its answer: interim answers, trailers, other protocols, closed
//! connections. It passes as if the proxy were not there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;

use crate::scripted::{Gate, Reply, allow, ok};
use crate::wire::{Message, Wire, get, shown};
use crate::world::{Candidate, Legacy, World};

#[tokio::test]
async fn credentials_for_proxies_are_the_services() {
    let demand = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"svc\"\r\n\
                  Content-Length: 0\r\n\r\n";
    let script = move |request: &Message| match request.values("proxy-authorization")[..] {
        ["Basic dTpw"] => allow(),
        _ => Reply::bytes(demand),
    };
    let candidate = Candidate::scripted(script);
    let proxy = World::new().legacy(Legacy::scripted(script)).candidate(candidate).start().await;
    let mut wire = proxy.connect().await;
    assert_eq!(shown(&wire.ask(get("/")).await.raw), shown(demand.as_bytes()));
    let request = "GET / HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic dTpw\r\n\r\n";
    assert_eq!(wire.ask(request).await.status(), 200);
    assert_eq!(shown(&proxy.legacy().so_far()[1].raw), shown(request.as_bytes()));
    let status = proxy.settled().await;
    assert_eq!((&status["verdicts"]["match"], &status["decisions"]["deny_deny"]), (&2.into(), &1.into()), "{status:#}");
}

/// RFC 9112 §5.1 and §5.2: what a client might read otherwise is mended on the way.
#[tokio::test]
async fn headers_that_legacy_misspells_are_mended() {
    for (sent, mended) in [
        ("X-Allow : true\r\nX-Tab\t: 1", "X-Allow: true\r\nX-Tab: 1"),
        ("X-Long: one\r\n two\r\n\tthree", "X-Long: one two three"),
    ] {
        let answer = |headers| format!("HTTP/1.1 200 OK\r\n{headers}\r\nContent-Length: 0\r\n\r\n");
        let proxy = World::new().legacy(Legacy::answering(answer(sent))).start().await;
        assert_eq!(shown(&proxy.ask(get("/")).await.raw), shown(answer(mended).as_bytes()));
    }
}

#[tokio::test]
async fn interim_answers_reach_the_client_before_the_answer() {
    let gate = Gate::new();
    let waits = gate.clone();
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>\r\n\r\n";
    let working = "HTTP/1.1 102 Processing\r\n\r\n";
    let legacy =
        Legacy::scripted(move |_| Reply::bytes(hints).then(working).wait(&waits).then(ok("text/plain", "the answer")));
    let proxy = World::new().legacy(legacy).start().await;
    let mut wire = proxy.connect().await;
    for _ in 0..2 {
        wire.send(get("/")).await;
        for expected in [hints, working] {
            let interim = wire.head().await.expect("an interim answer");
            assert_eq!(shown(&interim.raw), shown(expected.as_bytes()));
        }
        gate.open();
        assert_eq!(wire.answer().await.text(), "the answer");
    }
    // One who asked by HTTP/1.0 would take it for the answer.
    let answer = proxy.ask("GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "the answer"));
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["compared"], 3, "{status:#}");
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let answer = "HTTP/1.1 200 OK\r\nTrailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\
                  X-Checksum: abc\r\n\r\n";
    let proxy = World::new()
        .legacy(Legacy::At(raw(move |mut wire| async move {
            let received = wire.up_to_end_of_chunks().await;
            assert!(received.ends_with("0\r\nx-sum: 1\r\n\r\n"), "{received}");
            assert!(received.contains("TE: trailers\r\nConnection: TE\r\n"), "{received}");
            wire.send(answer).await;
        })))
        .start()
        .await;
    let mut wire = proxy.connect().await;
    wire.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
    )
    .await;
    let received = wire.up_to_end_of_chunks().await;
    assert!(received.ends_with("0\r\nx-checksum: abc\r\n\r\n"), "{received}");
}

#[tokio::test]
async fn a_client_that_closed_its_half_is_answered_and_counted() {
    let gate = Gate::new();
    let waits = gate.clone();
    let legacy = Legacy::scripted(move |request| match request.start.contains("/slow") {
        true => Reply::default().wait(&waits).then(ok("text/plain", "late")),
        false => Reply::bytes(ok("text/plain", "at once")),
    });
    let proxy = World::new().legacy(legacy).start().await;
    for request in [get("/fast"), "POST /fast HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi".to_owned()] {
        let mut wire = proxy.connect().await;
        wire.send(request).await;
        wire.close_half().await;
        assert_eq!(wire.answer().await.text(), "at once");
        assert_eq!(wire.rest().await, b"");
    }
    let mut wire = proxy.connect().await;
    wire.send(get("/slow")).await;
    wire.close_half().await;
    proxy.legacy().received(3).await;
    gate.open();
    assert_eq!(wire.answer().await.text(), "late");
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["compared"], 3, "{status:#}");
}

/// Legacy closes a connection that is idle for too long, and the next request may be on its way then.
#[tokio::test]
async fn what_may_be_asked_twice_is_sent_again_when_it_meets_a_connection_that_was_just_closed() {
    for (request, is_sent_again) in [
        ("GET /second HTTP/1.1\r\nHost: a\r\nX-Odd-CASE: 1\r\n\r\n", true),
        ("DELETE /second HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("PUT /second HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", true),
        ("POST /auth/validate?second HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", true),
        ("POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", false),
        ("GET /logout?second HTTP/1.1\r\nHost: a\r\n\r\n", false),
    ] {
        let closed = AtomicUsize::new(0);
        let legacy = Legacy::scripted(move |request| {
            let closes = request.start.contains("second") && closed.fetch_add(1, Ordering::Relaxed) == 0;
            if closes { Reply::default().close() } else { allow() }
        });
        let config = "threads = 1\n[[routes]]\npath = \"/logout\"\nclass = \"isolated\"";
        let proxy = World::new().legacy(legacy).config(config).start().await;
        let mut wire = proxy.connect().await;
        assert_eq!(wire.ask(get("/first")).await.status(), 200);
        let expected = if is_sent_again { 200 } else { 502 };
        assert_eq!(wire.ask(request).await.status(), expected, "{request}");
        let received = proxy.legacy().so_far();
        assert_eq!(received.len(), if is_sent_again { 3 } else { 2 }, "{request}");
        assert_eq!(shown(&received.last().expect("at least one").raw), shown(request.as_bytes()));
        proxy.settled().await;
    }
}

#[tokio::test]
async fn a_service_that_closes_new_connections_is_not_asked_twice() {
    let proxy = World::new().legacy(Legacy::scripted(|_| Reply::default().close())).start().await;
    for _ in 0..3 {
        assert_eq!(proxy.ask(get("/")).await.status(), 502);
    }
    proxy.settled().await;
    assert_eq!(proxy.legacy().count(), 3);
}

#[tokio::test]
async fn another_protocol_passes_through_untouched() {
    let agreed = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nCONNECTION: Upgrade\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let asked = "GET /live?x=1 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: s=1\r\n\r\n";
    let legacy = raw(move |mut wire| async move {
        let request = wire.head().await.expect("a request");
        assert_eq!(shown(&request.raw), shown(asked.as_bytes()));
        wire.send([agreed.as_bytes(), b"hello"].concat()).await;
        loop {
            let mut received = wire.some().await;
            if received.is_empty() {
                return;
            }
            received.reverse();
            wire.send(received).await;
        }
    });
    let proxy = World::new().legacy(Legacy::At(legacy)).start().await;
    let mut wire = proxy.connect().await;
    wire.send(asked).await;
    let answer = wire.head().await.expect("an answer");
    assert_eq!(shown(&answer.raw), shown(agreed.as_bytes()));
    assert_eq!(exactly(&mut wire, 5).await, b"hello");
    for frame in [&b"\x81\x02hi"[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 3]] {
        wire.send(frame).await;
        let expected: Vec<u8> = frame.iter().rev().copied().collect();
        assert_eq!(exactly(&mut wire, frame.len()).await, expected);
    }
    // It keeps its place among the connections as long as it is open.
    let metrics = proxy.admin_get("/metrics").await.text();
    assert!(
        metrics.contains("shadow_proxy_tunnels 1\n") && metrics.contains("shadow_proxy_connections 1\n"),
        "{metrics}"
    );
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["skipped"]["upgrade"], 1, "{status:#}");
    assert_eq!(status["requests"]["served"]["legacy"], 1, "{status:#}");
    drop(wire);
    let ended = async {
        while !proxy.admin_get("/metrics").await.text().contains("shadow_proxy_connections 0\n") {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    crate::wire::within("the tunnel to end", ended).await;
}

#[tokio::test]
async fn a_tunnel_through_which_nothing_moves_ends() {
    let legacy = raw(|mut wire| async move {
        wire.head().await.expect("a request");
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n").await;
        wire.rest().await;
    });
    let proxy = World::new().legacy(Legacy::At(legacy)).config("limits.tunnel_idle_ms = 50").start().await;
    let mut wire = proxy.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n").await;
    assert_eq!(wire.head().await.expect("an answer").status(), 101);
    assert_eq!(crate::wire::within("the end of the tunnel", wire.rest()).await, b"");
}

#[tokio::test]
async fn a_refused_protocol_is_an_answer_like_any_other() {
    let refused = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 2\r\n\r\nno";
    let script = move |request: &Message| match request.values("upgrade").is_empty() {
        true => allow(),
        false => Reply::bytes(refused),
    };
    let proxy = World::new().legacy(Legacy::scripted(script)).weight(1_000_000).start().await;
    let mut wire = proxy.connect().await;
    let request = "GET /live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(shown(&wire.ask(request).await.raw), shown(refused.as_bytes()));
    // The connection goes on, and what asks for a newer HTTP is a request as any other.
    let request = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                   HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n";
    assert_eq!(wire.ask(request).await.status(), 200);
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["skipped"]["upgrade"], 1, "{status:#}");
    assert_eq!(status["requests"]["served"]["candidate"], 1, "{status:#}");
}

#[tokio::test]
async fn a_protocol_that_nobody_asked_for_is_no_answer() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    let proxy = World::new().legacy(Legacy::answering(answer)).start().await;
    assert_eq!(proxy.ask(get("/")).await.status(), 502);
}

/// What would count against the client is not done twice.
#[tokio::test]
async fn a_service_that_counts_requests_is_asked_once() {
    let limited = "HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 9\r\nContent-Length: 0\r\n\r\n";
    let refused = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n";
    for (answer, config, asked) in [
        (limited, "", 10),
        (refused, "", 10),
        (limited, "noise.rate_limited = true", 20),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 20),
    ] {
        let world = World::new().legacy(Legacy::answering(answer)).again("1", "0").config(config);
        let mut proxy = world.candidate(Candidate::scripted(|_| allow())).start().await;
        let mut wire = proxy.connect().await;
        for _ in 0..10 {
            wire.ask(get("/healthz")).await;
        }
        let status = proxy.settled().await;
        assert_eq!(proxy.legacy().count(), asked, "{answer} {config}");
        let named = if asked == 10 { serde_json::json!(["GET /healthz"]) } else { serde_json::json!([]) };
        assert_eq!(status["rate_limited"], named, "{answer} {config}");
        let metrics = proxy.admin_get("/metrics").await.text();
        let level = format!("shadow_proxy_rate_limited_endpoints {}\n", usize::from(asked == 10));
        assert!(metrics.contains(&level), "{metrics}");
        let said = proxy.command(&["status"]).await.stdout;
        assert_eq!(said.contains("asked once GET /healthz"), asked == 10, "{said}");
        drop(wire);
        proxy.ended().await;
        assert_eq!(proxy.process.said().contains("count the client's requests"), asked == 10);
    }
}

#[tokio::test]
async fn both_sides_are_told_whose_request_it_is_where_that_is_wanted() {
    let candidate = Candidate::scripted(|_| allow());
    let proxy = World::new().candidate(candidate).config("legacy.forwarded = \"append\"").start().await;
    let sent = "GET / HTTP/1.1\r\nHost: a\r\nX-FORWARDED-For: 192.0.2.7\r\n\r\n";
    assert_eq!(proxy.ask(sent).await.status(), 200);
    proxy.settled().await;
    let received = proxy.legacy().so_far().remove(0);
    let expected =
        "GET / HTTP/1.1\r\nHost: a\r\nX-FORWARDED-For: 192.0.2.7, 127.0.0.1\r\nforwarded: for=127.0.0.1\r\n\r\n";
    assert_eq!(shown(&received.raw), shown(expected.as_bytes()));
    let mirrored = proxy.candidate().so_far().remove(0);
    assert_eq!(mirrored.values("x-forwarded-for"), ["192.0.2.7, 127.0.0.1"]);
    assert_eq!(mirrored.values("forwarded"), ["for=127.0.0.1"]);
}

/// A service that does with a connection whatever the test says.
fn raw<F>(serve: impl Fn(Wire) -> F + Send + Sync + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("a bound socket");
    let listener = TcpListener::from_std(listener).expect("a listening socket");
    let serve = Arc::new(serve);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(Wire::on(stream)));
        }
    });
    address
}

async fn exactly(wire: &mut Wire, length: usize) -> Vec<u8> {
    let mut received = Vec::new();
    while received.len() < length {
        received.extend(wire.some().await);
    }
    received
}
