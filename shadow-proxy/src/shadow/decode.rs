//! A body as its sender meant it: `Content-Encoding` undone, last encoding first (RFC 9110, section 8.4).

use std::io::{self, Read};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use ruzstd::decoding::StreamingDecoder;

/// Why a body stays encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotDecoded {
    /// An encoding that is not implemented here, or more of them than anybody stacks.
    EncodingUnknown,
    /// The bytes are not what the header says.
    EncodingBroken,
    /// More bytes than the limit come out.
    DecodedTooLarge,
}

/// What is wrong with the encoding of a body that is read all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Bytes behind the end of what was encoded, which clients leave out.
    BytesBehind,
    /// The end is missing, as after a flush.
    NoEnd,
    /// The bytes are not what the header says, so they stand as they came.
    Broken,
    /// More than the limit come out, so the bytes stand as they came.
    TooLarge,
}

impl Flaw {
    #[cfg(test)]
    pub(crate) const ALL: [Flaw; 4] = [Flaw::BytesBehind, Flaw::NoEnd, Flaw::Broken, Flaw::TooLarge];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Flaw::BytesBehind => "bytes_behind_the_end",
            Flaw::NoEnd => "no_end",
            Flaw::Broken => "encoding_broken",
            Flaw::TooLarge => "decoded_too_large",
        }
    }
}

/// The body with every encoding of its headers undone. An empty body (HEAD, 304) is empty in any encoding.
pub(crate) fn decoded(headers: &HeaderMap, body: &Bytes, limit_bytes: usize) -> Result<Bytes, NotDecoded> {
    let Encodings { known, is_all } = encodings(headers);
    if !is_all {
        return Err(NotDecoded::EncodingUnknown);
    }
    match undone_all(&known, body, limit_bytes)? {
        (body, None) => Ok(body),
        (_, Some(_)) => Err(NotDecoded::EncodingBroken),
    }
}

/// The body as a client reads it that takes what it is sent: a name that is no encoding (`UTF-8`, `none`) changes nothing,
/// and what cannot be undone stays as it came.
pub(crate) fn readable(headers: &HeaderMap, body: &Bytes, limit_bytes: usize) -> (Bytes, Option<Flaw>) {
    match undone_all(&encodings(headers).known, body, limit_bytes) {
        Ok(read) => read,
        Err(NotDecoded::DecodedTooLarge) => (body.clone(), Some(Flaw::TooLarge)),
        Err(NotDecoded::EncodingUnknown | NotDecoded::EncodingBroken) => (body.clone(), Some(Flaw::Broken)),
    }
}

#[derive(Clone, Copy)]
enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

struct Encodings {
    /// In the order they were applied.
    known: Vec<Encoding>,
    /// No other is named.
    is_all: bool,
}

fn encodings(headers: &HeaderMap) -> Encodings {
    let mut found = Encodings { known: Vec::new(), is_all: true };
    for value in headers.get_all(CONTENT_ENCODING) {
        let names = value.to_str().unwrap_or("unreadable").split(',').map(str::trim);
        for name in names {
            match name.to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                _ if found.known.len() >= ENCODINGS_MAX => found.is_all = false,
                "gzip" | "x-gzip" => found.known.push(Encoding::Gzip),
                "deflate" => found.known.push(Encoding::Deflate),
                "br" => found.known.push(Encoding::Brotli),
                "zstd" => found.known.push(Encoding::Zstd),
                _ => found.is_all = false,
            }
        }
    }
    found
}

fn undone_all(encodings: &[Encoding], body: &Bytes, limit_bytes: usize) -> Result<(Bytes, Option<Flaw>), NotDecoded> {
    let (mut body, mut flaw) = (body.clone(), None);
    if body.is_empty() {
        return Ok((body, None));
    }
    for encoding in encodings.iter().rev() {
        let (plain, found) = undone(*encoding, &body, limit_bytes)?;
        (body, flaw) = (plain.into(), flaw.or(found));
    }
    if body.len() > limit_bytes { Err(NotDecoded::DecodedTooLarge) } else { Ok((body, flaw)) }
}

type Undone = Result<(Vec<u8>, Option<Flaw>), NotDecoded>;

