//! A made-up service and what it costs, for tests.

use super::answer::{Question, answer};
use super::demand::{Assumptions, BothFigures, Figures, Range};
use super::estimate::Cost;
use super::prices::{PriceBook, SHIPPED};

pub(crate) fn figures() -> BothFigures {
    let side = |cpu_us: f64, memory_mb: f64, service_us: f64, cold_ms: f64, cores_max| Figures {
        cpu_us_per_request: Range { low: cpu_us * 0.97, estimate: cpu_us, high: cpu_us * 1.03 },
        memory_bytes_peak: Range::exactly(memory_mb * 1_048_576.0),
        service_us: Range::exactly(service_us),
        cold_start_us: Range::exactly(cold_ms * 1e3),
        cores_max,
    };
    BothFigures { legacy: side(190.0, 95.0, 600.0, 180.0, Some(1.0)), candidate: side(24.0, 45.0, 150.0, 9.0, None) }
}

pub(crate) fn assumptions() -> Assumptions {
    Assumptions {
        peak_factor: 3.0,
        utilisation_max: 0.6,
        instances_min: 2,
        memory_factor: 1.25,
        cpu_factor: 1.0,
        price_tolerance: 0.0,
        cold_starts_per_million: 1_000.0,
        free_tier: false,
        hours_per_month: 730.0,
    }
}

/// 2026-11-21.
pub(crate) const NOW_MS: u64 = 1_795_219_200_000;

pub(crate) fn cost(age_days_max: Option<u64>) -> Cost {
    cost_by(&PriceBook::parse(SHIPPED).expect("the book"), age_days_max)
}

pub(crate) fn cost_by(book: &PriceBook, age_days_max: Option<u64>) -> Cost {
    let (figures, assumptions) = (figures(), assumptions());
    answer(&Question {
        book,
        figures: &figures,
        assumptions: &assumptions,
        present: book.platform("fargate-x86").expect("there"),
        rates: &[1.0, 1_000.0, 10_000.0],
        rate_main: 1_000.0,
        now_ms: NOW_MS,
        age_days_max,
        migration: Some(10_000.0),
        double_run_months: 1.0,
    })
}
