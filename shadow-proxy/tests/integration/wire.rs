//! HTTP/1.1 as it stands on the wire, read and written without a library that would tidy it up.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Nothing in a test waits longer for one event.
const PATIENCE: Duration = Duration::from_secs(100);

/// Waits for an event, and fails the test when it does not come.
pub(crate) async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain: {what}"))
}

/// A connection, with what was read of it and not yet used.
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A request or an answer. A byte of the head is a character (Latin-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The request line or the status line.
    pub(crate) start: String,
    /// As sent: case, order, repeated names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) framing: Framing,
    pub(crate) body: Vec<u8>,
    /// The body is as long as was announced.
    pub(crate) complete: bool,
    /// Head and body, chunks and all.
    pub(crate) raw: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(usize),
    Chunked,
    /// An answer that ends with its connection.
    Close,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Wire {
        let stream = within("a connection", TcpStream::connect(address)).await.expect("the address listens");
        Wire::on(stream)
    }

    pub(crate) fn on(stream: TcpStream) -> Wire {
        stream.set_nodelay(true).expect("an open socket");
        Wire { stream, read: Vec::new() }
    }

    pub(crate) fn on_std(stream: std::net::TcpStream) -> Wire {
        stream.set_nonblocking(true).expect("an open socket");
        Wire::on(TcpStream::from_std(stream).expect("an open socket"))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = within("the other end to read", self.stream.write_all(bytes.as_ref())).await;
        sent.expect("the other end is there");
    }

    /// Sends although the other end may be gone.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        within("the other end to read", self.stream.write_all(bytes)).await
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        let is_head = request.as_ref().starts_with(b"HEAD ");
        self.send(request).await;
        if is_head { self.answer_to_head().await } else { self.answer().await }
    }

    pub(crate) async fn answer(&mut self) -> Message {
        self.try_answer().await.expect("an answer before the connection ends")
    }

    /// `None` when the connection ends before an answer begins.
    pub(crate) async fn try_answer(&mut self) -> Option<Message> {
        let mut answer = within("the head of an answer", self.head()).await?;
        within("the rest of an answer", self.body(&mut answer)).await;
        Some(answer)
    }

    /// An answer without a body, whatever it announces.
    pub(crate) async fn answer_to_head(&mut self) -> Message {
        within("the head of an answer", self.head()).await.expect("an answer before the connection ends")
    }

    /// The next request of a client, or `None` when it is gone.
    pub(crate) async fn request(&mut self) -> Option<Message> {
        let mut request = self.head().await?;
        if request.framing == Framing::Close {
            request.framing = Framing::None;
        }
        self.body(&mut request).await;
        Some(request)
    }

    /// The bytes of a body as they come, any number but none.
    pub(crate) async fn some(&mut self) -> Vec<u8> {
        if self.read.is_empty() {
            within("more bytes", self.more()).await;
        }
        std::mem::take(&mut self.read)
    }

    /// Waits until the other end closes, and gives what it still sent.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.read)
    }

    /// Ends the connection so that the other end sees an error instead of its end.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("an open socket");
    }

    async fn more(&mut self) -> bool {
        let mut buffer = vec![0; 64 << 10];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.read.extend_from_slice(&buffer[..length]);
                true
            }
        }
    }

    /// A head without its body, interim answers (1xx) included.
    pub(crate) async fn head(&mut self) -> Option<Message> {
        let length = self.up_to(b"\r\n\r\n").await?;
        let raw: Vec<u8> = self.read.drain(..length).collect();
        let text: String = raw.iter().copied().map(char::from).collect();
        let mut lines = text.trim_end().split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines.map(|line| line.split_once(':').unwrap_or((line, "")));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        let mut message = Message { start, headers, framing: Framing::None, body: Vec::new(), complete: true, raw };
        message.framing = message.announced();
        Some(message)
    }

    async fn body(&mut self, message: &mut Message) {
        match message.framing {
            Framing::None => {}
            Framing::Length(length) => {
                while self.read.len() < length && self.more().await {}
                let length = length.min(self.read.len());
                message.body = self.read.drain(..length).collect();
                message.complete = message.framing == Framing::Length(length);
                message.raw.extend_from_slice(&message.body);
            }
            Framing::Chunked => message.complete = self.chunks(message).await.is_some(),
            Framing::Close => {
                message.body = self.rest().await;
                message.raw.extend_from_slice(&message.body);
            }
        }
    }

    /// `None` when the connection ends before the last chunk.
    async fn chunks(&mut self, message: &mut Message) -> Option<()> {
        loop {
            let line = self.up_to(b"\r\n").await?;
            let text = String::from_utf8_lossy(&self.read[..line]);
            let size = text.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).expect("a chunk begins with its size");
            let end = line + size + 2;
            while self.read.len() < end {
                if !self.more().await {
                    return None;
                }
            }
            message.body.extend_from_slice(&self.read[line..line + size]);
            message.raw.extend(self.read.drain(..end));
            if size == 0 {
                return Some(());
            }
        }
    }

    /// How long what is there is, up to and with `end`.
    async fn up_to(&mut self, end: &[u8]) -> Option<usize> {
        loop {
            if let Some(start) = self.read.windows(end.len()).position(|window| window == end) {
                return Some(start + end.len());
            }
            if !self.more().await {
                return None;
            }
        }
    }
}

impl Message {
    pub(crate) fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.expect("a status line has a status")
    }

    /// All values of a name, whatever its case.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// What belongs to the message and not to the connection it came on: everything but the hop's own headers, and
    /// without the value of `Date`.
    pub(crate) fn end_to_end(&self) -> Vec<(String, String)> {
        let hop = ["connection", "keep-alive", "transfer-encoding"];
        let kept = self.headers.iter().filter(|(name, _)| !hop.contains(&name.to_ascii_lowercase().as_str()));
        kept.map(|(name, value)| {
            let value = if name.eq_ignore_ascii_case("date") { "" } else { value };
            (name.clone(), value.to_owned())
        })
        .collect()
    }

    fn announced(&self) -> Framing {
        let is_answer = self.start.starts_with("HTTP/");
        if is_answer && matches!(self.status(), 100..200 | 204 | 304) {
            return Framing::None;
        }
        if self.values("transfer-encoding").iter().any(|value| value.to_ascii_lowercase().ends_with("chunked")) {
            return Framing::Chunked;
        }
        match self.values("content-length").first() {
            Some(length) => Framing::Length(length.parse().expect("a length is a number")),
            None if is_answer => Framing::Close,
            None => Framing::None,
        }
    }
}

/// `GET` of a path with nothing beside.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: auth.example\r\n\r\n")
}

/// A body in chunks of a size, as a client would send one that does not know its length.
pub(crate) fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(size) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// A character is one byte.
pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).expect("a character of Latin-1")).collect()
}

/// Bytes as a person can compare them.
pub(crate) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\r\\n", "\n")
}