fn undone(encoding: Encoding, body: &[u8], limit_bytes: usize) -> Undone {
    match encoding {
        Encoding::Gzip => members(body, limit_bytes, &GZIP, |body, limit_bytes| {
            let mut member = flate2::bufread::GzDecoder::new(*body);
            let read = read(&mut member, limit_bytes);
            *body = member.into_inner();
            read
        }),
        Encoding::Zstd => members(body, limit_bytes, &ZSTD, |body, limit_bytes| {
            // With a window that any reader of the web has room for.
            let frame = StreamingDecoder::new_with_max_window_size(body, ZSTD_WINDOW_BYTES_MAX);
            read(frame.map_err(|_| NotDecoded::EncodingBroken)?, limit_bytes)
        }),
        Encoding::Brotli => read(brotli_decompressor::Decompressor::new(body, BUFFER_BYTES), limit_bytes),
        // RFC 9110 means zlib, but enough servers send the bare stream for every browser to take both.
        Encoding::Deflate => match read(flate2::read::ZlibDecoder::new(body), limit_bytes) {
            Err(NotDecoded::EncodingBroken) => read(flate2::read::DeflateDecoder::new(body), limit_bytes),
            done => done,
        },
    }
}

/// One member or frame after the other (RFC 1952, section 2.2; RFC 8878, section 3.1). `one` takes its bytes off the body.
fn members(mut body: &[u8], limit_bytes: usize, begins: &[u8], one: impl Fn(&mut &[u8], usize) -> Undone) -> Undone {
    let (mut plain, mut flaw) = one(&mut body, limit_bytes)?;
    while flaw.is_none() && !body.is_empty() {
        if !body.starts_with(begins) {
            return Ok((plain, Some(Flaw::BytesBehind)));
        }
        let (mut more, found) = one(&mut body, limit_bytes - plain.len())?;
        plain.append(&mut more);
        flaw = found;
    }
    Ok((plain, flaw))
}

