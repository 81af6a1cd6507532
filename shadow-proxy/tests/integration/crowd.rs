//! Many connections, slow ones and those that do nothing: none stops another.

use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::wire::{Wire, get, within};
use crate::world::{Proxy, World};

#[tokio::test]
async fn ten_thousand_idle_connections_and_fifty_slow_clients_stop_nobody() {
    const SLOW: usize = 50;
    let idle_wanted = 10_000.min(descriptors().saturating_sub(3_000));
    if idle_wanted < 10_000 {
        eprintln!("only {idle_wanted} idle connections: raise the hard limit of `ulimit -n`");
    }
    let proxy = World::new().start().await;
    let mut regular = proxy.connect().await;
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        slow.push(proxy.connect().await);
    }
    let idle: Vec<TcpStream> =
        (0..idle_wanted).map(|_| TcpStream::connect(proxy.listen).expect("a connection")).collect();
    connections(&proxy, 1 + SLOW + idle.len()).await;

    let request = "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    let (all_but_last, last) = request.as_bytes().split_at(request.len() - 1);
    for byte in all_but_last {
        for wire in &mut slow {
            wire.send([*byte]).await;
        }
        assert_eq!(regular.ask(get("/regular")).await.status(), 200);
        assert_eq!(proxy.ask(get("/new")).await.status(), 200);
    }
    for wire in &mut slow {
        assert_eq!(wire.ask(last).await.status(), 200);
    }
    // The idle ones are still there, and each is as good as any.
    let mut woken = Wire::on_std(idle.into_iter().next_back().expect("at least one"));
    assert_eq!(woken.ask(get("/woken")).await.status(), 200);
    let status = proxy.settled().await;
    assert_eq!(status["requests"]["served"]["legacy"], 2 * all_but_last.len() + SLOW + 1, "{status:#}");
}

#[tokio::test]
async fn a_connection_too_many_waits_for_a_place() {
    let proxy = World::new().config("limits.connections_max = 2\nthreads = 2").start().await;
    let mut first = proxy.connect().await;
    let mut second = proxy.connect().await;
    for wire in [&mut first, &mut second] {
        assert_eq!(wire.ask(get("/")).await.status(), 200);
    }
    let mut third = proxy.connect().await;
    third.send(get("/")).await;
    assert_eq!(second.ask(get("/")).await.status(), 200);
    connections(&proxy, 2).await;
    assert_eq!(proxy.legacy().count(), 3);
    drop(first);
    assert_eq!(third.answer().await.status(), 200);
}

#[tokio::test]
async fn a_connection_that_does_nothing_is_closed() {
    let proxy = World::new().config("limits.idle_ms = 500").start().await;
    let mut used = proxy.connect().await;
    assert_eq!(used.ask(get("/")).await.status(), 200);
    let mut silent = proxy.connect().await;
    let mut half = proxy.connect().await;
    half.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    for wire in [&mut silent, &mut half, &mut used] {
        within("the connection to be closed", wire.rest()).await;
    }
    connections(&proxy, 0).await;
    assert_eq!(proxy.settled().await["requests"]["received"], 1);
}

/// Waits until so many clients are connected.
async fn connections(proxy: &Proxy, number: usize) {
    let line = format!("shadow_proxy_connections {number}\n");
    let reached = async {
        while !proxy.admin_get("/metrics").await.text().contains(&line) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    within(&line, reached).await;
}

/// How many this process may have open, after asking for as many as it may ask for.
fn descriptors() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is refused, what is left is counted below.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |current| current as usize)
}
