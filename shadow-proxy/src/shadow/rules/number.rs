//! Numbers as they are written, compared without rounding: as doubles, 0.1 and 0.4 are further apart than 0.3.

/// `digits · 10^exponent`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: i128,
    exponent: i32,
}

impl Decimal {
    /// A JSON number. None for what is no number, and for more digits than any clock or counter has.
    pub(crate) fn parse(text: &str) -> Option<Decimal> {
        let is_number = text.len() <= BYTES_MAX && serde_json::from_str::<serde_json::Number>(text).is_ok();
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().ok().filter(|_| is_number)?;
        let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| exponent.abs() <= EXPONENT_MAX)?;
        Some(Decimal { digits, exponent: exponent - fraction.len() as i32 })
    }

    /// Whether the two are at most this far apart; not where that cannot be told exactly.
    pub(crate) fn is_within(self, tolerance: Decimal, other: Decimal) -> bool {
        let exponent = self.exponent.min(other.exponent).min(tolerance.exponent);
        let apart = || {
            let apart = self.scaled(exponent)?.checked_sub(other.scaled(exponent)?)?;
            Some(apart.unsigned_abs() <= tolerance.scaled(exponent)?.unsigned_abs())
        };
        apart().unwrap_or(false)
    }

    /// In units of `10^exponent`; none where that is no whole number, or too large.
    pub(crate) fn scaled(self, exponent: i32) -> Option<i128> {
        let zeros = u32::try_from(self.exponent - exponent).ok();
        match zeros {
            _ if self.digits == 0 => Some(0),
            Some(zeros) => self.digits.checked_mul(10_i128.checked_pow(zeros)?),
            None => {
                let cut = 10_i128.checked_pow(exponent.abs_diff(self.exponent))?;
                (self.digits % cut == 0).then(|| self.digits / cut)
            }
        }
    }

    pub(crate) fn is_negative(self) -> bool {
        self.digits < 0
    }
}

const BYTES_MAX: usize = 64;
const EXPONENT_MAX: i32 = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_exactly() {
        for (tolerance, one, other, is_within) in [
            ("0.3", "0.1", "0.4", true),
            ("0.3", "0.1", "0.40000000000000001", false),
            ("1", "9007199254740993", "9007199254740992", true),
            ("0", "9007199254740993", "9007199254740992.0", false),
            ("0", "1", "1.0", true),
            ("0", "1e2", "100", true),
            ("30", "1700000030", "1700000000", true),
            ("30", "1700000030.5", "1700000000", false),
            ("1", "-0.5", "0.5", true),
            ("1e300", "1e300", "0", false),
            ("0", "0e300", "0", true),
        ] {
            let parse = |text| Decimal::parse(text).unwrap();
            assert_eq!(parse(one).is_within(parse(tolerance), parse(other)), is_within, "{one} {other} {tolerance}");
            assert_eq!(parse(other).is_within(parse(tolerance), parse(one)), is_within, "{other} {one} {tolerance}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "a", "0x1", "01", "1.", ".5", "NaN", "1e999", "- 1", "1,5", "\"1\"", &"9".repeat(65)] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
