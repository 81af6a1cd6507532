//! The requests of one connection that are not answered yet, as its two ends know them: the stream counts heads that
//! passed, and each answer ends its turn when it is written.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Request, Response, StatusCode, Version};
use hyper::body::{Body, Frame, SizeHint};

#[derive(Debug, Default)]
pub struct Turns {
    open: AtomicU64,
    decided: AtomicU8,
    /// The stream, where it waits for the last turn to end.
    waiting: Mutex<Option<Waker>>,
}

/// What follows a request with an `Upgrade` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http = 1,
    Other,
}

impl Turns {
    pub fn begin(&self, heads: u64) {
        self.open.fetch_add(heads, Ordering::Relaxed);
    }

    pub fn are_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Wakes a task when a turn ends; `false` where none is open.
    pub fn wait_for_end(&self, waker: &Waker) -> bool {
        let is_open = self.are_open();
        if is_open {
            *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        }
        is_open
    }

    /// Once for each request that asked.
    pub fn decided(&self) -> Option<Protocol> {
        match self.decided.swap(0, Ordering::Relaxed) {
            0 => None,
            1 => Some(Protocol::Http),
            _ => Some(Protocol::Other),
        }
    }

    /// The turn of a request that hyper has read.
    pub fn turn<B>(self: &Arc<Turns>, request: &Request<B>) -> Turn {
        let asks_upgrade = request.version() == Version::HTTP_11 && request.headers().contains_key(UPGRADE);
        Turn { turns: self.clone(), asks_upgrade }
    }
}

/// Ends with the answer's last byte, or when nobody waits for it any more.
pub struct Turn {
    turns: Arc<Turns>,
    asks_upgrade: bool,
}

impl Turn {
    pub fn answer<B>(self, response: Response<B>) -> Response<InTurn<B>> {
        if self.asks_upgrade {
            let is_other = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            let protocol = if is_other { Protocol::Other } else { Protocol::Http };
            self.turns.decided.store(protocol as u8, Ordering::Relaxed);
        }
        response.map(|body| InTurn { body, _turn: self })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.open.fetch_sub(1, Ordering::Relaxed);
        let waiting = self.turns.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// The body of an answer, with its turn.
pub struct InTurn<B> {
    body: B,
    _turn: Turn,
}

impl<B: Body<Data = Bytes> + Unpin> Body for InTurn<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
