//! Where answers differ, as text and as parts.
//!
//! ```text
//! status  decision  header.NAME  header.NAME.part  body  body.a["b.c"][]  body.token(jwt).claims.exp  jwt.claims.exp
//! ```
//!
//! `[]` is every element of an array: positions are not part of a path. `(jwt)` leads into a signed token, whose parts
//! are `header`, `claims`, `lifetime_s` and `signature`. In rules, `*` stands for one whole name (`header.*`,
//! `body.items[].*`), and the root `jwt` for any token, wherever it stands.

use std::fmt::{self, Write};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Status,
    Decision,
    Header,
    Body,
    /// Any signed token, wherever it stands. Only rules have it.
    Jwt,
}

impl Root {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Root::Status => "status",
            Root::Decision => "decision",
            Root::Header => "header",
            Root::Body => "body",
            Root::Jwt => "jwt",
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
    /// `(jwt)`: what follows is inside a signed token.
    Token,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub root: Root,
    pub segments: Vec<Segment>,
}

impl Path {
    /// The message says what is wrong and ends with what to write.
    pub(crate) fn parse(text: &str) -> Result<Path, String> {
        let (root, rest) = text.split_at(text.find(ENDS_OF_NAMES).unwrap_or(text.len()));
        let root = match root {
            "status" => Root::Status,
            "decision" => Root::Decision,
            "header" => Root::Header,
            "body" => Root::Body,
            "jwt" => Root::Jwt,
            _ => return Err("no such place; begin with `status`, `header.NAME`, `body` or `jwt.claims.NAME`".into()),
        };
        let mut segments = segments(rest)?;
        match (root, segments.as_mut_slice()) {
            (Root::Status | Root::Decision | Root::Header, []) | (Root::Header, [Segment::AnyKey, ..]) => {}
            (Root::Body, _) => {}
            (Root::Header, [Segment::Key(name), ..]) => name.make_ascii_lowercase(),
            (Root::Header, _) => return Err("headers have names; write `header.NAME` or `header.*`".into()),
            (Root::Status | Root::Decision, _) => return Err("nothing is below it; write `status` alone".into()),
            (Root::Jwt, below) => check_token(below.first())?,
        }
        for pair in segments.windows(2).filter(|pair| pair[0] == Segment::Token) {
            check_token(pair.get(1))?;
        }
        Ok(Path { root, segments })
    }

    /// Whether every place that `place` names is one of those that this pattern names. Differences have no stars.
    pub(crate) fn covers(&self, place: &Path) -> bool {
        match self.root {
            Root::Jwt => {
                place.segments.iter().enumerate().any(|(at, segment)| {
                    *segment == Segment::Token && covers(&self.segments, &place.segments[at + 1..])
                })
            }
            root => root == place.root && covers(&self.segments, &place.segments),
        }
    }

    /// Whether values there are JSON text, and not the plain text they are sent as.
    pub(crate) fn is_json(&self) -> bool {
        self.root == Root::Body || self.in_token().is_some()
    }

    /// What is below the last `(jwt)`, if there is one.
    pub(crate) fn in_token(&self) -> Option<&[Segment]> {
        let at = self.segments.iter().rposition(|segment| *segment == Segment::Token)?;
        Some(&self.segments[at + 1..])
    }
}

/// Reads back as itself.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.name())?;
        self.segments.iter().try_for_each(|segment| write!(f, "{segment}"))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Key(key) => write_key(f, key),
            Segment::AnyKey => f.write_str(".*"),
            Segment::Elements => f.write_str("[]"),
            Segment::Token => f.write_str("(jwt)"),
        }
    }
}

/// Appends a name to a path, quoted where it would not read back as itself.
pub(crate) fn push_key(path: &mut String, key: &str) {
    write_key(path, key).expect("writing to a String cannot fail");
}

/// What follows is inside a signed token (RFC 7519).
pub(crate) fn push_token(path: &mut String) {
    path.push_str("(jwt)");
}

