//! What `express.json()` refuses before anything else is looked at: body-parser 2.4 with its own defaults.
//!
//! Nothing is kept of a body. Whether it is JSON is told from the bytes as they pass, so the memory does not grow with
//! it. A charset other than UTF-8 that the package iconv-lite knows, and the codings `br` and `zstd`, are not looked
//! into: such a body is taken for good, which is what it is where a client sends one on purpose.

use std::ops::ControlFlow;

use super::inflate::{Format, Inflate};
use super::json::Validator;
use crate::http::{Body, BodyDefect, Request, media_type};

/// Of the body as it is parsed.
const BYTES_MAX: usize = 102_400;
/// Of a compressed body as it is sent. Only one that was made to be longer than what it holds is refused by this.
const COMPRESSED_BYTES_MAX: usize = 131_072;

const BAD_REQUEST: u16 = 400;
const TOO_LARGE: u16 = 413;
const UNSUPPORTED: u16 = 415;

/// A body that was read, and of which nobody needs more than the length.
pub(super) struct Read(usize);

impl Body for Read {
    fn read(&self, bytes_max: usize) -> Result<Vec<u8>, BodyDefect> {
        if self.0 > bytes_max { Err(BodyDefect::TooLong) } else { Ok(Vec::new()) }
    }
}

/// The body after it was read; none where it was left alone, because its type is not JSON; or the status of the refusal.
pub(super) fn read(request: &Request) -> Result<Option<Read>, u16> {
    // Node takes the first of several lines.
    let Some(content_type) = request.header("content-type").into_iter().next() else { return Ok(None) };
    if !media_type(&content_type).eq_ignore_ascii_case(b"application/json") {
        return Ok(None);
    }
    let (text, coding) = match (Text::of(&content_type), Coding::of(request)) {
        (Some(Text::Unknown), Some(Coding::Identity)) if is_announced_too_large(request) => return Err(TOO_LARGE),
        (Some(text @ (Text::Utf8 | Text::Unread)), Some(coding)) => (text, coding),
        _ if is_there(request) => return Err(UNSUPPORTED),
        _ => return Ok(Some(Read(0))),
    };
    let sent_max = if coding == Coding::Identity { BYTES_MAX } else { COMPRESSED_BYTES_MAX };
    let mut reader = Reader::new(text, coding);
    let mut sent = 0;
    let end = request.body.feed(sent_max, &mut |bytes| {
        sent += bytes.len();
        reader.take(bytes)
    });
    match end {
        Ok(()) => {}
        Err(BodyDefect::TooLong) => return Err(TOO_LARGE),
        Err(BodyDefect::Broken) => return Err(BAD_REQUEST),
    }
    // What was not announced and did not come is no body; there is no header that says so in every host.
    if sent == 0 && !is_announced(request) { Ok(Some(Read(0))) } else { reader.end().map(|()| Some(Read(sent))) }
}

fn is_announced(request: &Request) -> bool {
    ["content-length", "transfer-encoding"].iter().any(|name| !request.headers.values(name).is_empty())
}

/// The one thing that comes before the name of the charset.
fn is_announced_too_large(request: &Request) -> bool {
    let length = request.header("content-length").into_iter().next().unwrap_or_default();
    str::from_utf8(&length).is_ok_and(|length| length.parse().is_ok_and(|length: u64| length > BYTES_MAX as u64))
}

fn is_there(request: &Request) -> bool {
    let mut came = false;
    let mut look = |bytes: &[u8]| {
        came = !bytes.is_empty();
        if came { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    is_announced(request) || request.body.feed(BYTES_MAX, &mut look).is_err() || came
}

/// What the charset makes of the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Utf8,
    /// Another that iconv-lite knows.
    Unread,
    /// A name like one of Unicode's.
    Unknown,
}

impl Text {
    fn of(content_type: &[u8]) -> Option<Text> {
        let charset = charset(content_type).to_ascii_lowercase();
        if charset.is_empty() {
            return Some(Text::Utf8);
        }
        if !charset.starts_with(b"utf-") {
            return None;
        }
        // iconv-lite drops a year behind, and everything but letters and digits.
        let name = match charset.split_last_chunk::<5>() {
            Some((name, [b':', year @ ..])) if year.iter().all(u8::is_ascii_digit) => name,
            _ => &charset,
        };
        let name: Vec<u8> = name.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
        match name.as_slice() {
            b"utf8" => Some(Text::Utf8),
            b"utf7" | b"utf7imap" | b"utf16" | b"utf16le" | b"utf16be" | b"utf32" | b"utf32le" | b"utf32be" => {
                Some(Text::Unread)
            }
            _ => Some(Text::Unknown),
        }
    }
}

/// The first parameter `charset`, as the package `content-type` 2.1 reads it; empty where there is none.
fn charset(content_type: &[u8]) -> Vec<u8> {
    let mut rest = after(content_type, b";");
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| b";=".contains(byte)).unwrap_or(rest.len());
        let (name, value) = rest.split_at(end);
        if !value.starts_with(b"=") {
            rest = after(value, b";");
            continue;
        }
        let value = value[1..].trim_ascii_start();
        let (value, behind) = match value.strip_prefix(b"\"") {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
                (Some(value[..end].trim_ascii().to_vec()), &value[end..])
            }
        };
        if let Some(value) = value.filter(|_| name.trim_ascii().eq_ignore_ascii_case(b"charset")) {
            return value;
        }
        rest = after(behind, b";");
    }
    Vec::new()
}

