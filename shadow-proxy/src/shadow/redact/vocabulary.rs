//! The words that may leave the process, and how text is cut into what is shown and what is hidden.

use std::collections::HashSet;

pub(crate) struct Vocabulary {
    /// Lower-case.
    words: HashSet<String>,
    headers: HashSet<String>,
}

impl Vocabulary {
    /// The built-in lists and the words of `extra`; each text of `extra` counts as a header name too.
    pub(crate) fn new<'a>(extra: impl Iterator<Item = &'a str>) -> Vocabulary {
        let listed = |list: &str| -> HashSet<String> { list.lines().map(str::to_owned).collect() };
        let mut vocabulary = Vocabulary { words: listed(WORDS), headers: listed(HEADERS) };
        for text in extra.map(str::to_ascii_lowercase) {
            vocabulary.words.extend(words(&text).map(str::to_owned));
            vocabulary.headers.insert(text);
        }
        vocabulary
    }

    /// `name` in lower case.
    pub(crate) fn is_header(&self, name: &str) -> bool {
        self.headers.contains(name)
    }

    /// Whether every word of the text may be shown.
    pub(crate) fn knows(&self, text: &str) -> bool {
        self.pieces(text).all(|(_, is_shown)| is_shown)
    }

    /// Whether a JSON key or form name may be shown. `userId` is two words.
    pub(crate) fn knows_key(&self, key: &str) -> bool {
        let is_name = key.len() <= KEY_BYTES_MAX && !key.contains(is_delimiter);
        is_name && self.knows_chunk(&split_camel_case(key))
    }

    /// A path with a star for each segment that is no plain word: a number is one of many.
    pub(crate) fn template(&self, path: &str) -> String {
        let starred = |segment| match segment {
            "" => "",
            segment if is_version(segment) => segment,
            segment if self.knows_key(segment) && !segment.contains(|c: char| c.is_ascii_digit()) => segment,
            _ => "*",
        };
        path.split('/').map(starred).collect::<Vec<_>>().join("/")
    }

    /// The text with what is not on the list replaced.
    pub(crate) fn shown(&self, text: &str, stand_in: impl Fn(&str) -> String) -> String {
        let mut shown = String::with_capacity(text.len());
        for (piece, is_shown) in self.pieces(text) {
            if is_shown { shown.push_str(piece) } else { shown.push_str(&stand_in(piece)) }
        }
        shown
    }

    /// Single delimiters and the chunks between them, each with whether it may be shown.
    ///
    /// A chunk is shown or hidden as a whole: one unknown word in `https://host/path` hides all of it. Of two numbers
    /// in a row the second is hidden, or a card number would leave in groups of three.
    fn pieces<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (&'a str, bool)> {
        let mut rest = text;
        let mut after_number = false;
        std::iter::from_fn(move || {
            let (piece, after) = rest.split_at(piece_length(rest)?);
            rest = after;
            if piece.starts_with(is_delimiter) || piece == LINE_END {
                return Some((piece, true));
            }
            let (has_digits, has_letters) = (piece.contains(char::is_numeric), piece.contains(char::is_alphabetic));
            let is_second_number = after_number && has_digits && !has_letters;
            let is_shown = self.knows_chunk(piece) && !is_second_number;
            after_number = !has_letters && (has_digits || after_number);
            Some((piece, is_shown))
        })
    }

    fn knows_chunk(&self, chunk: &str) -> bool {
        let (mut digits, mut marks, mut marks_max) = (0, chunk.len(), MARKS_ALONE_MAX);
        for word in words(chunk) {
            (marks, marks_max) = (marks - word.len(), MARKS_MAX);
            if word.bytes().all(|byte| byte.is_ascii_digit()) {
                digits += word.len();
            } else if !self.words.contains(&word.to_ascii_lowercase()) {
                return false;
            }
        }
        let is_plain = chunk.bytes().all(|byte| byte.is_ascii_graphic());
        is_plain && digits <= DIGITS_MAX && marks <= marks_max
    }
}

/// Whether what stands under this name is likely a secret, in whatever spelling.
pub(crate) fn is_secret_like(key: &str) -> bool {
    let letters: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = letters.to_ascii_lowercase();
    SECRET_LIKE.iter().any(|part| letters.contains(part))
}

