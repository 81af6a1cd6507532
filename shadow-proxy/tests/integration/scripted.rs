//! A service under the test's control: it keeps the bytes it was sent and sends the bytes it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::wire::{Message, Wire, within};

/// A handle; the service runs until the test ends.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    received: watch::Receiver<Vec<Message>>,
}

/// What to do with one request, step by step.
#[derive(Clone, Default)]
pub(crate) struct Reply(Vec<Step>);

#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    Wait(Gate),
    /// As long as the service works on it.
    Work(Duration),
    /// Nothing more comes and nothing is closed.
    Hang,
    Close,
    Reset,
}

impl Scripted {
    pub(crate) fn start(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Scripted {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("a bound socket");
        let listener = TcpListener::from_std(listener).expect("a listening socket");
        let (log, received) = watch::channel(Vec::new());
        let (script, log) = (Arc::new(script), Arc::new(log));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (script.clone(), log.clone());
                tokio::spawn(async move { serve(Wire::on(stream), &*script, &log).await });
            }
        });
        Scripted { address, received }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first requests, once so many have come.
    pub(crate) async fn received(&self, requests: usize) -> Vec<Message> {
        let mut received = self.received.clone();
        let received = within("requests", received.wait_for(|all| all.len() >= requests)).await;
        received.expect("the service runs as long as the test").clone()
    }

    /// Waits for a request of a path.
    pub(crate) async fn received_for(&self, path: &str) {
        let mut received = self.received.clone();
        let is_for = |request: &Message| request.start.split(' ').nth(1) == Some(path);
        let received = within("a request", received.wait_for(|all| all.iter().any(is_for))).await;
        drop(received.expect("the service runs as long as the test"));
    }

    /// All requests so far.
    pub(crate) fn so_far(&self) -> Vec<Message> {
        self.received.borrow().clone()
    }

    /// How many requests there were so far.
    pub(crate) fn count(&self) -> usize {
        self.received.borrow().len()
    }
}

async fn serve(mut wire: Wire, script: &(impl Fn(&Message) -> Reply + ?Sized), log: &watch::Sender<Vec<Message>>) {
    while let Some(request) = wire.request().await {
        let Reply(steps) = script(&request);
        log.send_modify(|all| all.push(request));
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if wire.try_send(&bytes).await.is_err() {
                        return;
                    }
                }
                Step::Wait(gate) => gate.passed().await,
                Step::Work(time) => tokio::time::sleep(time).await,
                Step::Hang => {
                    wire.rest().await;
                    return;
                }
                Step::Close => return,
                Step::Reset => return wire.reset(),
            }
        }
    }
}

impl Reply {
    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply::default().then(bytes)
    }

    pub(crate) fn then(self, bytes: impl Into<Vec<u8>>) -> Reply {
        self.and(Step::Send(bytes.into()))
    }

    pub(crate) fn wait(self, gate: &Gate) -> Reply {
        self.and(Step::Wait(gate.clone()))
    }

    /// All of it, once the service has worked so long.
    pub(crate) fn after(mut self, time: Duration) -> Reply {
        self.0.insert(0, Step::Work(time));
        self
    }

    pub(crate) fn hang(self) -> Reply {
        self.and(Step::Hang)
    }

    pub(crate) fn close(self) -> Reply {
        self.and(Step::Close)
    }

    pub(crate) fn reset(self) -> Reply {
        self.and(Step::Reset)
    }

    fn and(mut self, step: Step) -> Reply {
        self.0.push(step);
        self
    }
}

/// Closed until the test opens it.
#[derive(Clone)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub(crate) fn new() -> Gate {
        Gate(Arc::new(watch::channel(false).0))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        let mut open = self.0.subscribe();
        // The sender lives in `self`.
        let _ = open.wait_for(|open| *open).await;
    }
}

/// 200 with a JSON body, as the legacy service would let somebody in.
pub(crate) fn allow() -> Reply {
    Reply::bytes(ok("application/json", r#"{"valid":true,"user_id":"user_123","expires_at":null}"#))
}

pub(crate) fn ok(content_type: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
