//! What the charts are drawn from: looks at the counters, an hour of them close together and a day of them further apart.
//! Pure.

use std::collections::VecDeque;

use crate::metrics::Percentiles;

/// One look. Counts are of the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// By legacy, by the candidate.
    pub served: [u64; 2],
    pub skipped: u64,
    pub dropped: u64,
    pub compared: u64,
    /// The share of requests answered differently, as evidence has it: seen, and what it is below with confidence.
    pub mismatch_rate: Option<[f64; 2]>,
    /// Since the sample before: of legacy, of the candidate.
    pub latency: [Percentiles; 2],
    pub memory_bytes: u64,
    pub instances: u64,
}

/// How far back a chart reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Span {
    #[default]
    Minutes,
    Hour,
    Day,
}

impl Span {
    pub const ALL: [Span; 3] = [Span::Minutes, Span::Hour, Span::Day];

    pub fn name(self) -> &'static str {
        match self {
            Span::Minutes => "5m",
            Span::Hour => "1h",
            Span::Day => "24h",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Span::Minutes => "5 minutes",
            Span::Hour => "1 hour",
            Span::Day => "24 hours",
        }
    }

    pub fn named(name: &str) -> Option<Span> {
        Span::ALL.into_iter().find(|span| span.name() == name)
    }

    /// Of one point, in milliseconds, and how many there are.
    pub fn points(self) -> (u64, u64) {
        match self {
            Span::Minutes => (5_000, 60),
            Span::Hour => (60_000, 60),
            Span::Day => (1_200_000, 72),
        }
    }
}

/// Between two looks.
pub const SAMPLE_EVERY_MS: u64 = 2_000;

#[derive(Default)]
pub struct Series {
    fine: VecDeque<Sample>,
    coarse: VecDeque<Sample>,
}

/// What a chart has at one time: the stretch of time that ends then. None where nobody looked, or nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    pub until_ms: u64,
    pub served_per_s: [Option<f64>; 2],
    pub skipped_per_s: Option<f64>,
    pub dropped_per_s: Option<f64>,
    pub mismatch_rate: [Option<f64>; 2],
    pub p50_us: [Option<f64>; 2],
    pub p99_us: [Option<f64>; 2],
    pub memory_bytes: Option<f64>,
    pub instances: Option<f64>,
}

impl Series {
    pub fn add(&mut self, sample: Sample) {
        push(&mut self.fine, sample, FINE_MAX);
        match self.coarse.back_mut() {
            Some(last) if last.at_ms / COARSE_MS == sample.at_ms / COARSE_MS => *last = last.and(&sample),
            _ => push(&mut self.coarse, sample, COARSE_MAX),
        }
    }

    /// The oldest first, up to now.
    pub fn points(&self, span: Span, now_ms: u64) -> Vec<Point> {
        let (width, count) = span.points();
        let samples = if span == Span::Day { &self.coarse } else { &self.fine };
        let last = now_ms.div_ceil(width) * width;
        let first = last.saturating_sub(width * count);
        let mut before = samples.iter().rev().find(|sample| sample.at_ms < first);
        (0..count)
            .map(|index| {
                let (from, until_ms) = (first + index * width, first + (index + 1) * width);
                let begin = samples.partition_point(|sample| sample.at_ms < from);
                let end = samples.partition_point(|sample| sample.at_ms < until_ms);
                let within: Vec<&Sample> = samples.range(begin..end).collect();
                let point = point(before, &within, until_ms);
                before = within.last().copied().or(before);
                point
            })
            .collect()
    }
}

impl Sample {
    /// Of a longer stretch: the counts are the later ones, times the mean of the medians and the worst of the rest.
    fn and(&self, later: &Sample) -> Sample {
        let merged = |side: usize| {
            let (a, b) = (self.latency[side], later.latency[side]);
            let p50_us =
                if a.p50_us == 0 || b.p50_us == 0 { a.p50_us.max(b.p50_us) } else { (a.p50_us + b.p50_us) / 2 };
            Percentiles {
                p50_us,
                p95_us: a.p95_us.max(b.p95_us),
                p99_us: a.p99_us.max(b.p99_us),
                p999_us: a.p999_us.max(b.p999_us),
            }
        };
        Sample {
            latency: [merged(0), merged(1)],
            memory_bytes: self.memory_bytes.max(later.memory_bytes),
            instances: self.instances.max(later.instances),
            ..*later
        }
    }
}

fn push(samples: &mut VecDeque<Sample>, sample: Sample, samples_max: usize) {
    // A clock that went back: what was later is gone, so that the rest stays in order.
    while samples.back().is_some_and(|last| last.at_ms >= sample.at_ms) {
        samples.pop_back();
    }
    samples.push_back(sample);
    if samples.len() > samples_max {
        samples.pop_front();
    }
}

