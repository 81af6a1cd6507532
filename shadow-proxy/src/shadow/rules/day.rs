//! Days, by which rules expire. In UTC.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day {
    since_epoch: u32,
}

impl Day {
    pub(crate) fn of_ms(ms: u64) -> Day {
        Day { since_epoch: u32::try_from(ms / (DAY_S * 1_000)).unwrap_or(u32::MAX).min(LAST) }
    }

    /// `2027-06-30`, a day that there is.
    pub(crate) fn parse(text: &str) -> Option<Day> {
        let is_date = text.len() == "0000-00-00".len();
        let midnight = humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).ok().filter(|_| is_date)?;
        let seconds = midnight.duration_since(UNIX_EPOCH).ok()?.as_secs();
        Some(Day { since_epoch: u32::try_from(seconds / DAY_S).ok()? })
    }

    pub(crate) fn after(self, days: u32) -> Day {
        Day { since_epoch: self.since_epoch.saturating_add(days).min(LAST) }
    }

    /// None when it is past.
    pub(crate) fn days_until(self, other: Day) -> Option<u32> {
        other.since_epoch.checked_sub(self.since_epoch)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let midnight = UNIX_EPOCH + Duration::from_secs(u64::from(self.since_epoch) * DAY_S);
        let text = humantime::format_rfc3339_seconds(midnight).to_string();
        f.write_str(text.split('T').next().unwrap_or_default())
    }
}

const DAY_S: u64 = 86_400;
/// 9999-12-31
const LAST: u32 = 2_932_896;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_back() {
        for text in ["1970-01-01", "2024-02-29", "2027-06-30", "9999-12-31"] {
            assert_eq!(Day::parse(text).map(|day| day.to_string()).as_deref(), Some(text));
        }
        for text in ["", "2027-6-30", "2027-02-29", "2027-06-31", "1969-12-31", "2027-06-30T00:00:00Z", "30.06.2027"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
        assert_eq!(Day::of_ms(86_400_000 - 1).to_string(), "1970-01-01");
        assert_eq!(Day::of_ms(u64::MAX).to_string(), "9999-12-31");
        assert_eq!(Day::of_ms(0).after(31).to_string(), "1970-02-01");
        assert_eq!(Day::of_ms(0).after(31).days_until(Day::of_ms(0)), None);
    }
}
