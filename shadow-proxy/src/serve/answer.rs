//! One request from its head to the answer its client gets, and what the mirror is told of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body as _, Incoming};
use tokio::sync::Notify;

use crate::clock::Rarely;
use crate::exchange::{Answer, Call, Failure, Leg, Side};
use crate::metrics::{Metrics, Skip};
use crate::shadow::mirror::{Job, Mirror};
use crate::shadow::route_class::RouteClass;
use crate::shift::watch::{Rescue, Watch};
use crate::shift::weight::Weight;
use crate::side::Sides;
use crate::side::headers::{asks_for_another_protocol, end_to_end, of_request, takes_trailers, transfer_encoding};
use crate::side::legacy::Framing;

use super::body::ClientBody;
use super::budget::{Budget, Share};
use super::entry::{Account, Entry, Unfinished};
use super::families::Said;
use super::forwarded;
use super::line::Line;
use super::receive::{Patience, Received, Why, read};
use super::route::{Choice, Chosen};
use super::tunnel::Tunnel;
use super::upload::{Course, End, Upload};

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
    /// Whether the sides are told the client's address, `legacy.forwarded`.
    pub is_forwarded: bool,
    pub unanswered_said: Rarely,
}

#[derive(Clone, Debug)]
pub struct FrontLimits {
    /// Request and answer bodies up to this are mirrored; larger ones are passed on without a copy.
    pub body_bytes_max: usize,
    /// The longest a client may pause while it sends a body. One that takes longer in all is sent on while it comes.
    pub body_pause_max: Duration,
    /// Nothing either way for so long ends a tunnel.
    pub tunnel_idle: Duration,
}

/// A request as it goes on: what the sides are asked, and how legacy is.
struct Asked {
    call: Call,
    framing: Framing,
    peer: IpAddr,
}

impl Front {
    pub async fn answer(&self, mut request: Request<Incoming>, line: Line) -> Response<ClientBody> {
        let mut entry = Entry::new(&self.mirror);
        if let Some(response) = asks_for_a_host(request.method(), request.uri()) {
            entry.skip(Skip::Method);
            return *response;
        }
        let interim = line.pass_interim(&mut request);
        if asks_for_another_protocol(request.headers()) {
            return self.answer_tunnel(entry, request, line).await;
        }
        let (parts, body) = request.into_parts();
        let framing = Framing {
            transfer_encoding: transfer_encoding(&parts.headers),
            version: parts.version,
            extensions: parts.extensions,
            takes_trailers: takes_trailers(&parts.headers),
            trailers: None,
        };
        let mut call =
            Call { method: parts.method, uri: parts.uri, headers: of_request(parts.headers), body: Bytes::new() };
        let (asked_for, peer) = (self.choice.asked_for(&mut call.headers), line.peer());
        if self.is_forwarded {
            forwarded::append(&mut call.headers, peer);
        }
        let mut share = self.budget.share();
        // Whose the request is may stand in its body. Where legacy serves whatever stands there, it need not wait for it.
        let is_legacys = self.choice.is_legacys(self.weight.in_force(), asked_for);
        if let Some(wanted) = &interim.wanted
            && is_legacys
            && !body.is_end_stream()
        {
            return self.answer_expecting(entry, share, Asked { call, framing, peer }, body, wanted.clone()).await;
        }
        let pause_max = self.limits.body_pause_max;
        let patience = Patience { pause_max, whole: is_legacys.then_some(pause_max) };
        match read(body, self.limits.body_bytes_max, patience, |bytes| share.take(bytes)).await {
            Received::Whole { body, trailers } => {
                call.body = body;
                let in_force = self.weight.in_force();
                let chosen = self.choice.side(in_force, asked_for, &call, peer);
                entry.sent_by(self.choice.sender(in_force.ppm, &chosen, &call, peer));
                entry.begin(&call, chosen.group);
                let framing = Framing { trailers, ..framing };
                self.answer_whole(entry, share, Asked { call, framing, peer }, chosen).await
            }
            Received::Part { head, rest, why } => {
                let kept = match why {
                    Why::TooMuch(why) => Err(why),
                    Why::TakesLong => Ok((share, self.limits.body_bytes_max)),
                };
                let (upload, course) = Upload::new(head, rest, kept, pause_max);
                self.answer_upload(entry, Asked { call, framing, peer }, upload, course).await
            }
            Received::TooSlow => client_slow(entry),
            Received::ClientGone => client_gone(entry),
        }
    }

