//! A request as an input has it: `METHOD target`, lines `name: value`, an empty line, the body.

use auth_component::{Body, BodyDefect, Headers, Request};

use crate::split;

pub struct Written<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub headers: Lines,
    pub body: Whole,
}

impl Written<'_> {
    /// Whatever has a method and a target of UTF-8, which is what a host hands over.
    pub fn read(text: &[u8]) -> Option<Written<'_>> {
        let (head, body) = split(text, b"\n\n").unwrap_or((text, b""));
        let mut lines = head.split(|&byte| byte == b'\n');
        let (method, target) = str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
        let headers = lines.filter_map(|line| {
            let (name, value) = split(line, b":")?;
            Some((str::from_utf8(name).ok()?.to_ascii_lowercase(), value.to_vec()))
        });
        Some(Written { method, target, headers: Lines(headers.collect()), body: Whole(body.to_vec()) })
    }

    pub fn request(&self) -> Request<'_> {
        Request { method: self.method, target: self.target, headers: &self.headers, body: &self.body }
    }
}

pub struct Lines(Vec<(String, Vec<u8>)>);

impl Headers for Lines {
    fn values(&self, name: &str) -> Vec<Vec<u8>> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }
}

pub struct Whole(pub Vec<u8>);

impl Body for Whole {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, BodyDefect> {
        if self.0.len() > bytes_max { Err(BodyDefect::TooLong) } else { Ok(self.0.clone()) }
    }
}
