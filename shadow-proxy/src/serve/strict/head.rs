//! The head of a request, read line by line as its bytes come, and held against RFC 9112.

use std::io::BufRead as _;
use std::ops::Range;

use crate::metrics::Refusal;
use crate::side::headers::HEADERS_MAX;

use super::{Body, Tolerated};

/// A head that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// In bytes, up to and with the empty line.
    pub length: usize,
    pub body: Body,
    /// It has an `Upgrade` field: what follows on the connection may be another protocol.
    pub asks_upgrade: bool,
}

/// What is known of a head so far. Every byte is looked at once or twice, however it comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Start of the line that is not yet read.
    line: usize,
    /// Bytes among which its end was looked for in vain.
    searched: usize,
    request: Option<RequestLine>,
    fields: usize,
    hosts: usize,
    host: Range<usize>,
    lengths: usize,
    length: u64,
    codings: usize,
    asks_upgrade: bool,
}

#[derive(Clone, Debug)]
struct RequestLine {
    target: Range<usize>,
    is_1_1: bool,
    form: Form,
}

/// RFC 9112 §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A path, `*`, or a host alone.
    Plain,
    /// `http://HOST/…`, with the number of bytes before the host.
    Absolute(usize),
}

impl Head {
    /// Reads on; `bytes` begins with the head and has at least what it had the last time.
    pub fn read(&mut self, bytes: &[u8], tolerated: Tolerated) -> Result<Option<Whole>, Refusal> {
        loop {
            let from = self.searched.max(self.line);
            let mut rest = &bytes[from..];
            // For bytes in memory this is the fastest search of the standard library, and it cannot fail.
            let past = from + rest.skip_until(b'\n').unwrap_or(0);
            self.searched = past;
            if past == from || bytes[past - 1] != b'\n' {
                return Ok(None);
            }
            let line = self.line..past - 1;
            self.line = past;
            let line = match bytes[line.clone()].last() {
                Some(b'\r') => line.start..line.end - 1,
                _ if tolerated.bare_line_feeds => line,
                _ => return Err(Refusal::BareLineFeed),
            };
            match (&self.request, line.is_empty()) {
                // RFC 9112 §2.2: empty lines before a request are no part of it.
                (None, true) => {}
                (None, false) => self.request = Some(request_line(bytes, line)?),
                (Some(_), false) => self.field(bytes, line, tolerated)?,
                (Some(request), true) => return self.whole(request, bytes, tolerated).map(Some),
            }
        }
    }

    /// Nothing but empty lines came so far.
    pub fn is_empty(&self, bytes: &[u8]) -> bool {
        self.request.is_none() && bytes.get(self.line..).unwrap_or_default().iter().all(|byte| *byte == b'\r')
    }

    fn field(&mut self, bytes: &[u8], line: Range<usize>, tolerated: Tolerated) -> Result<(), Refusal> {
        let text = &bytes[line.clone()];
        let colon = text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len());
        // An empty name, a space before the colon, a line that continues the one before it (RFC 9112 §5.1, §5.2).
        if colon == 0 || text.get(colon) != Some(&b':') {
            return Err(Refusal::Syntax);
        }
        let value = &text[colon + 1..];
        if has_control(value) {
            return Err(Refusal::Syntax);
        }
        self.fields += 1;
        if self.fields > HEADERS_MAX {
            return Err(Refusal::HeadTooLarge);
        }
        match (colon, &text[..colon]) {
            (4, name) if name.eq_ignore_ascii_case(b"host") => {
                let blanks = value.len() - value.trim_ascii_start().len();
                let start = line.start + colon + 1 + blanks;
                self.host = start..start + value.trim_ascii().len();
                self.hosts += 1;
            }
            (7, name) if name.eq_ignore_ascii_case(b"upgrade") => self.asks_upgrade = true,
            (14, name) if name.eq_ignore_ascii_case(b"content-length") => {
                let length = length(value.trim_ascii()).ok_or(Refusal::OddLength)?;
                let is_repeated = self.lengths > 0;
                if is_repeated && !(tolerated.equal_lengths && length == self.length) {
                    return Err(Refusal::SeveralLengths);
                }
                self.length = length;
                self.lengths += 1;
            }
            (17, name) if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.codings += 1;
                if self.codings > 1 || !ends_chunked(value) {
                    return Err(Refusal::OddCoding);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What can only be said when all fields are known.
    fn whole(&self, request: &RequestLine, bytes: &[u8], tolerated: Tolerated) -> Result<Whole, Refusal> {
        if self.codings > 0 && self.lengths > 0 {
            return Err(Refusal::LengthBesideCoding);
        }
        if self.codings > 0 && !request.is_1_1 {
            return Err(Refusal::OddCoding);
        }
        match self.hosts {
            0 if request.is_1_1 && !tolerated.no_host => return Err(Refusal::NoHost),
            0 | 1 => {}
            _ => return Err(Refusal::SeveralHosts),
        }
        let host = &bytes[self.host.clone()];
        if !tolerated.odd_host && !is_host(host) {
            return Err(Refusal::OddHost);
        }
        if let Form::Absolute(before) = request.form {
            let target = &bytes[request.target.start + before..request.target.end];
            let end = target.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(target.len());
            let (named, port) = (&target[..end], if before == HTTPS.len() { ":443" } else { ":80" });
            // User info, with which a URL looks like one of another host (RFC 9110 §4.2.4).
            if named.is_empty() || named.contains(&b'@') || !is_host(named) {
                return Err(Refusal::Target);
            }
            if self.hosts == 1 && !tolerated.other_host && !is_same_host(named, host, port.as_bytes()) {
                return Err(Refusal::OtherHost);
            }
        }
        let body = if self.codings > 0 { Body::Chunks } else { Body::Length(self.length) };
        Ok(Whole { length: self.line, body, asks_upgrade: self.asks_upgrade && request.is_1_1 })
    }
}

const HTTP: &[u8] = b"http://";
const HTTPS: &[u8] = b"https://";

/// RFC 9112 §3: one space between its three parts. That the target is one is left to whoever makes a URI of it.
fn request_line(bytes: &[u8], line: Range<usize>) -> Result<RequestLine, Refusal> {
    let text = &bytes[line.clone()];
    let method = text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len());
    if method == 0 || text.get(method) != Some(&b' ') {
        return Err(Refusal::Syntax);
    }
    let is_1_1 = match text.last_chunk::<9>() {
        Some(b" HTTP/1.1") => true,
        Some(b" HTTP/1.0") => false,
        _ => return Err(Refusal::Syntax),
    };
    if text.len() < method + 1 + 9 + 1 {
        return Err(Refusal::Syntax);
    }
    let target = &text[method + 1..text.len() - 9];
    if !target.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        // RFC 3986 has no bytes beyond ASCII; what they mean depends on who reads them.
        let is_text = target.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
        return Err(if is_text { Refusal::Target } else { Refusal::Syntax });
    }
    let form = form(&text[..method], target)?;
    let start = line.start + method + 1;
    Ok(RequestLine { target: start..start + target.len(), is_1_1, form })
}

