//! Names beside lines, moved apart where lines end close together. Pure.

/// Where labels go that want to stand at these heights: in the same order, at least `apart` between any two, none
/// outside of `top` to `bottom` as long as they fit.
pub(super) fn spread(wanted: &[f64], apart: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|one, other| wanted[*one].total_cmp(&wanted[*other]));
    let mut placed = vec![0.0; wanted.len()];
    let mut last = f64::NEG_INFINITY;
    for index in &order {
        last = wanted[*index].max(last + apart).max(top);
        placed[*index] = last;
    }
    let mut next = f64::INFINITY;
    for index in order.iter().rev() {
        next = placed[*index].min(next - apart).min(bottom);
        placed[*index] = next;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_distance_and_their_order() {
        assert_eq!(spread(&[10.0, 50.0], 14.0, 0.0, 100.0), [10.0, 50.0]);
        assert_eq!(spread(&[50.0, 49.0], 14.0, 0.0, 100.0), [63.0, 49.0]);
        assert_eq!(spread(&[99.0, 98.0, 5.0], 14.0, 0.0, 100.0), [100.0, 86.0, 5.0]);
        assert!(spread(&[], 14.0, 0.0, 100.0).is_empty());
    }
}
