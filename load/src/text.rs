//! Figures as people read them.

/// Three digits that matter.
pub(crate) fn time(us: Option<u64>) -> String {
    let Some(us) = us else {
        return "(too few)".to_owned();
    };
    let ms = us as f64 / 1_000.0;
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{ms:.2} ms"),
        10_000..100_000 => format!("{ms:.1} ms"),
        100_000..1_000_000 => format!("{ms:.0} ms"),
        _ => format!("{:.2} s", ms / 1_000.0),
    }
}
