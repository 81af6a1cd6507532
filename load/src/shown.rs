//! Figures as people read them: three digits that matter, the unit behind.

use crate::cost::Range;

/// Three digits that matter, thousands with a comma.
pub(crate) fn figure(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size == 0.0 => "0".to_owned(),
        _ if size >= 100.0 => grouped(value),
        _ => {
            let digits = (2.0 - size.log10().floor()).clamp(0.0, 8.0) as usize;
            let text = format!("{value:.digits$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
    }
}

/// A number of things: `10,000`, `2.5`.
pub(crate) fn count(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 { grouped(value) } else { figure(value) }
}

/// `1,000 requests/s`
pub(crate) fn rate_of(rate: f64) -> String {
    if rate == 1.0 { "1 request/s".to_owned() } else { format!("{} requests/s", count(rate)) }
}

pub(crate) fn usd(value: f64) -> String {
    let sign = if value < -0.005 { "−" } else { "" };
    let size = value.abs();
    if size >= 1_000.0 { format!("{sign}${}", grouped(size)) } else { format!("{sign}${size:.2}") }
}

pub(crate) fn usd_range(value: Range) -> String {
    range(value, usd)
}

/// `24 (23 to 25)`, or one figure where both ends look the same.
pub(crate) fn range(value: Range, shown: impl Fn(f64) -> String) -> String {
    let (low, estimate, high) = (shown(value.low), shown(value.estimate), shown(value.high));
    if low == high { estimate } else { format!("{estimate} ({low} to {high})") }
}

/// From µs.
pub(crate) fn time(us: f64) -> String {
    match us {
        _ if us < 1_000.0 => format!("{} µs", figure(us)),
        _ if us < 1e6 => format!("{} ms", figure(us / 1e3)),
        _ => format!("{} s", figure(us / 1e6)),
    }
}

/// In units of 1,024.
pub(crate) fn bytes(bytes: f64) -> String {
    match bytes {
        _ if bytes < 1_024.0 => format!("{} B", figure(bytes)),
        _ if bytes < 1_048_576.0 => format!("{} kB", figure(bytes / 1_024.0)),
        _ if bytes < 1_073_741_824.0 => format!("{} MB", figure(bytes / 1_048_576.0)),
        _ => format!("{} GB", figure(bytes / 1_073_741_824.0)),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 && digits != "0" { format!("−{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_that_matter() {
        for (value, shown) in [
            (0.0, "0"),
            (0.001_234, "0.00123"),
            (1.5, "1.5"),
            (23.456, "23.5"),
            (99.96, "100"),
            (187.4, "187"),
            (12_345.6, "12,346"),
            (-2_000.0, "−2,000"),
        ] {
            assert_eq!(figure(value), shown);
        }
        assert_eq!((count(10_000.0).as_str(), count(2.5).as_str(), count(1.0).as_str()), ("10,000", "2.5", "1"));
    }

    #[test]
    fn money_times_and_bytes_have_their_units() {
        assert_eq!((usd(18.02).as_str(), usd(-9.0).as_str(), usd(-0.001).as_str()), ("$18.02", "−$9.00", "$0.00"));
        assert_eq!(
            (usd(1_234.5).as_str(), time(812.0).as_str(), time(45_678.0).as_str()),
            ("$1,234", "812 µs", "45.7 ms")
        );
        assert_eq!((time(2e6).as_str(), bytes(47_185_920.0).as_str()), ("2 s", "45 MB"));
        assert_eq!(usd_range(Range { low: 1.0, estimate: 2.0, high: 3.0 }), "$2.00 ($1.00 to $3.00)");
        assert_eq!(usd_range(Range::exactly(2.0)), "$2.00");
    }
}
