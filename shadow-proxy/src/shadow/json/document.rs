//! A JSON text and where in it each value and each name stands.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use json_event_parser::{JsonEvent, LowLevelJsonParser};

use super::hash;

/// Why a body is not read as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NotJson {
    NotUtf8,
    /// Clients disagree whether U+FEFF may stand before a document (RFC 8259, section 8.1).
    ByteOrderMark,
    /// Not the grammar of RFC 8259; also a surrogate without its other half, which no UTF-8 can hold.
    Syntax,
    /// More than `DEPTH_MAX` levels.
    TooDeep,
    /// More than `BYTES_MAX` bytes or `NODES_MAX` values and names.
    TooLarge,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotJson::NotUtf8 => "not UTF-8",
            NotJson::ByteOrderMark => "BOM",
            NotJson::Syntax => "syntax",
            NotJson::TooDeep => "too deep",
            NotJson::TooLarge => "too large",
        })
    }
}

/// What a member of the root holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Member<'a> {
    Null,
    Bool(bool),
    /// As it was written: a double may not hold it.
    Number(&'a str),
    Text(Cow<'a, str>),
    Array,
    Object,
}

pub(crate) struct Document {
    text: Bytes,
    /// In the order of the text, the root first. In an object each name is a node, followed by its value.
    nodes: Vec<Node>,
    hashes: OnceLock<Vec<u128>>,
}

/// What it is, the first byte of its text tells.
#[derive(Clone, Copy)]
struct Node {
    /// Its text, as offsets.
    start: u32,
    end: u32,
    /// The first node that is not within this one.
    next: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

impl Document {
    /// Of bytes that are not shared: they are copied.
    #[cfg(test)]
    pub(crate) fn parse(text: &[u8]) -> Result<Document, NotJson> {
        // Refused before it is copied.
        if text.len() > BYTES_MAX { Err(NotJson::TooLarge) } else { Document::read(Bytes::copy_from_slice(text)) }
    }

    /// Shares the bytes.
    pub(crate) fn read(text: Bytes) -> Result<Document, NotJson> {
        let nodes = nodes(&text)?;
        Ok(Document { text, nodes, hashes: OnceLock::new() })
    }

    pub(crate) fn is_object(&self) -> bool {
        self.type_of(ROOT) == Type::Object
    }

    /// What the root, an object, holds under this name. Of several the last, as in `JSON.parse` of the clients.
    pub(crate) fn member(&self, name: &str) -> Option<Member<'_>> {
        let (_, value) = self.last_member(ROOT, name.as_bytes())?;
        Some(self.value(value))
    }

    pub(super) fn value(&self, node: u32) -> Member<'_> {
        match self.type_of(node) {
            Type::Null => Member::Null,
            Type::Bool => Member::Bool(self.raw(node) == b"true"),
            Type::Number => Member::Number(utf8(self.raw(node))),
            Type::Text => Member::Text(self.content_text(node)),
            Type::Array => Member::Array,
            Type::Object => Member::Object,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn type_of(&self, node: u32) -> Type {
        match self.text[self.nodes[node as usize].start as usize] {
            b'n' => Type::Null,
            b't' | b'f' => Type::Bool,
            b'"' => Type::Text,
            b'[' => Type::Array,
            b'{' => Type::Object,
            _ => Type::Number,
        }
    }

    /// As it was written.
    pub(super) fn raw(&self, node: u32) -> &[u8] {
        let Node { start, end, .. } = self.nodes[node as usize];
        &self.text[start as usize..end as usize]
    }

    /// What a string or a name says, in UTF-8.
    pub(super) fn content(&self, node: u32) -> Cow<'_, [u8]> {
        let quoted = self.raw(node);
        let plain = &quoted[1..quoted.len() - 1];
        if !plain.contains(&b'\\') {
            return Cow::Borrowed(plain);
        }
        // Two parsers that disagree about an escape would leave it as it was written.
        serde_json::from_slice(quoted).map_or(Cow::Borrowed(plain), |text: String| Cow::Owned(text.into_bytes()))
    }

    pub(super) fn content_text(&self, node: u32) -> Cow<'_, str> {
        match self.content(node) {
            Cow::Borrowed(bytes) => Cow::Borrowed(utf8(bytes)),
            Cow::Owned(bytes) => Cow::Owned(utf8(&bytes).to_owned()),
        }
    }

    /// Of an array, in a list as long as it has to be.
    pub(super) fn all_elements(&self, array: u32) -> Vec<u32> {
        let mut list = Vec::with_capacity(self.elements(array).count());
        list.extend(self.elements(array));
        list
    }

    pub(super) fn elements(&self, array: u32) -> impl Iterator<Item = u32> {
        let end = self.next(array);
        let at = move |node: u32| (node < end).then_some(node);
        std::iter::successors(at(array + 1), move |node| at(self.next(*node)))
    }

    /// Names and values of an object.
    pub(super) fn members(&self, object: u32) -> impl Iterator<Item = (u32, u32)> {
        let end = self.next(object);
        let at = move |name: u32| (name < end).then_some((name, name + 1));
        std::iter::successors(at(object + 1), move |(_, value)| at(self.next(*value)))
    }

    /// Of several of this name the last.
    pub(super) fn last_member(&self, object: u32, name: &[u8]) -> Option<(u32, u32)> {
        if self.type_of(object) != Type::Object {
            return None;
        }
        self.members(object).filter(|(key, _)| *self.content(*key) == *name).last()
    }

    /// The first node behind this one and all that is in it.
    pub(super) fn next(&self, node: u32) -> u32 {
        self.nodes[node as usize].next
    }

    /// Equal values have the same. The first array or object that is asked about has all nodes hashed.
    pub(super) fn hash(&self, node: u32) -> u128 {
        match self.hashes.get() {
            None if !self.is_container(node) => hash::of_leaf(self, node),
            _ => self.hashes.get_or_init(|| hash::hashes(self))[node as usize],
        }
    }

    pub(super) fn is_hashed(&self) -> bool {
        self.hashes.get().is_some()
    }

    pub(super) fn is_container(&self, node: u32) -> bool {
        matches!(self.type_of(node), Type::Array | Type::Object)
    }

    /// As it was written. Of more than `VALUE_BYTES_MAX` only the beginning, closed so that it is JSON again: what is
    /// hidden by the names around it must be found by them.
    pub(super) fn shown(&self, node: u32) -> String {
        let raw = self.raw(node);
        if raw.len() <= VALUE_BYTES_MAX {
            return utf8(raw).to_owned();
        }
        match self.type_of(node) {
            Type::Array | Type::Object => self.beginning(node),
            Type::Text => utf8(&raw[..string_beginning(utf8(raw))]).to_owned() + "\"",
            // All of ASCII.
            _ => utf8(&raw[..VALUE_BYTES_MAX]).to_owned(),
        }
    }

    /// Up to the last value that ends in time, and the brackets that are open there.
    fn beginning(&self, container: u32) -> String {
        let start = self.nodes[container as usize].start as usize;
        let limit = start + VALUE_BYTES_MAX;
        let inside = &self.nodes[container as usize..self.next(container) as usize];
        let inside = inside.iter().take_while(|node| (node.start as usize) < limit);
        let is_value = |node: &&Node| !self.text[node.end as usize..].trim_ascii_start().starts_with(b":");
        let ends = inside.clone().filter(|node| node.end as usize <= limit).filter(is_value);
        let cut = ends.map(|node| node.end as usize).max().unwrap_or(start + 1);

        let mut shown = utf8(&self.text[start..cut]).to_owned();
        let open = inside.filter(|node| (node.start as usize) < cut && node.end as usize > cut);
        let closing = open.map(|node| if self.text[node.start as usize] == b'{' { '}' } else { ']' });
        shown.extend(closing.collect::<Vec<_>>().into_iter().rev());
        shown
    }
}

