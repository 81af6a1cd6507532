//! One kept connection: HTTP/1.1 by hyper, which costs a few µs for each request.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use reqwest::header::{CONTENT_LENGTH, HOST, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::check::Answer;
use crate::contract::Case;
use crate::tally::Failure;

use super::tls::Tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_BYTES_MAX: usize = 16 << 20;

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// `host:port`, for requests that name no host themselves.
    pub(crate) host: HeaderValue,
    tls: Option<Tls>,
}

impl Target {
    pub(crate) fn at(address: SocketAddr) -> Self {
        let host = HeaderValue::from_str(&address.to_string()).expect("an address is ASCII");
        Self { address, host, tls: None }
    }

    /// The first address of a URL that takes connections, where the name is then in the requests. One that speaks TLS has
    /// shown its certificate.
    ///
    /// # Errors
    /// Nothing answers there, or it does not prove who it is.
    pub(crate) fn reach(url: &Url) -> anyhow::Result<Self> {
        let shown = url.as_str().trim_end_matches('/');
        let stream = connected(url)
            .map_err(|error| anyhow!("nothing answers at {shown}: {error}; start the service or correct the URL"))?;
        let address = stream.peer_addr()?;
        let tls = (url.scheme() == "https").then(|| Tls::new(url)).transpose()?;
        if let Some(tls) = &tls {
            tls.greet(stream).map_err(|error| {
                anyhow!(
                    "no TLS with {shown}: {error}; correct the URL, or name its issuer's certificate by SSL_CERT_FILE"
                )
            })?;
        }
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        Ok(Self { address, host: HeaderValue::from_str(&host).context("the target's name cannot be sent")?, tls })
    }

    /// The request of a case, ready to be sent any number of times.
    ///
    /// # Errors
    /// Its path cannot be sent.
    pub(crate) fn prepare(&self, case: &Case) -> anyhow::Result<Prepared> {
        let mut request = hyper::Request::new(());
        *request.method_mut() = case.request.method.clone();
        *request.uri_mut() = case
            .request
            .path
            .parse()
            .with_context(|| format!("case {}: its path cannot be sent; correct it", case.name))?;
        *request.headers_mut() = case.request.headers.clone();
        request.headers_mut().entry(HOST).or_insert_with(|| self.host.clone());
        let body = case.request.body.clone().unwrap_or_default();
        if case.request.body.is_some() {
            request.headers_mut().insert(CONTENT_LENGTH, body.len().into());
        }
        Ok(Prepared { request, body })
    }
}

fn connected(url: &Url) -> std::io::Result<std::net::TcpStream> {
    let mut last = std::io::Error::other("the name has no address");
    for address in url.socket_addrs(|| None)? {
        match std::net::TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    request: hyper::Request<()>,
    body: Bytes,
}

#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Wants a `LocalSet` around it.
    pub(crate) async fn open(target: &Target) -> Result<Self, Failure> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, Self::connect(target)).await;
        connected.ok().and_then(Result::ok).ok_or(Failure::Connect)
    }

    async fn connect(target: &Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        match &target.tls {
            None => Self::over(stream).await,
            Some(tls) => Self::over(tls.over(stream).await?).await,
        }
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> anyhow::Result<Self> {
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the connection; what went wrong on it, whoever waits for an answer is told.
        tokio::task::spawn_local(async move { drop(driver.await) });
        Ok(Self { sender })
    }

    /// Whether the other end has not closed it meanwhile.
    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Waits until the next request can be sent; false when there cannot be one.
    pub(crate) async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// The whole answer, read to its last byte.
    pub(crate) async fn ask(&mut self, prepared: &Prepared) -> Result<Answer, Failure> {
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.answer(prepared));
        answer.await.unwrap_or(Err(Failure::Timeout))
    }

    async fn answer(&mut self, prepared: &Prepared) -> Result<Answer, Failure> {
        let Prepared { request, body } = prepared.clone();
        let request = request.map(|()| Full::new(body));
        let response = self.sender.send_request(request).await.map_err(lost)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| if error.is::<LengthLimitError>() { Failure::TooLarge } else { Failure::Broken })?;
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() })
    }
}

/// The other end may close a kept connection at any time: what was not sent by then can be sent on another.
fn lost(error: hyper::Error) -> Failure {
    if error.is_canceled() { Failure::NotSent } else { Failure::Broken }
}
