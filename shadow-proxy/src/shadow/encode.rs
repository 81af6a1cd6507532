//! A body encoded as its `Content-Encoding` says: the counterpart of `decode`, for bodies that were recorded decoded.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// The body in every encoding that its headers name, in their order. Nothing is encoded twice: an empty body stays
/// empty (HEAD, 304), and a name that is no encoding changes nothing.
pub(crate) fn encoded(headers: &HeaderMap, plain: Bytes) -> Bytes {
    let values = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut body = plain;
    for name in values.flat_map(|value| value.split(',')) {
        if body.is_empty() {
            return body;
        }
        let done = match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&body).and_then(|()| encoder.finish())
            }
            "deflate" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&body).and_then(|()| encoder.finish())
            }
            "zstd" => Ok(compress_to_vec(body.as_ref(), CompressionLevel::Fastest)),
            "br" => Ok(brotli(&body)),
            _ => continue,
        };
        body = done.expect("nothing fails that writes to memory").into();
    }
    body
}

/// Meta-blocks that are not compressed, then an empty last one (RFC 7932, section 9.2): nobody measures its size.
fn brotli(plain: &[u8]) -> Vec<u8> {
    let mut stream = Vec::with_capacity(plain.len() + 8);
    for (index, block) in plain.chunks(BLOCK_BYTES).enumerate() {
        // A window of 16 bits is one zero in front of the first block. Then: not the last, 4 nibbles of length, stored.
        let shift = if index == 0 { 4 } else { 3 };
        let head = ((block.len() - 1) as u32) << shift | 1 << (shift + 16);
        stream.extend_from_slice(&head.to_le_bytes()[..3]);
        stream.extend_from_slice(block);
    }
    stream.push(3);
    stream
}

const BLOCK_BYTES: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::shadow::decode::readable;

    #[test]
    fn decoding_gives_back_what_was_encoded() {
        for length in [1, 17, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 5] {
            let plain: Bytes = (0..length).map(|at| (at % 251) as u8).collect::<Vec<u8>>().into();
            for name in ["gzip", "X-Gzip", "deflate", "br", "zstd", "identity", "br, gzip", "utf-8", ""] {
                let mut headers = HeaderMap::new();
                headers.insert(CONTENT_ENCODING, HeaderValue::from_str(name).unwrap());
                let body = encoded(&headers, plain.clone());
                assert_eq!(body == plain, ["identity", "utf-8", ""].contains(&name), "{name}");
                assert_eq!(readable(&headers, &body, 1 << 20), (plain.clone(), None), "{name} {length}");
                assert!(encoded(&headers, Bytes::new()).is_empty(), "{name}");
            }
        }
    }
}
