//! Rust source seen well enough to find words, functions and tests: not a parser, and never a reason to compile one.

use std::ops::RangeInclusive;

/// A file in two views of equal shape: each keeps the lines and columns and blanks what belongs to the other. The
/// content of strings and characters is blank in both.
pub(crate) struct Source {
    pub(crate) code: String,
    pub(crate) comments: String,
}

impl Source {
    pub(crate) fn read(text: &str) -> Source {
        let bytes = text.as_bytes();
        let mut source = Source { code: String::new(), comments: String::new() };
        let mut at = 0;
        while at < bytes.len() {
            let (end, kind) = next_token(bytes, at);
            for &byte in &bytes[at..end] {
                source.push(byte, kind);
            }
            at = end;
        }
        source
    }

    fn push(&mut self, byte: u8, kind: Token) {
        let shown = if byte.is_ascii() { char::from(byte) } else { ' ' };
        let blank = if byte == b'\n' { '\n' } else { ' ' };
        self.code.push(if kind == Token::Code { shown } else { blank });
        self.comments.push(if kind == Token::Comment { shown } else { blank });
    }

    /// The number of the line before the trailing test module: the last line that counts.
    pub(crate) fn last_line_before_tests(&self) -> usize {
        let lines: Vec<&str> = self.code.lines().collect();
        let is_start = |&index: &usize| {
            lines[index].starts_with("#[cfg(test)]")
                && lines.get(index + 1).is_some_and(|next| next.starts_with("mod "))
        };
        (0..lines.len()).rev().find(is_start).unwrap_or(lines.len())
    }

    /// The first and last line of each function that has a body.
    pub(crate) fn functions(&self) -> Vec<RangeInclusive<usize>> {
        // `fn(A) -> B` is a type: a function has a name.
        let has_name = |at: usize| self.code[at..].starts_with("fn ");
        let starts = words(&self.code).filter(|(at, word)| *word == "fn" && has_name(*at)).map(|(at, _)| at);
        starts.filter_map(|start| Some(self.line(start)..=self.line(body_end(&self.code, start)?))).collect()
    }

    /// The line of a position, counted from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

/// The identifiers of some code, with where they start.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + code[at..].find(is_word)?;
        let end = code[start..].find(|c| !is_word(c)).map_or(code.len(), |length| start + length);
        at = end;
        Some((start, &code[start..end]))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Code,
    Comment,
    /// A string or a character.
    Text,
}

/// The end of what starts at `at`.
fn next_token(bytes: &[u8], at: usize) -> (usize, Token) {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length);
        return (end, Token::Comment);
    }
    if rest.starts_with(b"/*") {
        return (block_comment_end(bytes, at), Token::Comment);
    }
    let after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if !after_word && let Some(end) = raw_string_end(bytes, at) {
        return (end, Token::Text);
    }
    match rest[0] {
        b'"' => (quoted_end(bytes, at + 1, b'"'), Token::Text),
        b'\'' if is_character(rest) => (quoted_end(bytes, at + 1, b'\''), Token::Text),
        _ => (at + 1, Token::Code),
    }
}

/// `'a'` and `'\n'`, but not the lifetime `'a`.
fn is_character(rest: &[u8]) -> bool {
    match rest {
        [_, b'\\', ..] | [_, _, b'\'', ..] => true,
        [_, first, ..] if !first.is_ascii() => true,
        _ => false,
    }
}

fn quoted_end(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// The end of `r"…"`, `br#"…"#` and the like, if one starts here.
fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let prefix = usize::from(matches!(bytes[at], b'b' | b'c'));
    let rest = bytes[at + prefix..].strip_prefix(b"r")?;
    let hashes = rest.iter().take_while(|&&byte| byte == b'#').count();
    let content = rest[hashes..].strip_prefix(b"\"")?;
    let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let start = bytes.len() - content.len();
    let length = content.windows(end.len()).position(|window| window == end);
    Some(length.map_or(bytes.len(), |length| start + length + end.len()))
}

/// Where the function's body ends; none when it has no body.
fn body_end(code: &str, start: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (length, c) in code[start..].char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(start + length),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_comments_and_characters_are_no_code() {
        let text = "let a = \"un\\\"safe {\"; // unsafe {\nlet b = r#\"x\"{\"#; let c = '{'; let d: &'a str; /* { /* */ fn */ end";
        let source = Source::read(text);
        let code: Vec<&str> = source.code.split_whitespace().collect();
        assert_eq!(code.join(" "), "let a = ; let b = ; let c = ; let d: &'a str; end");
        let comments: Vec<&str> = source.comments.split_whitespace().collect();
        assert_eq!(comments.join(" "), "// unsafe { /* { /* */ fn */");
        assert_eq!(source.code.len(), text.len());
    }

    #[test]
    fn functions_are_found_from_fn_to_the_closing_brace() {
        let text =
            "trait T {\n    fn none(&self, a: [u8; 3]);\n}\nfn one(\n    f: fn() -> u8,\n) {\n    if x { \"}\" }\n}\n";
        let functions = Source::read(text).functions();
        assert!(functions.contains(&(4..=8)), "{functions:?}");
        assert!(!functions.iter().any(|function| *function.start() == 2), "{functions:?}");
    }

    #[test]
    fn tests_at_the_end_do_not_count() {
        assert_eq!(Source::read("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n").last_line_before_tests(), 2);
        assert_eq!(Source::read("#[cfg(test)]\nuse a;\nfn a() {}\n").last_line_before_tests(), 3);
    }
}
