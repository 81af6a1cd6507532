//! A just-in-time compiler, a cache, a pool need time. What is measured is the service as it then stays.

use crate::interrupt;
use crate::statistics::order::median;

const AGREE_SHARE: f64 = 0.05;
const AGREE_SECONDS: usize = 3;
const SECONDS_MAX: usize = 20;
const SECONDS_MAX_QUICK: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Warm {
    pub(crate) seconds: f64,
    /// The last three medians agreed.
    pub(crate) steady: bool,
}

/// `second` sends for a second and tells the median in µs.
pub(crate) fn up(quick: bool, mut second: impl FnMut() -> anyhow::Result<Option<u64>>) -> anyhow::Result<Warm> {
    let seconds_max = if quick { SECONDS_MAX_QUICK } else { SECONDS_MAX };
    let mut medians = Vec::new();
    while medians.len() < seconds_max && !is_steady(&medians) && !interrupt::requested() {
        medians.push(second()?.unwrap_or(0) as f64);
    }
    Ok(Warm { seconds: medians.len() as f64, steady: is_steady(&medians) })
}

/// Whether the last three lie within 5 % of the one in their middle.
fn is_steady(medians: &[f64]) -> bool {
    let Some(last) = medians.len().checked_sub(AGREE_SECONDS).map(|first| &medians[first..]) else { return false };
    let middle = median(last).unwrap_or_default();
    last.iter().all(|value| (value - middle).abs() <= AGREE_SHARE * middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_is_who_stays_within_five_percent_for_three_seconds() {
        let warm = |medians: &[u64]| {
            let mut left = medians.iter().copied();
            up(false, || Ok(left.next().or(Some(1)))).expect("no error")
        };
        assert_eq!(warm(&[900, 500, 300, 302, 299, 7]), Warm { seconds: 5.0, steady: true });
        assert_eq!(warm(&[100, 100, 100]), Warm { seconds: 3.0, steady: true });
        let unsteady: Vec<u64> = (0..40).map(|second| 100 + second % 2 * 50).collect();
        assert_eq!(warm(&unsteady), Warm { seconds: 20.0, steady: false });
    }

    #[test]
    fn a_quick_run_does_not_wait_long() {
        let warm = up(true, || Ok(None)).expect("no error");
        assert_eq!(warm.seconds, 3.0);
    }
}
