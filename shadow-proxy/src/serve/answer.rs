//! One request from its head to the answer its client gets, and what the mirror is told of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use crate::clock::Rarely;
use crate::exchange::{Answer, Call, Failure, Leg, Side};
use crate::metrics::{Metrics, Skip};
use crate::shadow::mirror::{Job, Mirror};
use crate::shadow::route_class::RouteClass;
use crate::shift::watch::Watch;
use crate::shift::weight::Weight;
use crate::side::Sides;
use crate::side::headers::{end_to_end, transfer_encoding};
use crate::side::legacy::Framing;

use super::body::ClientBody;
use super::budget::{Budget, Share};
use super::entry::{Entry, Unfinished};
use super::identity::Id;
use super::route::{Choice, Chosen};

/// What answering needs, one for each thread: the sides' connections belong to the thread's runtime.
pub struct Front {
    pub sides: Sides,
    pub mirror: Mirror,
    pub weight: Arc<Weight>,
    pub watch: Arc<Watch>,
    pub choice: Arc<Choice>,
    pub metrics: Arc<Metrics>,
    pub budget: Budget,
    pub limits: FrontLimits,
    pub unanswered_said: Rarely,
}

#[derive(Clone, Debug)]
pub struct FrontLimits {
    /// Request and answer bodies up to this are mirrored; larger ones are passed on without a copy.
    pub body_bytes_max: usize,
    /// For a client to send its whole body.
    pub body_deadline: Duration,
}

impl Front {
    pub async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response<ClientBody> {
        let entry = Entry::new(&self.mirror);
        let (parts, body) = request.into_parts();
        if parts.method == Method::CONNECT {
            entry.skip(Skip::Method);
            return problem(StatusCode::NOT_IMPLEMENTED, "This proxy does not open tunnels; call the service itself.");
        }
        // `GET auth.example`: hyper reads a host where a path should be (RFC 9112 §3.2.3), legacy would see `/`.
        if parts.uri.scheme().is_none() && parts.uri.authority().is_some() {
            entry.skip(Skip::Method);
            return problem(StatusCode::BAD_REQUEST, "The request names a host instead of a path.");
        }
        let framing = Framing {
            transfer_encoding: transfer_encoding(&parts.headers),
            version: parts.version,
            extensions: parts.extensions,
        };
        let mut call =
            Call { method: parts.method, uri: parts.uri, headers: end_to_end(parts.headers), body: Bytes::new() };
        let asked_for = self.choice.asked_for(&mut call.headers);
        let mut share = self.budget.share();
        match self.read(body, &mut share).await {
            Received::Whole(body) => {
                call.body = body;
                let chosen = self.choice.side(self.weight.ppm(), asked_for, &call, peer);
                self.answer_whole(entry, share, call, framing, chosen).await
            }
            Received::Part { head, rest, why } => {
                entry.skip(why);
                call.body = head;
                match self.sides.legacy.send_streaming(&call, framing, rest).await {
                    Ok(response) => {
                        self.watch.legacy_called(Ok(()));
                        self.metrics.served(Side::Legacy);
                        let (mut parts, body) = response.into_parts();
                        parts.headers = end_to_end(parts.headers);
                        Response::from_parts(parts, ClientBody::Passed(body))
                    }
                    Err(failure) => {
                        self.watch.legacy_called(Err(failure));
                        self.unanswered(failure)
                    }
                }
            }
            Received::TooSlow => {
                entry.skip(Skip::ClientSlow);
                let mut response = problem(StatusCode::REQUEST_TIMEOUT, "The request body did not arrive in time.");
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                response
            }
            Received::ClientGone => {
                entry.skip(Skip::ClientGone);
                problem(StatusCode::BAD_REQUEST, "The request body is not complete.")
            }
        }
    }

    async fn answer_whole(
        &self,
        entry: Entry,
        share: Share,
        call: Call,
        framing: Framing,
        Chosen { side, id }: Chosen,
    ) -> Response<ClientBody> {
        if let Some(id) = id.filter(|id| id.is_drawn()) {
            self.watch.chosen(id.number(), side);
        }
        match side {
            Side::Legacy => self.answer_by_legacy(entry, share, call, framing, id, None).await,
            Side::Candidate => {
                let leg = self.sides.call(Side::Candidate, &call).await;
                self.watch.candidate_called(&leg);
                match &leg.outcome {
                    Ok(answer) => {
                        let response = answered(answer);
                        self.choice.issued(id, &call, &answer.headers, &answer.body);
                        self.metrics.served(Side::Candidate);
                        entry.hand_over(Job::new(call, Side::Candidate, leg));
                        response
                    }
                    Err(_) if self.may_be_rescued(&call) => {
                        self.metrics.rescued.inc();
                        // A session that begins so is known to legacy alone.
                        let id = id.map(|_| Id::of_side(Side::Legacy));
                        self.answer_by_legacy(entry, share, call, framing, id, Some(leg)).await
                    }
                    Err(failure) => {
                        entry.skip(Skip::ServedFailed);
                        self.unanswered(*failure)
                    }
                }
            }
        }
    }

