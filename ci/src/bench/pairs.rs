//! Runs of A and B side by side, and their ratio pair by pair.

use crate::table::Table;

use super::wrk::Load;

#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) load: Load,
    /// Of the server under load alone, without what stands behind it.
    pub(super) cpu_us_per_request: f64,
    pub(super) compared_share: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Figure {
    RequestsPerSecond,
    P50,
    P99,
    CpuPerRequest,
}

pub(super) struct Pairs {
    title: String,
    figures: Vec<Figure>,
    runs: Vec<(Run, Run)>,
}

impl Pairs {
    pub(super) fn new(title: String, figures: &[Figure]) -> Pairs {
        Pairs { title, figures: figures.to_vec(), runs: Vec::new() }
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn add(&mut self, a: Run, b: Run) {
        self.runs.push((a, b));
    }

    /// How much of the work a proxy that drops instead of waiting has done.
    pub(super) fn note(&self) -> Option<String> {
        let shares: Vec<f64> = self.runs.iter().filter_map(|(a, _)| a.compared_share).collect();
        if shares.is_empty() {
            return None;
        }
        let percent = 100.0 * median(&sorted(shares));
        Some(format!(
            "  A compared {percent:.0} % of its requests meanwhile; the rest was dropped or skipped, and counted\n"
        ))
    }

    /// Medians of both, and the median, least and greatest of the ratios A/B and of the differences A−B.
    pub(super) fn table(&self) -> Table {
        let row = |figure: &Figure| {
            let of = |choose: fn(f64, f64) -> f64| {
                sorted(self.runs.iter().map(|(a, b)| choose(figure.of(a), figure.of(b))).collect())
            };
            let (a, b) = (of(|a, _| a), of(|_, b| b));
            let (ratios, differences) = (of(|a, b| a / b), of(|a, b| a - b));
            vec![
                figure.name().to_owned(),
                format!("{:.1}", median(&a)),
                format!("{:.1}", median(&b)),
                format!("{:+.1}", median(&differences)),
                format!("{:.2}", median(&ratios)),
                format!("{:.2}–{:.2}", ratios[0], ratios[ratios.len() - 1]),
            ]
        };
        Table {
            title: format!("A / B: {}, {} pairs", self.title, self.runs.len()),
            header: vec!["median", "A", "B", "A−B", "A/B", "least–greatest"],
            rows: self.figures.iter().map(row).collect(),
        }
    }
}

impl Figure {
    fn name(self) -> &'static str {
        match self {
            Figure::RequestsPerSecond => "requests/s",
            Figure::P50 => "p50 µs",
            Figure::P99 => "p99 µs",
            Figure::CpuPerRequest => "CPU µs/request of the server asked",
        }
    }

    fn of(self, run: &Run) -> f64 {
        match self {
            Figure::RequestsPerSecond => run.load.requests_per_second,
            Figure::P50 => run.load.p50_us,
            Figure::P99 => run.load.p99_us,
            Figure::CpuPerRequest => run.cpu_us_per_request,
        }
    }
}

pub(super) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// Of at least one value, in order.
pub(super) fn median(values: &[f64]) -> f64 {
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(requests_per_second: f64) -> Run {
        let load = Load { requests: 1, requests_per_second, p50_us: 2.0, p99_us: 3.0 };
        Run { load, cpu_us_per_request: 4.0, compared_share: None }
    }

    #[test]
    fn the_ratio_is_of_pairs_not_of_medians() {
        let mut pairs = Pairs::new("x / y".to_owned(), &[Figure::RequestsPerSecond]);
        for (a, b) in [(10.0, 5.0), (30.0, 10.0), (8.0, 8.0)] {
            pairs.add(run(a), run(b));
        }
        insta::assert_snapshot!(pairs.table().text(), @"
        A / B: x / y, 3 pairs
          median         A    B   A−B   A/B  least–greatest
          requests/s  10.0  8.0  +5.0  2.00       1.00–3.00
        ");
    }
}
