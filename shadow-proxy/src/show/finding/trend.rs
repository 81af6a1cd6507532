//! Whether a finding is seen more often than it was. Pure.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// First seen in this hour or the one before.
    New,
    Rising,
    Steady,
    Falling,
}

/// The last hours against the mean of those before them. `hours` are those in which it was seen, with how often.
pub fn trend(hours: &[(u64, u64)], first_hour: u64, now: u64) -> Trend {
    if first_hour + 1 >= now {
        return Trend::New;
    }
    let sum = |from: u64, to: u64| -> u64 {
        hours.iter().filter(|(hour, _)| (from..to).contains(hour)).map(|(_, count)| count).sum()
    };
    let recent_from = (now + 1).saturating_sub(RECENT_HOURS);
    let from = (now + 1).saturating_sub(SHOWN_HOURS).max(first_hour).min(recent_from);
    let recent = sum(recent_from, now + 1) as f64;
    let hours_before = recent_from - from;
    if hours_before == 0 {
        return Trend::Steady;
    }
    let before = sum(from, recent_from) as f64 * RECENT_HOURS as f64 / hours_before as f64;
    match (recent, before) {
        (recent, before) if recent > 2.0 * before && recent >= before + FEW => Trend::Rising,
        (recent, before) if 2.0 * recent < before && before >= recent + FEW => Trend::Falling,
        _ => Trend::Steady,
    }
}

/// The counts of the last hours, the present one last.
pub fn last_hours(hours: &[(u64, u64)], now: u64) -> Vec<u64> {
    let of = |hour: u64| hours.iter().find(|(known, _)| *known == hour).map_or(0, |(_, count)| *count);
    ((now + 1).saturating_sub(SHOWN_HOURS)..=now).map(of).collect()
}

const SHOWN_HOURS: u64 = 24;
const RECENT_HOURS: u64 = 6;
/// Fewer more or less are chance.
const FEW: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions() {
        let every_hour = |count: u64| (80..=100).map(|hour| (hour, count)).collect::<Vec<_>>();
        for (what, hours, first, expected) in [
            ("seen first an hour ago", vec![(99, 1_000)], 99, Trend::New),
            ("the same all day", every_hour(10), 50, Trend::Steady),
            ("once a day", vec![(100, 1)], 50, Trend::Steady),
            ("more now", [every_hour(1), vec![(99, 30)]].concat(), 50, Trend::Rising),
            ("it stopped", (80..=92).map(|hour| (hour, 10)).collect(), 50, Trend::Falling),
            ("it stopped long ago", vec![(10, 1_000)], 10, Trend::Steady),
            ("it began this morning", vec![(97, 5), (98, 5)], 97, Trend::Steady),
        ] {
            assert_eq!(trend(&hours, first, 100), expected, "{what}");
        }
    }

    #[test]
    fn a_day_of_counts() {
        let hours = last_hours(&[(76, 9), (77, 1), (100, 2)], 100);
        assert_eq!((hours.len(), hours[0], hours[23], hours.iter().sum::<u64>()), (24, 1, 2, 3));
        assert_eq!(last_hours(&[], 2), [0, 0, 0]);
    }
}