    /// `candidate` is what it already did with the call, when this is a rescue.
    async fn answer_by_legacy(
        &self,
        entry: Entry,
        share: Share,
        call: Call,
        framing: Framing,
        id: Option<Id>,
        candidate: Option<Leg>,
    ) -> Response<ClientBody> {
        let start = Instant::now();
        match self.sides.legacy.send(&call, framing).await {
            Ok(response) => {
                self.watch.legacy_called(Ok(()));
                self.metrics.served(Side::Legacy);
                let (mut parts, body) = response.into_parts();
                parts.headers = end_to_end(parts.headers);
                let unfinished = Unfinished {
                    entry,
                    share,
                    call,
                    start,
                    status: parts.status,
                    headers: parts.headers.clone(),
                    family: id.map(|id| (self.choice.clone(), id)),
                    candidate,
                };
                Response::from_parts(parts, ClientBody::copied(body, self.limits.body_bytes_max, unfinished))
            }
            Err(failure) => {
                self.watch.legacy_called(Err(failure));
                entry.skip(Skip::ServedFailed);
                self.unanswered(failure)
            }
        }
    }

    /// Whether legacy may be asked what the candidate failed on, which may have done it before it failed.
    fn may_be_rescued(&self, call: &Call) -> bool {
        !self.sides.candidate.has_effects() || self.mirror.class(call) == RouteClass::Safe
    }

    fn unanswered(&self, failure: Failure) -> Response<ClientBody> {
        self.metrics.unanswered.inc();
        if self.unanswered_said.is_due() {
            tracing::warn!(?failure, "a request could not be answered; further ones are counted as unanswered");
        }
        let status = match failure {
            Failure::Deadline => StatusCode::GATEWAY_TIMEOUT,
            Failure::Busy => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        };
        problem(status, &format!("The service behind this proxy {failure}."))
    }

    /// Reads a body up to the cap and the budget.
    async fn read(&self, body: Incoming, share: &mut Share) -> Received {
        if body.is_end_stream() {
            return Received::Whole(Bytes::new());
        }
        tokio::time::timeout(self.limits.body_deadline, read(body, self.limits.body_bytes_max, share))
            .await
            .unwrap_or(Received::TooSlow)
    }
}

enum Received {
    Whole(Bytes),
    /// More than may be kept: the rest is read while it is sent on.
    Part {
        head: Bytes,
        rest: Incoming,
        why: Skip,
    },
    TooSlow,
    ClientGone,
}

async fn read(mut body: Incoming, bytes_max: usize, share: &mut Share) -> Received {
    if body.size_hint().lower() > bytes_max as u64 {
        return Received::Part { head: Bytes::new(), rest: body, why: Skip::BodyTooLarge };
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Received::ClientGone };
        let Ok(data) = frame.into_data() else { continue };
        let room = read.len() + data.len() <= bytes_max;
        let held = room && share.take(data.len());
        if read.is_empty() && body.is_end_stream() && held {
            return Received::Whole(data);
        }
        read.extend_from_slice(&data);
        if !held {
            let why = if room { Skip::NoMemory } else { Skip::BodyTooLarge };
            return Received::Part { head: read.freeze(), rest: body, why };
        }
    }
    Received::Whole(read.freeze())
}

/// The candidate's answer as a response.
pub fn answered(answer: &Answer) -> Response<ClientBody> {
    let body = Some(answer.body.clone()).filter(|body| !body.is_empty());
    let mut response = Response::new(ClientBody::Full(body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers.clone();
    response
}

/// An answer of the proxy's own, RFC 9457.
pub fn problem(status: StatusCode, detail: &str) -> Response<ClientBody> {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = serde_json::json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    let body = Bytes::from(body.to_string());
    let mut response = Response::new(ClientBody::Full(Some(body.clone())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}
