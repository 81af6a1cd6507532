//! Which share of values is at most so large. Pure.

/// Points of the empirical distribution, rising: the value, and the share (0 to 1) of all that are not above it.
pub(crate) fn ecdf(values: &[f64]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let step = |(index, value): (usize, &f64)| (*value, (index + 1) as f64 / count);
    let first = sorted.first().map(|least| (*least, 0.0));
    first.into_iter().chain(sorted.iter().enumerate().map(step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_values_are_at_most_the_median() {
        assert_eq!(ecdf(&[3.0, 1.0]), [(1.0, 0.0), (1.0, 0.5), (3.0, 1.0)]);
        assert!(ecdf(&[]).is_empty());
    }
}