fn point(before: Option<&Sample>, within: &[&Sample], until_ms: u64) -> Point {
    let Some(&last) = within.last() else { return Point { until_ms, ..Point::default() } };
    let first = before.or(within.first().copied()).filter(|first| first.at_ms < last.at_ms);
    let per_s = |count: &dyn Fn(&Sample) -> u64| {
        let first = first?;
        let seconds = (last.at_ms - first.at_ms) as f64 / 1_000.0;
        Some(count(last).saturating_sub(count(first)) as f64 / seconds)
    };
    let worst = |of: &dyn Fn(&Sample) -> u64| within.iter().map(|sample| of(sample)).max().filter(|us| *us > 0);
    let mean = |of: &dyn Fn(&Sample) -> u64| {
        let measured: Vec<f64> = within.iter().map(|sample| of(sample) as f64).filter(|us| *us > 0.0).collect();
        (!measured.is_empty()).then(|| measured.iter().sum::<f64>() / measured.len() as f64)
    };
    Point {
        until_ms,
        served_per_s: [0, 1].map(|side| per_s(&|sample| sample.served[side])),
        skipped_per_s: per_s(&|sample| sample.skipped),
        dropped_per_s: per_s(&|sample| sample.dropped),
        mismatch_rate: [0, 1].map(|bound| last.mismatch_rate.map(|rate| rate[bound])),
        p50_us: [0, 1].map(|side| mean(&|sample| sample.latency[side].p50_us)),
        p99_us: [0, 1].map(|side| worst(&|sample| sample.latency[side].p99_us).map(|us| us as f64)),
        memory_bytes: worst(&|sample| sample.memory_bytes).map(|bytes| bytes as f64),
        instances: worst(&|sample| sample.instances).map(|count| count as f64),
    }
}

/// An hour, and what the first point of it begins with.
const FINE_MAX: usize = 3_600_000 / SAMPLE_EVERY_MS as usize + 20;
const COARSE_MS: u64 = 60_000;
const COARSE_MAX: usize = 1_440 + 30;

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole number of points of any span.
    const BEGIN_MS: u64 = 1_800_000_000;

    /// So long after the beginning.
    fn sample(ms: u64, served: u64, p99_us: u64) -> Sample {
        let at_ms = BEGIN_MS + ms;
        let latency = Percentiles { p50_us: p99_us / 2, p99_us, ..Percentiles::default() };
        Sample { at_ms, served: [served, served / 2], latency: [latency; 2], ..Sample::default() }
    }

    #[test]
    fn a_point_is_what_came_since_the_point_before() {
        let mut series = Series::default();
        (0..=30).for_each(|n| series.add(sample(n * 2_000, n * 20, 100 + n)));
        let points = series.points(Span::Minutes, BEGIN_MS + 60_000);
        assert_eq!(points.len(), 60);
        let last = points[59];
        assert_eq!(last.until_ms, BEGIN_MS + 60_000);
        assert_eq!(last.served_per_s, [Some(10.0), Some(5.0)]);
        assert_eq!((last.p99_us[0], last.p50_us[0]), (Some(129.0), Some(64.0)), "of 56 and 58 s");
        assert_eq!(points[0].served_per_s, [None, None], "nobody looked then");
        assert_eq!(points[48].served_per_s[0], Some(10.0), "the first counts from its own first sample");
    }

    #[test]
    fn a_day_is_kept_and_no_more() {
        let mut series = Series::default();
        let days = 2 * 24 * 1_800;
        (0..days).for_each(|n| series.add(sample(n * SAMPLE_EVERY_MS, n, if n % 1_000 == 0 { 9_000 } else { 10 })));
        assert_eq!((series.fine.len(), series.coarse.len()), (FINE_MAX, COARSE_MAX));
        let day = series.points(Span::Day, BEGIN_MS + days * SAMPLE_EVERY_MS);
        assert_eq!(day.len(), 72);
        assert!(day.iter().all(|point| point.served_per_s[0].is_some_and(|rate| (rate - 0.5).abs() < 0.05)), "{day:?}");
        assert!(day.iter().any(|point| point.p99_us[0] == Some(9_000.0)), "the worst is kept");
    }

    #[test]
    fn a_gap_and_a_clock_that_goes_back_are_gaps() {
        let mut series = Series::default();
        for at in [400_000, 402_000, 600_000, 602_000] {
            series.add(sample(at, at, 1));
        }
        let points = series.points(Span::Minutes, BEGIN_MS + 610_000);
        assert_eq!(points.iter().filter(|point| point.served_per_s[0].is_some()).count(), 2);
        series.add(sample(2_000, 7, 1));
        assert_eq!(series.fine.len(), 1, "what was later is gone");
        assert_eq!(
            series.points(Span::Minutes, BEGIN_MS + 3_000).last().map(|point| point.until_ms),
            Some(BEGIN_MS + 5_000)
        );
    }

    #[test]
    fn a_restart_of_the_counters_is_no_negative_rate() {
        let mut series = Series::default();
        series.add(sample(0, 100, 1));
        series.add(sample(5_000, 10, 1));
        assert_eq!(series.points(Span::Hour, BEGIN_MS + 6_000)[59].served_per_s[0], Some(0.0));
    }

    #[test]
    fn spans_have_names() {
        for span in Span::ALL {
            assert_eq!(Span::named(span.name()), Some(span));
        }
        assert_eq!(Span::named("2h"), None);
    }
}
