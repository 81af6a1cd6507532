//! Connections: how many, how long they may idle, and how they end.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::metrics::Metrics;
use crate::side::headers::HEADERS_MAX;

use super::body::ClientBody;
use super::seat::{Accepted, Seat, Seated};

#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Open at once, over all threads.
    pub connections: Arc<Semaphore>,
    /// For a whole request head, and for a connection without a request.
    pub idle: Duration,
    /// For requests in progress to end once the proxy stops.
    pub drain: Duration,
}

/// The header block a client may send. Node refuses more than 16 KiB; what lies between is legacy's to refuse.
const HEAD_BYTES_MAX: usize = 128 << 10;

/// Serves one thread's share of the connections until `stop` changes, then lets requests in progress end.
pub async fn serve<F>(
    listener: TcpListener,
    mut seat: Seat,
    answer: impl Fn(Request<Incoming>, IpAddr) -> F + Clone + Send + Sync + 'static,
    metrics: Arc<Metrics>,
    limits: ConnectionLimits,
    mut stop: watch::Receiver<bool>,
) where
    F: Future<Output = Response<ClientBody>> + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let graceful = GracefulShutdown::new();
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
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answer = answer(request, peer);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        let metrics = metrics.clone();
        metrics.connections.inc();
        tokio::spawn(async move {
            // A connection that breaks is the client's business; what it asked for is counted in the request.
            if connection.await.is_err_and(|error| error.is_parse()) {
                metrics.unreadable.inc();
            }
            metrics.connections.dec();
            drop((place, open));
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(limits.drain, graceful.shutdown()).await;
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
