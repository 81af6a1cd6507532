//! A small HTTP/1.1 server on a port of its own, that answers as the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) struct Service {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<thread::JoinHandle<()>>,
}

struct Shared {
    answer: fn(&Asked) -> Reply,
    tls: Option<Arc<ServerConfig>>,
    asked: Mutex<u64>,
    more: Condvar,
    stopping: Mutex<bool>,
}

pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Reply {
    status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    body: String,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Whole,
    Closed,
    Never,
}

impl Service {
    pub(crate) fn start(answer: fn(&Asked) -> Reply) -> Self {
        Self::at(0, answer)
    }

    pub(crate) fn at(port: u16, answer: fn(&Asked) -> Reply) -> Self {
        Self::listening(port, answer, None)
    }

    /// One that speaks TLS as `localhost`, and its certificate as PEM, which nobody has signed but itself.
    pub(crate) fn with_tls(answer: fn(&Asked) -> Reply) -> (Self, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
        (Self::listening(0, answer, Some(Arc::new(config.expect("it fits")))), cert.pem())
    }

    fn listening(port: u16, answer: fn(&Asked) -> Reply, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (asked, more, stopping) = (Mutex::new(0), Condvar::new(), Mutex::new(false));
        let shared = Arc::new(Shared { answer, tls, asked, more, stopping });
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        match self.shared.tls {
            None => format!("http://{}", self.address),
            Some(_) => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// How many requests have come.
    pub(crate) fn asked(&self) -> u64 {
        *self.shared.asked.lock().expect("no panic")
    }

    pub(crate) fn wait_for(&self, requests: u64) {
        let asked = self.shared.asked.lock().expect("no panic");
        drop(self.shared.more.wait_while(asked, |asked| *asked < requests).expect("no panic"));
    }

    /// Nothing listens at the URL it returns.
    pub(crate) fn stop(mut self) -> String {
        *self.shared.stopping.lock().expect("no panic") = true;
        drop(TcpStream::connect(self.address)); // wakes the one that accepts
        self.accepting.take().expect("it was started").join().expect("no panic");
        self.url()
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if *shared.stopping.lock().expect("no panic") {
            return;
        }
        let shared = Arc::clone(shared);
        // Ends with the client's connection; errors are those of a client that went away.
        thread::spawn(move || stream.and_then(|stream| greet(stream, &shared)));
    }
}

fn greet(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    match &shared.tls {
        None => serve(stream, shared),
        Some(tls) => {
            let connection = ServerConnection::new(tls.clone()).expect("its configuration fits");
            serve(StreamOwned::new(connection, stream), shared)
        }
    }
}

fn serve(stream: impl Read + Write, shared: &Shared) -> std::io::Result<()> {
    let mut input = BufReader::new(stream);
    while let Some(asked) = read(&mut input)? {
        *shared.asked.lock().expect("no panic") += 1;
        shared.more.notify_all();
        let reply = (shared.answer)(&asked);
        match reply.kind {
            Kind::Whole => input.get_mut().write_all(reply.text().as_bytes())?,
            Kind::Closed => return Ok(()),
            // Until the client goes away.
            Kind::Never => drop(input.read(&mut [0])?),
        }
    }
    Ok(())
}

fn read(input: &mut impl BufRead) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let mut asked = Asked { method, path, headers, body: Vec::new() };
    let length = asked.header("content-length").first().map_or(0, |value| value.parse().expect("a length"));
    asked.body.resize(length, 0);
    input.read_exact(&mut asked.body)?;
    Ok(Some(asked))
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), kind: Kind::Whole }
    }

    /// The connection is closed without an answer.
    pub(crate) fn none() -> Self {
        Self { kind: Kind::Closed, ..Self::new(0) }
    }

    /// The connection stays open and nothing comes.
    pub(crate) fn never() -> Self {
        Self { kind: Kind::Never, ..Self::new(0) }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }

    fn text(&self) -> String {
        let mut text = format!("HTTP/1.1 {} Status\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status != 204 {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text
    }
}
