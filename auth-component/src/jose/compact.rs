//! The compact serialisation (RFC 7515 §7.1): exactly three parts, each exact base64url.

use base64ct::{Base64UrlUnpadded, Encoding};

use super::Refusal;

const TOKEN_BYTES_MAX: usize = 8_192;
const HEADER_BYTES_MAX: usize = 2_048;

/// A token taken apart; nothing in it is believed yet.
pub(crate) struct Compact<'a> {
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// The text the signature is about: `header.payload` as sent.
    pub(crate) signed: &'a [u8],
}

impl<'a> Compact<'a> {
    pub(crate) fn parse(token: &'a [u8]) -> Result<Compact<'a>, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::TokenTooLong);
        }
        let mut parts = token.split(|&byte| byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::NotThreeParts);
        };
        let signed = &token[..header.len() + 1 + payload.len()];
        let header = decode(header)?;
        if header.len() > HEADER_BYTES_MAX {
            return Err(Refusal::HeaderTooLong);
        }
        Ok(Compact { header, payload: decode(payload)?, signature: decode(signature)?, signed })
    }
}

/// Base64url without padding (RFC 7515 §2). Two texts never decode to the same bytes: unused bits must be zero.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let text = str::from_utf8(text).map_err(|_| Refusal::Encoding)?;
    Base64UrlUnpadded::decode_vec(text).map_err(|_| Refusal::Encoding)
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_exact() {
        let good: &[(&str, &[u8])] =
            &[("", b""), ("Zg", b"f"), ("Zm8", b"fo"), ("Zm9v", b"foo"), ("-_-_", &[0xfb, 0xff, 0xbf])];
        for (text, bytes) in good {
            assert_eq!(decode(text.as_bytes()).as_deref(), Ok(*bytes), "{text}");
            assert_eq!(encode(bytes), *text);
        }
        let bad = [
            "Z",
            "Zg=",
            "Zg==",
            "Zm8=",
            "Zh",
            "Zi",
            "Zm9",
            "Zm-",
            "Zm9vY",
            "+/+/",
            "Zm9v ",
            " Zm9v",
            "Zm\n9v",
            "Zm9v\r\n",
            "Zm9v=",
            "Zm\u{e9}v",
            "Zm9v\0",
            "Zm%39v",
            "=",
            "====",
        ];
        for text in bad {
            assert_eq!(decode(text.as_bytes()), Err(Refusal::Encoding), "{text:?}");
        }
        assert_eq!(decode(b"Zm\xff"), Err(Refusal::Encoding));
    }

    /// Every text of up to three characters that decodes is the one its bytes encode to.
    #[test]
    fn no_two_texts_mean_the_same() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                for third in [b"".as_slice(), b"A", b"B", b"Q", b"-", b"=", b"."] {
                    let text = [&[first, second], third].concat();
                    if let Ok(bytes) = decode(&text) {
                        assert_eq!(encode(&bytes).as_bytes(), text);
                    }
                }
            }
        }
    }

    #[test]
    fn three_parts_and_their_limits() {
        let long_header = format!("{}..", encode(&[b' '; HEADER_BYTES_MAX + 1]));
        let long = "A".repeat(TOKEN_BYTES_MAX + 1);
        let cases: &[(&str, Option<Refusal>)] = &[
            ("..", None),
            ("e30..", None),
            ("e30.e30.AA", None),
            ("", Some(Refusal::NotThreeParts)),
            (".", Some(Refusal::NotThreeParts)),
            ("e30.e30", Some(Refusal::NotThreeParts)),
            ("...", Some(Refusal::NotThreeParts)),
            ("e30.e30.AA.", Some(Refusal::NotThreeParts)),
            (".e30.e30.AA", Some(Refusal::NotThreeParts)),
            ("e30..e30.AA", Some(Refusal::NotThreeParts)),
            ("e30.e30.AA.AA.AA", Some(Refusal::NotThreeParts)),
            ("{\"payload\":\"e30\"}", Some(Refusal::NotThreeParts)),
            ("e30.e30.AA ", Some(Refusal::Encoding)),
            ("e30=.e30.AA", Some(Refusal::Encoding)),
            (&long_header, Some(Refusal::HeaderTooLong)),
            (&long, Some(Refusal::TokenTooLong)),
        ];
        for (token, refusal) in cases {
            assert_eq!(Compact::parse(token.as_bytes()).err(), *refusal, "{token}");
        }
        let token = Compact::parse(b"e30.Zm9v.AA").expect("three parts");
        assert_eq!((token.signed, token.payload.as_slice()), (b"e30.Zm9v".as_slice(), b"foo".as_slice()));
    }
}
