//! One call of the guest.

use std::future::Future;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{DATE, HOST};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::clock::Rarely;
use crate::exchange::{Answer, Call, Failure};
use crate::side::headers::end_to_end;

use super::frozen::Moment;
use super::limits::{self, Limits};
use super::stock::Instance;

static SAID: Rarely = Rarely::every(Duration::from_secs(60));

/// Runs the guest to its end on the caller's task. The instance comes back only after a flawless call.
pub async fn answer(
    mut instance: Instance,
    call: &Call,
    moment: Option<Moment>,
    limits: &Limits,
) -> (Result<Answer, Failure>, Option<Instance>) {
    let now = instance.store.data().begin(moment);
    let outcome = tokio::time::timeout(limits.deadline, run(&mut instance, call, now, limits)).await;
    match outcome.unwrap_or(Err(Failure::Deadline)) {
        Ok(answer) => {
            instance.calls += 1;
            instance.store.data_mut().rest();
            let clean = !instance.store.data().live_resources();
            (Ok(answer), clean.then_some(instance))
        }
        Err(failure) => (Err(failure), None),
    }
}

async fn run(instance: &mut Instance, call: &Call, now: SystemTime, limits: &Limits) -> Result<Answer, Failure> {
    limits::arm(&mut instance.store, limits);
    let (sender, receiver) = oneshot::channel();
    let mut http = instance.store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request(call)).map_err(|_| Failure::NoAnswer)?;
    let outparam = http.new_response_outparam(sender).map_err(|_| Failure::NoAnswer)?;
    let guest = instance.proxy.wasi_http_incoming_handler().call_handle(&mut instance.store, request, outparam);
    let take = Take { head: call.method == Method::HEAD, now, body_bytes_max: limits.body_bytes_max };
    match response(guest, receiver, take).await {
        Ok(answer) => Ok(answer),
        Err(Stop::Failure(failure)) => Err(failure),
        Err(Stop::Guest(_)) if instance.store.data().memory_refused => Err(Failure::Memory),
        Err(Stop::Guest(error)) => match error.downcast_ref() {
            Some(wasmtime::Trap::Interrupt) => Err(Failure::Deadline),
            _ => {
                if SAID.is_due() {
                    tracing::warn!(error = format!("{error:#}"), "the component trapped; said once a minute at most");
                }
                Err(Failure::Trap)
            }
        },
    }
}

enum Stop {
    Guest(wasmtime::Error),
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failure(failure)
    }
}

/// How an answer is taken.
#[derive(Clone, Copy)]
struct Take {
    head: bool,
    now: SystemTime,
    body_bytes_max: usize,
}

type Set = Result<http::Response<HyperOutgoingBody>, ErrorCode>;

/// Lets the guest run and takes the answer it sets.
async fn response(
    guest: impl Future<Output = wasmtime::Result<()>>,
    mut receiver: oneshot::Receiver<Set>,
    take: Take,
) -> Result<Answer, Stop> {
    let mut guest = std::pin::pin!(guest);
    let set = tokio::select! {
        biased;
        ended = &mut guest => {
            // The usual way: the guest wrote its whole answer before it set it, and is done at the first poll.
            ended.map_err(Stop::Guest)?;
            let set = receiver.try_recv().map_err(|_| Failure::NoAnswer)?;
            return Ok(whole(set.map_err(|_| Failure::NoAnswer)?, take).await?);
        }
        set = &mut receiver => set.map_err(|_| Failure::NoAnswer)?,
    };
    // A guest that writes after it set the answer waits for its reader whenever the first chunks are full.
    let answer = async { Ok(whole(set.map_err(|_| Failure::NoAnswer)?, take).await?) };
    let ((), answer) = tokio::try_join!(async { guest.await.map_err(Stop::Guest) }, answer)?;
    Ok(answer)
}

fn request(call: &Call) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = call.uri.clone();
    *request.headers_mut() = call.headers.clone();
    // wasi:http requires an authority, HTTP/1.0 and garbage in `Host` do not give one.
    let named = call.uri.authority().is_some() || call.headers.get(HOST).is_some_and(|host| host.to_str().is_ok());
    if !named {
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    }
    if request.uri().path_and_query().is_none() {
        *request.uri_mut() = Uri::from_static("/");
    }
    request
}

async fn whole(
    response: http::Response<HyperOutgoingBody>,
    Take { head, now, body_bytes_max }: Take,
) -> Result<Answer, Failure> {
    let (mut parts, body) = response.into_parts();
    // A component has no clock of its own to date its answers with, the origin server must (RFC 9110 §6.6.1).
    parts.headers.entry(DATE).or_insert_with(|| date(now));
    // A HEAD answer announces a length and sends nothing, which its body would report as an error.
    let body = if head {
        Bytes::new()
    } else {
        let collected = Limited::new(body, body_bytes_max).collect().await;
        collected
            .map_err(|error| if error.is::<LengthLimitError>() { Failure::TooLarge } else { Failure::NoAnswer })?
            .to_bytes()
    };
    Ok(Answer { status: parts.status, headers: end_to_end(parts.headers), body })
}

fn date(now: SystemTime) -> HeaderValue {
    HeaderValue::from_str(&httpdate::fmt_http_date(now)).expect("a date has only visible ASCII characters")
}
