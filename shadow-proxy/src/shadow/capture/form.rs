//! Another text of the same form: as long, and each character of the class it was, so that whoever reads it takes it the
//! same way. Equal texts become equal ones under one key, and nothing leads back.

use std::net::Ipv4Addr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::random;

/// The key of one capture. It is never stored.
pub(crate) struct Keyed(Hmac<Sha256>);

impl Keyed {
    /// # Errors
    /// The system has no randomness to give.
    pub(crate) fn new() -> std::io::Result<Keyed> {
        Ok(Keyed::with(&random::key()?))
    }

    pub(crate) fn with(key: &[u8; 32]) -> Keyed {
        Keyed(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// Bytes without end that only this key makes of this content. `use_` keeps apart what is made of it for two ends.
    pub(crate) fn stream(&self, use_: &str, content: &[u8]) -> Stream {
        let mac = self.0.clone().chain_update([use_.len() as u8]).chain_update(use_).chain_update(content);
        Stream { seed: mac.finalize().into_bytes().into(), block: [0; 32], used: 32, number: 0 }
    }

    /// Another text of the same form.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut stream = self.stream("form", text.as_bytes());
        if let Some(address) = self.address(text, &mut stream) {
            return address;
        }
        let alphabet = Alphabet::of(text);
        let mut other = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            let is_first_of_number = at == 0 && c.is_ascii_digit() && text.len() > 1;
            other.push(if is_first_of_number && alphabet == Alphabet::Classes {
                if c == '0' { c } else { char::from(b'1' + stream.below(9)) }
            } else {
                alphabet.other(c, at, &mut stream)
            });
        }
        other
    }

    /// The same of bytes that are no text.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.stream("form", bytes);
        let other = |byte: &u8| match *byte {
            0x80.. => 0x80 + stream.below(0x80),
            byte => Alphabet::Classes.other(char::from(byte), 1, &mut stream) as u8,
        };
        bytes.iter().map(other).collect()
    }

    /// An address stays one, with as many digits.
    fn address(&self, text: &str, stream: &mut Stream) -> Option<String> {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        host.parse::<Ipv4Addr>().ok()?;
        let octet = |digits: &str| match digits.len() {
            1 => u32::from(stream.below(10)),
            2 => 10 + u32::from(stream.below(90)),
            _ => 100 + u32::from(stream.below(156)),
        };
        let octets: Vec<String> = host.split('.').map(octet).map(|octet| octet.to_string()).collect();
        Some(octets.join(".") + &port.map(|port| format!(":{}", self.text(port))).unwrap_or_default())
    }
}

/// See [`Keyed::stream`].
pub(crate) struct Stream {
    seed: [u8; 32],
    block: [u8; 32],
    used: usize,
    number: u64,
}

impl Stream {
    pub(crate) fn byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            let block = Sha256::new_with_prefix(self.seed).chain_update(self.number.to_be_bytes()).finalize();
            self.block = block.into();
            (self.used, self.number) = (0, self.number + 1);
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.byte());
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// Each number below `end` as likely as any other.
    fn below(&mut self, end: u8) -> u8 {
        let fair = u8::MAX - (u8::MAX % end + 1) % end;
        loop {
            let byte = self.byte();
            if byte <= fair {
                return byte % end;
            }
        }
    }
}

