//! TLS to a target, whose certificate is judged as the system does it (`SSL_CERT_FILE` names other issuers).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Url;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection};

const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// Made once for a run: certificates of the system are read here.
    pub(crate) fn new(url: &Url) -> anyhow::Result<Self> {
        let config = ClientConfig::with_platform_verifier().context("the system's certificates cannot be read")?;
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        Ok(Self { config: Arc::new(config), name: ServerName::try_from(host.to_owned())? })
    }

    /// One handshake, so that a certificate that does not hold is told before anything is measured.
    pub(crate) fn greet(&self, mut stream: std::net::TcpStream) -> anyhow::Result<()> {
        stream.set_read_timeout(Some(GREETING_TIMEOUT))?;
        stream.set_write_timeout(Some(GREETING_TIMEOUT))?;
        let mut connection = ClientConnection::new(self.config.clone(), self.name.clone())?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(())
    }

    pub(crate) async fn over(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsConnector::from(self.config.clone()).connect(self.name.clone(), stream).await
    }
}
