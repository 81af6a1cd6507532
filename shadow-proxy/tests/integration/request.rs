//! What the client sends is what legacy receives (invariant 5).

use crate::scripted::{Reply, allow};
use crate::wire::{Framing, Message, chunked, get, latin1, shown};
use crate::world::{Legacy, Proxy, World};

#[tokio::test]
async fn legacy_receives_the_very_bytes() {
    let proxy = World::new().start().await;
    let sent = [
        "GET / HTTP/1.1\r\nHost: auth.example\r\n\r\n",
        "GET /a%2Fb/%2e%2e/c//d;v=1?q=%zz&q=%00&%20=+&&=&x=[1]{2}|3^4\\5`6 HTTP/1.1\r\nHost: auth.example\r\n\r\n",
        "GET /../..//%c3%28/~tilde/*/! HTTP/1.1\r\nHost: auth.example\r\n\r\n",
        "GET /? HTTP/1.1\r\nHost: auth.example\r\n\r\n",
        "GET /?? HTTP/1.1\r\nHost: auth.example\r\n\r\n",
        "GET / HTTP/1.1\r\nX-First: 1\r\nhOsT: Auth.Example:8443\r\nUSER-AGENT: x\r\nx-b3-TraceId: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\nAccept: */*\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: not a host!\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Twice: 1\r\nx-TWICE: 2\r\nX-Twice: 1\r\nLast:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer one\r\nAuthorization: bearer two\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Latin: caf\u{e9} \u{ff}\r\nX-Tab: a\tb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nCookie: b=2\r\nExpect: nothing\r\nVia: 1.1 other\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nOrigin: null\r\n\r\n",
        "get / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PURGE /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
        "GET / HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\nContent-Type: text/plain\r\n\r\nhi",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nX-Behind: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nHost: a\r\nContent-Encoding: gzip\r\n\r\nplain",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\u{0}\u{ff}\r\n",
    ];
    let mut wire = proxy.connect().await;
    for sent in sent {
        let sent = latin1(sent);
        assert_eq!(wire.ask(&sent).await.status(), 200, "{}", shown(&sent));
        let received = last(&proxy);
        assert_eq!(shown(&received.raw), shown(&sent));
    }
    proxy.settled().await;
}

#[tokio::test]
async fn a_request_without_host_reaches_legacy_without_one() {
    let proxy = World::new().start().await;
    for sent in ["GET /old HTTP/1.0\r\nX-A: 1\r\n\r\n", "GET /no-host HTTP/1.1\r\nX-A: 1\r\n\r\n"] {
        assert_eq!(proxy.ask(sent).await.status(), 200);
        assert_eq!(shown(&last(&proxy).raw), shown(sent.as_bytes()));
    }
    proxy.settled().await;
}

#[tokio::test]
async fn an_old_client_gets_an_answer_it_can_read() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let proxy = World::new().legacy(Legacy::answering(answer)).start().await;
    let answer = proxy.ask("POST /old HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").await;
    assert_eq!((answer.status(), answer.framing, answer.text().as_str()), (200, Framing::Close, "hello"));
    assert_eq!(last(&proxy).body, b"hi");
    proxy.settled().await;
}

#[tokio::test]
async fn the_headers_of_the_connection_stay_on_it() {
    let proxy = World::new().start().await;
    let sent = "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Private\r\nKeep-Alive: timeout=5\r\n\
                X-Private: 1\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Public: 1\r\n\r\n";
    assert_eq!(proxy.ask(sent).await.status(), 200);
    let expected = "GET / HTTP/1.1\r\nHost: a\r\nX-Public: 1\r\n\r\n";
    assert_eq!(shown(&last(&proxy).raw), shown(expected.as_bytes()));
}

#[tokio::test]
async fn a_client_cannot_have_the_credential_taken_out_as_a_connection_header() {
    let proxy = World::new().start().await;
    let sent = "POST / HTTP/1.1\r\nHost: a\r\nConnection: Authorization, Cookie, Host, Content-Length\r\n\
                Authorization: Bearer one\r\nCookie: a=1\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(proxy.ask(sent).await.status(), 200);
    let received = last(&proxy);
    assert_eq!(received.values("authorization"), ["Bearer one"]);
    assert_eq!(received.values("host"), ["a"]);
    assert_eq!(received.body, b"hi");
}

