//! A body as its sender meant it: `Content-Encoding` undone, last encoding first (RFC 9110, section 8.4).

use std::io::{self, Read};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use ruzstd::decoding::StreamingDecoder;

/// Why a body stays encoded. The names are values of the `reason` of what could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotDecoded {
    /// An encoding that is not implemented here, or more of them than anybody stacks.
    EncodingUnknown,
    /// The bytes are not what the header says.
    EncodingBroken,
    /// More bytes than the limit come out.
    DecodedTooLarge,
}

impl NotDecoded {
    pub(crate) fn name(self) -> &'static str {
        match self {
            NotDecoded::EncodingUnknown => "encoding_unknown",
            NotDecoded::EncodingBroken => "encoding_broken",
            NotDecoded::DecodedTooLarge => "decoded_too_large",
        }
    }
}

/// The body with every encoding of its headers undone. An empty body (HEAD, 304) is empty in any encoding.
pub(crate) fn decoded(headers: &HeaderMap, body: &Bytes, limit_bytes: usize) -> Result<Bytes, NotDecoded> {
    let encodings = encodings(headers)?;
    let mut body = body.clone();
    if body.is_empty() {
        return Ok(body);
    }
    for encoding in encodings.iter().rev() {
        body = undone(*encoding, &body, limit_bytes)?.into();
    }
    if body.len() > limit_bytes { Err(NotDecoded::DecodedTooLarge) } else { Ok(body) }
}

#[derive(Clone, Copy)]
enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// In the order they were applied.
fn encodings(headers: &HeaderMap) -> Result<Vec<Encoding>, NotDecoded> {
    let mut found = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = value.to_str().map_err(|_| NotDecoded::EncodingUnknown)?;
        for name in value.split(',').map(str::trim) {
            found.push(match name.to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Encoding::Gzip,
                "deflate" => Encoding::Deflate,
                "br" => Encoding::Brotli,
                "zstd" => Encoding::Zstd,
                _ => return Err(NotDecoded::EncodingUnknown),
            });
            if found.len() > ENCODINGS_MAX {
                return Err(NotDecoded::EncodingUnknown);
            }
        }
    }
    Ok(found)
}

fn undone(encoding: Encoding, body: &[u8], limit_bytes: usize) -> Result<Vec<u8>, NotDecoded> {
    match encoding {
        Encoding::Gzip => read(flate2::read::MultiGzDecoder::new(body), limit_bytes),
        Encoding::Zstd => zstd(body, limit_bytes),
        Encoding::Brotli => read(brotli_decompressor::Decompressor::new(body, BUFFER_BYTES), limit_bytes),
        // RFC 9110 means zlib, but enough servers send the bare stream for every browser to take both.
        Encoding::Deflate => match read(flate2::read::ZlibDecoder::new(body), limit_bytes) {
            Err(NotDecoded::EncodingBroken) => read(flate2::read::DeflateDecoder::new(body), limit_bytes),
            done => done,
        },
    }
}

/// One frame after the other (RFC 8878, section 3.1), each with a window that any reader of the web has room for.
fn zstd(mut body: &[u8], limit_bytes: usize) -> Result<Vec<u8>, NotDecoded> {
    let mut plain = Vec::new();
    while !body.is_empty() {
        let frame = StreamingDecoder::new_with_max_window_size(&mut body, ZSTD_WINDOW_BYTES_MAX);
        let frame = frame.map_err(|_| NotDecoded::EncodingBroken)?;
        plain.append(&mut read(frame, limit_bytes - plain.len())?);
    }
    Ok(plain)
}

/// Stops at the limit, so that a few kilobytes cannot become gigabytes.
fn read(decoder: impl Read, limit_bytes: usize) -> Result<Vec<u8>, NotDecoded> {
    let mut plain = Vec::new();
    let read: io::Result<usize> = decoder.take(limit_bytes as u64 + 1).read_to_end(&mut plain);
    match read {
        Err(_) => Err(NotDecoded::EncodingBroken),
        Ok(bytes) if bytes > limit_bytes => Err(NotDecoded::DecodedTooLarge),
        Ok(_) => Ok(plain),
    }
}

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
            ("compress", TEXT.to_vec(), "encoding_unknown"),
            ("zstd", TEXT.to_vec(), "encoding_broken"),
            ("zstd", truncated(&zstd(TEXT)), "encoding_broken"),
            ("zstd", zstd(&vec![0; LIMIT + 1]), "decoded_too_large"),
            ("zstd", [zstd(&vec![0; LIMIT]), zstd(b"1")].concat(), "decoded_too_large"),
            ("zstd", ZSTD_WINDOW_16_MIB.to_vec(), "encoding_broken"),
            ("gzip, gzip, gzip, gzip, gzip", TEXT.to_vec(), "encoding_unknown"),
            ("gzip", TEXT.to_vec(), "encoding_broken"),
            ("gzip", truncated(&gzip(TEXT)), "encoding_broken"),
            ("br", truncated(TEXT_BROTLI), "encoding_broken"),
            ("br", TEXT.to_vec(), "encoding_broken"),
            ("deflate", TEXT.to_vec(), "encoding_broken"),
            ("gzip, deflate", gzip(TEXT), "encoding_broken"),
            ("gzip", gzip(&vec![0; LIMIT + 1]), "decoded_too_large"),
            ("deflate", raw(&vec![0; LIMIT * 100]), "decoded_too_large"),
            ("gzip, gzip", gzip(&gzip(&vec![0; LIMIT * 100])), "decoded_too_large"),
        ] {
            assert_eq!(undo(&[encoding], &body).map_err(NotDecoded::name), Err(reason), "{encoding}");
        }
        assert_eq!(undo(&["gzip"], &gzip(&vec![0; LIMIT])).map(|body| body.len()), Ok(LIMIT), "exactly the limit");
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
