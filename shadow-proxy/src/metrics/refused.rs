//! Reasons for which the front door refuses what a client sends, before any side is asked.

/// A violation of RFC 9112 or of a limit. All but `Chunk` and `Unread` concern the head of a request, which is then not
/// received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request line or a field line does not have the form of HTTP/1.
    Syntax,
    /// A line ends with a line feed alone.
    BareLineFeed,
    /// The target is not a path, not `*` of `OPTIONS` and not a URL without user info.
    Target,
    NoHost,
    SeveralHosts,
    /// `Host` is not a host with or without a port.
    OddHost,
    /// The target is a URL of another host than `Host`.
    OtherHost,
    SeveralLengths,
    OddLength,
    /// `Content-Length` beside `Transfer-Encoding`, by which requests are smuggled.
    LengthBesideCoding,
    /// `Transfer-Encoding` that does not end with one `chunked`, has an unknown coding, or comes by HTTP/1.0.
    OddCoding,
    /// The framing of a chunk, or of a trailer, is not that of RFC 9112.
    Chunk,
    HeadTooLarge,
    /// The memory for heads is used up.
    NoMemory,
    SlowHead,
    /// The connection ended in the middle of a head.
    Unfinished,
    /// The client took nothing of its answer for too long.
    Unread,
}

impl Refusal {
    pub fn name(self) -> &'static str {
        Refusal::ALL[self as usize].1
    }

    /// Whether what is refused was never a request.
    pub fn is_of_head(self) -> bool {
        !matches!(self, Refusal::Chunk | Refusal::Unread)
    }

    pub const ALL: [(Refusal, &'static str); 17] = [
        (Refusal::Syntax, "syntax"),
        (Refusal::BareLineFeed, "bare_line_feed"),
        (Refusal::Target, "target"),
        (Refusal::NoHost, "no_host"),
        (Refusal::SeveralHosts, "several_hosts"),
        (Refusal::OddHost, "odd_host"),
        (Refusal::OtherHost, "other_host"),
        (Refusal::SeveralLengths, "several_lengths"),
        (Refusal::OddLength, "odd_length"),
        (Refusal::LengthBesideCoding, "length_beside_coding"),
        (Refusal::OddCoding, "odd_coding"),
        (Refusal::Chunk, "chunk"),
        (Refusal::HeadTooLarge, "head_too_large"),
        (Refusal::NoMemory, "no_memory"),
        (Refusal::SlowHead, "slow_head"),
        (Refusal::Unfinished, "unfinished"),
        (Refusal::Unread, "unread"),
    ];
}
