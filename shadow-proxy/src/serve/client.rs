//! A client's connection: what is read from it passes the inspector, and no wait on the client is without an end.
//!
//! A head reaches hyper when it is whole. Until then it is held here, where its memory is counted; most come whole in one
//! read and are only looked at. What is refused never reaches hyper: for hyper the connection ends there, and the answer
//! is written behind those that are still due.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::metrics::Refusal;

use super::budget::{Budget, Share};
use super::patience::Patience;
use super::refused;
use super::strict::{Inspector, Tolerated};
use super::turn::{Protocol, Turns};

/// What every connection of one port is held to.
pub struct Terms {
    pub tolerated: Tolerated,
    pub head_bytes_max: usize,
    /// Time for a whole head, and for a connection without a request.
    pub idle: Duration,
    /// Time in which a client has to take something of its answer.
    pub unread: Duration,
    /// Time for which a client that sends nothing more is still answered: many that close one half left altogether.
    pub half_closed: Duration,
    /// Memory of all connections, of each what is beyond [`FREE_BYTES`].
    pub budget: Budget,
    pub refused: Box<dyn Fn(Refusal) + Send + Sync>,
}

/// Memory that a connection has for what it reads without being counted: hyper's first buffer is as large.
pub const FREE_BYTES: usize = 8 << 10;
/// A client that sends nothing for so long has stopped.
const PAUSE: Duration = Duration::from_millis(100);
/// Time in which a client whose request was not read to its end may take the answer, before the connection is reset.
const LINGER: Duration = Duration::from_secs(2);

pub struct ClientStream<S> {
    inner: S,
    terms: Arc<Terms>,
    turns: Arc<Turns>,
    inspector: Inspector,
    /// What was read and did not pass yet, with `passed` bytes that may, of which hyper has `given`.
    held: Vec<u8>,
    passed: usize,
    given: usize,
    share: Share,
    counted: usize,
    /// The client sends no more.
    is_ended: bool,
    refusal: Option<Refusal>,
    farewell: Farewell,
    idle: Patience,
    unread: Patience,
    leaving: Patience,
}

/// How far the end of the connection is.
enum Farewell {
    NotYet,
    Answer { text: Vec<u8>, written: usize },
    Shutdown,
    Linger,
}

impl<S> ClientStream<S> {
    pub fn new(inner: S, terms: Arc<Terms>, turns: Arc<Turns>) -> ClientStream<S> {
        ClientStream {
            inner,
            inspector: Inspector::new(terms.tolerated, terms.head_bytes_max),
            share: terms.budget.share(),
            terms,
            turns,
            held: Vec::new(),
            passed: 0,
            given: 0,
            counted: 0,
            is_ended: false,
            refusal: None,
            farewell: Farewell::NotYet,
            idle: Patience::default(),
            unread: Patience::default(),
            leaving: Patience::default(),
        }
    }

    /// Lets through what may pass of the bytes that were just read into `buf`, and holds the others.
    fn take(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        if !self.held.is_empty() {
            self.hold(&buf.filled()[before..]);
            buf.set_filled(before);
            return self.inspect_held();
        }
        let fresh = &buf.filled()[before..];
        let passed = match self.inspect(fresh) {
            Ok(passed) => {
                if passed < fresh.len() {
                    self.hold(&buf.filled()[before + passed..]);
                }
                passed
            }
            Err((passed, refusal)) => {
                self.refuse(refusal);
                passed
            }
        };
        buf.set_filled(before + passed);
    }

