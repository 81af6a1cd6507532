//! The price book: what platforms ask for, each figure with its source and its date.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// `load/prices.toml`, for whoever has no book of their own.
pub(crate) const SHIPPED: &str = include_str!("../../prices.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceBook {
    pub(crate) hours_per_month: f64,
    #[serde(rename = "platform")]
    pub(crate) platforms: Vec<Platform>,
    #[serde(default)]
    pub(crate) fixed: Vec<Fixed>,
    pub(crate) energy: Energy,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Platform {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) region: String,
    #[serde(flatten)]
    pub(crate) billing: Billing,
}

/// How a platform counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Billing {
    /// Tasks that always run, by what was configured for them.
    Tasks { usd_per_vcpu_hour: Price, usd_per_gb_hour: Price, sizes: Vec<Ladder> },
    /// Whole machines.
    Machines { types: Vec<Machine> },
    /// The larger share of CPU or memory of a machine that has other tenants.
    Share { vcpu: f64, gb: f64, usd_per_hour: Price },
    /// By call and by its duration times the memory configured; one call at a time in an instance.
    Invocations {
        usd_per_million_requests: Price,
        usd_per_gb_second: Price,
        gb_per_vcpu: f64,
        gb: Vec<f64>,
        step_ms: f64,
    },
    /// By call and by the time in which an instance has at least one of them.
    ActiveTime {
        usd_per_million_requests: Price,
        usd_per_vcpu_second: Price,
        usd_per_gb_second: Price,
        /// Where instances wait for calls and are paid for while they do.
        usd_per_idle_vcpu_second: Option<Price>,
        sizes: Vec<Ladder>,
        step_ms: f64,
    },
}

/// The memory that can be had with so much CPU.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ladder {
    pub(crate) vcpu: f64,
    /// Of 2^30 bytes.
    pub(crate) gb: Vec<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) vcpu: f64,
    pub(crate) gb: f64,
    /// What a burstable machine may use of each vCPU for ever.
    #[serde(default = "whole")]
    pub(crate) cpu_share: f64,
    pub(crate) usd_per_hour: Price,
}

fn whole() -> f64 {
    1.0
}

/// Paid whichever side runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixed {
    pub(crate) name: String,
    pub(crate) platforms: Vec<String>,
    /// Hours, over all that is had of it.
    pub(crate) quantity_per_month: f64,
    pub(crate) usd_per_hour: Price,
}

/// Coefficients for an estimate of electricity, never summed with money.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Energy {
    pub(crate) source: String,
    /// Of one that is busy.
    pub(crate) watt_per_vcpu: f64,
    pub(crate) kwh_per_gb_hour: f64,
    /// What the building takes for each unit that the machines take.
    pub(crate) pue: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    pub(crate) usd: f64,
    /// What a month has for nothing, in the same unit.
    #[serde(default)]
    pub(crate) free: f64,
    /// Cheaper from a quantity on, in rising order.
    #[serde(default)]
    pub(crate) above: Vec<Tier>,
    pub(crate) source: String,
    pub(crate) date: String,
    #[serde(default = "yes")]
    pub(crate) verified: bool,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tier {
    pub(crate) quantity: f64,
    pub(crate) usd: f64,
}

impl Price {
    /// USD for a month's quantity, tier by tier.
    pub(crate) fn of(&self, quantity: f64, with_free: bool) -> f64 {
        let quantity = if with_free { (quantity - self.free).max(0.0) } else { quantity };
        let starts = [0.0].into_iter().chain(self.above.iter().map(|tier| tier.quantity));
        let rates = [self.usd].into_iter().chain(self.above.iter().map(|tier| tier.usd));
        let ends = self.above.iter().map(|tier| tier.quantity).chain([f64::INFINITY]);
        starts.zip(ends).zip(rates).map(|((start, end), usd)| (quantity.min(end) - start).max(0.0) * usd).sum()
    }
}

/// A price as it is shown: of what, and who says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PriceLine {
    pub(crate) product: String,
    pub(crate) region: String,
    pub(crate) unit: String,
    pub(crate) usd: f64,
    pub(crate) source: String,
    pub(crate) date: String,
    pub(crate) verified: bool,
    /// None: the date is in the future or no date.
    pub(crate) age_days: Option<u64>,
}