pub(crate) fn push_elements(path: &mut String) {
    path.push_str("[]");
}

fn write_key(to: &mut impl Write, key: &str) -> fmt::Result {
    if !key.is_empty() && !key.contains(needs_quotes) {
        to.write_char('.')?;
        to.write_str(key)
    } else {
        write!(to, "[{}]", serde_json::Value::from(key))
    }
}

fn covers(pattern: &[Segment], place: &[Segment]) -> bool {
    pattern.len() == place.len()
        && pattern.iter().zip(place).all(|pair| match pair {
            (Segment::AnyKey, Segment::Key(_) | Segment::AnyKey) => true,
            (pattern, segment) => pattern == segment,
        })
}

/// What may come directly below a token.
fn check_token(below: Option<&Segment>) -> Result<(), String> {
    match below {
        Some(Segment::AnyKey) => Ok(()),
        Some(Segment::Key(key)) if TOKEN_PARTS.contains(&key.as_str()) => Ok(()),
        _ => Err(format!(
            "a token has {}; write for example `jwt.claims.iat` or `body.token(jwt).lifetime_s`",
            TOKEN_PARTS.join(", ")
        )),
    }
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
        } else if let Some(after) = rest.strip_prefix("(jwt)") {
            (Segment::Token, after)
        } else if rest.starts_with('(') {
            return Err("only tokens have an inside; write `(jwt)`, or quote the key: `body[\"a(b)\"]`".into());
        } else if let Some(quoted) = rest.strip_prefix('[') {
            quoted_key(quoted)?
        } else if let Some(named) = rest.strip_prefix('.') {
            let (name, after) = named.split_at(named.find(ENDS_OF_NAMES).unwrap_or(named.len()));
            (plain_key(name)?, after)
        } else {
            return Err(
                "after `]` or `)` comes `.`, `[`, `(jwt)` or the end; write for example `body.items[].id`".into()
            );
        };
        segments.push(segment);
    }
    Ok(segments)
}

fn plain_key(name: &str) -> Result<Segment, String> {
    match name {
        "" => Err("a name is empty; write for example `body.user.id`, or `body[\"\"]` for the empty key".into()),
        "*" => Ok(Segment::AnyKey),
        _ if name.contains('*') => {
            Err("`*` stands for a whole name only; write `.*`, or quote the key: `body[\"a*b\"]`".into())
        }
        _ if name.contains(needs_quotes) => {
            Err("brackets, quotes and white space are unclear; write the name in quotes: `body[\"a b\"]`".into())
        }
        _ => Ok(Segment::Key(name.into())),
    }
}

