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

/// Decimal units, as for disks and prices.
pub(crate) fn bytes(bytes: f64) -> String {
    match bytes {
        _ if bytes.abs() < 1e3 => format!("{bytes:.0} B"),
        _ if bytes.abs() < 1e6 => format!("{:.1} kB", bytes / 1e3),
        _ if bytes.abs() < 1e9 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.2} GB", bytes / 1e9),
    }
}

/// A table whose columns are as wide as they must be.
#[derive(Debug)]
pub(crate) struct Columns(Vec<Vec<String>>);

impl Columns {
    pub(crate) fn new(header: Vec<String>) -> Self {
        Self(vec![header])
    }

    pub(crate) fn add(&mut self, row: Vec<String>) {
        self.0.push(row);
    }

    pub(crate) fn text(&self) -> String {
        let count = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.0.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        self.0.iter().map(line).collect()
    }
}