impl PriceBook {
    /// # Errors
    /// All that is wrong with the book, each with the place; or, when it is no such TOML, the first thing.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let book: Self = toml::from_str(text).map_err(|error| vec![format!("{error}; correct it there")])?;
        let mut wrong = Vec::new();
        if !(book.hours_per_month > 0.0 && book.hours_per_month <= 744.0) {
            wrong.push("hours_per_month must be above 0 and at most 744; use 730".to_owned());
        }
        for (index, platform) in book.platforms.iter().enumerate() {
            if book.platforms[..index].iter().any(|earlier| earlier.name == platform.name) {
                wrong.push(format!("platform {:?} is there twice; rename one", platform.name));
            }
            wrong.extend(platform.wrong());
        }
        for fixed in &book.fixed {
            wrong.extend(fixed.usd_per_hour.wrong(&fixed.name));
            let unknown = fixed.platforms.iter().filter(|name| book.platform(name).is_none());
            wrong.extend(unknown.map(|name| format!("{}: no platform is named {name:?}; correct it", fixed.name)));
        }
        if wrong.is_empty() { Ok(book) } else { Err(wrong) }
    }

    /// # Errors
    /// As [`PriceBook::parse`], with the file's name.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, Vec<String>> {
        let Some(file) = file else { return Self::parse(SHIPPED) };
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| vec![format!("cannot read {shown}: {error}; correct --prices")])?;
        Self::parse(&text).map_err(|wrong| wrong.into_iter().map(|what| format!("{shown}: {what}")).collect())
    }

    pub(crate) fn platform(&self, name: &str) -> Option<&Platform> {
        self.platforms.iter().find(|platform| platform.name == name)
    }
}

impl Platform {
    /// Everything this platform asks money for, with the unit.
    pub(crate) fn prices(&self) -> Vec<(String, &Price)> {
        let named = |unit: &str, price| (unit.to_owned(), price);
        match &self.billing {
            Billing::Tasks { usd_per_vcpu_hour, usd_per_gb_hour, .. } => {
                vec![named("vCPU-hour", usd_per_vcpu_hour), named("GB-hour", usd_per_gb_hour)]
            }
            Billing::Machines { types } => {
                types.iter().map(|machine| (format!("{} hour", machine.name), &machine.usd_per_hour)).collect()
            }
            Billing::Share { usd_per_hour, .. } => vec![named("machine hour", usd_per_hour)],
            Billing::Invocations { usd_per_million_requests, usd_per_gb_second, .. } => {
                vec![named("million requests", usd_per_million_requests), named("GB-second", usd_per_gb_second)]
            }
            Billing::ActiveTime {
                usd_per_million_requests,
                usd_per_vcpu_second,
                usd_per_gb_second,
                usd_per_idle_vcpu_second,
                ..
            } => {
                let idle = usd_per_idle_vcpu_second.iter().map(|price| named("idle vCPU-second", price));
                let always = [
                    named("million requests", usd_per_million_requests),
                    named("vCPU-second", usd_per_vcpu_second),
                    named("GB-second", usd_per_gb_second),
                ];
                always.into_iter().chain(idle).collect()
            }
        }
    }

    pub(crate) fn lines(&self, today: Day) -> Vec<PriceLine> {
        let line = |(unit, price): (String, &Price)| price.line(&self.title, &self.region, &unit, today);
        self.prices().into_iter().map(line).collect()
    }

    fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<String> =
            self.prices().iter().flat_map(|(unit, price)| price.wrong(&format!("{}, {unit}", self.name))).collect();
        let are_sizes = match &self.billing {
            Billing::Tasks { sizes, .. } | Billing::ActiveTime { sizes, .. } => {
                let is_size = |ladder: &Ladder| ladder.vcpu > 0.0 && are_positive(&ladder.gb);
                !sizes.is_empty() && sizes.iter().all(is_size)
            }
            Billing::Machines { types } => {
                let is_size = |machine: &Machine| {
                    machine.vcpu > 0.0 && machine.gb > 0.0 && machine.cpu_share > 0.0 && machine.cpu_share <= 1.0
                };
                !types.is_empty() && types.iter().all(is_size)
            }
            Billing::Share { vcpu, gb, .. } => *vcpu > 0.0 && *gb > 0.0,
            Billing::Invocations { gb_per_vcpu, gb, .. } => *gb_per_vcpu > 0.0 && are_positive(gb),
        };
        if !are_sizes {
            wrong.push(format!("{}: sizes must be there and above 0; correct them", self.name));
        }
        let steps = match &self.billing {
            Billing::Invocations { step_ms, .. } | Billing::ActiveTime { step_ms, .. } => *step_ms,
            _ => 1.0,
        };
        if steps <= 0.0 {
            wrong.push(format!("{}: step_ms must be above 0; correct it", self.name));
        }
        wrong
    }
}

fn are_positive(sizes: &[f64]) -> bool {
    !sizes.is_empty() && sizes.iter().all(|size| *size > 0.0)
}

impl Price {
    pub(crate) fn line(&self, product: &str, region: &str, unit: &str, today: Day) -> PriceLine {
        PriceLine {
            product: product.to_owned(),
            region: region.to_owned(),
            unit: unit.to_owned(),
            usd: self.usd,
            source: self.source.clone(),
            date: self.date.clone(),
            verified: self.verified,
            age_days: Day::parse(&self.date).and_then(|date| today.0.checked_sub(date.0)),
        }
    }

