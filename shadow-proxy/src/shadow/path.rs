//! Where answers differ, as text and as parts: `status`, `decision`, `header.NAME`, `body`, `body.a["b.c"][]`.
//!
//! The same grammar names places in rules, where `*` stands for one whole name (`header.*`, `body.items[].*`).
//! Array positions are not part of a path: `[]` is every element.

use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Status,
    Decision,
    Header,
    Body,
}

impl Root {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Root::Status => "status",
            Root::Decision => "decision",
            Root::Header => "header",
            Root::Body => "body",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Key(String),
    /// `*`: any one name. Only rules have it; a key that is a star is written `["*"]`.
    AnyKey,
    /// `[]`
    Elements,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub root: Root,
    pub segments: Vec<Segment>,
}

impl Path {
    /// The message says what is wrong and ends with what to write.
    pub(crate) fn parse(text: &str) -> Result<Path, String> {
        let (root, rest) = text.split_at(text.find(['.', '[']).unwrap_or(text.len()));
        let root = match root {
            "status" => Root::Status,
            "decision" => Root::Decision,
            "header" => Root::Header,
            "body" => Root::Body,
            _ => return Err("no such place; begin with `status`, `header.NAME` or `body`".into()),
        };
        let mut segments = segments(rest)?;
        match (root, segments.as_mut_slice()) {
            (Root::Status | Root::Decision, []) | (Root::Header, [Segment::AnyKey]) | (Root::Body, _) => {}
            (Root::Header, [Segment::Key(name)]) => name.make_ascii_lowercase(),
            (Root::Header, _) => return Err("a header has one name; write `header.NAME` or `header.*`".into()),
            (Root::Status | Root::Decision, _) => return Err("nothing is below it; write `status` alone".into()),
        }
        Ok(Path { root, segments })
    }

    /// Whether `place`, a path without stars, is one of those that this pattern names.
    pub(crate) fn covers(&self, place: &Path) -> bool {
        self.root == place.root
            && self.segments.len() == place.segments.len()
            && self.segments.iter().zip(&place.segments).all(|pair| match pair {
                (Segment::AnyKey, Segment::Key(_)) => true,
                (pattern, segment) => pattern == segment,
            })
    }
}

/// Appends a name to a path, quoted where it would not read back as itself.
pub(crate) fn push_key(path: &mut String, key: &str) {
    let plain =
        !key.is_empty() && !key.contains(|c: char| ".[]*\"\\".contains(c) || c.is_whitespace() || c.is_control());
    let written = if plain { write!(path, ".{key}") } else { write!(path, "[{}]", serde_json::Value::from(key)) };
    written.expect("writing to a String cannot fail");
}

/// What follows is inside a signed token (RFC 7519).
pub(crate) fn push_token(path: &mut String) {
    path.push_str("(jwt)");
}

pub(crate) fn push_elements(path: &mut String) {
    path.push_str("[]");
}

fn segments(mut rest: &str) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    while !rest.is_empty() {
        if segments.len() == SEGMENTS_MAX {
            return Err(format!("deeper than {SEGMENTS_MAX} names; name a place nearer to the root"));
        }
        let segment;
        (segment, rest) = if let Some(after) = rest.strip_prefix("[]") {
            (Segment::Elements, after)
        } else if let Some(quoted) = rest.strip_prefix('[') {
            quoted_key(quoted)?
        } else if let Some(named) = rest.strip_prefix('.') {
            let (name, after) = named.split_at(named.find(['.', '[']).unwrap_or(named.len()));
            (plain_key(name)?, after)
        } else {
            return Err("after `]` comes `.`, `[` or the end; write for example `body.items[].id`".into());
        };
        segments.push(segment);
    }
    Ok(segments)
}

fn plain_key(name: &str) -> Result<Segment, String> {
    match name {
        "" => Err("a name is empty; write for example `body.user.id`, or `body[\"\"]` for the empty key".into()),
        "*" => Ok(Segment::AnyKey),
        _ if name.contains(['*', ']', '"']) => {
            Err("`*` stands for a whole name only; write `.*`, or quote the key: `body[\"a*b\"]`".into())
        }
        _ => Ok(Segment::Key(name.into())),
    }
}

/// `"any.key"]…`, quoted as JSON.
fn quoted_key(text: &str) -> Result<(Segment, &str), String> {
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let key = strings.next().and_then(Result::ok);
    match (key, text[strings.byte_offset()..].strip_prefix(']')) {
        (Some(key), Some(after)) => Ok((Segment::Key(key), after)),
        _ => Err("positions are not part of a path; write `[]` for every element, or `[\"key\"]`".into()),
    }
}

/// Bodies are refused as JSON at 128 levels, so no place is deeper than this.
const SEGMENTS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_covers_exactly_what_it_names() {
        for (pattern, place, covered) in [
            ("status", "status", true),
            ("status", "header.status", false),
            ("header.*", "header.etag", true),
            ("header.ETag", "header.etag", true),
            ("header.date", "header.x-candidate-id", false),
            ("body", "body.a", false),
            ("body.a", "body", false),
            ("body.*.id", "body.user.id", true),
            ("body.*.id", "body.id", false),
            ("body.*", "body[]", false),
            ("body.items[].id", "body.items[].id", true),
            ("body.items[].id", "body.items.id", false),
            (r#"body["*"]"#, r#"body["*"]"#, true),
            (r#"body["*"]"#, "body.a", false),
            (r#"body.*"#, r#"body["*"]"#, true),
            (r#"body["a.b"]"#, r#"body["a.b"]"#, true),
            (r#"body["a.b"]"#, "body.a.b", false),
        ] {
            let covers = Path::parse(pattern).unwrap().covers(&Path::parse(place).unwrap());
            assert_eq!(covers, covered, "{pattern} {place}");
        }
    }

    #[test]
    fn what_is_not_a_path_is_refused() {
        for text in [
            "",
            "*",
            "cookies.a",
            "status.code",
            "header",
            "header.a.b",
            "header[]",
            "body.",
            "body..a",
            "body.a*",
            "body.items[0]",
            "body.items[*]",
            "body[\"a\"",
            "body[\"a",
            "body[]a",
            "body.a]",
            "body.\"a\"",
        ] {
            let message = Path::parse(text).expect_err(text);
            assert!(message.contains("; "), "{text}: {message}");
        }
        assert!(Path::parse(&format!("body{}", "[]".repeat(SEGMENTS_MAX + 1))).is_err());
    }

    proptest! {
        #[test]
        fn every_key_reads_back(keys in prop::collection::vec(prop_oneof![any::<String>(), "[.*\"a\\[\\]]{0,4}"], 0..4)) {
            let mut text = "body".to_owned();
            for key in &keys {
                push_key(&mut text, key);
                push_elements(&mut text);
            }
            let segments = keys.into_iter().flat_map(|key| [Segment::Key(key), Segment::Elements]).collect();
            prop_assert_eq!(Path::parse(&text), Ok(Path { root: Root::Body, segments }));
        }
    }
}
