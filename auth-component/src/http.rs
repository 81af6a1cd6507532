//! A request and a response as data, free of any HTTP library.

/// The request headers, asked for by name: a guest pays per header it copies out of its host.
pub trait Headers {
    /// Every value sent under `name` (lower case), in order; one value per header line, never joined.
    fn values(&self, name: &str) -> Vec<Vec<u8>>;
}

pub struct Request<'a> {
    /// As sent: methods are case-sensitive (RFC 9110 §9.1).
    pub method: &'a str,
    /// Path and query as sent, nothing decoded.
    pub target: &'a str,
    pub headers: &'a dyn Headers,
}

impl Request<'_> {
    /// The target up to the query, matched byte for byte: decoding it first would let `%76alidate` pass a filter
    /// in front that the service itself then undoes.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Lower-case names; always `content-length`, equal to the body a GET would get also where HEAD leaves it out.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Response {
        let body = serde_json::to_vec(body).expect("our own answer types have string keys and no failing serializer");
        Response {
            status,
            headers: vec![("content-type", "application/json".to_owned()), ("content-length", body.len().to_string())],
            body,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Response {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn without_body(mut self) -> Response {
        self.body.clear();
        self
    }
}
