//! Keeps open pages up to date by server-sent events: what changed is drawn once for all of them, and nothing is drawn
//! while nobody looks.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;

use super::series::{SAMPLE_EVERY_MS, Span};
use super::view::{View, sample};
use super::{figures, fragments};
use crate::clock::now_ms;
use crate::metrics::Metrics;
use crate::show::admin::Admin;
use crate::show::guard::Problem;

/// Pages that are open.
#[derive(Default)]
pub struct Live {
    streams: Mutex<Vec<Stream>>,
    opened: Notify,
}

struct Stream {
    span: Span,
    opened_ms: u64,
    /// Hashes of what it was sent last, by region.
    sent: HashMap<&'static str, u64>,
    to: mpsc::Sender<Bytes>,
}

/// A region of the page as it is now.
pub struct Fragment {
    pub id: &'static str,
    pub html: String,
}

impl Live {
    /// A stream of events until the page is closed, or is too slow to take them: then it opens another.
    pub fn open(&self, span: Span, metrics: &Arc<Metrics>) -> Response {
        let mut streams = self.streams.lock().expect("nothing panics while it looks");
        streams.retain(|stream| !stream.to.is_closed());
        if streams.len() >= STREAMS_MAX {
            metrics.show.page_streams_refused.inc();
            let reason = format!("{STREAMS_MAX} pages are open already; close one, or reload by hand");
            let mut response = Problem(StatusCode::SERVICE_UNAVAILABLE, reason).into_response();
            response.headers_mut().insert(RETRY_AFTER, 30.into());
            return response;
        }
        let (to, events) = mpsc::channel(WAITING_MAX);
        streams.push(Stream { span, opened_ms: now_ms(), sent: HashMap::new(), to });
        metrics.show.page_streams.inc();
        self.opened.notify_one();
        ([(CONTENT_TYPE, "text/event-stream")], Body::new(Events { events, metrics: metrics.clone() })).into_response()
    }

    fn spans(&self) -> Vec<Span> {
        let mut streams = self.streams.lock().expect("as above");
        streams.retain(|stream| !stream.to.is_closed());
        Span::ALL.into_iter().filter(|span| streams.iter().any(|stream| stream.span == *span)).collect()
    }

    /// To each stream of a span what it does not have yet.
    fn send(&self, span: Span, now_ms: u64, fragments: &[Fragment]) {
        let hash = |fragment: &Fragment| {
            let mut hasher = DefaultHasher::new();
            fragment.html.hash(&mut hasher);
            hasher.finish()
        };
        let hashes: Vec<u64> = fragments.iter().map(hash).collect();
        let mut events: Vec<Option<Bytes>> = vec![None; fragments.len()];
        let mut streams = self.streams.lock().expect("as above");
        streams.retain_mut(|stream| {
            if stream.span != span {
                return true;
            }
            let now = Bytes::from(format!("event: now\ndata: {}\n\n", figures::clock(now_ms)));
            let mut is_sent = stream.to.try_send(now).is_ok();
            for (index, fragment) in fragments.iter().enumerate() {
                if stream.sent.insert(fragment.id, hashes[index]) != Some(hashes[index]) {
                    let event = events[index].get_or_insert_with(|| event(fragment)).clone();
                    is_sent &= stream.to.try_send(event).is_ok();
                }
            }
            is_sent && now_ms.saturating_sub(stream.opened_ms) < STREAM_MS_MAX
        });
    }
}

/// Looks at the counters now and then, and draws what is open. For as long as the process runs.
pub async fn keep_up(admin: Arc<Admin>) {
    let mut look = tokio::time::interval(Duration::from_millis(SAMPLE_EVERY_MS));
    look.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut draw = tokio::time::interval(DRAW_EVERY);
    draw.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let live = &admin.page.live;
        let is_open = !live.spans().is_empty();
        tokio::select! {
            _ = look.tick() => {
                admin.tell_usage();
                let sample = sample(&admin);
                admin.page.series.lock().expect("as above").add(sample);
            }
            _ = draw.tick(), if is_open => {
                let view = View::of(&admin, STORED_AGE_MS_MAX).await;
                for span in live.spans() {
                    let fragments = fragments(&view, span, &admin.page);
                    live.send(span, view.now_ms, &fragments);
                }
            }
            () = live.opened.notified() => {}
        }
    }
}

/// In JSON, which has no line ends.
fn event(fragment: &Fragment) -> Bytes {
    let data = serde_json::json!({"id": fragment.id, "html": fragment.html});
    Bytes::from(format!("event: region\ndata: {data}\n\n"))
}

/// What one page is sent.
struct Events {
    events: mpsc::Receiver<Bytes>,
    metrics: Arc<Metrics>,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.events.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.metrics.show.page_streams.dec();
    }
}

const STREAMS_MAX: usize = 32;
/// Then the page opens another, if it still may: a session ends.
const STREAM_MS_MAX: u64 = 3_600_000;
/// Events of a stream that nobody has read yet.
const WAITING_MAX: usize = 32;
const DRAW_EVERY: Duration = Duration::from_secs(1);
/// The list of findings and the journal need not be of this second.
const STORED_AGE_MS_MAX: u64 = 5_000;

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn next(body: &mut Body) -> String {
        let frame = body.frame().await.expect("the stream goes on").expect("it cannot fail");
        String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text")
    }

    fn fragment(id: &'static str, html: &str) -> Fragment {
        Fragment { id, html: html.to_owned() }
    }

    #[tokio::test]
    async fn a_page_is_sent_what_changed_and_no_more() {
        let (live, metrics) = (Live::default(), Arc::new(Metrics::default()));
        let mut body = live.open(Span::Hour, &metrics).into_body();
        live.send(Span::Hour, 1_000, &[fragment("a", "one\n<b>"), fragment("b", "two")]);
        live.send(Span::Day, 1_500, &[fragment("a", "of another span")]);
        live.send(Span::Hour, 2_000, &[fragment("a", "one\n<b>"), fragment("b", "three")]);
        let mut events = Vec::new();
        for _ in 0..5 {
            events.push(next(&mut body).await);
        }
        assert_eq!(
            events,
            [
                "event: now\ndata: 00:00:01\n\n",
                "event: region\ndata: {\"html\":\"one\\n<b>\",\"id\":\"a\"}\n\n",
                "event: region\ndata: {\"html\":\"two\",\"id\":\"b\"}\n\n",
                "event: now\ndata: 00:00:02\n\n",
                "event: region\ndata: {\"html\":\"three\",\"id\":\"b\"}\n\n",
            ]
        );
    }

    #[tokio::test]
    async fn streams_are_bounded_and_a_slow_one_ends() {
        let (live, metrics) = (Live::default(), Arc::new(Metrics::default()));
        let bodies: Vec<Body> = (0..STREAMS_MAX).map(|_| live.open(Span::Hour, &metrics).into_body()).collect();
        assert_eq!(metrics.show.page_streams.get(), STREAMS_MAX as i64);
        assert_eq!(live.open(Span::Hour, &metrics).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(metrics.show.page_streams_refused.get(), 1);
        for second in 0..=WAITING_MAX as u64 {
            live.send(Span::Hour, second * 1_000, &[]);
        }
        assert!(live.spans().is_empty(), "nobody read, so they are over");
        drop(bodies);
        assert_eq!(metrics.show.page_streams.get(), 0);
        assert_eq!(live.open(Span::Hour, &metrics).status(), StatusCode::OK);
    }
}
