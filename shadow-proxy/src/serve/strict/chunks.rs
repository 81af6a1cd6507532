//! A body in chunks, held against RFC 9112 §7.1 while it passes.

use super::head::is_token;

/// Bytes of extensions and trailers together that one body may have. Nobody reads them here, and they cost as much as data.
const ASIDE_BYTES_MAX: usize = 16 << 10;

/// The place in the body that comes next.
#[derive(Clone, Debug)]
pub struct Chunks {
    state: State,
    size: u64,
    aside: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The size of a chunk, with the number of digits so far.
    Size(u8),
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    /// A trailer begins, or the end.
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
}

/// How much of some bytes belongs to the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    All,
    /// The body ends after so many.
    Ends(usize),
    /// So many are good, and the next is not.
    Malformed(usize),
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks { state: State::Size(0), size: 0, aside: 0 }
    }
}

impl Chunks {
    pub fn take(&mut self, bytes: &[u8]) -> Taken {
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Data {
                let passed = (bytes.len() - at).min(usize::try_from(self.size).unwrap_or(usize::MAX));
                self.size -= passed as u64;
                at += passed;
                if self.size == 0 {
                    self.state = State::DataReturn;
                }
                continue;
            }
            if self.state == State::LastLineFeed {
                return if bytes[at] == b'\n' { Taken::Ends(at + 1) } else { Taken::Malformed(at) };
            }
            match self.next(bytes[at]) {
                Some(state) => self.state = state,
                None => return Taken::Malformed(at),
            }
            at += 1;
        }
        Taken::All
    }

    /// None where the byte may not stand.
    fn next(&mut self, byte: u8) -> Option<State> {
        let is_text = byte >= b' ' && byte != 0x7f || byte == b'\t';
        let state = match (self.state, byte) {
            (State::Size(digits), _) if byte.is_ascii_hexdigit() => return self.digit(digits, byte),
            (State::Size(1..), b'\r') => State::SizeLineFeed,
            (State::Size(1..), b';') => State::Extension,
            (State::Extension, b'\r') => State::SizeLineFeed,
            (State::Extension, _) if is_text => State::Extension,
            (State::SizeLineFeed, b'\n') if self.size > 0 => State::Data,
            (State::SizeLineFeed, b'\n') => State::Trailer,
            (State::DataReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size(0),
            (State::Trailer, b'\r') => State::LastLineFeed,
            (State::Trailer | State::TrailerName, _) if is_token(byte) => State::TrailerName,
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, b'\r') => State::TrailerLineFeed,
            (State::TrailerValue, _) if is_text => State::TrailerValue,
            (State::TrailerLineFeed, b'\n') => State::Trailer,
            _ => return None,
        };
        if matches!(state, State::Extension | State::TrailerName | State::TrailerValue) {
            self.aside += 1;
        }
        (self.aside <= ASIDE_BYTES_MAX).then_some(state)
    }

    fn digit(&mut self, digits: u8, byte: u8) -> Option<State> {
        let digit = char::from(byte).to_digit(16)?;
        let size = if digits == 0 { 0 } else { self.size };
        // More than 2^60 bytes are an attack on the arithmetic of somebody, and endless zeros on patience.
        let is_fit = size >> 56 == 0 && digits < 32;
        self.size = size << 4 | u64::from(digit);
        is_fit.then_some(State::Size(digits + 1))
    }
}
