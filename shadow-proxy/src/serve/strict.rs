//! RFC 9112 as a strict server reads it: what a client sends passes byte for byte, up to what could be read in two ways.
//!
//! hyper, which parses what passes, is lenient: it takes bare line feeds, `Content-Length` beside chunks and requests
//! without `Host`. Two parsers in a row that do not agree on where a request ends are how one is smuggled past the first.
//! Pure: no I/O, no clock; nothing is copied.

mod chunks;
mod head;
#[cfg(test)]
mod tests;

use crate::metrics::Refusal;

use self::chunks::{Chunks, Taken};
use self::head::Head;

/// What is taken although RFC 9112 has it refused, each because somebody said so by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerated {
    pub no_host: bool,
    pub odd_host: bool,
    pub other_host: bool,
    pub equal_lengths: bool,
    pub bare_line_feeds: bool,
}

impl Tolerated {
    /// The names as a list in a configuration has them.
    pub const NAMES: [&str; 5] = ["no_host", "odd_host", "other_host", "equal_lengths", "bare_line_feeds"];

    /// `false` for a name that is not there.
    pub fn add(&mut self, name: &str) -> bool {
        let switch = match name {
            "no_host" => &mut self.no_host,
            "odd_host" => &mut self.odd_host,
            "other_host" => &mut self.other_host,
            "equal_lengths" => &mut self.equal_lengths,
            "bare_line_feeds" => &mut self.bare_line_feeds,
            _ => return false,
        };
        *switch = true;
        true
    }
}

/// The framing of a request's body. No body has a length of 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Length(u64),
    Chunks,
}

/// Follows one connection from request to request.
#[derive(Debug)]
pub struct Inspector {
    tolerated: Tolerated,
    head_bytes_max: usize,
    place: Place,
    /// Heads that passed.
    pub heads: u64,
}

#[derive(Debug)]
enum Place {
    Head(Head),
    Length {
        left: u64,
        asks_upgrade: bool,
    },
    Chunks {
        chunks: Chunks,
        asks_upgrade: bool,
    },
    /// Behind a request that asked for another protocol: nobody knows yet which one this is.
    Undecided,
    /// Another protocol.
    Tunnel,
}

impl Inspector {
    pub fn new(tolerated: Tolerated, head_bytes_max: usize) -> Inspector {
        Inspector { tolerated, head_bytes_max, place: Place::Head(Head::default()), heads: 0 }
    }

    /// The number of bytes that may pass, from the first. The others are to be given again, with more behind them: they
    /// are an unfinished head, or wait for a decision. A refusal comes with the number of those that are good before it.
    pub fn pass(&mut self, bytes: &[u8]) -> Result<usize, (usize, Refusal)> {
        let mut passed = 0;
        while passed < bytes.len() {
            let rest = &bytes[passed..];
            match &mut self.place {
                Place::Head(head) => match head.read(rest, self.tolerated) {
                    Ok(None) if rest.len() > self.head_bytes_max => return Err((passed, Refusal::HeadTooLarge)),
                    Ok(None) => break,
                    Ok(Some(whole)) if whole.length > self.head_bytes_max => {
                        return Err((passed, Refusal::HeadTooLarge));
                    }
                    Err(refusal) => return Err((passed, refusal)),
                    Ok(Some(whole)) => {
                        passed += whole.length;
                        self.heads += 1;
                        let asks_upgrade = whole.asks_upgrade;
                        self.place = match whole.body {
                            Body::Length(0) => behind(asks_upgrade),
                            Body::Length(left) => Place::Length { left, asks_upgrade },
                            Body::Chunks => Place::Chunks { chunks: Chunks::default(), asks_upgrade },
                        };
                    }
                },
                Place::Length { left, asks_upgrade } => {
                    let taken = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    passed += taken;
                    *left -= taken as u64;
                    if *left == 0 {
                        self.place = behind(*asks_upgrade);
                    }
                }
                Place::Chunks { chunks, asks_upgrade } => match chunks.take(rest) {
                    Taken::All => passed = bytes.len(),
                    Taken::Malformed(good) => return Err((passed + good, Refusal::Chunk)),
                    Taken::Ends(taken) => {
                        passed += taken;
                        self.place = behind(*asks_upgrade);
                    }
                },
                Place::Undecided => break,
                Place::Tunnel => passed = bytes.len(),
            }
        }
        Ok(passed)
    }

    /// Whether the next byte belongs to a head; else to a body, or to what nobody knows yet.
    pub fn awaits_head(&self) -> bool {
        matches!(self.place, Place::Head(_))
    }

    /// Whether the connection is where a request may begin: `held` is what did not pass.
    pub fn is_between_requests(&self, held: &[u8]) -> bool {
        matches!(&self.place, Place::Head(head) if head.is_empty(held))
    }

    pub fn is_undecided(&self) -> bool {
        matches!(self.place, Place::Undecided)
    }

    pub fn is_tunnel(&self) -> bool {
        matches!(self.place, Place::Tunnel)
    }

    /// The other protocol was agreed to: everything passes from here on.
    pub fn step_aside(&mut self) {
        self.place = Place::Tunnel;
    }

    /// It was not: the next request follows.
    pub fn go_on(&mut self) {
        self.place = Place::Head(Head::default());
    }
}

fn behind(asks_upgrade: bool) -> Place {
    if asks_upgrade { Place::Undecided } else { Place::Head(Head::default()) }
}
