//! What legacy answers is what the client gets.

use crate::scripted::{Gate, Reply};
use crate::wire::{Framing, Message, chunked, get, latin1, shown};
use crate::world::{Legacy, World};

const MEGABYTE: usize = 1_000_000;

#[tokio::test]
async fn the_client_gets_the_very_bytes() {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 Alles in Ordnung!\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 999 Beyond\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nwww-authenticate: Bearer\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-odd-CASE: 1\r\nETag: W/\"1\"\r\nSet-Cookie: a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT\r\n\
         set-cookie: b=2\r\nSet-Cookie: a=1\r\nX-Empty: \r\nX-Latin: caf\u{e9}\r\ncontent-LENGTH: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nDate: yesterday\r\nServer: x\r\nVia: 1.1 y\r\nAge: 0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<pre>\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\u{1f}\u{8b}\u{8}no",
    ];
    let answers = answers.map(latin1);
    let script = answers.clone();
    let legacy = Legacy::scripted(move |request| Reply::bytes(script[number(request)].clone()));
    let proxy = World::new().legacy(legacy).start().await;
    // One connection for all: a byte too many would be the beginning of the next answer.
    let mut wire = proxy.connect().await;
    for (number, expected) in answers.iter().enumerate() {
        let answer = wire.ask(get(&format!("/{number}"))).await;
        assert_eq!(shown(&answer.raw), shown(expected));
    }
    proxy.settled().await;
}

#[tokio::test]
async fn head_announces_a_body_and_brings_none() {
    let heads = [
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1234\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nX-A: 1\r\n\r\n",
    ];
    let legacy = Legacy::scripted(move |request| Reply::bytes(heads[number(request)]));
    let proxy = World::new().legacy(legacy).start().await;
    let mut wire = proxy.connect().await;
    for (number, head) in heads.iter().enumerate() {
        let answer = wire.ask(format!("HEAD /{number} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        // Chunks are for a body, and there is none.
        assert_eq!(shown(&answer.raw), shown(head.replace("Transfer-Encoding: chunked\r\n", "").as_bytes()));
    }
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["compared"], heads.len());
}

#[tokio::test]
async fn two_hundred_headers_pass_both_ways() {
    let headers: String = (0..200).map(|number| format!("X-Header-{number}: {number}\r\n")).collect();
    let answer = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n");
    let proxy = World::new().legacy(Legacy::answering(answer.clone())).start().await;
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    assert_eq!(shown(&proxy.ask(&request).await.raw), shown(answer.as_bytes()));
    assert_eq!(shown(&proxy.legacy().so_far()[0].raw), shown(request.as_bytes()));
}

#[tokio::test]
async fn an_answer_without_a_length_arrives_whole() {
    let legacy = Legacy::scripted(|_| Reply::bytes("HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nto the end").close());
    let proxy = World::new().legacy(legacy).start().await;
    let mut wire = proxy.connect().await;
    for _ in 0..2 {
        let answer = wire.ask(get("/")).await;
        assert_eq!((answer.text().as_str(), answer.complete, answer.framing), ("to the end", true, Framing::Chunked));
    }
    proxy.settled().await;
}

#[tokio::test]
async fn a_megabyte_passes_both_ways_however_it_is_framed() {
    let legacy = Legacy::scripted(echo);
    let proxy = World::new().legacy(legacy).start().await;
    let body = noise(MEGABYTE);
    let mut wire = proxy.connect().await;
    for request in framings(&body) {
        let answer = wire.ask(&request).await;
        assert_eq!((answer.status(), answer.complete), (200, true));
        assert!(answer.body == body, "the answer is another");
        assert!(proxy.legacy().so_far().pop().expect("it was asked").body == body, "the request is another");
    }
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["compared"], 4, "{status:#}");
}