/// `v1`
fn is_version(segment: &str) -> bool {
    let digits = segment.strip_prefix('v').unwrap_or_default();
    (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

fn split_camel_case(key: &str) -> String {
    let mut split = String::with_capacity(key.len() + 4);
    let mut after_lower_case = false;
    for c in key.chars() {
        if after_lower_case && c.is_ascii_uppercase() {
            split.push('_');
        }
        after_lower_case = c.is_ascii_lowercase();
        split.push(c);
    }
    split
}

/// A delimiter, an end of line, or all up to the next of either; `None` at the end.
fn piece_length(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if is_delimiter(first) {
        return Some(first.len_utf8());
    }
    if text.starts_with(LINE_END) {
        return Some(LINE_END.len());
    }
    let end = text.find(is_delimiter).unwrap_or(text.len());
    Some(if text[..end].ends_with('\r') && text[end..].starts_with('\n') { end - 1 } else { end })
}

fn is_delimiter(c: char) -> bool {
    " \t\n<>()[]{},;=&\"'".contains(c)
}

const WORDS: &str = include_str!("vocabulary.txt");
const HEADERS: &str = include_str!("header_names.txt");

/// A carriage return alone is hidden: a terminal would write over what is already there.
const LINE_END: &str = "\r\n";

const KEY_BYTES_MAX: usize = 64;

/// A status or a quality is shown; a year, a PIN of four digits, an address is not.
const DIGITS_MAX: usize = 3;

/// Punctuation in one chunk: enough for `strict-origin-when-cross-origin`, too little to hide a password in.
const MARKS_MAX: usize = 6;

/// In a chunk without words: enough for `*/*`.
const MARKS_ALONE_MAX: usize = 3;

/// Parts of names, lower case, without separators. Too many hidden values are a nuisance, one too few is a leak.
const SECRET_LIKE: [&str; 35] = [
    "answer",
    "apikey",
    "assertion",
    "auth",
    "bearer",
    "card",
    "challenge",
    "code",
    "cookie",
    "credential",
    "csrf",
    "cvc",
    "cvv",
    "hash",
    "iban",
    "jwt",
    "key",
    "mfa",
    "nonce",
    "otp",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "private",
    "pwd",
    "salt",
    "secret",
    "seed",
    "session",
    "sig",
    "ssn",
    "token",
    "verifier",
    "xsrf",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_plain() {
        for (list, marks) in [(WORDS, ""), (HEADERS, "-")] {
            let lines: Vec<&str> = list.lines().collect();
            assert!(lines.is_sorted_by(|a, b| a < b), "sorted, each once");
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || marks.contains(c);
            assert_eq!(lines.iter().find(|line| line.is_empty() || !line.contains(is_plain)), None);
            assert_eq!(lines.iter().find(|line| line.contains(|c| !is_plain(c))), None);
            assert_eq!(lines.iter().find(|line| line.bytes().all(|byte| byte.is_ascii_digit())), None);
        }
    }

    #[test]
    fn text_is_shown_by_words() {
        let vocabulary = Vocabulary::new(["Tenant-Id"].into_iter());
        for (text, shown) in [
            ("application/json; charset=utf-8", "application/json; charset=utf-8"),
            ("Bearer realm=\"hunter2\", error=\"invalid_token\"", "Bearer realm=\"?\", error=\"invalid_token\""),
            ("<pre>Cannot GET /auth/validate</pre>", "<pre>Cannot GET /auth/validate</pre>"),
            ("<pre>Cannot GET /auth/hunter2</pre>", "<pre>Cannot GET ?</pre>"),
            ("token.hunter2", "?"),
            ("error 404 of 1234", "error 404 of ?"),
            ("10.0.0.1", "?"),
            ("555-123-456", "?"),
            ("123 456 789", "123 ? ?"),
            ("12 - 34 - 56", "12 - ? - ?"),
            ("error\r\nerror", "error\r\nerror"),
            ("text/html;q=0.9, */*;q=0.8", "text/html;q=0.9, */*;q=0.8"),
            ("café", "?"),
            ("a\rb", "?"),
            ("!!$$!!$$", "?"),
            ("tenant id", "tenant id"),
        ] {
            assert_eq!(vocabulary.shown(text, |_| "?".to_owned()), shown);
            assert_eq!(vocabulary.knows(text), text == shown, "{text}");
        }
        assert!(vocabulary.is_header("tenant-id"));
    }

    #[test]
    fn a_path_becomes_a_template_of_plain_words() {
        let vocabulary = Vocabulary::new(std::iter::empty());
        for (path, template) in [
            ("/", "/"),
            ("/auth/session/9f2c1ab4", "/auth/session/*"),
            ("/v1/users/17/token", "/v1/users/*/token"),
            ("/hunter2/valid", "/*/valid"),
            ("/v123/*/token.hunter", "/*/*/*"),
        ] {
            assert_eq!(vocabulary.template(path), template, "{path}");
        }
    }

    #[test]
    fn keys_are_names_of_known_words() {
        let vocabulary = Vocabulary::new(std::iter::empty());
        for key in ["user_id", "userId", "expires_at", "error_description", "@type"] {
            assert!(vocabulary.knows_key(key), "{key}");
        }
        for key in ["hunter2", "user hunter", "user_4711", "valid token", "user\u{7}", &"user_".repeat(20)] {
            assert!(!vocabulary.knows_key(key), "{key}");
        }
        for key in ["Password", "api_key", "accessToken", "x-csrf", "pinCode"] {
            assert!(is_secret_like(key), "{key}");
        }
        assert!(!is_secret_like("valid"));
    }
}
