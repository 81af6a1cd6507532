//! Whether a text is what `JSON.parse` takes, told byte by byte.
//!
//! There is no tree and no recursion: of each open bracket one bit is kept, so a text of nothing but brackets costs an
//! eighth of its length. `JSON.parse` gets UTF-8 in which every broken byte has become U+FFFD. Such a character can
//! stand in a text only, and a byte above 0x7f can do so too, so decoding would change nothing.

/// A text as `express.json()` wants it: empty, or an object or list.
pub(super) struct Validator {
    /// How much of a byte order mark has passed; `None` when it is too late for one.
    mark: Option<usize>,
    is_empty: bool,
    state: State,
    open: Brackets,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but spaces so far.
    Start,
    Value,
    /// Behind `[`.
    ValueOrEnd,
    /// Behind `{`.
    NameOrEnd,
    Name,
    Colon,
    /// Behind a value in an object or list.
    Next,
    /// Behind the outermost value.
    End,
    Text(Text, Place),
    /// What is left of `true`, `false`, `null`.
    Word(&'static [u8]),
    Number(Number),
    Bad,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Plain,
    Escape,
    /// How many hex digits are missing.
    Unicode(u8),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Name,
    Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

const MARK: &[u8] = b"\xef\xbb\xbf";
/// A good text needs a byte to close each bracket, so of 100 KiB no more than half can be open.
const OPEN_MAX: usize = 51_200;

impl Validator {
    pub(super) fn new() -> Validator {
        Validator { mark: Some(0), is_empty: true, state: State::Start, open: Brackets::default() }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if !self.is_mark(byte) {
                self.is_empty = false;
                self.state = self.after(byte);
            }
        }
    }

    pub(super) fn is_good(&self) -> bool {
        match self.mark {
            // Nothing came, or nothing but a mark.
            Some(0 | 3) => self.is_empty,
            Some(_) => false,
            None => self.is_empty || self.state == State::End,
        }
    }

    /// A byte order mark is dropped, once, in front.
    fn is_mark(&mut self, byte: u8) -> bool {
        let Some(passed) = self.mark else { return false };
        if MARK.get(passed) == Some(&byte) {
            self.mark = Some(passed + 1);
            return true;
        }
        self.mark = None;
        if passed != 0 && passed != MARK.len() {
            self.state = State::Bad;
        }
        false
    }

    fn after(&mut self, byte: u8) -> State {
        let is_space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match (self.state, byte) {
            (State::Text(text, place), _) => text.after(byte, place),
            (State::Word([wanted, rest @ ..]), _) if byte == *wanted => match rest {
                [] => self.behind_value(),
                _ => State::Word(rest),
            },
            (State::Number(number), _) => match number.after(byte) {
                Some(number) => State::Number(number),
                None if number.may_end() => {
                    self.state = self.behind_value();
                    self.after(byte)
                }
                None => State::Bad,
            },
            (state, _) if is_space && !matches!(state, State::Word(_) | State::Bad) => state,
            (State::Start | State::Value | State::ValueOrEnd, b'{') => self.opened(true),
            (State::Start | State::Value | State::ValueOrEnd, b'[') => self.opened(false),
            (State::Value | State::ValueOrEnd, _) if begins_value(byte) => first_of_value(byte),
            (State::NameOrEnd | State::Name, b'"') => State::Text(Text::Plain, Place::Name),
            (State::Colon, b':') => State::Value,
            (State::Next, b',') if self.open.is_object() => State::Name,
            (State::Next, b',') => State::Value,
            (State::NameOrEnd, b'}') => self.closed(),
            (State::Next, b'}') if self.open.is_object() => self.closed(),
            (State::ValueOrEnd, b']') => self.closed(),
            (State::Next, b']') if !self.open.is_object() => self.closed(),
            _ => State::Bad,
        }
    }

    fn opened(&mut self, is_object: bool) -> State {
        if self.open.count == OPEN_MAX {
            return State::Bad;
        }
        self.open.push(is_object);
        if is_object { State::NameOrEnd } else { State::ValueOrEnd }
    }

    fn closed(&mut self) -> State {
        self.open.pop();
        self.behind_value()
    }

    fn behind_value(&self) -> State {
        if self.open.count == 0 { State::End } else { State::Next }
    }
}

fn begins_value(byte: u8) -> bool {
    matches!(byte, b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9')
}

fn first_of_value(byte: u8) -> State {
    match byte {
        b'"' => State::Text(Text::Plain, Place::Value),
        b't' => State::Word(b"rue"),
        b'f' => State::Word(b"alse"),
        b'n' => State::Word(b"ull"),
        b'-' => State::Number(Number::Minus),
        b'0' => State::Number(Number::Zero),
        _ => State::Number(Number::Whole),
    }
}

impl Text {
    fn after(self, byte: u8, place: Place) -> State {
        let text = match (self, byte) {
            (Text::Plain, b'"') => {
                return match place {
                    Place::Name => State::Colon,
                    // A text is never the outermost value.
                    Place::Value => State::Next,
                };
            }
            (Text::Plain, b'\\') => Text::Escape,
            (Text::Plain, 0x20..) => Text::Plain,
            (Text::Escape, b'u') => Text::Unicode(4),
            (Text::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Text::Plain,
            (Text::Unicode(1), _) if byte.is_ascii_hexdigit() => Text::Plain,
            (Text::Unicode(missing), _) if byte.is_ascii_hexdigit() => Text::Unicode(missing - 1),
            _ => return State::Bad,
        };
        State::Text(text, place)
    }
}

impl Number {
    fn after(self, byte: u8) -> Option<Number> {
        match (self, byte) {
            (Number::Minus, b'0') => Some(Number::Zero),
            (Number::Minus | Number::Whole, b'0'..=b'9') => Some(Number::Whole),
            (Number::Zero | Number::Whole, b'.') => Some(Number::Point),
            (Number::Point | Number::Fraction, b'0'..=b'9') => Some(Number::Fraction),
            (Number::Zero | Number::Whole | Number::Fraction, b'e' | b'E') => Some(Number::Exponent),
            (Number::Exponent, b'+' | b'-') => Some(Number::ExponentSign),
            (Number::Exponent | Number::ExponentSign | Number::ExponentDigits, b'0'..=b'9') => {
                Some(Number::ExponentDigits)
            }
            _ => None,
        }
    }

    fn may_end(self) -> bool {
        matches!(self, Number::Zero | Number::Whole | Number::Fraction | Number::ExponentDigits)
    }
}

/// Which are open, from the outermost: a set bit is an object.
#[derive(Default)]
struct Brackets {
    bits: Vec<u8>,
    count: usize,
}

impl Brackets {
    fn push(&mut self, is_object: bool) {
        let (byte, bit) = (self.count / 8, 1 << (self.count % 8));
        if byte == self.bits.len() {
            self.bits.push(0);
        }
        if is_object {
            self.bits[byte] |= bit;
        } else {
            self.bits[byte] &= !bit;
        }
        self.count += 1;
    }

    fn pop(&mut self) {
        self.count -= 1;
    }

    /// Of the innermost; there is one whenever this is asked.
    fn is_object(&self) -> bool {
        let last = self.count - 1;
        self.bits[last / 8] >> (last % 8) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_good(text: &[u8]) -> bool {
        let mut whole = Validator::new();
        whole.take(text);
        let mut by_byte = Validator::new();
        text.chunks(1).for_each(|byte| by_byte.take(byte));
        assert_eq!(whole.is_good(), by_byte.is_good());
        whole.is_good()
    }

    #[test]
    fn depth_costs_a_bit_and_nothing_recurses() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(is_good(nested(OPEN_MAX).as_bytes()));
        let mut open = Validator::new();
        open.take("[{\"a\":".repeat(OPEN_MAX).as_bytes());
        assert!(!open.is_good() && open.open.bits.capacity() <= 16_384);
    }

    /// serde_json takes the same, apart from what the names say. The real `JSON.parse` is asked in tests/legacy.
    #[test]
    fn objects_and_lists_are_taken_and_nothing_else() {
        for good in
            ["", "\u{feff}", "{}", " [ ] ", "[1,-0,0.5,1e5,1E-5,1e400]", "{\"a\":{\"a\":[null,true,false]},\"a\":\"\"}"]
        {
            assert!(is_good(good.as_bytes()), "{good}");
        }
        for good in [&b"[\"\xff\xc3\"]"[..], b"[\"\\ud800\\u00Ff\\/\"]"] {
            assert!(is_good(good), "{}", good.escape_ascii());
        }
        let bad = [
            " ",
            "null",
            "1",
            "\"a\"",
            "[",
            "]",
            "{]",
            "[}",
            "[1,]",
            "[,1]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "[01]",
            "[-]",
            "[1.]",
            "[.1]",
            "[1e]",
            "[+1]",
            "[0x1]",
            "[1 2]",
            "[tru]",
            "[trueX]",
            "[nul l]",
            "[\"\n\"]",
            "[\"\\x\"]",
            "[\"\\u12g4\"]",
            "[]x",
            "[][]",
            "\u{feff}\u{feff}[]",
            "[\u{a0}]",
            "\u{b}[]",
        ];
        for bad in bad {
            assert!(!is_good(bad.as_bytes()), "{bad}");
        }
        assert!(!is_good(b"\xef\xbb") && !is_good(b"\xef\xbb[]"));
    }
}