    fn wrong(&self, place: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let rising = self.above.windows(2).all(|pair| pair[0].quantity < pair[1].quantity);
        if !(self.usd >= 0.0 && self.free >= 0.0 && self.above.iter().all(|tier| tier.usd >= 0.0)) {
            wrong.push(format!("{place}: a price must not be below 0; correct it"));
        }
        if !rising {
            wrong.push(format!("{place}: the tiers of `above` must rise; sort them"));
        }
        if self.source.trim().is_empty() {
            wrong.push(format!("{place}: no source; say who says so"));
        }
        if Day::parse(&self.date).is_none() {
            wrong.push(format!("{place}: {:?} is no date; write it like 2026-06-17", self.date));
        }
        wrong
    }
}

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) u64);

impl Day {
    pub(crate) fn of_ms(unix_ms: u64) -> Self {
        Self(unix_ms / 86_400_000)
    }

    /// `2026-06-17`.
    fn parse(text: &str) -> Option<Self> {
        let moment = humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).ok()?;
        let since = moment.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
        Some(Self(since.as_secs() / 86_400))
    }
}

/// Why a platform is left out: the oldest of its prices, when that is too old.
pub(crate) fn too_old(platform: &Platform, today: Day, age_days_max: u64) -> Option<String> {
    let lines = platform.lines(today);
    let oldest = lines.iter().max_by_key(|line| line.age_days.unwrap_or(u64::MAX))?;
    let PriceLine { unit, date, .. } = oldest;
    match oldest.age_days {
        None => Some(format!("the price of a {unit} is of {date}, which has not come yet; correct the date")),
        Some(days) if days > age_days_max => {
            Some(format!("the price of a {unit} is of {date}, {days} days ago; look it up, or use --allow-old-prices"))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_book_is_right_and_every_line_has_a_source_and_a_date() {
        let book = PriceBook::parse(SHIPPED).expect("the book");
        let names: Vec<&str> = book.platforms.iter().map(|platform| platform.name.as_str()).collect();
        let known = ["fargate-x86", "fargate-arm", "ec2", "packed-host", "lambda-x86", "lambda-arm"];
        assert_eq!(names, [&known[..], &["cloud-run", "container-apps"]].concat());
        let today = Day::parse("2026-11-21").expect("a day");
        for line in book.platforms.iter().flat_map(|platform| platform.lines(today)) {
            assert!(line.age_days.is_some() && !line.source.is_empty(), "{line:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let text = r#"
            hours_per_month = 0
            [[platform]]
            name = "a"
            title = "A"
            region = "here"
            kind = "tasks"
            usd_per_vcpu_hour = { usd = -1, source = "", date = "2026-13-01" }
            usd_per_gb_hour = { usd = 1, above = [{ quantity = 2, usd = 1 }, { quantity = 1, usd = 1 }], source = "b", date = "2026-01-01" }
            sizes = []
            [[fixed]]
            name = "gate"
            platforms = ["b"]
            quantity_per_month = 1
            usd_per_hour = { usd = 1, source = "b", date = "2026-01-01" }
            [energy]
            source = "s"
            watt_per_vcpu = 1
            kwh_per_gb_hour = 1
            pue = 1
        "#;
        insta::assert_snapshot!(PriceBook::parse(text).expect_err("wrong").join("\n"), @r#"
        hours_per_month must be above 0 and at most 744; use 730
        a, vCPU-hour: a price must not be below 0; correct it
        a, vCPU-hour: no source; say who says so
        a, vCPU-hour: "2026-13-01" is no date; write it like 2026-06-17
        a, GB-hour: the tiers of `above` must rise; sort them
        a: sizes must be there and above 0; correct them
        gate: no platform is named "b"; correct it
        "#);
    }

    #[test]
    fn tiers_are_filled_one_after_the_other() {
        let tier = |quantity, usd| Tier { quantity, usd };
        let price = Price {
            usd: 3.0,
            free: 10.0,
            above: vec![tier(100.0, 2.0), tier(200.0, 1.0)],
            source: String::new(),
            date: String::new(),
            verified: true,
        };
        for (quantity, with_free, usd) in [
            (50.0, false, 150.0),
            (100.0, false, 300.0),
            (150.0, false, 400.0),
            (250.0, false, 550.0),
            (5.0, true, 0.0),
            (60.0, true, 150.0),
        ] {
            assert_eq!(price.of(quantity, with_free), usd, "{quantity}");
        }
    }

    #[test]
    fn a_price_has_an_age() {
        let book = PriceBook::parse(SHIPPED).expect("the book");
        let fargate = book.platform("fargate-x86").expect("there");
        let day = |text| Day::parse(text).expect("a day");
        assert_eq!(too_old(fargate, day("2026-12-14"), 180), None);
        insta::assert_snapshot!(too_old(fargate, day("2026-12-15"), 180).expect("old"), @"the price of a GB-hour is of 2026-06-17, 181 days ago; look it up, or use --allow-old-prices");
        assert!(too_old(fargate, day("2026-06-16"), 180).expect("future").contains("has not come yet"));
    }
}