    fn inspect_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        let inspected = self.inspect(&held);
        self.held = held;
        match inspected {
            Ok(passed) => self.passed = passed,
            Err((passed, refusal)) => {
                self.passed = passed;
                self.refuse(refusal);
            }
        }
    }

    fn inspect(&mut self, bytes: &[u8]) -> Result<usize, (usize, Refusal)> {
        let before = self.inspector.heads;
        let inspected = self.inspector.pass(bytes);
        let heads = self.inspector.heads - before;
        if heads > 0 {
            self.turns.begin(heads);
            self.idle.end();
        }
        inspected
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.refusal.is_none() && self.is_counted(self.held.len() + bytes.len()) {
            self.held.extend_from_slice(bytes);
        } else {
            self.refuse(Refusal::NoMemory);
        }
    }

    /// Whether there is memory for so many bytes at once. It is given back when the connection ends: buffers keep the
    /// size that they once needed.
    fn is_counted(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(FREE_BYTES + self.counted);
        if more > 0 && !self.share.take(more) {
            return false;
        }
        self.counted += more;
        true
    }

    /// The first refusal is the one that counts.
    fn refuse(&mut self, refusal: Refusal) {
        if self.refusal.is_none() {
            self.refusal = Some(refusal);
            (self.terms.refused)(refusal);
            // Nobody will read it.
            self.held.truncate(self.passed);
            self.held.shrink_to_fit();
        }
    }

    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let length = buf.remaining().min(self.passed - self.given);
        buf.put_slice(&self.held[self.given..self.given + length]);
        self.given += length;
        if self.given < self.passed {
            return;
        }
        self.held.drain(..self.passed);
        (self.passed, self.given) = (0, 0);
        if self.held.is_empty() && self.held.capacity() > FREE_BYTES {
            self.held = Vec::new();
        }
    }

    /// What becomes of the bytes behind a request that asked for another protocol, once it is answered.
    fn decide(&mut self) {
        match self.turns.decided() {
            None => return,
            Some(Protocol::Other) => self.inspector.step_aside(),
            Some(Protocol::Http) => self.inspector.go_on(),
        }
        if !self.held.is_empty() {
            self.inspect_held();
        }
    }

    /// Nothing is there to be read.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.inspector.awaits_head() || self.turns.are_open() {
            self.idle.end();
            return Poll::Pending;
        }
        if !self.idle.is_over(context, self.terms.idle) {
            return Poll::Pending;
        }
        if self.inspector.is_between_requests(&self.held) {
            self.is_ended = true;
        } else {
            self.refuse(Refusal::SlowHead);
        }
        self.end(context)
    }

    /// The end, as hyper is told of it: not before what it has is answered.
    fn end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.refusal == Some(Refusal::Chunk) {
            return Poll::Ready(Err(refused::malformed()));
        }
        let is_amid_body = !self.inspector.awaits_head() && !self.inspector.is_undecided();
        if is_amid_body && self.refusal.is_none() {
            return Poll::Ready(Ok(()));
        }
        let is_answered = !self.turns.wait_for_end(context.waker());
        if is_answered && self.unread.is_waiting() {
            // Whoever writes is woken, and reads after that.
            return Poll::Pending;
        }
        if is_answered || self.refusal.is_none() && self.leaving.is_over(context, self.terms.half_closed) {
            if self.is_ended && !self.inspector.is_between_requests(&self.held) {
                self.refuse(Refusal::Unfinished);
            }
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> ClientStream<S> {
    /// Reads as much as hyper has room for, or as there is memory for.
    fn fill(&mut self, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let more = buf.remaining().saturating_sub(FREE_BYTES + self.counted);
        if more == 0 || self.terms.budget.has_half_for(more) && self.is_counted(buf.remaining()) {
            return Pin::new(&mut self.inner).poll_read(context, buf);
        }
        let mut bytes = [0; FREE_BYTES];
        let mut small = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut small))?;
        buf.put_slice(small.filled());
        Poll::Ready(Ok(()))
    }

    /// Lets a client that is still sending come to a pause, before it sees the end of the connection in the middle of that.
    fn drain(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_drained = !self.is_sending()
            || self.forget(context).is_ready()
            || self.idle.is_over(context, PAUSE)
            || self.leaving.is_over(context, LINGER);
        if is_drained { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Reads on for a while: were something left unread, the system would reset the connection, and the client would lose
    /// its answer.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_over = !self.is_sending() || self.forget(context).is_ready() || self.leaving.is_over(context, LINGER);
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether the client may still send what nobody listens to.
    fn is_sending(&self) -> bool {
        let is_done = self.refusal.is_none() && self.inspector.is_between_requests(&self.held);
        !(self.is_ended || is_done || self.inspector.is_tunnel())
    }

    /// Reads and forgets, to the end of what the client sends.
    fn forget(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut bytes = [0; FREE_BYTES];
            let mut buf = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.inner).poll_read(context, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.idle.end(),
                _ => {
                    self.is_ended = true;
                    return Poll::Ready(());
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        loop {
            if this.given < this.passed {
                this.give(buf);
                return Poll::Ready(Ok(()));
            }
            if this.inspector.is_undecided() {
                this.decide();
                if this.given < this.passed {
                    continue;
                }
            }
            if this.is_ended || this.refusal.is_some() {
                return this.end(context);
            }
            if this.inspector.is_undecided() && this.held.len() >= FREE_BYTES {
                this.turns.wait_for_end(context.waker());
                return Poll::Pending;
            }
            match this.fill(context, buf) {
                Poll::Pending => return this.wait(context),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) if buf.filled().len() == before => this.is_ended = true,
                Poll::Ready(Ok(())) => {
                    this.take(buf, before);
                    if buf.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> ClientStream<S> {
    /// Ends the connection of a client that takes nothing.
    fn written(&mut self, context: &mut Context<'_>, write: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if write.is_ready() {
            self.unread.end();
        } else if self.unread.is_over(context, self.terms.unread) {
            self.refuse(Refusal::Unread);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        write
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.inner).poll_write(context, buf);
        self.written(context, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.inner).poll_write_vectored(context, bufs);
        self.written(context, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.farewell {
                Farewell::NotYet => {
                    let text = this.refusal.and_then(refused::answer).unwrap_or_default();
                    this.farewell = Farewell::Answer { text, written: 0 };
                }
                Farewell::Answer { text, written } if *written < text.len() => {
                    let write = Pin::new(&mut this.inner).poll_write(context, &text[*written..]);
                    match write {
                        Poll::Ready(Ok(length)) if length > 0 => *written += length,
                        Poll::Ready(_) => this.farewell = Farewell::Shutdown,
                        Poll::Pending => {
                            ready!(this.written(context, write))?;
                        }
                    }
                }
                Farewell::Answer { .. } if this.refusal.is_some() => this.farewell = Farewell::Shutdown,
                Farewell::Answer { .. } => {
                    ready!(this.drain(context));
                    this.farewell = Farewell::Shutdown;
                }
                Farewell::Shutdown => {
                    ready!(Pin::new(&mut this.inner).poll_shutdown(context))?;
                    this.leaving.end();
                    this.farewell = Farewell::Linger;
                }
                Farewell::Linger => {
                    ready!(this.linger(context));
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use crate::metrics::Level;

    use super::*;

    fn terms(used: Level, bytes_max: usize) -> Terms {
        const LONG: Duration = Duration::from_secs(3_600);
        Terms {
            tolerated: Tolerated::default(),
            head_bytes_max: 128 << 10,
            idle: LONG,
            unread: LONG,
            half_closed: LONG,
            budget: Budget::new(used, bytes_max),
            refused: Box::new(|_| ()),
        }
    }

    #[tokio::test]
    async fn an_unfinished_head_is_counted_and_refused_when_there_is_no_room() {
        let used = Level::default();
        let terms = Arc::new(terms(used.clone(), 20_000));
        let head = [b"GET / HTTP/1.1\r\nHost: a\r\nX: ".as_slice(), &[b'a'; 14_000]].concat();
        let mut streams = Vec::new();
        for has_room in [true, true, true, false] {
            let (mut client, server) = duplex(64 << 10);
            let mut stream = ClientStream::new(server, terms.clone(), Arc::default());
            client.write_all(&head).await.expect("a pipe");
            let mut buffer = [0; FREE_BYTES];
            let read = stream.read(&mut buffer);
            let read = tokio::time::timeout(Duration::from_millis(1), read).await;
            assert_eq!(read.is_err(), has_room, "where there is room, it waits for more");
            assert_eq!(stream.refusal, (!has_room).then_some(Refusal::NoMemory));
            if !has_room {
                stream.shutdown().await.expect("a pipe");
                let mut answer = [0; 12];
                client.read_exact(&mut answer).await.expect("an answer");
                assert_eq!(&answer, b"HTTP/1.1 503");
            }
            streams.push((client, stream));
        }
        let each = (head.len() - FREE_BYTES) as i64;
        assert_eq!(used.get(), 3 * each);
        streams.truncate(1);
        assert_eq!(used.get(), each, "it is given back with the connection");
        drop(streams);
        assert_eq!(used.get(), 0);
    }

    #[tokio::test]
    async fn a_large_buffer_is_filled_only_where_there_is_memory_for_it() {
        let used = Level::default();
        let terms = Arc::new(terms(used.clone(), 100_000));
        let request =
            [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n".as_slice(), &[0; 60_000]].concat();
        for (buffer, length, counted) in [(40_000, 40_000, 40_000 - FREE_BYTES), (60_000, FREE_BYTES, 0)] {
            let (mut client, server) = duplex(64 << 10);
            let mut stream = ClientStream::new(server, terms.clone(), Arc::default());
            client.write_all(&request).await.expect("a pipe");
            assert_eq!(stream.read(&mut vec![0; buffer]).await.expect("a pipe"), length);
            assert_eq!(used.get(), counted as i64);
        }
    }
}
