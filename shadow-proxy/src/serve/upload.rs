//! A request body that is sent on to legacy while it comes, with a copy for the mirror.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming};
use tokio::sync::Notify;
use tokio::time::Sleep;

use crate::metrics::Skip;

use super::budget::Share;

/// How long legacy is given to answer a head whose body the client holds back (`Expect: 100-continue`). A service that
/// says nothing to it is sent the body then; clients wait a second.
const EXPECTATION_MAX: Duration = Duration::from_millis(200);

pub struct Upload {
    /// What came before it was known that the body is not read whole first.
    head: Option<Bytes>,
    rest: Incoming,
    /// The longest the client may send nothing.
    pause_max: Duration,
    pause: Pin<Box<Sleep>>,
    is_paused: bool,
    expectation: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    course: Arc<Course>,
}

/// How an upload went, for whoever answers it.
pub struct Course {
    state: Mutex<State>,
    whole: Notify,
}

struct State {
    kept: Result<Kept, Skip>,
    /// The client waits until somebody asks for the body.
    is_held_back: bool,
    end: Option<End>,
}

/// What came of a body so far, within the limits.
struct Kept {
    first: Bytes,
    more: BytesMut,
    share: Share,
    bytes_max: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Whole(Instant),
    /// The client sent nothing for too long.
    Slow,
    Gone,
}

impl Upload {
    /// `head` came already. `kept` is the memory that holds it, or why nothing is kept.
    pub fn new(
        head: Bytes,
        rest: Incoming,
        kept: Result<(Share, usize), Skip>,
        pause_max: Duration,
    ) -> (Upload, Arc<Course>) {
        let kept = kept.map(|(share, bytes_max)| Kept { first: head.clone(), more: BytesMut::new(), share, bytes_max });
        let course = Arc::new(Course {
            state: Mutex::new(State { kept, is_held_back: false, end: None }),
            whole: Notify::new(),
        });
        if rest.is_end_stream() && head.is_empty() {
            course.ended(End::Whole(Instant::now()));
        }
        let pause = Box::pin(tokio::time::sleep(pause_max));
        let head = Some(head).filter(|head| !head.is_empty());
        (Upload { head, rest, pause_max, pause, is_paused: false, expectation: None, course: course.clone() }, course)
    }

    /// Asks the client for the body only once legacy wants it.
    pub fn once_wanted(mut self, wanted: Arc<Notify>) -> Upload {
        self.course.lock().is_held_back = true;
        self.expectation = Some(Box::pin(async move {
            let _ = tokio::time::timeout(EXPECTATION_MAX, wanted.notified()).await;
        }));
        self
    }

    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refused>>> {
        if let Some(expectation) = &mut self.expectation {
            ready!(expectation.as_mut().poll(context));
            self.expectation = None;
            self.course.lock().is_held_back = false;
        }
        if let Some(head) = self.head.take() {
            self.note_end();
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.rest).poll_frame(context) else {
            return self.poll_pause(context);
        };
        self.is_paused = false;
        match frame {
            None => self.course.ended(End::Whole(Instant::now())),
            Some(Err(_)) => self.course.ended(End::Gone),
            Some(Ok(ref frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.course.passed(data);
                }
                self.note_end();
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|_| Refused)))
    }

    /// Nobody asks again once the length that was announced is reached.
    fn note_end(&self) {
        if self.rest.is_end_stream() {
            self.course.ended(End::Whole(Instant::now()));
        }
    }

    /// The pause begins when the client is waited for, and not while legacy takes its time with what came before.
    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refused>>> {
        if !self.is_paused {
            self.is_paused = true;
            self.pause.as_mut().reset(tokio::time::Instant::now() + self.pause_max);
        }
        ready!(self.pause.as_mut().poll(context));
        self.course.ended(End::Slow);
        Poll::Ready(Some(Err(Refused)))
    }
}

/// The client did not send what it announced.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request did not come")]
struct Refused;

impl Body for Upload {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.get_mut().poll_rest(context).map_err(Self::Error::from)
    }

    fn is_end_stream(&self) -> bool {
        self.head.is_none() && self.rest.is_end_stream()
    }
}

impl Course {
    /// The whole body, and since when it is whole; else why the exchange is not mirrored.
    pub fn take(&self) -> Result<(Bytes, Instant), Skip> {
        let mut state = self.lock();
        let kept = std::mem::replace(&mut state.kept, Err(Skip::AnsweredEarly))?;
        match state.end {
            Some(End::Whole(at)) if kept.more.is_empty() => Ok((kept.first, at)),
            Some(End::Whole(at)) => Ok(([&kept.first[..], &kept.more].concat().into(), at)),
            Some(End::Slow) => Err(Skip::ClientSlow),
            Some(End::Gone) => Err(Skip::ClientGone),
            // Legacy answered without it, and what else it would have said nobody knows.
            None => Err(Skip::AnsweredEarly),
        }
    }

    pub fn end(&self) -> Option<End> {
        self.lock().end
    }

    /// Whether the client still waits to be asked for its body.
    pub fn is_held_back(&self) -> bool {
        self.lock().is_held_back
    }

    /// Why the exchange is not mirrored, where that is known before the answer.
    pub fn left_out(&self) -> Option<Skip> {
        self.lock().kept.as_ref().err().copied()
    }

    /// Waits until the body has passed whole.
    pub fn whole(self: &Arc<Course>) -> impl Future<Output = ()> + use<> {
        let course = self.clone();
        async move { course.whole.notified().await }
    }

    fn ended(&self, end: End) {
        self.lock().end.get_or_insert(end);
        if let End::Whole(_) = end {
            self.whole.notify_one();
        }
    }

    fn passed(&self, data: &Bytes) {
        let state = &mut *self.lock();
        let Ok(kept) = &mut state.kept else { return };
        let refused = if kept.first.len() + kept.more.len() + data.len() > kept.bytes_max {
            Skip::BodyTooLarge
        } else if !kept.share.take(data.len()) {
            Skip::NoMemory
        } else {
            return kept.more.extend_from_slice(data);
        };
        state.kept = Err(refused);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it copies")
    }
}
