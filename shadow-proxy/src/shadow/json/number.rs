//! Numbers by their exact decimal value: no double could tell 9007199254740993 from 9007199254740992, or hold 1e400.

/// `0.DIGITS` times ten to the `exponent`. There is one for each value, however it was written.
pub(super) struct Decimal<'a> {
    negative: bool,
    exponent: i128,
    /// The digits of a power with more than `EXPONENT_DIGITS_MAX`, and whether it is negative; `exponent` is without it.
    huge: (bool, &'a [u8]),
    /// Before and after the point, without zeros at either end of the whole.
    digits: (&'a [u8], &'a [u8]),
}

impl<'a> Decimal<'a> {
    /// Of a JSON number (RFC 8259, section 6).
    pub(super) fn of(text: &'a [u8]) -> Decimal<'a> {
        let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = split(text, |byte| matches!(byte, b'e' | b'E'));
        let (integer, fraction) = split(mantissa, |byte| byte == b'.');

        let zeros = leading_zeros(integer);
        let (mut before, mut after) = (&integer[zeros..], fraction);
        let mut exponent = before.len() as i128;
        if before.is_empty() {
            let zeros = leading_zeros(fraction);
            after = &fraction[zeros..];
            exponent = -(zeros as i128);
        }
        after = without_trailing_zeros(after);
        if after.is_empty() {
            before = without_trailing_zeros(before);
        }
        if before.is_empty() && after.is_empty() {
            return Decimal { negative: false, exponent: 0, huge: (false, &[]), digits: (&[], &[]) };
        }

        let (below_one, power) = match power {
            [b'-', power @ ..] => (true, power),
            [b'+', power @ ..] | power => (false, power),
        };
        let power = &power[leading_zeros(power)..];
        if power.len() > EXPONENT_DIGITS_MAX {
            return Decimal { negative, exponent, huge: (below_one, power), digits: (before, after) };
        }
        let power = power.iter().fold(0, |value: i128, digit| value * 10 + i128::from(digit - b'0'));
        exponent += if below_one { -power } else { power };
        Decimal { negative, exponent, huge: (false, &[]), digits: (before, after) }
    }

    /// What is the same for equal values and for no others.
    pub(super) fn write(&self, mut out: impl FnMut(&[u8])) {
        out(&[u8::from(self.negative)]);
        out(&self.exponent.to_le_bytes());
        out(&[u8::from(self.huge.0)]);
        out(&(self.huge.1.len() as u64).to_le_bytes());
        out(self.huge.1);
        out(self.digits.0);
        out(self.digits.1);
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        let digits = |decimal: &Self| decimal.digits.0.len() + decimal.digits.1.len();
        let all = |decimal: &Self| decimal.digits.0.iter().chain(decimal.digits.1);
        (self.negative, self.exponent, self.huge, digits(self))
            == (other.negative, other.exponent, other.huge, digits(other))
            && all(self).eq(all(other))
    }
}

/// At the first such byte, which is in neither part.
fn split(text: &[u8], is_mark: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| is_mark(*byte)) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

fn leading_zeros(digits: &[u8]) -> usize {
    digits.iter().take_while(|digit| **digit == b'0').count()
}

fn without_trailing_zeros(digits: &[u8]) -> &[u8] {
    &digits[..digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1)]
}

/// Far from the end of an `i128`. Numbers beyond are equal only if they are written with the same exponent.
const EXPONENT_DIGITS_MAX: usize = 36;