/// Shapes only: what it says may be secret.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes, {} nodes)", self.text.len(), self.nodes.len())
    }
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Member::Null => "Member(null)",
            Member::Bool(_) => "Member(bool)",
            Member::Number(_) => "Member(number)",
            Member::Text(_) => "Member(text)",
            Member::Array => "Member(array)",
            Member::Object => "Member(object)",
        })
    }
}

fn nodes(text: &[u8]) -> Result<Vec<Node>, NotJson> {
    if text.len() > BYTES_MAX {
        return Err(NotJson::TooLarge);
    }
    std::str::from_utf8(text).map_err(|_| NotJson::NotUtf8)?;
    // The parser would skip it.
    if text.starts_with("\u{feff}".as_bytes()) {
        return Err(NotJson::ByteOrderMark);
    }
    // Each value follows one of these, except the first. One allocation, which is exact where no string holds any.
    let marks = text.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
    let mut nodes: Vec<Node> = Vec::with_capacity((marks + 1).min(NODES_MAX));
    let mut open: Vec<usize> = Vec::new();
    // Ours is the limit that has a name.
    let mut parser = LowLevelJsonParser::new().with_max_stack_size(usize::MAX);
    let mut at = 0;
    loop {
        let read = parser.parse_next(&text[at..], true);
        let before = at;
        at += read.consumed_bytes;
        match read.event.ok_or(NotJson::Syntax)?.map_err(|_| NotJson::Syntax)? {
            JsonEvent::Eof => return Ok(nodes),
            JsonEvent::EndArray | JsonEvent::EndObject => {
                let next = nodes.len() as u32;
                let node = &mut nodes[open.pop().ok_or(NotJson::Syntax)?];
                (node.end, node.next) = (at as u32, next);
            }
            event => {
                if nodes.len() == NODES_MAX {
                    return Err(NotJson::TooLarge);
                }
                if matches!(event, JsonEvent::StartArray | JsonEvent::StartObject) {
                    if open.len() == DEPTH_MAX {
                        return Err(NotJson::TooDeep);
                    }
                    open.push(nodes.len());
                }
                let between = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':');
                let start = before + text[before..at].iter().take_while(between).count();
                nodes.push(Node { start: start as u32, end: at as u32, next: nodes.len() as u32 + 1 });
            }
        }
    }
}