/// Stops at the limit, so that a few kilobytes cannot become gigabytes.
fn read(decoder: impl Read, limit_bytes: usize) -> Undone {
    let mut plain = Vec::new();
    let read: io::Result<usize> = decoder.take(limit_bytes as u64 + 1).read_to_end(&mut plain);
    match read {
        _ if plain.len() > limit_bytes => Err(NotDecoded::DecodedTooLarge),
        Ok(_) => Ok((plain, None)),
        // What came before a missing end was read, and a checksum that does not fit is another error.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !plain.is_empty() => {
            Ok((plain, Some(Flaw::NoEnd)))
        }
        Err(_) => Err(NotDecoded::EncodingBroken),
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const ENCODINGS_MAX: usize = 4;
const BUFFER_BYTES: usize = 4096;
/// RFC 9659, section 3.
const ZSTD_WINDOW_BYTES_MAX: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use http::HeaderValue;

    use super::*;

    const TEXT: &[u8] = b"hello hello hello hello";
    /// `TEXT` as Node's zlib compresses it; there is no compressor among the dependencies.
    const TEXT_BROTLI: &[u8] = &[
        0x1b, 0x16, 0x00, 0xf8, 0x8d, 0x94, 0x6e, 0xde, 0x44, 0x55, 0x86, 0x96, 0x6c, 0x20, 0x6f, 0x21, 0x4f, 0x1c,
        0xe0, 0x38,
    ];

    /// An empty frame whose window is 2^24 bytes.
    const ZSTD_WINDOW_16_MIB: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 14 << 3, 0x01, 0x00, 0x00];

    #[test]
    fn every_encoding_is_undone() {
        for (encoding, body) in [
            ("identity", TEXT.to_vec()),
            ("gzip", gzip(TEXT)),
            ("X-GZip", gzip(TEXT)),
            ("gzip", [gzip(b"hello hello "), gzip(b"hello hello")].concat()),
            ("deflate", zlib(TEXT)),
            ("deflate", raw(TEXT)),
            ("br", TEXT_BROTLI.to_vec()),
            ("zstd", zstd(TEXT)),
            ("zstd", [zstd(b"hello hello "), zstd(b"hello hello")].concat()),
            ("zstd, gzip", gzip(&zstd(TEXT))),
            ("deflate, identity , gzip", gzip(&zlib(TEXT))),
        ] {
            assert_eq!(undo(&[encoding], &body).as_deref(), Ok(TEXT), "{encoding}");
        }
        assert_eq!(undo(&["deflate", "gzip"], &gzip(&zlib(TEXT))).as_deref(), Ok(TEXT), "two header lines");
        assert_eq!(undo(&["gzip"], b"").as_deref(), Ok(&b""[..]), "the answer to HEAD");
    }

    #[test]
    fn what_cannot_be_undone_has_a_reason() {
        let truncated = |body: &[u8]| body[..body.len() - 3].to_vec();
        for (encoding, body, reason) in [
            ("compress", TEXT.to_vec(), NotDecoded::EncodingUnknown),
            ("zstd", TEXT.to_vec(), NotDecoded::EncodingBroken),
            ("zstd", truncated(&zstd(TEXT)), NotDecoded::EncodingBroken),
            ("zstd", zstd(&vec![0; LIMIT + 1]), NotDecoded::DecodedTooLarge),
            ("zstd", [zstd(&vec![0; LIMIT]), zstd(b"1")].concat(), NotDecoded::DecodedTooLarge),
            ("zstd", ZSTD_WINDOW_16_MIB.to_vec(), NotDecoded::EncodingBroken),
            ("gzip, gzip, gzip, gzip, gzip", TEXT.to_vec(), NotDecoded::EncodingUnknown),
            ("gzip", TEXT.to_vec(), NotDecoded::EncodingBroken),
            ("gzip", truncated(&gzip(TEXT)), NotDecoded::EncodingBroken),
            ("br", truncated(TEXT_BROTLI), NotDecoded::EncodingBroken),
            ("br", TEXT.to_vec(), NotDecoded::EncodingBroken),
            ("deflate", TEXT.to_vec(), NotDecoded::EncodingBroken),
            ("gzip, deflate", gzip(TEXT), NotDecoded::EncodingBroken),
            ("gzip", gzip(&vec![0; LIMIT + 1]), NotDecoded::DecodedTooLarge),
            ("deflate", raw(&vec![0; LIMIT * 100]), NotDecoded::DecodedTooLarge),
            ("gzip, gzip", gzip(&gzip(&vec![0; LIMIT * 100])), NotDecoded::DecodedTooLarge),
        ] {
            assert_eq!(undo(&[encoding], &body), Err(reason), "{encoding}");
        }
        assert_eq!(undo(&["gzip"], &gzip(&vec![0; LIMIT])).map(|body| body.len()), Ok(LIMIT), "exactly the limit");
    }

    #[test]
    fn what_clients_read_is_read() {
        let flushed = |plain: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.flush().unwrap();
            encoder.get_ref().clone()
        };
        let zeros = |body: Vec<u8>| [body, vec![0; 10]].concat();
        for (encoding, body, expected, flaw) in [
            ("gzip", gzip(TEXT), TEXT, None),
            ("UTF-8", TEXT.to_vec(), TEXT, None),
            ("none", TEXT.to_vec(), TEXT, None),
            ("gzip, binary", gzip(TEXT), TEXT, None),
            ("aws-chunked, gzip", gzip(TEXT), TEXT, None),
            ("gzip", zeros(gzip(TEXT)), TEXT, Some(Flaw::BytesBehind)),
            ("gzip", [gzip(TEXT), b"\n \n\n".to_vec()].concat(), TEXT, Some(Flaw::BytesBehind)),
            ("zstd", zeros(zstd(TEXT)), TEXT, Some(Flaw::BytesBehind)),
            ("gzip", flushed(TEXT), TEXT, Some(Flaw::NoEnd)),
            ("gzip", TEXT.to_vec(), TEXT, Some(Flaw::Broken)),
            ("br", TEXT.to_vec(), TEXT, Some(Flaw::Broken)),
            ("zstd", TEXT.to_vec(), TEXT, Some(Flaw::Broken)),
            ("deflate", TEXT.to_vec(), TEXT, Some(Flaw::Broken)),
        ] {
            assert_eq!(lenient(encoding, &body), (Bytes::from_static(expected), flaw), "{encoding} {flaw:?}");
        }
        let large = gzip(&vec![0; LIMIT + 1]);
        assert_eq!(lenient("gzip", &large), (large.into(), Some(Flaw::TooLarge)));
    }

    fn lenient(encoding: &str, body: &[u8]) -> (Bytes, Option<Flaw>) {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap())]);
        readable(&headers, &Bytes::copy_from_slice(body), LIMIT)
    }

    const LIMIT: usize = 10_000;

    fn undo(encodings: &[&str], body: &[u8]) -> Result<Bytes, NotDecoded> {
        let mut headers = HeaderMap::new();
        for encoding in encodings {
            headers.append(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
        }
        decoded(&headers, &Bytes::copy_from_slice(body), LIMIT)
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(plain: &[u8]) -> Vec<u8> {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        compress_to_vec(plain, CompressionLevel::Fastest)
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }
}
