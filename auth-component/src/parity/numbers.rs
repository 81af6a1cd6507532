//! Numbers as JavaScript prints them.

use std::io;

use serde_json::ser::Formatter;

/// A `serde_json` formatter. A number is a double, whatever it was before (ECMA-262 §6.1.6.1).
pub(crate) struct JsNumbers;

impl Formatter for JsNumbers {
    fn write_u64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        writer.write_all(printed(value as f64).as_bytes())
    }

    fn write_i64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        writer.write_all(printed(value as f64).as_bytes())
    }

    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(printed(value).as_bytes())
    }
}

/// `Number::toString` (ECMA-262 §6.1.6.1.20) of a finite number: the shortest digits that lead back to it, laid out as
/// JavaScript does.
fn printed(value: f64) -> String {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: isize = exponent.parse().expect("a number is printed with a number behind the `e`");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let digits = all.trim_start_matches('0');
    // How many digits stand before the point; less than none where zeros stand behind it.
    let point = whole.len() as isize + exponent - (all.len() - digits.len()) as isize;
    let digits = digits.trim_end_matches('0');
    let zeros = |count: isize| "0".repeat(count.unsigned_abs());
    let count = digits.len() as isize;
    match point {
        _ if digits.is_empty() => "0".to_owned(),
        1..=21 if count <= point => format!("{sign}{digits}{}", zeros(point - count)),
        1..=21 => {
            let (whole, fraction) = digits.split_at(point.unsigned_abs());
            format!("{sign}{whole}.{fraction}")
        }
        -5..=0 => format!("{sign}0.{}{digits}", zeros(point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{sign}{first}{dot}{rest}e{:+}", point - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_javascript() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (100_000.0, "100000"),
            (4_102_444_798.5, "4102444798.5"),
            (9_007_199_254_740_993_u64 as f64, "9007199254740992"),
            (u64::MAX as f64, "18446744073709552000"),
            (123_456_789_012_345_678_901.0, "123456789012345680000"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.25e300, "-1.25e+300"),
            (0.1, "0.1"),
            (0.000_001, "0.000001"),
            (0.000_001_5, "0.0000015"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (5e-324, "5e-324"),
        ];
        for (value, text) in cases {
            assert_eq!(printed(value), text);
        }
    }
}
