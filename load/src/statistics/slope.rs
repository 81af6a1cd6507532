//! What one more takes: a straight line through points, with the interval of its slope.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::CONFIDENCE;
use crate::result::Interval;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) base: f64,
    pub(crate) slope: f64,
    /// Student's t with n - 2 degrees of freedom; nothing under three points.
    pub(crate) slope_interval: Option<Interval>,
}

/// Least squares of y = base + slope · x; nothing without two different x.
pub(crate) fn line(points: &[(f64, f64)]) -> Option<Line> {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let squares: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if points.len() < 2 || squares == 0.0 {
        return None;
    }
    let slope = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / squares;
    let base = y - slope * x;
    let residuals: f64 = points.iter().map(|point| (point.1 - base - slope * point.0).powi(2)).sum();
    let slope_interval = StudentsT::new(0.0, 1.0, n - 2.0).ok().map(|student| {
        let half = student.inverse_cdf(0.5 + CONFIDENCE / 2.0) * (residuals / (n - 2.0) / squares).sqrt();
        Interval { low: slope - half, estimate: slope, high: slope + half, confidence: CONFIDENCE }
    });
    Some(Line { base, slope, slope_interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_is_found_and_two_points_have_no_interval() {
        let found = line(&[(1.0, 12.0), (2.0, 14.0), (4.0, 18.0)]).expect("three points");
        assert!((found.base - 10.0).abs() < 1e-9 && (found.slope - 2.0).abs() < 1e-9, "{found:?}");
        let interval = found.slope_interval.expect("three points");
        assert!(interval.high - interval.low < 1e-6, "{interval:?}");
        assert_eq!(line(&[(1.0, 1.0), (2.0, 3.0)]).expect("two points").slope_interval, None);
        assert_eq!(line(&[(1.0, 1.0), (1.0, 3.0)]), None);
        assert_eq!(line(&[]), None);
    }

    /// Anscombe's first data set (1973): slope 0.5001 with standard error 0.1179 and t(9) = 2.262.
    #[test]
    fn the_interval_is_that_of_the_textbook() {
        let x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0];
        let y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
        let points: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
        let found = line(&points).expect("eleven points");
        assert!((found.slope - 0.5001).abs() < 1e-3 && (found.base - 3.0001).abs() < 1e-3, "{found:?}");
        let interval = found.slope_interval.expect("eleven points");
        assert!((interval.high - interval.low - 2.0 * 2.262 * 0.1179).abs() < 2e-3, "{interval:?}");
    }
}