#[tokio::test]
async fn chunks_stay_chunks_and_lengths_stay_lengths() {
    let proxy = World::new().start().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Last: 1\r\n\r\n";
    for body in [b"".as_slice(), b"x", b"some words in chunks"] {
        let sent = [head.as_bytes(), &chunked(body, 3)].concat();
        assert_eq!(proxy.ask(&sent).await.status(), 200);
        let received = last(&proxy);
        assert_eq!((received.framing, received.body.as_slice(), received.complete), (Framing::Chunked, body, true));
        assert_eq!(received.values("content-length"), [""; 0]);
        assert_eq!(received.end_to_end(), [("Host", "a"), ("X-Last", "1")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
    // What the chunks hold may be coded, and then has to be called that.
    let sent = [head.replace("chunked", "gzip, chunked").as_bytes(), &chunked(b"no gzip", 3)].concat();
    assert_eq!(proxy.ask(&sent).await.status(), 200);
    let received = last(&proxy);
    assert_eq!((received.values("transfer-encoding"), received.text().as_str()), (vec!["gzip, chunked"], "no gzip"));
    proxy.settled().await;
}

/// The form of the target is the hop's: a gateway sends the origin form (RFC 9112 §3.2.1). Path, query and `Host` stay.
#[tokio::test]
async fn an_absolute_target_reaches_legacy_in_origin_form_with_path_query_and_host_untouched() {
    let proxy = World::new().start().await;
    for (target, origin) in [
        ("http://other.example/a%2Fb?c=%20", "/a%2Fb?c=%20"),
        ("http://other.example:81?q", "/?q"),
        ("https://user@other.example", "/"),
    ] {
        let sent = format!("GET {target} HTTP/1.1\r\nHost: auth.example\r\nX-A: 1\r\n\r\n");
        assert_eq!(proxy.ask(&sent).await.status(), 200, "{target}");
        assert_eq!(shown(&last(&proxy).raw), shown(sent.replace(target, origin).as_bytes()), "{target}");
    }
    proxy.settled().await;
}

#[tokio::test]
async fn a_client_that_expects_100_continue_is_told_to_and_legacy_sees_it_did() {
    let legacy = Legacy::scripted(|_| Reply::bytes("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"));
    let proxy = World::new().legacy(legacy).start().await;
    let mut wire = proxy.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    assert_eq!(wire.answer().await.status(), 100);
    assert_eq!(proxy.legacy().count(), 0);
    assert_eq!(wire.ask("hi").await.status(), 204);
    let received = last(&proxy);
    assert_eq!((received.values("expect"), received.body.as_slice()), (vec!["100-continue"], b"hi".as_slice()));
    proxy.settled().await;
}

#[tokio::test]
async fn what_asks_for_a_host_is_refused_and_counted() {
    let proxy = World::new().start().await;
    for request in ["GET other.example HTTP/1.1\r\nHost: a\r\n\r\n", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"] {
        assert_eq!(proxy.ask(request).await.status(), 400);
    }
    let answer = proxy.ask("CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n").await;
    assert_eq!(answer.status(), 501);
    assert_eq!(answer.values("content-type"), ["application/problem+json"]);
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["skipped"]["method"], 3);
    assert_eq!(proxy.legacy().count(), 0);
}

#[tokio::test]
async fn requests_sent_without_waiting_are_answered_in_order() {
    let echo = |request: &Message| {
        let body = &request.start;
        Reply::bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    };
    let proxy = World::new().legacy(Legacy::scripted(echo)).start().await;
    let mut wire = proxy.connect().await;
    let request = |number: u32| format!("POST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    wire.send((0..5).map(request).collect::<String>()).await;
    for number in 0..5 {
        assert_eq!(wire.answer().await.text(), format!("POST /{number} HTTP/1.1"));
    }
    proxy.settled().await;
}

#[tokio::test]
async fn a_connection_that_legacy_just_closed_is_not_the_clients_problem() {
    let proxy = World::new().legacy(Legacy::scripted(|_| allow().close())).start().await;
    let mut wire = proxy.connect().await;
    for _ in 0..50 {
        assert_eq!(wire.ask(get("/healthz")).await.status(), 200);
    }
    proxy.settled().await;
}

fn last(proxy: &Proxy) -> Message {
    proxy.legacy().so_far().pop().expect("legacy was asked")
}
