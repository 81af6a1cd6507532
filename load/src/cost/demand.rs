//! What a service needs, as it was measured, and what is assumed about its traffic.

use serde::{Deserialize, Serialize};

/// An interval of anything: what is least, most likely and most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) estimate: f64,
    pub(crate) high: f64,
}

/// An end of every measured interval at once. Every bill rises with CPU, memory, time and price, so the bills at the
/// ends of these are the ends of the bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Corner {
    Low,
    Estimate,
    High,
}

impl Range {
    pub(crate) fn exactly(value: f64) -> Self {
        Self { low: value, estimate: value, high: value }
    }

    pub(crate) fn at(self, corner: Corner) -> f64 {
        match corner {
            Corner::Low => self.low,
            Corner::Estimate => self.estimate,
            Corner::High => self.high,
        }
    }

    /// From the values at the three corners, whatever their order.
    pub(crate) fn of(mut value: impl FnMut(Corner) -> f64) -> Self {
        let [low, estimate, high] = [Corner::Low, Corner::Estimate, Corner::High].map(&mut value);
        Self { low: low.min(high).min(estimate), estimate, high: low.max(high).max(estimate) }
    }

    pub(crate) fn map(self, value: impl Fn(f64) -> f64) -> Self {
        Self::of(|corner| value(self.at(corner)))
    }

    /// What is saved by paying `other` instead: at the least, when this is least and the other most.
    pub(crate) fn less(self, other: Self) -> Self {
        Self { low: self.low - other.high, estimate: self.estimate - other.estimate, high: self.high - other.low }
    }

    pub(crate) fn is_ordered(self) -> bool {
        0.0 <= self.low && self.low <= self.estimate && self.estimate <= self.high && self.high.is_finite()
    }
}

/// What one side was measured to need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Figures {
    /// CPU time of all its threads, µs for each request, at a rate far under saturation.
    pub(crate) cpu_us_per_request: Range,
    /// The peak of one process or container under load, bytes.
    pub(crate) memory_bytes_peak: Range,
    /// From sending to the last byte, µs, at low load; the mean.
    pub(crate) service_us: Range,
    /// From start to the first correct answer, µs.
    pub(crate) cold_start_us: Range,
    /// How many cores one process can use; none: all there are.
    pub(crate) cores_max: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct BothFigures {
    pub(crate) legacy: Figures,
    pub(crate) candidate: Figures,
}

impl Figures {
    pub(crate) fn at(&self, corner: Corner) -> Need {
        Need {
            cpu_us: self.cpu_us_per_request.at(corner),
            memory_gb: self.memory_bytes_peak.at(corner) / GB,
            service_us: self.service_us.at(corner),
            cold_start_us: self.cold_start_us.at(corner),
            cores_max: self.cores_max,
        }
    }

    /// The names of the intervals that are none.
    pub(crate) fn wrong(&self, side: &str) -> Vec<String> {
        let Self { cpu_us_per_request, memory_bytes_peak, service_us, cold_start_us, cores_max } = self;
        let ranges = [
            ("cpu_us_per_request", cpu_us_per_request),
            ("memory_bytes_peak", memory_bytes_peak),
            ("service_us", service_us),
            ("cold_start_us", cold_start_us),
        ];
        let mut wrong: Vec<String> = ranges
            .into_iter()
            .filter(|(_, range)| !range.is_ordered())
            .map(|(name, _)| format!("{side}: {name} must be low ≤ estimate ≤ high, none below 0; measure it again"))
            .collect();
        if cpu_us_per_request.low <= 0.0 {
            wrong.push(format!("{side}: cpu_us_per_request must be above 0; measure it at a higher rate"));
        }
        if cores_max.is_some_and(|cores| cores <= 0.0) {
            wrong.push(format!("{side}: cores_max must be above 0; leave it out if there is no limit"));
        }
        wrong
    }
}

/// [`Figures`] at one corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Need {
    pub(crate) cpu_us: f64,
    /// Of 2^30 bytes.
    pub(crate) memory_gb: f64,
    pub(crate) service_us: f64,
    pub(crate) cold_start_us: f64,
    pub(crate) cores_max: Option<f64>,
}

/// What was not measured but has to be said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Assumptions {
    /// The peak of traffic, as a multiple of its average.
    pub(crate) peak_factor: f64,
    /// How busy a CPU may be at the peak.
    pub(crate) utilisation_max: f64,
    /// So many at least, that one may fail.
    pub(crate) instances_min: u64,
    /// Memory configured, as a multiple of the peak that was measured.
    pub(crate) memory_factor: f64,
    /// CPU time there for each unit of CPU time here.
    pub(crate) cpu_factor: f64,
    /// Prices there are within this share of the book's, both ways.
    pub(crate) price_tolerance: f64,
    pub(crate) cold_starts_per_million: f64,
    /// The free part of a month counts.
    pub(crate) free_tier: bool,
    pub(crate) hours_per_month: f64,
}

impl Assumptions {
    pub(crate) fn price_factor(&self, corner: Corner) -> f64 {
        match corner {
            Corner::Low => 1.0 - self.price_tolerance,
            Corner::Estimate => 1.0,
            Corner::High => 1.0 + self.price_tolerance,
        }
    }

    pub(crate) fn seconds_per_month(&self) -> f64 {
        self.hours_per_month * 3_600.0
    }

    /// Cores kept busy on average, at a rate of requests per second.
    pub(crate) fn cores(&self, need: Need, rate: f64) -> f64 {
        rate * need.cpu_us * self.cpu_factor / 1e6
    }

    /// Cores to be had, for the peak of that rate.
    pub(crate) fn cores_wanted(&self, need: Need, rate: f64) -> f64 {
        self.cores(need, rate) * self.peak_factor / self.utilisation_max
    }

    pub(crate) fn memory_gb_wanted(&self, need: Need) -> f64 {
        need.memory_gb * self.memory_factor
    }
}

const GB: f64 = (1u64 << 30) as f64;