/// As much of a quoted string as `VALUE_BYTES_MAX` holds, no character of it in parts.
fn string_beginning(quoted: &str) -> usize {
    let mut cut = 1;
    loop {
        let character = match quoted.as_bytes()[cut..] {
            // The first half of a surrogate pair.
            [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..] => 12,
            [b'\\', b'u', ..] => 6,
            [b'\\', ..] => 2,
            _ => 1,
        };
        if cut + character > VALUE_BYTES_MAX {
            return quoted.floor_char_boundary(cut);
        }
        cut += character;
    }
}

/// Everything that a document holds was checked when it was parsed.
fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("a part of a text, cut between characters")
}

pub(super) const ROOT: u32 = 0;

/// As much as a body may become when it is decoded.
pub(super) const BYTES_MAX: usize = 16 << 20;

/// Of each of two documents a value or a name takes 12 bytes as a node and 16 as a hash; while the elements of one
/// array are paired by a rule, and in the worst case there is nothing else, each takes 4 and 16 bytes more, and 8 in
/// the pairs of both. 2 * (12 + 16 + 4 + 16) + 8 = 104 bytes, and for 2.8 million 291 MB, beside the texts themselves and
/// at most 8 MB of differences. It lets 16 MiB have a value or a name every 6 bytes; `"id":12345,"name":"x",` has one
/// every 5.5, a list of users with their addresses one every 10.
pub(super) const NODES_MAX: usize = 2_800_000;

/// More than any client reads; it bounds what the open brackets take.
pub(super) const DEPTH_MAX: usize = 65_536;

/// What is kept of one value in a difference: enough to tell its class and to be read by a person.
pub(super) const VALUE_BYTES_MAX: usize = 64 << 10;