#[tokio::test]
async fn what_is_too_large_to_be_mirrored_is_passed_on_and_counted() {
    let legacy = Legacy::scripted(echo);
    let proxy = World::new().legacy(legacy).config("limits.body_bytes_max = 65536").start().await;
    let body = noise(MEGABYTE);
    let mut wire = proxy.connect().await;
    for request in framings(&body) {
        let answer = wire.ask(&request).await;
        assert_eq!((answer.status(), answer.complete), (200, true));
        assert!(answer.body == body, "the answer is another");
        let received = proxy.legacy().so_far().pop().expect("it was asked");
        assert!(received.body == body, "the request is another");
        let is_chunked = request.starts_with(b"POST /chunked");
        assert_eq!(received.framing == Framing::Chunked, is_chunked);
    }
    // Small requests, large answers.
    for path in ["/large", "/large-chunked"] {
        let answer = wire.ask(get(path)).await;
        assert_eq!((answer.body.len(), answer.complete), (MEGABYTE, true));
    }
    assert_eq!(wire.ask(get("/small")).await.status(), 200);
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["skipped"]["body_too_large"], 6, "{status:#}");
    assert_eq!(status["requests"]["compared"], 1, "{status:#}");
    assert_eq!(status["requests"]["served"]["legacy"], 7, "{status:#}");
}

#[tokio::test]
async fn what_there_is_no_memory_for_is_passed_on_and_counted() {
    let legacy = Legacy::scripted(echo);
    let proxy = World::new().legacy(legacy).config("limits.buffered_bytes_max = 1000").start().await;
    let body = noise(2_000);
    for request in framings(&body) {
        let answer = proxy.ask(&request).await;
        assert!(answer.complete && answer.body == body, "the answer is another");
    }
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["skipped"]["no_memory"], 4, "{status:#}");
    let metrics = proxy.admin_get("/metrics").await.text();
    assert!(metrics.contains("shadow_proxy_buffered_bytes 0\n"), "{metrics}");
}

#[tokio::test]
async fn a_slow_answer_is_passed_on_as_it_comes() {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let [head, first, last] = gates.clone();
    let legacy = Legacy::scripted(move |request| {
        let length = if request.start.contains("length") { "Content-Length: 2" } else { "Transfer-Encoding: chunked" };
        let (a, b) = if request.start.contains("length") { ("a", "b") } else { ("1\r\na\r\n", "1\r\nb\r\n0\r\n\r\n") };
        Reply::bytes(format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n"))
            .wait(&head)
            .then(a)
            .wait(&first)
            .then(b)
            .wait(&last)
    });
    let proxy = World::new().legacy(legacy).start().await;
    let mut wires = [proxy.connect().await, proxy.connect().await];
    for (wire, path) in wires.iter_mut().zip(["/length", "/chunked"]) {
        wire.send(get(path)).await;
        // Nothing of the body was sent yet.
        assert!(wire.head().await.is_some());
    }
    gates[0].open();
    for (wire, first) in wires.iter_mut().zip(["a", "1\r\na\r\n"]) {
        assert_eq!(String::from_utf8_lossy(&wire.some().await), first);
    }
    gates[1].open();
    for (wire, last) in wires.iter_mut().zip(["b", "1\r\nb\r\n0\r\n\r\n"]) {
        let mut rest = Vec::new();
        while rest.len() < last.len() {
            rest.extend(wire.some().await);
        }
        assert_eq!(String::from_utf8_lossy(&rest), last);
    }
    proxy.settled().await;
}

/// The request's body back, framed as it came; a megabyte for a path that begins with `/large`.
fn echo(request: &Message) -> Reply {
    let body = if request.start.contains("/large") { noise(MEGABYTE) } else { request.body.clone() };
    if request.start.contains("chunked") {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        Reply::bytes(head).then(chunked(&body, 10_000))
    } else {
        Reply::bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())).then(body)
    }
}

/// With a length, and in chunks of three sizes.
fn framings(body: &[u8]) -> [Vec<u8>; 4] {
    let head = format!("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    let in_chunks = |size| {
        let head = "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        [head.as_bytes(), &chunked(body, size)].concat()
    };
    [[head.as_bytes(), body].concat(), in_chunks(777), in_chunks(100_000), in_chunks(usize::MAX)]
}

/// Bytes that no compression or accident could bring back: a linear congruential generator's.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// The number that is the path.
fn number(request: &Message) -> usize {
    let path = request.start.split(' ').nth(1).unwrap_or_default();
    path.trim_start_matches('/').parse().expect("the path is a number")
}
