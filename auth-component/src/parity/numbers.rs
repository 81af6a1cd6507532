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

/// `Number::toString` (ECMA-262 §6.1.6.1.20) of a finite number.
fn printed(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    // The shortest digits that lead back to the number: the same for both languages, only laid out in another way.
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').expect("this format has an exponent");
    let exponent: i32 = exponent.parse().expect("it is a number");
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |positive| ("-", positive));
    let digits = mantissa.replace('.', "");
    let count = i32::try_from(digits.len()).expect("a double has at most 17 digits");
    match exponent {
        0..=20 if count <= exponent + 1 => {
            let zeros = "0".repeat(usize::try_from(exponent + 1 - count).expect("the arm says so"));
            format!("{sign}{digits}{zeros}")
        }
        0..=20 => {
            let (whole, fraction) = digits.split_at(usize::try_from(exponent + 1).expect("the arm says so"));
            format!("{sign}{whole}.{fraction}")
        }
        -6..=-1 => {
            let zeros = "0".repeat(usize::try_from(-exponent - 1).expect("the arm says so"));
            format!("{sign}0.{zeros}{digits}")
        }
        _ => format!("{sign}{mantissa}e{exponent:+}"),
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
