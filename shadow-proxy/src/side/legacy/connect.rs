//! Connections to a service: TCP, and TLS over it where the URL says https.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::clock::Rarely;
use crate::side::tls::Tls;

use super::pool::{Connected, Connection, HttpConnector};

#[derive(Clone)]
pub struct Connector {
    tcp: HttpConnector,
    tls: Option<Tls>,
    /// For the connection and the handshake together.
    connect: Duration,
}

/// A connection with its history, which hyper's pool does not tell.
pub struct Stream {
    socket: Socket,
    history: History,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Whether a connection has brought an answer before: only then may a request that found it closed be sent again.
#[derive(Clone, Default)]
pub struct History(Arc<AtomicBool>);

impl History {
    pub fn has_answered(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn answered(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connector {
    pub fn new(tls: Option<Tls>, connect: Duration) -> Connector {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect));
        tcp.enforce_http(false);
        Connector { tcp, tls, connect }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(BoxError::from)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let service = to.authority().map(ToString::to_string).unwrap_or_default();
        let (tcp, tls) = (self.tcp.call(to), self.tls.clone());
        let connected = async move {
            let tcp = tcp.await?.into_inner();
            let socket = match tls {
                None => Socket::Plain(tcp),
                Some(Tls { connector, name }) => {
                    Socket::Tls(Box::new(connector.connect(name, tcp).await.inspect_err(|error| say(&service, error))?))
                }
            };
            Ok::<_, BoxError>(TokioIo::new(Stream { socket, history: History::default() }))
        };
        let connect = self.connect;
        Box::pin(async move { tokio::time::timeout(connect, connected).await? })
    }
}

/// The client is told no more than that the service cannot be reached; the operator has to know why.
fn say(service: &str, error: &io::Error) {
    static SAID: Rarely = Rarely::every(Duration::from_secs(10));
    if SAID.is_due() {
        tracing::warn!(service, %error, "a TLS handshake failed; where the certificate is why, set ca_file or server_name");
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.history.clone())
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Socket::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Socket::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Socket::Tls(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(stream) => stream.is_write_vectored(),
            Socket::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(context),
            Socket::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Socket::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
