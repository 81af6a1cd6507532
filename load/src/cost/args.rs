//! `load cost` as it is typed, and as checked values.

use std::path::PathBuf;

use clap::Args;

use super::demand::{Assumptions, BothFigures};
use super::measured;
use super::prices::{Platform, PriceBook};
use crate::measured::Measured;

#[derive(Args, Clone, Debug)]
pub(crate) struct CostArgs {
    /// The folder with compare.json, and memory.json and cold.json where they are
    #[arg(long = "in", value_name = "DIR", required_unless_present = "figures", conflicts_with = "figures")]
    pub(crate) folder: Option<PathBuf>,

    /// Figures from elsewhere instead, as `figures` in cost.json has them
    #[arg(long, value_name = "FILE.json")]
    pub(crate) figures: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) terms: Terms,

    /// Where the costs go, as JSON
    #[arg(long, value_name = "FILE.json")]
    pub(crate) out: Option<PathBuf>,
}

/// Prices and assumptions.
#[derive(Args, Clone, Debug)]
pub(crate) struct Terms {
    /// Another price book than load/prices.toml
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) prices: Option<PathBuf>,

    /// Prices older than so many days are not used
    #[arg(long, value_name = "DAYS", default_value_t = 180)]
    pub(crate) max_age: u64,

    /// Use them nevertheless; their dates are shown
    #[arg(long)]
    pub(crate) allow_old_prices: bool,

    /// The platform that the legacy service runs on, by its name in the price book
    #[arg(long, value_name = "NAME", default_value = "fargate-x86")]
    pub(crate) platform: String,

    /// Average requests per second to show bills for
    #[arg(long, value_name = "R,R,…", value_delimiter = ',', default_value = "1,10,100,1000,10000")]
    pub(crate) rates: Vec<f64>,

    /// The one that savings are told for
    #[arg(long, value_name = "R", default_value_t = 1_000.0)]
    pub(crate) rate_main: f64,

    /// The peak of traffic, as a multiple of the average
    #[arg(long, value_name = "X", default_value_t = 3.0)]
    pub(crate) peak_factor: f64,

    /// How busy a CPU may be at the peak, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.6)]
    pub(crate) utilisation_max: f64,

    /// Instances to keep, that one may fail
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) instances_min: u64,

    /// Memory to configure, as a multiple of the measured peak
    #[arg(long, value_name = "X", default_value_t = 1.25)]
    pub(crate) memory_factor: f64,

    /// CPU time there for each unit of CPU time here: 2 where its CPUs are half as fast
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) cpu_factor: f64,

    /// How far your prices may lie from the book's, as a share: 0.2 for a fifth either way
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) price_tolerance: f64,

    /// Cold starts in a million requests, where they are billed
    #[arg(long, value_name = "N", default_value_t = 1_000.0)]
    pub(crate) cold_starts: f64,

    /// Count what a month has for free
    #[arg(long)]
    pub(crate) free_tier: bool,

    /// What the migration costs, in USD; then it is told when it has paid
    #[arg(long, value_name = "USD")]
    pub(crate) migration_cost: Option<f64>,

    /// For how long both services run
    #[arg(long, value_name = "MONTHS", default_value_t = 1.0)]
    pub(crate) double_run: f64,
}

impl Terms {
    /// # Errors
    /// All that is wrong, each with what to do.
    pub(crate) fn assumptions(&self, book: &PriceBook) -> Result<Assumptions, Vec<String>> {
        let mut wrong = Vec::new();
        let positive = [
            ("--rate-main", self.rate_main),
            ("--memory-factor", self.memory_factor),
            ("--cpu-factor", self.cpu_factor),
            ("--peak-factor", self.peak_factor),
        ];
        wrong.extend(
            positive
                .into_iter()
                .filter(|(_, value)| !(*value > 0.0 && value.is_finite()))
                .map(|(name, _)| format!("{name} must be above 0; use another number")),
        );
        if self.rates.is_empty() || self.rates.iter().any(|rate| !(*rate > 0.0 && *rate <= RATE_MAX)) {
            wrong.push(format!("--rates must be above 0 and at most {RATE_MAX}; use other numbers"));
        }
        if !(self.utilisation_max > 0.0 && self.utilisation_max <= 1.0) {
            wrong.push("--utilisation-max must be above 0 and at most 1; use something like 0.6".to_owned());
        }
        if !(0.0..1.0).contains(&self.price_tolerance) {
            wrong.push("--price-tolerance must be from 0 to below 1; use something like 0.2".to_owned());
        }
        let not_negative = [
            ("--cold-starts", self.cold_starts),
            ("--double-run", self.double_run),
            ("--migration-cost", self.migration_cost.unwrap_or(0.0)),
        ];
        wrong.extend(
            not_negative
                .into_iter()
                .filter(|(_, value)| !(*value >= 0.0 && value.is_finite()))
                .map(|(name, _)| format!("{name} must not be below 0; use another number")),
        );
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Assumptions {
            peak_factor: self.peak_factor,
            utilisation_max: self.utilisation_max,
            instances_min: self.instances_min,
            memory_factor: self.memory_factor,
            cpu_factor: self.cpu_factor,
            price_tolerance: self.price_tolerance,
            cold_starts_per_million: self.cold_starts,
            free_tier: self.free_tier,
            hours_per_month: book.hours_per_month,
        })
    }

    /// # Errors
    /// No platform has that name.
    pub(crate) fn present<'a>(&self, book: &'a PriceBook) -> Result<&'a Platform, Vec<String>> {
        book.platform(&self.platform).ok_or_else(|| {
            let names: Vec<&str> = book.platforms.iter().map(|platform| platform.name.as_str()).collect();
            vec![format!("--platform {:?} is not in the price book; use one of {}", self.platform, names.join(", "))]
        })
    }
}

impl CostArgs {
    /// # Errors
    /// All that is wrong or missing, each with what to do.
    pub(crate) fn figures(&self) -> Result<measured::Found, Vec<String>> {
        match (&self.figures, &self.folder) {
            (Some(file), _) => {
                let shown = file.display();
                let text = std::fs::read(file)
                    .map_err(|error| vec![format!("cannot read {shown}: {error}; correct --figures")])?;
                let figures: BothFigures = serde_json::from_slice(&text)
                    .map_err(|error| vec![format!("{shown}: {error}; write it like `figures` in a cost.json")])?;
                let notes = vec!["the figures were given, not measured by this command".to_owned()];
                Ok(measured::Found { figures, notes, short: false })
            }
            (None, Some(folder)) => measured::figures(&Measured::read(folder)?),
            (None, None) => Err(vec!["neither --in nor --figures; name one".to_owned()]),
        }
    }
}

const RATE_MAX: f64 = 1e6;