/// For what makes keys of it.
impl rand_core::TryRng for Stream {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_le_bytes(self.array()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_le_bytes(self.array()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.fill(bytes);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Stream {}

/// Which characters may stand for which.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    /// A digit for a digit, a lower-case letter for one, punctuation for itself.
    Classes,
    LowerHex,
    UpperHex,
    /// Hexadecimal, with version and variant where they stand.
    Uuid,
    /// There is nothing but punctuation, which is then what is secret.
    Punctuation,
}

impl Alphabet {
    fn of(text: &str) -> Alphabet {
        let all = |is: fn(u8) -> bool| text.bytes().all(is);
        let is_long = text.len() >= HEX_BYTES_MIN && text.bytes().any(|byte| byte.is_ascii_alphabetic());
        if crate::shadow::class::Class::of(text.as_bytes()) == crate::shadow::class::Class::Uuid {
            Alphabet::Uuid
        } else if is_long && all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            Alphabet::LowerHex
        } else if is_long && all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)) {
            Alphabet::UpperHex
        } else if text.len() >= PUNCTUATION_MIN && all(|byte| byte.is_ascii_punctuation()) {
            Alphabet::Punctuation
        } else {
            Alphabet::Classes
        }
    }

    fn other(self, c: char, at: usize, stream: &mut Stream) -> char {
        let hex = |stream: &mut Stream, digits: &[u8; 16]| char::from(digits[usize::from(stream.below(16))]);
        match self {
            Alphabet::Uuid if c == '-' || at == 14 || at == 19 => c,
            Alphabet::Uuid if c.is_ascii_uppercase() => hex(stream, b"0123456789ABCDEF"),
            Alphabet::Uuid | Alphabet::LowerHex => hex(stream, b"0123456789abcdef"),
            Alphabet::UpperHex => hex(stream, b"0123456789ABCDEF"),
            Alphabet::Punctuation => char::from(PUNCTUATION[usize::from(stream.below(PUNCTUATION.len() as u8))]),
            Alphabet::Classes => match c {
                '0'..='9' => char::from(b'0' + stream.below(10)),
                'a'..='z' => char::from(b'a' + stream.below(26)),
                'A'..='Z' => char::from(b'A' + stream.below(26)),
                // A byte order mark is about how to read, not what.
                '\0'..='\x7f' | '\u{feff}' => c,
                // As many bytes in UTF-8.
                c => match c.len_utf8() {
                    2 => from_range(0xe0, 22, stream),
                    3 => from_range(0x4e00, 200, stream),
                    _ => from_range(0x1f600, 64, stream),
                },
            },
        }
    }
}

fn from_range(start: u32, length: u8, stream: &mut Stream) -> char {
    char::from_u32(start + u32::from(stream.below(length))).expect("the ranges have no surrogates")
}

const HEX_BYTES_MIN: usize = 8;
/// `*/*` and `--` are no secrets.
const PUNCTUATION_MIN: usize = 4;
const PUNCTUATION: &[u8; 8] = b"!$*+-.^_";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shadow::class::Class;

    #[test]
    fn the_form_stays() {
        let keyed = Keyed::with(&[7; 32]);
        for (text, is_of_the_form) in [
            (
                "hunter2",
                (|t| t.chars().take(6).all(|c| c.is_ascii_lowercase()) && t.ends_with(|c: char| c.is_ascii_digit()))
                    as fn(&str) -> bool,
            ),
            ("Ann.Lee@example.com", |t| {
                t.contains('@') && t.as_bytes()[3] == b'.' && t.ends_with(|c: char| c.is_ascii_lowercase())
            }),
            ("9f2c1ab47d3e", |t| Class::of(t.as_bytes()) == Class::Hex),
            ("123e4567-e89b-42d3-a456-426614174000", |t| {
                Class::of(t.as_bytes()) == Class::Uuid && t.as_bytes()[14] == b'4'
            }),
            ("4711", |t| t.parse::<u32>().is_ok_and(|number| number >= 1000)),
            ("0071", |t| t.starts_with('0') && t.parse::<u32>().is_ok()),
            ("10.0.0.17:8080", |t| t.parse::<std::net::SocketAddrV4>().is_ok()),
            ("grüße", |t| t.chars().count() == 5 && t.len() == 7),
            ("日本", |t| t.chars().count() == 2 && t.len() == 6),
            ("!!$$!!", |t| t.bytes().all(|byte| byte.is_ascii_punctuation())),
        ] {
            let other = keyed.text(text);
            assert!(is_of_the_form(&other) && other.len() == text.len() && other != text, "{text}: {other}");
            assert_eq!(other, keyed.text(text));
            assert_ne!(other, Keyed::with(&[8; 32]).text(text), "{text}: another capture has another");
        }
        assert_eq!(keyed.text(""), "");
        assert_eq!(keyed.bytes(&[0, 0xff, b'a']).len(), 3);
    }

    proptest! {
        #[test]
        fn any_text_keeps_its_length(text in "\\PC{0,40}") {
            let other = Keyed::with(&[7; 32]).text(&text);
            prop_assert_eq!(other.len(), text.len());
            prop_assert_eq!(other.chars().count(), text.chars().count());
        }
    }
}
