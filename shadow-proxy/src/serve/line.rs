//! The connection to a client, as whatever answers its requests may use it: for interim answers (1xx), which hyper's server
//! does not send, and for a place among the connections that a tunnel keeps.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, Request, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::metrics::Level;
use crate::side::headers::end_to_end;

/// A handle; the client's place is free when the last is dropped.
#[derive(Clone)]
pub struct Line(Arc<Shared>);

struct Shared {
    peer: IpAddr,
    waiting: Mutex<Waiting>,
    /// So that nothing is locked for a request without interim answers.
    is_waiting: AtomicBool,
    connections: Level,
    /// Its place among `connections_max` and on its thread.
    _place: Box<dyn Send + Sync>,
}

/// Interim answers on their way to the client.
#[derive(Default)]
struct Waiting {
    /// The request they belong to: whatever comes for an earlier one is too late.
    request: u64,
    bytes: Vec<u8>,
    /// The task that serves the connection.
    server: Option<Waker>,
}

/// Interim answers that a client does not read; more are left out, as any may be (RFC 9110 §15.2).
const INTERIM_BYTES_MAX: usize = 64 << 10;

impl Line {
    /// `place` is held as long as the connection, or the tunnel it becomes.
    pub fn new(peer: IpAddr, connections: Level, place: impl Send + Sync + 'static) -> Line {
        connections.inc();
        Line(Arc::new(Shared {
            peer,
            waiting: Mutex::default(),
            is_waiting: AtomicBool::new(false),
            connections,
            _place: Box::new(place),
        }))
    }

    pub fn peer(&self) -> IpAddr {
        self.0.peer
    }

    /// Passes on what legacy says to a request before its answer, until that has begun.
    pub fn pass_interim<B>(&self, request: &mut Request<B>) -> Interim {
        let number = self.0.lock().request;
        let wanted = expects_continue(request.headers()).then(|| Arc::new(Notify::new()));
        let interim = Interim { line: self.clone(), request: number, wanted: wanted.clone() };
        let line = self.clone();
        // RFC 9110 §15.2: never to a client of HTTP/1.0.
        let is_modern = request.version() >= Version::HTTP_11;
        hyper::ext::on_informational(request, move |answer| {
            match &wanted {
                // hyper says it to the client as soon as the body is read, and would say it twice.
                Some(wanted) if answer.status() == StatusCode::CONTINUE => wanted.notify_one(),
                _ if is_modern => line.say(number, answer.status(), answer.headers()),
                _ => {}
            }
        });
        interim
    }

    fn say(&self, request: u64, status: StatusCode, headers: &HeaderMap) {
        let reason = status.canonical_reason().unwrap_or_default();
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
        for (name, value) in &end_to_end(headers.clone()) {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        head.extend_from_slice(b"\r\n");
        let mut waiting = self.0.lock();
        if waiting.request == request && waiting.bytes.len() + head.len() <= INTERIM_BYTES_MAX {
            waiting.bytes.append(&mut head);
            self.0.is_waiting.store(true, Ordering::Release);
            if let Some(server) = &waiting.server {
                server.wake_by_ref();
            }
        }
    }
}

/// Whether a client waits with its body until somebody asks for it.
fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(http::header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics while it holds bytes")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.connections.dec();
    }
}

/// Interim answers to one request: dropped when its answer begins, and nothing comes of those that are later.
pub struct Interim {
    line: Line,
    request: u64,
    /// Told when legacy wants the body, where the client holds it back (`Expect: 100-continue`).
    pub wanted: Option<Arc<Notify>>,
}

impl Drop for Interim {
    fn drop(&mut self) {
        self.line.0.lock().request = self.request + 1;
    }
}

/// What hyper's server reads from and writes to.
pub struct Socket {
    stream: TcpStream,
    line: Line,
    /// All that the server has written so far is sent: an interim answer may stand here.
    is_between: bool,
    is_known: bool,
}

impl Socket {
    pub fn new(stream: TcpStream, line: Line) -> Socket {
        Socket { stream, line, is_between: true, is_known: false }
    }

    fn poll_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_between || !self.line.0.is_waiting.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let mut waiting = self.line.0.lock();
        while !waiting.bytes.is_empty() {
            let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(context, &waiting.bytes))?;
            waiting.bytes.drain(..written);
        }
        self.line.0.is_waiting.store(false, Ordering::Release);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_interim(context))?;
        self.is_between = false;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_interim(context))?;
        self.is_between = false;
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper calls it whenever it has handed over all it has, also while it waits for an answer.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_known {
            self.is_known = true;
            self.line.0.lock().server = Some(context.waker().clone());
        }
        self.is_between = true;
        self.poll_interim(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
