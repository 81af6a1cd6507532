//! The body a client is sent: bytes at hand, or legacy's answer passed on while a copy is kept for the mirror.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::metrics::Skip;

use super::entry::Unfinished;

pub enum ClientBody {
    Full(Option<Bytes>),
    Passed(Incoming),
    Copied(Box<Copied>),
}

/// Passes frames on and keeps them until the answer is complete or too large.
pub struct Copied {
    body: Incoming,
    kept: Kept,
    bytes_max: usize,
    /// Taken when the answer is complete. Dropped with it when the client leaves first, which counts it as that.
    unfinished: Option<Unfinished>,
}

#[derive(Default)]
enum Kept {
    #[default]
    Nothing,
    One(Bytes),
    More(BytesMut),
}

impl ClientBody {
    pub fn copied(body: Incoming, bytes_max: usize, unfinished: Unfinished) -> ClientBody {
        if body.is_end_stream() {
            unfinished.finish(Bytes::new());
            return ClientBody::Passed(body);
        }
        if body.size_hint().lower() > bytes_max as u64 {
            unfinished.give_up(Skip::BodyTooLarge);
            return ClientBody::Passed(body);
        }
        ClientBody::Copied(Box::new(Copied { body, kept: Kept::Nothing, bytes_max, unfinished: Some(unfinished) }))
    }
}

impl Copied {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.keep(data);
                }
                // The server does not ask again once the length it announced is reached.
                if self.body.is_end_stream() {
                    self.finish();
                }
            }
            Some(Err(_)) => {
                if let Some(unfinished) = self.unfinished.take() {
                    unfinished.give_up(Skip::ServedFailed);
                }
            }
            None => self.finish(),
        }
        Poll::Ready(frame)
    }

    fn keep(&mut self, data: &Bytes) {
        let Some(unfinished) = &mut self.unfinished else { return };
        let refused = if self.kept.len() + data.len() > self.bytes_max {
            Some(Skip::BodyTooLarge)
        } else if !unfinished.hold(data.len()) {
            Some(Skip::NoMemory)
        } else {
            None
        };
        match refused {
            None => self.kept.push(data),
            Some(skip) => {
                self.kept = Kept::Nothing;
                self.unfinished.take().expect("looked at above").give_up(skip);
            }
        }
    }

    fn finish(&mut self) {
        if let Some(unfinished) = self.unfinished.take() {
            unfinished.finish(std::mem::take(&mut self.kept).into_bytes());
        }
    }
}

impl Kept {
    fn len(&self) -> usize {
        match self {
            Kept::Nothing => 0,
            Kept::One(bytes) => bytes.len(),
            Kept::More(bytes) => bytes.len(),
        }
    }

    /// Most answers come in one frame, which is then shared instead of copied.
    fn push(&mut self, data: &Bytes) {
        match self {
            Kept::Nothing => *self = Kept::One(data.clone()),
            Kept::One(first) => {
                let mut all = BytesMut::with_capacity((first.len() + data.len()) * 2);
                all.extend_from_slice(first);
                all.extend_from_slice(data);
                *self = Kept::More(all);
            }
            Kept::More(all) => all.extend_from_slice(data),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Kept::Nothing => Bytes::new(),
            Kept::One(bytes) => bytes,
            Kept::More(bytes) => bytes.freeze(),
        }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            ClientBody::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            ClientBody::Passed(body) => Pin::new(body).poll_frame(context),
            ClientBody::Copied(copied) => copied.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ClientBody::Full(bytes) => bytes.is_none(),
            ClientBody::Passed(body) => body.is_end_stream(),
            ClientBody::Copied(copied) => copied.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ClientBody::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            ClientBody::Passed(body) => body.size_hint(),
            ClientBody::Copied(copied) => copied.body.size_hint(),
        }
    }
}
