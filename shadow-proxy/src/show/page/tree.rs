//! A body as it was kept: JSON whose secrets are stand-ins (`‹text 9 1f›`), and which may end in the middle. Pure.

use std::iter::Peekable;
use std::str::Chars;

/// JSON of which only the shape is known for certain.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    /// As written: a string with its quotes, a number, a word, a stand-in.
    Leaf(String),
}

/// None where the text is no object and no array.
pub fn parse(text: &str) -> Option<Node> {
    let mut reader = Reader { rest: text.chars().peekable(), is_cut: false };
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let node = reader.value(0)?;
    (reader.is_cut || reader.rest.next().is_none()).then_some(node)
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    /// What follows was left out when it was kept.
    is_cut: bool,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Node> {
        match *self.rest.peek()? {
            _ if depth > DEPTH_MAX => None,
            '{' => self.members(depth),
            '[' => self.elements(depth),
            '"' => self.string().map(|text| Node::Leaf(serde_json::Value::from(text).to_string())),
            _ => self.word(),
        }
    }

    fn members(&mut self, depth: usize) -> Option<Node> {
        self.rest.next();
        let mut members = Vec::new();
        loop {
            match *self.rest.peek()? {
                '}' => {
                    self.rest.next();
                    return Some(Node::Object(members));
                }
                ',' => drop(self.rest.next()),
                CUT => {
                    members.push((String::new(), self.end()));
                    return Some(Node::Object(members));
                }
                _ => {
                    let key = self.string()?;
                    (self.rest.next()? == ':').then_some(())?;
                    members.push((key, self.value(depth + 1)?));
                    if self.is_cut {
                        return Some(Node::Object(members));
                    }
                }
            }
        }
    }

    fn elements(&mut self, depth: usize) -> Option<Node> {
        self.rest.next();
        let mut elements = Vec::new();
        loop {
            match *self.rest.peek()? {
                ']' => {
                    self.rest.next();
                    return Some(Node::Array(elements));
                }
                ',' => drop(self.rest.next()),
                _ => elements.push(self.value(depth + 1)?),
            }
            if self.is_cut {
                return Some(Node::Array(elements));
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        let mut text = String::from(self.rest.next_if_eq(&'"')?);
        let mut is_escaped = false;
        loop {
            let c = self.rest.next()?;
            text.push(c);
            match c {
                '"' if !is_escaped => return serde_json::from_str(&text).ok(),
                '\\' if !is_escaped => is_escaped = true,
                _ => is_escaped = false,
            }
        }
    }

    /// A number, `true`, `null`, or a stand-in.
    fn word(&mut self) -> Option<Node> {
        if self.rest.peek() == Some(&CUT) {
            return Some(self.end());
        }
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|c| !matches!(*c, ',' | ']' | '}' | '"' | '{' | '[' | ':' | CUT)) {
            word.push(c);
        }
        (!word.is_empty()).then_some(Node::Leaf(word))
    }

    fn end(&mut self) -> Node {
        self.is_cut = true;
        Node::Leaf(self.rest.by_ref().collect())
    }
}

/// Stands where a body was too long to be kept.
const CUT: char = '…';
/// What is kept was read up to this depth.
const DEPTH_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(text: &str) -> Node {
        Node::Leaf(text.to_owned())
    }

    #[test]
    fn what_is_kept_reads_as_it_was_written() {
        let parsed = parse(r#"{"valid":true,"id":"‹text 9 1f›","n":‹number 3 2a›,"a":[1,null,{}],"q\"\\":"a,}\"b"}"#);
        let expected = Node::Object(vec![
            ("valid".into(), leaf("true")),
            ("id".into(), leaf("\"‹text 9 1f›\"")),
            ("n".into(), leaf("‹number 3 2a›")),
            ("a".into(), Node::Array(vec![leaf("1"), leaf("null"), Node::Object(vec![])])),
            ("q\"\\".into(), leaf(r#""a,}\"b""#)),
        ]);
        assert_eq!(parsed, Some(expected));
    }

    #[test]
    fn a_body_that_was_cut_off_ends_where_it_was() {
        for (text, expected) in [
            (
                r#"{"a":1…‹text 9 1f›"#,
                Node::Object(vec![("a".into(), leaf("1")), (String::new(), leaf("…‹text 9 1f›"))]),
            ),
            (
                r#"{"a":[1,2…‹x›"#,
                Node::Object(vec![("a".into(), Node::Array(vec![leaf("1"), leaf("2"), leaf("…‹x›")]))]),
            ),
            (r#"{"a":…‹x›"#, Node::Object(vec![("a".into(), leaf("…‹x›"))])),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_text() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in ["", "plain", "\"a\"", "{", "[1", "{]", "{\"a\"}", "{\"a\":}", "[1]x", "{a:1}", &deep] {
            assert_eq!(parse(text), None, "{}", &text[..text.len().min(20)]);
        }
    }
}