fn needs_quotes(c: char) -> bool {
    matches!(c, '.' | '[' | ']' | '(' | ')' | '*' | '"' | '\\') || c.is_whitespace() || c.is_control()
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

/// Of an unquoted one.
const ENDS_OF_NAMES: [char; 3] = ['.', '[', '('];

const TOKEN_PARTS: [&str; 4] = ["header", "claims", "lifetime_s", "signature"];

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
            ("header.set-cookie", "header.set-cookie.sid.httponly", false),
            ("header.Set-Cookie.sid.httponly", "header.set-cookie.sid.httponly", true),
            ("header.set-cookie.*.httponly", "header.set-cookie.SID.httponly", true),
            ("header.set-cookie.sid.httponly", "header.set-cookie.SID.httponly", false),
            ("body.token(jwt).claims.exp", "body.token(jwt).claims.exp", true),
            ("body.token(jwt).claims.exp", "body.token.claims.exp", false),
            ("body.token(jwt).*", "body.token(jwt).signature", true),
            ("body.*", "body(jwt)", false),
            ("jwt.claims.exp", "body.token(jwt).claims.exp", true),
            ("jwt.claims.exp", "header.authorization(jwt).claims.exp", true),
            ("jwt.claims.exp", "body(jwt).claims.exp", true),
            ("jwt.claims.exp", "body.a(jwt).claims.inner(jwt).claims.exp", true),
            ("jwt.claims.*", "body.token(jwt).claims.exp", true),
            ("jwt.claims.*", "body.token(jwt).claims.address.city", false),
            ("jwt.claims.exp", "body.claims.exp", false),
            ("jwt.lifetime_s", "body.token(jwt).lifetime_s", true),
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
            "header[]",
            "header(jwt).claims.a",
            "header.a b",
            "header.date ",
            "jwt",
            "jwt[]",
            "jwt.exp",
            "jwt(jwt).claims.exp",
            "*.claims.exp",
            "status(jwt)",
            "body.a(jwt)[]",
            "body.a(jwt)(jwt).claims.b",
            "body.a(jwt).exp",
            "body.a(jwe).claims",
            "body.a(jwt)claims",
            "body.a(jwt",
            "body.a)",
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
        fn every_path_reads_back(path in path()) {
            let text = path.to_string();
            prop_assert_eq!(Path::parse(&text), Ok(path), "{}", text);
        }

        /// What is written can be written in more than one way (`body["a"]`), and then means the same.
        #[test]
        fn what_is_understood_is_written_as_it_is_understood(text in text()) {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(&path.to_string()), Ok(path), "{}", text);
            }
        }

        #[test]
        fn a_place_is_covered_by_itself_and_by_stars(path in path()) {
            prop_assume!(path.root != Root::Jwt && !path.segments.contains(&Segment::AnyKey));
            let star = |segment: &Segment| match segment {
                Segment::Key(_) => Segment::AnyKey,
                other => other.clone(),
            };
            let stars = Path { root: path.root, segments: path.segments.iter().map(star).collect() };
            prop_assert!(path.covers(&path) && stars.covers(&path));
            let below = Path { root: path.root, segments: [&path.segments[..], &[Segment::Elements]].concat() };
            prop_assert!(!below.covers(&path) && !path.covers(&below));
        }
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[.*\"a\\[\\]() ]{0,4}", "[a-z]{1,3}"]
    }

    fn path() -> impl Strategy<Value = Path> {
        let segment =
            || prop_oneof![4 => key().prop_map(Segment::Key), 1 => Just(Segment::AnyKey), 1 => Just(Segment::Elements)];
        let below = prop::collection::vec(segment(), 0..4);
        let token = (prop::sample::select(&TOKEN_PARTS[..]), prop::collection::vec(segment(), 0..3));
        let token = token.prop_map(|(part, below)| [vec![Segment::Key(part.into())], below].concat());
        (0..5, key(), below, prop::option::of(token)).prop_map(|(root, name, below, token)| {
            let inside = token.clone().map_or(Vec::new(), |token| [vec![Segment::Token], token].concat());
            let name = vec![Segment::Key(name.to_ascii_lowercase())];
            match root {
                0 => Path { root: Root::Status, segments: Vec::new() },
                1 => Path { root: Root::Decision, segments: Vec::new() },
                2 => Path { root: Root::Header, segments: [name, below, inside].concat() },
                3 if token.is_some() => Path { root: Root::Jwt, segments: token.unwrap_or_default() },
                _ => Path { root: Root::Body, segments: [below, inside].concat() },
            }
        })
    }

    fn text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just(".".to_owned()),
            Just("[]".to_owned()),
            Just("(jwt)".to_owned()),
            Just(".claims".to_owned()),
            Just(".*".to_owned()),
            Just("[\"a.b\"]".to_owned()),
            Just("[\"\\u0041\"]".to_owned()),
            "[a-zA-Z.*\\[\\]()\"]{0,3}",
        ];
        let root = prop::sample::select(vec!["status", "decision", "header", "body", "jwt"]);
        (root, prop::collection::vec(part, 0..6)).prop_map(|(root, parts)| root.to_owned() + &parts.concat())
    }
}