/// A quoted text, none where it does not end, and what stands behind it.
fn unquoted(quoted: &[u8]) -> (Option<Vec<u8>>, &[u8]) {
    let mut text = Vec::new();
    let mut rest = quoted;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        match (byte, behind) {
            (b'"', _) => return (Some(text), behind),
            (b'\\', [escaped, behind @ ..]) => {
                text.push(*escaped);
                rest = behind;
            }
            (byte, _) => text.push(*byte),
        }
    }
    (None, rest)
}

fn after<'a>(text: &'a [u8], end: &[u8; 1]) -> &'a [u8] {
    text.iter().position(|byte| end.contains(byte)).map_or(&[], |at| &text[at + 1..])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Compressed(Format),
    /// Compressed by what is too big to bring along.
    Unread,
}

impl Coding {
    fn of(request: &Request) -> Option<Coding> {
        let coding = request.header("content-encoding").join(&b", "[..]).to_ascii_lowercase();
        match coding.as_slice() {
            b"" | b"identity" => Some(Coding::Identity),
            b"gzip" => Some(Coding::Compressed(Format::Gzip)),
            b"deflate" => Some(Coding::Compressed(Format::Zlib)),
            b"br" | b"zstd" => Some(Coding::Unread),
            _ => None,
        }
    }
}

struct Reader {
    inflate: Option<Inflate>,
    text: Inflated,
}

/// The body as it is parsed.
struct Inflated {
    json: Option<Validator>,
    bytes: usize,
}

impl Reader {
    fn new(text: Text, coding: Coding) -> Reader {
        let is_read = text == Text::Utf8 && coding != Coding::Unread;
        Reader {
            inflate: match coding {
                Coding::Compressed(format) => Some(Inflate::new(format)),
                Coding::Identity | Coding::Unread => None,
            },
            text: Inflated { json: is_read.then(Validator::new), bytes: 0 },
        }
    }

    fn take(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        match &mut self.inflate {
            None => self.text.take(bytes),
            Some(inflate) => inflate.take(bytes, &mut |inflated| self.text.take(inflated)),
        }
    }

    fn end(self) -> Result<(), u16> {
        // The length comes before the form, as in the package raw-body.
        if self.text.bytes > BYTES_MAX {
            return Err(TOO_LARGE);
        }
        let is_whole = self.inflate.is_none_or(|inflate| inflate.is_whole());
        let is_json = self.text.json.is_none_or(|json| json.is_good());
        if is_whole && is_json { Ok(()) } else { Err(BAD_REQUEST) }
    }
}

impl Inflated {
    fn take(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        self.bytes += bytes.len();
        if self.bytes > BYTES_MAX {
            return ControlFlow::Break(());
        }
        if let Some(json) = &mut self.json {
            json.take(bytes);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charset_is_read_as_express_reads_it() {
        let cases: &[(&str, &str)] = &[
            ("application/json", ""),
            ("a; charset=utf-8", "utf-8"),
            ("a;charset = \"UTF-8\" ; x=y", "UTF-8"),
            ("a; x=1; CHARSET=utf-16", "utf-16"),
            ("a; charset=one; charset=two", "one"),
            ("a; charset", ""),
            ("a; charset; charset=b", "b"),
            ("a; x=\";charset=no\"; charset=yes", "yes"),
            ("a; charset=\"u\\tf\"ignored; charset=x", "utf"),
            ("a; charset=\"unended; charset=x", ""),
            ("a;;; charset=x", "x"),
            ("a; =x; charset=y", "y"),
        ];
        for (value, expected) in cases {
            assert_eq!(String::from_utf8_lossy(&charset(value.as_bytes())), *expected, "{value}");
        }
    }
}