fn form(method: &[u8], target: &[u8]) -> Result<Form, Refusal> {
    let begins = |scheme: &[u8]| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    match target {
        [b'/', ..] => Ok(Form::Plain),
        b"*" if method == b"OPTIONS" => Ok(Form::Plain),
        b"*" => Err(Refusal::Target),
        _ if begins(HTTP) => Ok(Form::Absolute(HTTP.len())),
        _ if begins(HTTPS) => Ok(Form::Absolute(HTTPS.len())),
        // Answered by whoever knows that it opens no tunnels.
        _ if is_host(target) => Ok(Form::Plain),
        _ => Err(Refusal::Target),
    }
}

/// A byte that may stand in no value (RFC 9110 §5.5). Eight at a time are looked at, and one by one only where those have
/// something of the kind, or a tab.
fn has_control(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let is_control = |byte: &u8| *byte < b' ' && *byte != b'\t' || *byte == 0x7f;
    let (words, rest) = bytes.as_chunks::<8>();
    let odd = words.iter().map(|word| u64::from_ne_bytes(*word)).fold(0, |odd, word| {
        let delete = word ^ (ONES * 0x7f);
        odd | word.wrapping_sub(ONES * 0x20) & !word | delete.wrapping_sub(ONES) & !delete
    });
    rest.iter().any(is_control) || odd & (ONES * 0x80) != 0 && bytes.iter().any(is_control)
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    static TOKEN: [bool; 256] = {
        let mut token = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            token[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let others = b"!#$%&'*+-.^_`|~";
        let mut at = 0;
        while at < others.len() {
            token[others[at] as usize] = true;
            at += 1;
        }
        token
    };
    TOKEN[byte as usize]
}

/// RFC 9110 §8.6: digits alone; a list, a sign or a space is what two parsers read in two ways.
fn length(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    // Two values stand for chunks and for the end of the connection in parsers behind this one.
    str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok().filter(|length| *length < u64::MAX - 1)
}

/// RFC 9112 §6.1: `chunked` once and last, before it what a message may be compressed by.
fn ends_chunked(value: &[u8]) -> bool {
    let mut codings = value.split(|byte| *byte == b',').rev().map(<[u8]>::trim_ascii);
    let is = |coding: &[u8], name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
    codings.next().is_some_and(|last| is(last, "chunked"))
        && codings.all(|coding| ["gzip", "x-gzip", "deflate", "compress", "x-compress"].iter().any(|n| is(coding, n)))
}

/// RFC 3986 §3.2.2, with a port or without; nothing at all is a host without a name (RFC 9110 §7.2).
fn is_host(text: &[u8]) -> bool {
    let after = match text {
        [b'[', rest @ ..] => {
            let end = rest.iter().position(|byte| *byte == b']');
            let Some((address, after)) = end.map(|end| (&rest[..end], &rest[end + 1..])) else { return false };
            if address.is_empty() || !address.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')) {
                return false;
            }
            after
        }
        _ => {
            let end = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
            let is_of_name =
                |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-') || b"_~!$&'()*+,;=%".contains(b);
            if !text[..end].iter().all(is_of_name) {
                return false;
            }
            &text[end..]
        }
    };
    match after {
        [] | [b':'] => true,
        [b':', port @ ..] => {
            port.iter().all(u8::is_ascii_digit)
                && str::from_utf8(port).is_ok_and(|port| port.trim_start_matches('0').len() <= 5)
                && port.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10) + u64::from(digit - b'0')) <= 65_535
        }
        _ => false,
    }
}

/// Whatever the letter case, and whether the port of the scheme is named or not.
fn is_same_host(one: &[u8], other: &[u8], port: &[u8]) -> bool {
    let bare = |host: &[u8]| -> Vec<u8> {
        let host = host.strip_suffix(port).or_else(|| host.strip_suffix(b":")).unwrap_or(host);
        host.to_ascii_lowercase()
    };
    bare(one) == bare(other)
}