    async fn answer_whole(&self, entry: Entry, share: Share, asked: Asked, chosen: Chosen) -> Response<ClientBody> {
        match chosen.side {
            Side::Legacy => self.answer_by_legacy(entry, share, asked, chosen, None).await,
            Side::Candidate => {
                let leg = self.sides.call(Side::Candidate, &asked.call).await;
                if leg.is_failed() && self.may_be_rescued(&asked.call) {
                    return self.answer_by_legacy(entry, share, asked, chosen, Some(leg)).await;
                }
                self.watch.candidate_called(&leg, Rescue::NotAsked, entry.sender());
                match &leg.outcome {
                    Ok(answer) => {
                        let response = answered(answer);
                        let Answer { status, headers, body } = answer;
                        let said = Said { by: Side::Candidate, status: *status, headers, body };
                        self.choice.issued(&chosen, &asked.call, asked.peer, said);
                        self.metrics.served(Side::Candidate);
                        entry.answered(*status);
                        entry.hand_over(Job::new(asked.call, Side::Candidate, leg));
                        response
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
        Asked { call, framing, peer }: Asked,
        chosen: Chosen,
        candidate: Option<Leg>,
    ) -> Response<ClientBody> {
        let start = Instant::now();
        let sent = if self.may_be_sent_again(&call) {
            self.sides.legacy.send_repeatable(&call, framing).await
        } else {
            self.sides.legacy.send(&call, framing).await
        };
        match sent {
            Ok(response) => {
                let response = self.by_legacy(response);
                let (status, headers) = (response.status(), end_to_end(response.headers().clone()));
                if let Some(leg) = &candidate {
                    let rescue = if status.is_server_error() { Rescue::FailedToo } else { Rescue::Answered };
                    self.watch.candidate_called(leg, rescue, entry.sender());
                }
                entry.answered(status);
                let account = Account { choice: self.choice.clone(), chosen, peer };
                let unfinished =
                    Unfinished { entry, share, call, start, status, headers, account, candidate, upload: None };
                response.map(|body| ClientBody::copied(body, self.limits.body_bytes_max, unfinished))
            }
            Err(failure) => {
                self.watch.legacy_called(Err(failure));
                let sender = entry.sender().copied();
                entry.skip(Skip::ServedFailed);
                let Some(leg) = candidate else { return self.unanswered(failure) };
                self.watch.candidate_called(&leg, Rescue::NoAnswer, sender.as_ref());
                match &leg.outcome {
                    // What the candidate says of its failure is more than the proxy could.
                    Ok(answer) => {
                        self.metrics.served(Side::Candidate);
                        answered(answer)
                    }
                    Err(_) => self.unanswered(failure),
                }
            }
        }
    }

    /// Legacy sees the head of a request whose body the client holds back, and says whether it wants it.
    async fn answer_expecting(
        &self,
        entry: Entry,
        share: Share,
        asked: Asked,
        body: Incoming,
        wanted: Arc<Notify>,
    ) -> Response<ClientBody> {
        let bytes_max = self.limits.body_bytes_max;
        let is_too_large = body.size_hint().lower() > bytes_max as u64;
        let kept = if is_too_large { Err(Skip::BodyTooLarge) } else { Ok((share, bytes_max)) };
        let (upload, course) = Upload::new(Bytes::new(), body, kept, self.limits.body_pause_max);
        self.answer_upload(entry, asked, upload.once_wanted(wanted), course).await
    }

    /// Legacy is sent the body while it comes.
    async fn answer_upload(
        &self,
        mut entry: Entry,
        Asked { call, framing, peer }: Asked,
        upload: Upload,
        course: Arc<Course>,
    ) -> Response<ClientBody> {
        let chosen = self.choice.legacys(&call);
        entry.begin(&call, chosen.group);
        let start = Instant::now();
        match self.sides.legacy.send_streaming(&call, framing, Box::pin(upload), course.whole()).await {
            Ok(response) => {
                let mut response = self.by_legacy(response);
                if course.is_held_back() {
                    // Whether its body still comes is the client's choice (RFC 9110 §10.1.1); a request may not follow.
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                if let Some(why) = course.left_out() {
                    entry.skip(why);
                    return response.map(ClientBody::Passed);
                }
                let (status, headers) = (response.status(), end_to_end(response.headers().clone()));
                entry.answered(status);
                let (share, upload) = (self.budget.share(), Some(course));
                let account = Account { choice: self.choice.clone(), chosen, peer };
                let unfinished =
                    Unfinished { entry, share, call, start, status, headers, account, candidate: None, upload };
                response.map(|body| ClientBody::copied(body, self.limits.body_bytes_max, unfinished))
            }
            Err(failure) => match course.end() {
                Some(End::Slow) => client_slow(entry),
                Some(End::Gone) => client_gone(entry),
                Some(End::Whole(_)) | None => {
                    self.watch.legacy_called(Err(failure));
                    entry.skip(course.left_out().unwrap_or(Skip::ServedFailed));
                    self.unanswered(failure)
                }
            },
        }
    }

    /// Legacy alone can speak another protocol. What it says to that goes to the client untouched, and so does what comes
    /// after, when it agrees.
    async fn answer_tunnel(&self, entry: Entry, mut request: Request<Incoming>, line: Line) -> Response<ClientBody> {
        entry.skip(Skip::Upgrade);
        let client = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let mut call = Call { method: parts.method, uri: parts.uri, headers: parts.headers, body: Bytes::new() };
        self.choice.asked_for(&mut call.headers);
        if self.is_forwarded {
            forwarded::append(&mut call.headers, line.peer());
        }
        let framing = Framing { version: parts.version, extensions: parts.extensions, ..Framing::default() };
        let (upload, course) = Upload::new(Bytes::new(), body, Err(Skip::Upgrade), self.limits.body_pause_max);
        match self.sides.legacy.send_streaming(&call, framing, Box::pin(upload), course.whole()).await {
            Ok(mut response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                self.watch.legacy_called(Ok(response.status()));
                self.metrics.served(Side::Legacy);
                let legacy = hyper::upgrade::on(&mut response);
                let tunnel = Tunnel { client, legacy, idle: self.limits.tunnel_idle };
                tokio::spawn(tunnel.pass(line, self.metrics.tunnels.clone()));
                response.map(ClientBody::Passed)
            }
            Ok(response) => self.by_legacy(response).map(ClientBody::Passed),
            Err(failure) => {
                self.watch.legacy_called(Err(failure));
                self.unanswered(failure)
            }
        }
    }

    /// Counts an answer, which is left with what belongs to the message.
    fn by_legacy(&self, response: Response<Incoming>) -> Response<Incoming> {
        self.watch.legacy_called(Ok(response.status()));
        self.metrics.served(Side::Legacy);
        let (mut parts, body) = response.into_parts();
        // What the chunks hold may be coded (`gzip, chunked`), and then has to be called that.
        let coding =
            transfer_encoding(&parts.headers).filter(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
        parts.headers = end_to_end(parts.headers);
        if let Some(coding) = coding {
            parts.headers.insert(TRANSFER_ENCODING, coding);
        }
        Response::from_parts(parts, body)
    }

    /// Whether legacy may be asked what the candidate failed on, which may have done it before it failed.
    fn may_be_rescued(&self, call: &Call) -> bool {
        !self.sides.candidate.has_effects() || self.mirror.class(call) == RouteClass::Safe
    }

    /// Whether a call may reach legacy twice (RFC 9110 §9.2.2), unless somebody wrote down that its route changes something.
    fn may_be_sent_again(&self, call: &Call) -> bool {
        match self.mirror.class(call) {
            RouteClass::Safe => true,
            RouteClass::Isolated => matches!(call.method, Method::PUT | Method::DELETE),
            RouteClass::Never => false,
        }
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
}

fn client_slow(entry: Entry) -> Response<ClientBody> {
    entry.skip(Skip::ClientSlow);
    let mut response = problem(StatusCode::REQUEST_TIMEOUT, "The request body did not arrive in time.");
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn client_gone(entry: Entry) -> Response<ClientBody> {
    entry.skip(Skip::ClientGone);
    problem(StatusCode::BAD_REQUEST, "The request body is not complete.")
}

/// The answer to a request that names a host instead of a path (RFC 9112 §3.2.3): a tunnel, or `GET auth.example`, which
/// hyper takes and a service would see as `GET /`.
pub fn asks_for_a_host(method: &Method, uri: &Uri) -> Option<Box<Response<ClientBody>>> {
    let (status, detail) = if method == Method::CONNECT {
        (StatusCode::NOT_IMPLEMENTED, "This proxy does not open tunnels; call the service itself.")
    } else if uri.scheme().is_none() && uri.authority().is_some() {
        (StatusCode::BAD_REQUEST, "The request names a host instead of a path.")
    } else {
        return None;
    };
    Some(Box::new(problem(status, detail)))
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
