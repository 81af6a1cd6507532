//! Dates as cookies have them, which is in more shapes than HTTP allows (RFC 6265bis §5.1.1).

use std::time::UNIX_EPOCH;

/// Seconds since the Unix epoch; 0 for what lies before it.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        if time.is_none() && take(&mut time, time_of(token))
            || day.is_none() && take(&mut day, number(token, 1..=2))
            || month.is_none() && take(&mut month, month_of(token))
        {
            continue;
        }
        if year.is_none() {
            year = number(token, 2..=4);
        }
    }
    let ((hour, minute, second), day, month) = (time?, day?, month?);
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    match year {
        ..1601 => None,
        1601..1970 => Some(0),
        _ => {
            let rfc3339 = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
            let instant = humantime::parse_rfc3339(&rfc3339).ok()?;
            instant.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
        }
    }
}

fn take<T>(slot: &mut Option<T>, found: Option<T>) -> bool {
    *slot = found;
    slot.is_some()
}

fn is_delimiter(c: char) -> bool {
    matches!(c, '\t' | ' '..='/' | ';'..='@' | '['..='`' | '{'..='~')
}

/// The number a token begins with, of so many digits, which no other digit follows.
fn number(token: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let end = token.find(|c: char| !c.is_ascii_digit()).unwrap_or(token.len());
    if digits.contains(&end) { token[..end].parse().ok() } else { None }
}

fn time_of(token: &str) -> Option<(u32, u32, u32)> {
    let mut fields = token.splitn(3, ':');
    let (hour, minute, second) = (fields.next()?, fields.next()?, fields.next()?);
    let whole = |field: &str| number(field, 1..=2).filter(|_| field.bytes().all(|byte| byte.is_ascii_digit()));
    Some((whole(hour)?, whole(minute)?, number(second, 1..=2)?))
}

fn month_of(token: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = token.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().zip(1..).find(|(name, _)| **name == start).map(|(_, number)| number)
}
