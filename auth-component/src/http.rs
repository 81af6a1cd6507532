//! A request and a response as data, free of any HTTP library.

use std::ops::ControlFlow;

/// The request headers, asked for by name: a guest pays per header it copies out of its host.
pub trait Headers {
    /// Every value sent under `name` (lower case), in order; one value per header line, never joined.
    fn values(&self, name: &str) -> Vec<Vec<u8>>;
}

/// The body, read only where an answer depends on it: most requests are answered before it has arrived.
pub trait Body {
    /// All of it, once, if it has at most `bytes_max`.
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, BodyDefect>;

    /// The same piece by piece, until `take` has enough. A shell that can should not keep the whole in memory.
    fn feed(&self, bytes_max: usize, take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<(), BodyDefect> {
        let whole = self.read(bytes_max)?;
        // Whether it has had enough no longer matters.
        let _ = take(&whole);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyDefect {
    TooLong,
    /// It ended before it was complete.
    Broken,
}

pub struct Request<'a> {
    /// As sent: methods are case-sensitive (RFC 9110 §9.1).
    pub method: &'a str,
    /// Path and query as sent, nothing decoded.
    pub target: &'a str,
    pub headers: &'a dyn Headers,
    pub body: &'a dyn Body,
}

impl<'a> Request<'a> {
    /// The target up to the query, matched byte for byte: decoding it first would let `%76alidate` pass a filter
    /// in front that the service itself then undoes.
    pub fn path(&self) -> &'a str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    /// What follows the first `?`, nothing decoded.
    pub fn query(&self) -> &'a str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The values under `name`, without the spaces and tabs that belong to HTTP.
    pub(crate) fn header(&self, name: &str) -> Vec<Vec<u8>> {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
        let mut values = self.headers.values(name);
        for value in &mut values {
            value.truncate(value.iter().rposition(|byte| !is_space(byte)).map_or(0, |last| last + 1));
            value.drain(..value.iter().take_while(|byte| is_space(byte)).count());
        }
        values
    }
}

/// What a value of `Content-Type` says, without the parameters.
pub(crate) fn media_type(value: &[u8]) -> &[u8] {
    value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii()
}

#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Lower-case names; always `content-length`, equal to the body a GET would get also where HEAD leaves it out. Parity
    /// mode leaves it away on 304, and on HEAD where there is none for GET.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Response {
        Response::of(status, "application/json", encode(body))
    }

    /// The same with numbers as `formatter` prints them.
    pub(crate) fn json_formatted(
        status: u16,
        body: &impl serde::Serialize,
        formatter: impl serde_json::ser::Formatter,
    ) -> Response {
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        body.serialize(&mut serializer).expect("our own answer types have string keys and no failing serializer");
        Response::of(status, "application/json", bytes)
    }

    /// RFC 9457.
    pub(crate) fn problem(status: u16, body: &impl serde::Serialize) -> Response {
        Response::of(status, "application/problem+json", encode(body))
    }

    pub(crate) fn of(status: u16, content_type: &'static str, body: Vec<u8>) -> Response {
        let length = body.len().to_string();
        Response { status, headers: vec![("content-type", content_type.to_owned()), ("content-length", length)], body }
    }

    pub(crate) fn empty(status: u16) -> Response {
        Response { status, headers: vec![("content-length", "0".to_owned())], body: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Its value, where it was there.
    #[cfg(feature = "parity")]
    pub(crate) fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.headers.iter().position(|(known, _)| *known == name)?;
        Some(self.headers.remove(at).1)
    }

    /// `no-store`, where nothing else was said.
    pub(crate) fn uncached(self) -> Response {
        if self.header("cache-control").is_some() { self } else { self.with("cache-control", "no-store") }
    }

    pub(crate) fn without_body(mut self) -> Response {
        self.body.clear();
        self
    }
}

fn encode(body: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("our own answer types have string keys and no failing serializer")
}
