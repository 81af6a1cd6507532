//! TLS to a service: whose certificate is taken, and by which name the service is asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use http::Uri;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How a service behind https is recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Certificates of authorities, PEM; they replace those of the system.
    pub ca_file: Option<PathBuf>,
    /// The name in the handshake (SNI) and in the certificate, where it is not the host of the URL.
    pub server_name: Option<String>,
}

/// What a connection needs to speak TLS; cheap to clone, and its clones resume each other's sessions.
#[derive(Clone)]
pub struct Tls {
    pub connector: TlsConnector,
    pub name: ServerName<'static>,
}

impl Tls {
    /// None for a service behind plain http.
    ///
    /// # Errors
    /// The authorities cannot be read, or the name is neither a host name nor an IP address.
    pub fn to(origin: &Uri, trust: &Trust) -> anyhow::Result<Option<Tls>> {
        if origin.scheme_str() != Some("https") {
            return Ok(None);
        }
        let config = ClientConfig::builder();
        let config = match &trust.ca_file {
            Some(file) => config.with_root_certificates(authorities(file)?),
            None => config.with_platform_verifier().context("the system's certificate authorities cannot be read")?,
        };
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let host = origin.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = trust.server_name.as_deref().unwrap_or(host);
        let Ok(name) = server_name(name) else {
            bail!("{name} is neither a host name nor an IP address; set server_name to the name in the certificate");
        };
        Ok(Some(Tls { connector: TlsConnector::from(Arc::new(config)), name }))
    }
}

/// # Errors
/// The text is neither a host name nor an IP address.
pub fn server_name(text: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(text.to_owned()).map_err(|_| "is neither a host name nor an IP address".to_owned())
}

fn authorities(file: &Path) -> anyhow::Result<RootCertStore> {
    let shown = file.display();
    let mut authorities = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(file).with_context(|| format!("ca_file {shown} cannot be read"))?;
    for certificate in certificates {
        let certificate =
            certificate.with_context(|| format!("ca_file {shown} is not PEM; convert it with openssl"))?;
        let added = authorities.add(certificate);
        added.with_context(|| format!("ca_file {shown} has a certificate that cannot be an authority"))?;
    }
    if authorities.is_empty() {
        bail!("ca_file {shown} has no certificate; name a PEM file with the authority's `BEGIN CERTIFICATE`");
    }
    Ok(authorities)
}
