//! Numbers, times and foreign text as people read them. Pure.

use std::borrow::Cow;
use std::fmt::Write as _;

use maud::{Markup, html};

pub use crate::shift::gate::{grouped, percent, share};

/// Three digits, and the unit that suits them.
pub fn duration(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{} µs", digits(us)),
        us if us < 1_000_000.0 => format!("{} ms", digits(us / 1_000.0)),
        us => format!("{} s", digits(us / 1_000_000.0)),
    }
}

pub fn per_second(rate: f64) -> String {
    format!("{}/s", digits(rate))
}

pub fn bytes(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 1_000.0 => format!("{bytes:.0} B"),
        bytes if bytes < 1_000_000.0 => format!("{} kB", digits(bytes / 1_000.0)),
        bytes if bytes < 1e9 => format!("{} MB", digits(bytes / 1_000_000.0)),
        bytes => format!("{} GB", digits(bytes / 1e9)),
    }
}

pub fn count(number: f64) -> String {
    grouped(number.round().max(0.0) as u64)
}

/// `1,234`, `56.7`, `8.90`, `0`.
fn digits(number: f64) -> String {
    match number {
        number if number >= 99.95 => grouped(number.round() as u64),
        number if number >= 9.995 => format!("{number:.1}"),
        number if number < 0.005 => "0".to_owned(),
        number => format!("{number:.2}"),
    }
}

/// `18:05:07`, in UTC.
pub fn clock(ms: u64) -> String {
    let seconds = ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// `2026-11-21 18:05:07`, in UTC.
pub fn moment(ms: u64) -> String {
    crate::show::shift::at(ms).replace('T', " ").trim_end_matches('Z').to_owned()
}

/// What somebody else wrote: not longer than this, and nothing in it that a reader does not see (control characters, what
/// changes the direction of text).
pub fn visible(text: &str, characters_max: usize) -> Cow<'_, str> {
    let is_hidden = |c: char| (c.is_control() && c != '\n' && c != '\t') || INVISIBLE.contains(&c);
    let cut = text.char_indices().nth(characters_max).map(|(end, _)| end);
    if cut.is_none() && !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for c in text[..cut.unwrap_or(text.len())].chars() {
        if is_hidden(c) {
            write!(shown, "[U+{:04X}]", u32::from(c)).expect("writing to a String cannot fail");
        } else {
            shown.push(c);
        }
    }
    if let Some(end) = cut {
        let left = grouped((text.len() - end) as u64);
        write!(shown, " … and {left} bytes more").expect("writing to a String cannot fail");
    }
    Cow::Owned(shown)
}

/// A sentence in which names stand between backticks.
pub fn sentence(text: &str, characters_max: usize) -> Markup {
    let text = visible(text, characters_max);
    // An odd one is no pair.
    let has_pairs = text.matches('`').count().is_multiple_of(2);
    html! {
        @if has_pairs {
            @for (index, part) in text.split('`').enumerate() { @if index % 2 == 1 { code { (part) } } @else { (part) } }
        } @else { (text) }
    }
}

/// Unicode's bidirectional controls, zero widths, line and paragraph separators, and the mark of byte order.
const INVISIBLE: [char; 18] = [
    '\u{061c}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}',
    '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{feff}',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        assert_eq!(
            [0.0, 38.0, 431.2, 1_210.0, 12_400.0, 2.5e6].map(duration),
            ["0 µs", "38.0 µs", "431 µs", "1.21 ms", "12.4 ms", "2.50 s"]
        );
        assert_eq!([0.0, 0.2, 12.34, 1_234.5].map(per_second), ["0/s", "0.20/s", "12.3/s", "1,235/s"]);
        assert_eq!([512.0, 131_072.0, 5.0e6, 3.2e9].map(bytes), ["512 B", "131 kB", "5.00 MB", "3.20 GB"]);
        assert_eq!(
            (clock(65_107_000), moment(1_795_392_065_107)),
            ("18:05:07".to_owned(), "2026-11-23 00:01:05".to_owned())
        );
    }

    #[test]
    fn names_in_a_sentence_stand_out() {
        assert_eq!(sentence("say `a <b>` now", 99).into_string(), "say <code>a &lt;b&gt;</code> now");
        assert_eq!(sentence("an odd ` one", 99).into_string(), "an odd ` one");
    }

    #[test]
    fn nothing_in_foreign_text_is_hidden_or_endless() {
        assert_eq!(visible("plain <b> ‹text 1 2›", 100), "plain <b> ‹text 1 2›");
        assert_eq!(visible("a\u{202e}b\0c\u{200b}\u{1b}[31m", 100), "a[U+202E]b[U+0000]c[U+200B][U+001B][31m");
        let long = "é".repeat(10_000_000);
        assert_eq!(visible(&long, 3), "ééé … and 19,999,994 bytes more");
    }
}
