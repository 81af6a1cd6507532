//! Connections: how many, what each is held to, and how they end.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::metrics::{Level, Refusal};
use crate::side::headers::HEADERS_MAX;

use super::client::{ClientStream, Terms};
use super::line::{Line, Socket};
use super::seat::{Accepted, Seat, Seated};
use super::turn::Turns;

#[derive(Clone)]
pub struct ConnectionLimits {
    /// Places of connections that are open at once, over all threads.
    pub connections: Arc<Semaphore>,
    pub terms: Arc<Terms>,
    /// Time for requests in progress to end once the proxy stops.
    pub drain: Duration,
    /// Connections that are open.
    pub open: Level,
}

/// Size of the head that a client may send. Node refuses more than 16 KiB; what lies between is legacy's to refuse.
pub const HEAD_BYTES_MAX: usize = 128 << 10;

/// Serves one thread's share of the connections until `stop` changes, then lets requests in progress end.
pub async fn serve<F, B>(
    listener: TcpListener,
    mut seat: Seat,
    answer: impl Fn(Request<Incoming>, Line) -> F + Clone + Send + Sync + 'static,
    limits: ConnectionLimits,
    mut stop: watch::Receiver<bool>,
) where
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    // Heads come whole, and within their deadline: `ClientStream` sees to both.
    let mut http = http1::Builder::new();
    http.preserve_header_case(true).auto_date_header(false).max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let (all, each) = watch::channel(());
    loop {
        let Seated { accepted: Accepted { stream, peer, place }, open } = tokio::select! {
            biased;
            _ = stop.changed() => break,
            Some(seated) = seat.handed_over.recv() => seated,
            accepted = accept(&listener, &limits.connections) => match seat.keep_or_hand_over(accepted) {
                Some(seated) => seated,
                None => continue,
            },
        };
        let Ok(stream) = TcpStream::from_std(stream) else { continue };
        let (line, turns) = (Line::new(peer, limits.open.clone(), (place, open)), Arc::new(Turns::default()));
        let stream = ClientStream::new(Socket::new(stream, line.clone()), limits.terms.clone(), turns.clone());
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let turn = turns.turn(&request);
            let answer = answer(request, line.clone());
            async move { Ok::<_, Infallible>(turn.answer(answer.await)) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let (terms, each, mut stop) = (limits.terms.clone(), each.clone(), stop.clone());
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                biased;
                ended = connection.as_mut() => ended,
                _ = stop.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            // A connection that breaks is the client's business; what it asked for is counted in the request. Of what the
            // inspector lets through, hyper refuses targets that are no URIs.
            if ended.is_err_and(|error| error.is_parse()) {
                (terms.refused)(Refusal::Target);
            }
            drop(each);
        });
    }
    drop((listener, each));
    let _ = tokio::time::timeout(limits.drain, all.closed()).await;
}

/// The next connection, once there is a place for it: without one the backlog waits for an idle connection to end.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Accepted {
    let place = places.clone().acquire_owned().await.expect("never closed");
    loop {
        match listener.accept().await.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
            Ok((stream, peer)) => {
                // An answer is one small write; waiting to merge it with the next would delay it by the client's ACK.
                let _ = stream.set_nodelay(true);
                return Accepted { stream, peer: peer.ip(), place };
            }
            // Out of file descriptors, or the client was faster than we: the next may do better.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}
