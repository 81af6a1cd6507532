//! Services behind https.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::scripted::{Scripted, allow};
use crate::wire::{get, shown};
use crate::world::{Candidate, Legacy, World};

#[tokio::test]
async fn legacy_behind_https_is_asked_like_any_other() {
    let service = Scripted::start(|_| allow());
    let tls = Terminator::before(service.address, "auth.example");
    let config = format!("legacy = {{ ca_file = {:?}, server_name = \"auth.example\" }}", tls.authority());
    let proxy = World::new().legacy(Legacy::Url(tls.url())).config(&config).start().await;
    let mut wire = proxy.connect().await;
    for sent in [
        "GET /a/../b%2F?q=%zz HTTP/1.1\r\nhOsT: other.example\r\nX-A: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        assert_eq!(wire.ask(sent).await.status(), 200);
        assert_eq!(shown(&service.so_far().pop().expect("a request").raw), shown(sent.as_bytes()));
    }
    let large = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}", 3 << 20, "x".repeat(3 << 20));
    assert_eq!(wire.ask(&large).await.status(), 200);
    assert_eq!(service.so_far().pop().expect("a request").body.len(), 3 << 20);
    assert!(tls.names().iter().all(|name| name == "auth.example"), "{:?}", tls.names());
    proxy.settled().await;
}

#[tokio::test]
async fn a_candidate_behind_https_is_asked_byte_for_byte() {
    let service = Scripted::start(|_| allow());
    let tls = Terminator::before(service.address, "localhost");
    let config = format!("candidate.ca_file = {:?}", tls.authority());
    let url = format!("https://localhost:{}", tls.address.port());
    let proxy = World::new().candidate(Candidate::Url(url)).config(&config).start().await;
    let sent = "GET /a/../b HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_eq!(proxy.ask(sent).await.status(), 200);
    let status = proxy.settled().await;
    assert_eq!(status["verdicts"]["match"], 1, "{status:#}");
    assert_eq!(shown(&service.so_far()[0].raw), shown(sent.as_bytes()));
    assert_eq!(tls.names(), ["localhost"]);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_and_the_log_says_why() {
    let service = Scripted::start(|_| allow());
    let [tls, other] = ["auth.example"; 2].map(|name| Terminator::before(service.address, name));
    for config in [
        // Of the system's authorities none knows it.
        "legacy.server_name = \"auth.example\"".to_owned(),
        format!("legacy = {{ ca_file = {:?}, server_name = \"auth.example\" }}", other.authority()),
        // It is another's: 127.0.0.1 is not in it.
        format!("legacy.ca_file = {:?}", tls.authority()),
    ] {
        let mut proxy = World::new().legacy(Legacy::Url(tls.url())).config(&config).start().await;
        assert_eq!(proxy.ask(get("/")).await.status(), 502, "{config}");
        proxy.ended().await;
        assert!(proxy.process.said().contains("TLS handshake failed"), "{config}: {}", proxy.process.said());
    }
    assert_eq!(service.count(), 0);
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_said_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    for (content, reason) in [("", "has no certificate"), ("-----BEGIN CERTIFICATE-----\nAAAA\n", "is not PEM")] {
        std::fs::write(&file, content).expect("a file");
        let config = format!("legacy.ca_file = {:?}", file.display().to_string());
        let started =
            World::new().legacy(Legacy::Url("https://127.0.0.1:1".to_owned())).config(&config).try_start().await;
        let ended = started.err().expect("it does not start");
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
}

/// Ends TLS in front of a service, with a certificate that it signed itself.
struct Terminator {
    address: SocketAddr,
    names: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

impl Terminator {
    fn before(service: SocketAddr, name: &str) -> Terminator {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), cert.pem()).expect("a file");
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a key that fits its certificate")));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("a bound socket");
        let listener = TcpListener::from_std(listener).expect("a listening socket");
        let names = Arc::new(Mutex::new(Vec::new()));
        let seen = names.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(stream).await else { return };
                    let name = client.get_ref().1.server_name().unwrap_or_default().to_owned();
                    seen.lock().expect("nobody panics").push(name);
                    let mut service = TcpStream::connect(service).await.expect("the service listens");
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await;
                });
            }
        });
        Terminator { address, names, folder }
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn names(&self) -> Vec<String> {
        self.names.lock().expect("nobody panics").clone()
    }
}
