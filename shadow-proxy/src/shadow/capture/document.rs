//! JSON, well-formed or not, with other values: white space, order, repeated names and every mistake stay as they are.

use super::spelling::{escaped, unescaped};

/// What may stay, and what stands for the rest.
pub(super) trait Values {
    fn knows_key(&self, key: &str) -> bool;
    /// Whether what stands under this name is hidden whatever it is.
    fn is_secret(&self, key: &str) -> bool;
    /// Whether a text or a number may stay under this name.
    fn stays(&self, key: &str, value: &str, secret: bool) -> bool;
    fn other(&self, text: &str) -> String;
}

/// One pass from left to right, without recursion: what is nested costs a bit each level.
pub(super) fn other(text: &str, values: &impl Values) -> String {
    let mut walk = Walk {
        values,
        rest: text,
        out: String::with_capacity(text.len()),
        open: Vec::new(),
        key: String::new(),
        is_key: false,
    };
    while let Some(c) = walk.rest.chars().next() {
        walk.step(c);
    }
    walk.out
}

struct Walk<'a, V> {
    values: &'a V,
    rest: &'a str,
    out: String,
    open: Vec<Open>,
    /// Of the value that comes next.
    key: String,
    /// A string that comes next is a name.
    is_key: bool,
}

struct Open {
    is_object: bool,
    /// Everything in it.
    is_secret: bool,
}

impl<V: Values> Walk<'_, V> {
    fn step(&mut self, c: char) {
        match c {
            '{' | '[' => {
                let is_secret = self.is_secret();
                self.open.push(Open { is_object: c == '{', is_secret });
                self.is_key = c == '{';
                self.copy(1);
            }
            '}' | ']' => {
                self.open.pop();
                self.key.clear();
                self.is_key = false;
                self.copy(1);
            }
            ',' => {
                self.is_key = self.open.last().is_some_and(|open| open.is_object);
                if self.is_key {
                    self.key.clear();
                }
                self.copy(1);
            }
            ':' => {
                self.is_key = false;
                self.copy(1);
            }
            '"' => self.string(),
            c if c.is_whitespace() => self.copy(c.len_utf8()),
            _ => self.word(),
        }
    }

    fn string(&mut self) {
        let inside = &self.rest[1..];
        let end = string_end(inside);
        let raw = &inside[..end.unwrap_or(inside.len())];
        let text = unescaped(raw);
        self.out.push('"');
        if self.is_key {
            self.out.push_str(&if self.values.knows_key(&text) { raw.to_owned() } else { self.other(raw) });
            self.key = text;
        } else if self.values.stays(&self.key, &text, self.is_secret()) {
            self.out.push_str(raw);
        } else {
            self.out.push_str(&self.other(raw));
        }
        self.rest = &inside[raw.len()..];
        if end.is_some() {
            self.copy(1);
        }
    }

    /// A number, a literal, or what is neither.
    fn word(&mut self) {
        let end = self.rest.find(|c: char| c.is_whitespace() || "{}[],:\"".contains(c)).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        let is_literal = ["true", "false", "null"].contains(&word);
        if is_literal || self.values.stays(&self.key, word, self.is_secret()) {
            return self.copy(end);
        }
        let other = match word.find(['e', 'E']) {
            // Digits alone: an exponent says how large a number is, which is what overflows.
            Some(at) if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                self.values.other(&word[..at]) + &word[at..]
            }
            _ => match word.strip_prefix('-') {
                Some(number) => format!("-{}", self.values.other(number)),
                None => self.values.other(word),
            },
        };
        self.out.push_str(&other);
        self.rest = &self.rest[end..];
    }

    fn is_secret(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_secret)
            || (!self.key.is_empty() && self.values.is_secret(&self.key))
    }

    fn other(&self, raw: &str) -> String {
        escaped(raw, |text| self.values.other(text))
    }

    fn copy(&mut self, bytes: usize) {
        let (copied, rest) = self.rest.split_at(bytes);
        self.out.push_str(copied);
        self.rest = rest;
    }
}

/// Where the closing quote is.
fn string_end(inside: &str) -> Option<usize> {
    let mut is_escaped = false;
    inside.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known;

    impl Values for Known {
        fn knows_key(&self, key: &str) -> bool {
            ["valid", "password", "n", "exp"].contains(&key)
        }

        fn is_secret(&self, key: &str) -> bool {
            !self.knows_key(key) || key == "password"
        }

        fn stays(&self, key: &str, value: &str, secret: bool) -> bool {
            key == "exp" || (!secret && value == "known")
        }

        fn other(&self, text: &str) -> String {
            text.chars().map(|c| if c.is_ascii_alphanumeric() { 'X' } else { c }).collect()
        }
    }

    #[test]
    fn everything_but_the_values_stays() {
        for (text, expected) in [
            (r#"{"valid":true,"n":17}"#, r#"{"valid":true,"n":XX}"#),
            (r#"{ "n" : "known", "n":"x" }"#, r#"{ "n" : "known", "n":"X" }"#),
            (r#"{"password":"known","n":"known"}"#, r#"{"password":"XXXXX","n":"known"}"#),
            (r#"{"password":{"n":["known",1]},"n":"known"}"#, r#"{"password":{"n":["XXXXX",X]},"n":"known"}"#),
            (r#"{"abc":"known"}"#, r#"{"XXX":"XXXXX"}"#),
            (r#"{"exp":1700000000,"n":1e400}"#, r#"{"exp":1700000000,"n":Xe400}"#),
            (r#"["known","a",null]"#, r#"["known","X",null]"#),
            (r#"{"n":"a\"b\u0061"#, r#"{"n":"X\"X\u0058"#),
            (r#"{"n":abc]}"x"#, r#"{"n":XXX]}"X"#),
            ("known", "known"),
            ("", ""),
        ] {
            assert_eq!(other(text, &Known), expected, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(other(&deep, &Known), deep);
    }
}
