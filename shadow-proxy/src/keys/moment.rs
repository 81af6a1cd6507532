//! Points in time as people and lists write them, in seconds since the Unix epoch.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use auth_component::LAST_S;

/// A point in time, and whether less than a second was cut off it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub seconds: u64,
    pub has_fraction: bool,
}

/// RFC 3339, with whatever offset.
pub fn parse(text: &str) -> Option<Moment> {
    let since = since_epoch(text)?;
    Some(Moment { seconds: since.as_secs(), has_fraction: since.subsec_nanos() > 0 })
}

/// The same, with its fraction of a second.
pub fn since_epoch(text: &str) -> Option<Duration> {
    const OFFSET_CHARS: usize = "+00:00".len();
    let text = text.to_ascii_uppercase();
    let (local, ahead_s) = match text.len().checked_sub(OFFSET_CHARS).and_then(|at| text.split_at_checked(at)) {
        Some((local, offset)) if offset.starts_with(['+', '-']) => (format!("{local}Z"), offset_s(offset)?),
        _ => (text, 0),
    };
    let since = humantime::parse_rfc3339(&local).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let seconds = since.as_secs().checked_add_signed(-ahead_s).filter(|&seconds| seconds <= LAST_S)?;
    Some(Duration::new(seconds, since.subsec_nanos()))
}

/// A point in time, or how long it is until then: `2030-01-01T00:00:00Z`, `30d`, `12h`.
pub fn parse_or_after(text: &str, now: u64) -> anyhow::Result<u64> {
    if let Some(moment) = parse(text) {
        return Ok(moment.seconds);
    }
    let after = humantime::parse_duration(text).ok();
    let after = after.with_context(|| {
        format!("`{text}` is neither a date nor a time from now; write 2030-01-01T00:00:00Z, or 30d, or 12h")
    })?;
    let at = now.saturating_add(after.as_secs());
    ensure!(at <= LAST_S, "`{text}` is after the year 9999; choose an earlier time");
    Ok(at)
}

/// RFC 3339 in UTC.
pub fn text(seconds: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_S))).to_string()
}

/// How far `+02:00` is ahead of UTC.
fn offset_s(offset: &str) -> Option<i64> {
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let number = |digits: &str, max: i64| -> Option<i64> {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number| is_number && *number <= max)
    };
    let ahead_s = number(hours, 23)? * 3_600 + number(minutes, 59)? * 60;
    Some(if offset.starts_with('-') { -ahead_s } else { ahead_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_with_their_offset() {
        for (text, seconds, has_fraction) in [
            ("1970-01-01T00:00:00Z", 0, false),
            ("2099-12-31T23:59:59.000Z", 4_102_444_799, false),
            ("2099-12-31t23:59:59.5z", 4_102_444_799, true),
            ("2020-01-01T02:00:00+02:00", 1_577_836_800, false),
            ("2019-12-31T18:30:00.25-05:30", 1_577_836_800, true),
            ("9999-12-31T23:59:59Z", LAST_S, false),
        ] {
            assert_eq!(parse(text), Some(Moment { seconds, has_fraction }), "{text}");
        }
        for bad in [
            "",
            "2099-12-31",
            "2099-12-31T23:59:59",
            "2099-12-31T23:59:59+2:00",
            "2099-12-31T23:59:59+24:00",
            "2099-12-31T23:59:59+00:60",
            "2099-13-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "1e9",
            "é+00:00",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_time_from_now_is_as_good_as_a_date() {
        assert_eq!(parse_or_after("7d", 1_000).expect("a time"), 1_000 + 7 * 86_400);
        assert_eq!(parse_or_after("1970-01-01T00:00:05Z", 1_000).expect("a date"), 5);
        for bad in ["", "soon", "7", "99999999y"] {
            let error = parse_or_after(bad, 1_000).expect_err(bad).to_string();
            assert!(error.contains("; "), "{error}");
        }
        assert_eq!(text(4_102_444_799), "2099-12-31T23:59:59Z");
    }
}
