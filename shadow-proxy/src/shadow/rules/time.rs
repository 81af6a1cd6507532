//! Points in time, in the forms in which services write them.

use super::number::Decimal;
use crate::keys::moment;

/// In nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    form: Form,
    nanoseconds: i128,
}

/// Two times in different forms are no two times: whoever reads one of them cannot read the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Rfc3339,
    Http,
    Seconds,
    Milliseconds,
}

impl Time {
    /// RFC 3339, an HTTP date, or a number. A number below 100,000,000,000 counts seconds (until the year 5138), any
    /// other milliseconds (since March 1973).
    pub(crate) fn parse(text: &str) -> Option<Time> {
        if let Some(number) = Decimal::parse(text) {
            let is_seconds = number.scaled(NANOSECONDS)? < MILLISECONDS_MIN * 1_000_000_000;
            let (form, unit) =
                if is_seconds { (Form::Seconds, NANOSECONDS) } else { (Form::Milliseconds, NANOSECONDS + 3) };
            let nanoseconds = number.scaled(unit).filter(|_| !number.is_negative())?;
            return Some(Time { form, nanoseconds });
        }
        let (form, since) = match moment::since_epoch(text) {
            Some(since) => (Form::Rfc3339, since),
            None => {
                let date = httpdate::parse_http_date(text).ok()?;
                (Form::Http, date.duration_since(std::time::UNIX_EPOCH).ok()?)
            }
        };
        Some(Time { form, nanoseconds: since.as_nanos() as i128 })
    }

    pub(crate) fn is_within_ms(self, tolerance_ms: u64, other: Time) -> bool {
        let apart = (self.nanoseconds - other.nanoseconds).unsigned_abs();
        self.form == other.form && apart <= u128::from(tolerance_ms) * 1_000_000
    }
}

/// The exponent of one.
const NANOSECONDS: i32 = -9;
const MILLISECONDS_MIN: i128 = 100_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared_in_one_form() {
        for (tolerance_ms, one, other, is_within) in [
            (1_000, "2025-01-31T10:00:00Z", "2025-01-31T10:00:01Z", true),
            (999, "2025-01-31T10:00:00Z", "2025-01-31T10:00:01Z", false),
            (1, "2025-01-31T10:00:00.0005Z", "2025-01-31T10:00:00Z", true),
            (0, "2025-01-31T10:00:00+02:00", "2025-01-31T08:00:00Z", true),
            (5_000, "Fri, 31 Jan 2025 10:00:00 GMT", "Fri, 31 Jan 2025 10:00:05 GMT", true),
            (4_999, "Fri, 31 Jan 2025 10:00:00 GMT", "Fri, 31 Jan 2025 10:00:05 GMT", false),
            (u64::MAX, "Fri, 31 Jan 2025 10:00:00 GMT", "2025-01-31T10:00:00Z", false),
            (2_000, "1700000000", "1700000002", true),
            (1_999, "1700000000", "1700000002", false),
            (2, "1700000000000", "1700000000002", true),
            (1, "1700000000000", "1700000000002", false),
            (u64::MAX, "1700000000", "1700000000000", false),
            (1, "1700000000.0005", "1700000000", true),
        ] {
            let parse = |text| Time::parse(text).unwrap();
            assert_eq!(parse(one).is_within_ms(tolerance_ms, parse(other)), is_within, "{one} {other} {tolerance_ms}");
        }
        for text in ["", "now", "-5", "2025-01-31", "10:00:00", "1e40"] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }
}
