//! The nouns everything else speaks of, as plain data: a call, what each side did with it, and what came of it.
//!
//! None of them prints its content: `Debug` gives shapes and sizes only, because a credential in a log line or a
//! panic text is a leak.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};

/// One of the two services that can answer a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Legacy,
    Candidate,
}

impl Side {
    pub fn other(self) -> Side {
        match self {
            Side::Legacy => Side::Candidate,
            Side::Candidate => Side::Legacy,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Side::Legacy => "legacy",
            Side::Candidate => "candidate",
        }
    }
}

/// One request as the client sent it, less hop-by-hop headers, with its whole body.
#[derive(Clone)]
pub struct Call {
    pub method: Method,
    /// Path and query exactly as received; scheme and authority only when the client sent them.
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    /// What the call costs a queue in memory, in bytes: its own and a flat share for the maps around it.
    pub fn weight_bytes(&self) -> usize {
        self.body.len() + headers_bytes(&self.headers) + self.uri.path().len() + 512
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} {} headers, {} body bytes)", self.method, self.headers.len(), self.body.len())
    }
}

/// One response, whole.
#[derive(Clone)]
pub struct Answer {
    pub status: StatusCode,
    /// Less hop-by-hop headers, in the order received; several values of a name stay several.
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn weight_bytes(&self) -> usize {
        self.body.len() + headers_bytes(&self.headers) + 256
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} {} headers, {} body bytes)", self.status, self.headers.len(), self.body.len())
    }
}

/// Why a side gave no answer. A failure is data: it is compared, counted and shown like a response. Its text, after the
/// name of a side, is what a client may be told; why exactly a guest failed is not the client's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// No connection within the connect timeout, or refused.
    #[error("does not accept connections")]
    Connect,
    /// Connected, but no complete answer before the deadline.
    #[error("did not answer in time")]
    Deadline,
    /// The connection ended before the answer did.
    #[error("gave no usable answer")]
    Closed,
    /// The answer was larger than `body_bytes_max`.
    #[error("gave no usable answer")]
    TooLarge,
    /// The guest trapped or panicked.
    #[error("gave no usable answer")]
    Trap,
    /// The guest asked for more memory than its cap.
    #[error("gave no usable answer")]
    Memory,
    /// The guest returned without an answer, or with one that is not HTTP.
    #[error("gave no usable answer")]
    NoAnswer,
    /// Every instance is busy and the limit on waiting calls is reached.
    #[error("is busy; try again")]
    Busy,
}

/// What one side did with a call, and how long it took from the call being complete to the answer being complete.
#[derive(Clone, Debug)]
pub struct Leg {
    pub outcome: Result<Answer, Failure>,
    pub latency: Duration,
}

/// A call with what both sides did with it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// When the side that served was asked.
    pub begun: Instant,
    pub call: Arc<Call>,
    /// The side whose answer the client got.
    pub served_by: Side,
    pub served: Leg,
    pub mirrored: Leg,
    /// What the side that served did when it was asked the same again, together with the other.
    pub again: Option<Leg>,
}

impl Exchange {
    pub fn leg(&self, side: Side) -> &Leg {
        if side == self.served_by { &self.served } else { &self.mirrored }
    }
}

/// What an answer means to whoever asked: may this credential in?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    Allow,
    Deny,
    /// A 5xx, or no answer.
    Error,
    /// An answer that lets nobody in or out (404, 304, a health check).
    Neither,
}

/// A cell of the decision matrix: legacy's decision, then the candidate's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    AllowAllow,
    DenyDeny,
    /// A lockout: the candidate refuses whom legacy lets in.
    AllowDeny,
    /// A breach: the candidate lets in whom legacy refuses.
    DenyAllow,
    /// At least one side decided nothing.
    Other,
}

impl Cell {
    pub const ALL: [Cell; 5] = [Cell::AllowAllow, Cell::DenyDeny, Cell::AllowDeny, Cell::DenyAllow, Cell::Other];

    pub fn of(legacy: Decision, candidate: Decision) -> Cell {
        match (legacy, candidate) {
            (Decision::Allow, Decision::Allow) => Cell::AllowAllow,
            (Decision::Deny, Decision::Deny) => Cell::DenyDeny,
            (Decision::Allow, Decision::Deny) => Cell::AllowDeny,
            (Decision::Deny, Decision::Allow) => Cell::DenyAllow,
            _ => Cell::Other,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Cell::AllowAllow => "allow_allow",
            Cell::DenyDeny => "deny_deny",
            Cell::AllowDeny => "allow_deny",
            Cell::DenyAllow => "deny_allow",
            Cell::Other => "other",
        }
    }
}

/// How two values at one path differ, seen from the legacy side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Both have it, the values differ.
    Value,
    /// Legacy has it, the candidate does not.
    Missing,
    /// The candidate has it, legacy does not.
    Added,
    /// Both have it, with different JSON types.
    Type,
    /// The same elements in another order.
    Order,
    /// One side names it once more than the other: a JSON key, a cookie.
    Repeated,
    /// Both have it, the candidate under another name; found only where a rule says so.
    Renamed,
}

impl Kind {
    pub const ALL: [Kind; 7] =
        [Kind::Value, Kind::Missing, Kind::Added, Kind::Type, Kind::Order, Kind::Repeated, Kind::Renamed];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Value => "value",
            Kind::Missing => "missing",
            Kind::Added => "added",
            Kind::Type => "type",
            Kind::Order => "order",
            Kind::Repeated => "repeated",
            Kind::Renamed => "renamed",
        }
    }
}

/// How bad a difference is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The candidate lets in whom legacy refuses.
    Breach,
    /// The candidate refuses whom legacy lets in.
    Lockout,
    /// Another status, or a part of the body that is gone or of another type.
    High,
    Low,
}

impl Severity {
    pub fn of(path: &str, kind: Kind, legacy: Option<&str>) -> Severity {
        match (path, kind) {
            ("decision", _) if legacy == Some("deny") => Severity::Breach,
            ("decision", _) => Severity::Lockout,
            ("status", _) => Severity::High,
            (_, Kind::Missing | Kind::Type) if path.starts_with("body") => Severity::High,
            _ => Severity::Low,
        }
    }

    /// A decision that differs, which no rule explains.
    pub fn is_flip(self) -> bool {
        matches!(self, Severity::Breach | Severity::Lockout)
    }

    pub fn name(self) -> &'static str {
        match self {
            Severity::Breach => "breach",
            Severity::Lockout => "lockout",
            Severity::High => "high",
            Severity::Low => "low",
        }
    }
}

/// One place where the answers differ. The values are as sent: they leave the process only through `redact`.
#[derive(Clone, PartialEq, Eq)]
pub struct Difference {
    /// `status`, `header.NAME`, `body`, `body.a.b[]` or `decision`; array positions are not part of it.
    pub path: String,
    pub kind: Kind,
    /// JSON text below `body.`, else the plain value; none also where only the fact is known.
    pub legacy: Option<String>,
    pub candidate: Option<String>,
    /// The name of the rule that explains it.
    pub rule: Option<Arc<str>>,
}

impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Difference({} {:?} rule {:?})", self.path, self.kind, self.rule)
    }
}

/// What the comparison of two answers says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing differs, less hop-by-hop headers.
    Match,
    /// Every difference is explained by a rule.
    Explained,
    /// At least one difference that no rule explains.
    Mismatch,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Match => "match",
            Verdict::Explained => "explained",
            Verdict::Mismatch => "mismatch",
        }
    }
}

fn headers_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}
