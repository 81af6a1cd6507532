//! Everything `load cost` says, from figures, prices and assumptions. Pure.

use super::bill::{self, Priced};
use super::breakeven::{self, Payback};
use super::demand::{Assumptions, BothFigures, Figures, Range};
use super::estimate::{
    BreakEven, Cost, CurvePoint, Elsewhere, FixedCost, PlatformCost, RateCost, Resources, SCHEMA, Savings, Sensitivity,
    VERSION,
};
use super::prices::{Billing, Day, Energy, Platform, PriceBook, too_old};

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) book: &'a PriceBook,
    pub(crate) figures: &'a BothFigures,
    pub(crate) assumptions: &'a Assumptions,
    pub(crate) present: &'a Platform,
    pub(crate) rates: &'a [f64],
    pub(crate) rate_main: f64,
    pub(crate) now_ms: u64,
    /// None: however old.
    pub(crate) age_days_max: Option<u64>,
    /// USD.
    pub(crate) migration: Option<f64>,
    pub(crate) double_run_months: f64,
}

pub(crate) fn answer(question: &Question<'_>) -> Cost {
    let Question { book, figures, assumptions, present, rates, rate_main, now_ms, .. } = question;
    let today = Day::of_ms(*now_ms);
    let of = |figures: &Figures| bill::price(present, figures, *rate_main, assumptions);
    let (legacy, candidate) = (of(&figures.legacy), of(&figures.candidate));
    let saved = saved(legacy.as_ref(), candidate.as_ref());
    let payback = question.migration.zip(saved).zip(candidate.as_ref()).map(|((migration, saved), candidate)| {
        Payback::of(migration, candidate.usd_per_month.map(|usd| usd * question.double_run_months), saved)
    });
    let on_present = |name: &String| *name == present.name;
    let fixed = book.fixed.iter().filter(|fixed| fixed.platforms.iter().any(on_present)).map(|fixed| FixedCost {
        name: fixed.name.clone(),
        usd_per_month: fixed.usd_per_hour.of(fixed.quantity_per_month, false),
        price: fixed.usd_per_hour.line(&fixed.name, &present.region, "hour", today),
    });
    Cost {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        made_at_ms: *now_ms,
        short: false,
        notes: Vec::new(),
        figures: (*figures).clone(),
        assumptions: (*assumptions).clone(),
        present: present.name.clone(),
        rate_main: *rate_main,
        platforms: book.platforms.iter().map(|platform| on_platform(question, platform, rates, today)).collect(),
        fixed: fixed.collect(),
        savings: savings(question, today, saved),
        break_even: break_even(question, today),
        payback,
        sensitivity: sensitivity(question),
        curve: curve(question),
    }
}

fn saved(legacy: Option<&Priced>, candidate: Option<&Priced>) -> Option<Range> {
    legacy.zip(candidate).map(|(legacy, candidate)| legacy.usd_per_month.less(candidate.usd_per_month))
}

impl Question<'_> {
    /// Why this platform has no bills.
    fn left_out(&self, platform: &Platform, today: Day) -> Option<String> {
        self.age_days_max.and_then(|most| too_old(platform, today, most))
    }
}

fn on_platform(question: &Question<'_>, platform: &Platform, rates: &[f64], today: Day) -> PlatformCost {
    let Question { figures, assumptions, .. } = question;
    let left_out = question.left_out(platform, today);
    let rates = if left_out.is_some() { &[] } else { rates };
    let at = |rate: &f64| {
        let legacy = bill::price(platform, &figures.legacy, *rate, assumptions);
        let candidate = bill::price(platform, &figures.candidate, *rate, assumptions);
        let saved_usd_per_month = saved(legacy.as_ref(), candidate.as_ref());
        RateCost { rate: *rate, legacy, candidate, saved_usd_per_month }
    };
    PlatformCost {
        name: platform.name.clone(),
        title: platform.title.clone(),
        kind: if is_per_request(platform) { "per-request" } else { "always-on" }.to_owned(),
        prices: platform.lines(today),
        left_out,
        rates: rates.iter().map(at).collect(),
    }
}

fn is_per_request(platform: &Platform) -> bool {
    matches!(platform.billing, Billing::Invocations { .. } | Billing::ActiveTime { .. })
}

fn savings(question: &Question<'_>, today: Day, on_present_platform: Option<Range>) -> Savings {
    let Question { book, figures, assumptions, present, rate_main, .. } = question;
    let small = |platform: &&Platform| {
        let is_small = is_per_request(platform) || matches!(platform.billing, Billing::Share { .. });
        is_small && platform.name != present.name && question.left_out(platform, today).is_none()
    };
    let here = bill::price(present, &figures.legacy, *rate_main, assumptions);
    let elsewhere = book.platforms.iter().filter(small).filter_map(|platform| {
        let legacy = bill::price(platform, &figures.legacy, *rate_main, assumptions);
        let candidate = bill::price(platform, &figures.candidate, *rate_main, assumptions)?;
        Some(Elsewhere {
            platform: platform.name.clone(),
            title: platform.title.clone(),
            saved_usd_per_month: saved(here.as_ref(), Some(&candidate))?,
            of_it_by_candidate: saved(legacy.as_ref(), Some(&candidate)),
        })
    });
    let resources = |side: &str, figures| resources(side, figures, *rate_main, assumptions, &book.energy);
    Savings {
        resources: [resources("legacy", &figures.legacy), resources("candidate", &figures.candidate)],
        on_present_platform,
        elsewhere: elsewhere.collect(),
    }
}

/// CPU and memory as they are used, neither rounded to a size nor filled up to one.
fn resources(side: &str, figures: &Figures, rate: f64, assumed: &Assumptions, energy: &Energy) -> Resources {
    let vcpu_seconds = figures.cpu_us_per_request.map(|us| us * assumed.cpu_factor);
    let gb_hours = Range::of(|corner| {
        let need = figures.at(corner);
        let processes = need.cores_max.map_or(1.0, |cores| (assumed.cores_wanted(need, rate) / cores).ceil());
        processes.max(assumed.instances_min as f64) * need.memory_gb * 1e6 / rate / 3_600.0
    });
    let kwh = Range::of(|corner| {
        let of_cpu = vcpu_seconds.at(corner) / 3_600.0 * energy.watt_per_vcpu / 1e3;
        (of_cpu + gb_hours.at(corner) * energy.kwh_per_gb_hour) * energy.pue
    });
    Resources { side: side.to_owned(), vcpu_seconds, gb_hours, kwh, kwh_source: energy.source.clone() }
}

fn break_even(question: &Question<'_>, today: Day) -> Vec<BreakEven> {
    let Question { book, figures, assumptions, present, .. } = question;
    if is_per_request(present) {
        return Vec::new();
    }
    let per_request = book
        .platforms
        .iter()
        .filter(|platform| is_per_request(platform) && question.left_out(platform, today).is_none());
    let both = [("legacy", &figures.legacy), ("candidate", &figures.candidate)];
    let of = |platform: &Platform, side: &str, figures: &Figures| {
        let usd = |platform: &Platform, rate: f64| {
            bill::price(platform, figures, rate, assumptions)
                .map_or(f64::INFINITY, |priced| priced.usd_per_month.estimate)
        };
        // Without a size that has the memory there is nothing to cross.
        let is_sold = usd(present, 1.0).is_finite() && usd(platform, 1.0).is_finite();
        is_sold.then(|| BreakEven {
            side: side.to_owned(),
            always_on: present.title.clone(),
            per_request: platform.title.clone(),
            rate: breakeven::rate(|rate| usd(present, rate), |rate| usd(platform, rate)),
        })
    };
    per_request
        .flat_map(|platform| both.into_iter().filter_map(move |(side, figures)| of(platform, side, figures)))
        .collect()
}

fn sensitivity(question: &Question<'_>) -> Vec<Sensitivity> {
    let Question { figures, assumptions, present, rate_main, .. } = question;
    let with = |change: &str, rate: f64, alter: &dyn Fn(&mut Assumptions)| {
        let mut assumed = (*assumptions).clone();
        alter(&mut assumed);
        let usd = |figures: &Figures| bill::price(present, figures, rate, &assumed).map(|priced| priced.usd_per_month);
        Some(Sensitivity {
            change: change.to_owned(),
            legacy_usd_per_month: usd(&figures.legacy)?,
            candidate_usd_per_month: usd(&figures.candidate)?,
        })
    };
    let rate = *rate_main;
    let changed = [
        with("as assumed", rate, &|_| {}),
        with("half the traffic", rate / 2.0, &|_| {}),
        with("twice the traffic", rate * 2.0, &|_| {}),
        with("four times the traffic", rate * 4.0, &|_| {}),
        with("ten times the traffic", rate * 10.0, &|_| {}),
        with("peaks twice as high", rate, &|assumed| assumed.peak_factor *= 2.0),
        with("CPUs there half as fast", rate, &|assumed| assumed.cpu_factor *= 2.0),
        with("one instance is enough", rate, &|assumed| assumed.instances_min = 1),
        with("prices 20 % off either way", rate, &|assumed| assumed.price_tolerance = 0.2),
    ];
    changed.into_iter().flatten().collect()
}

fn curve(question: &Question<'_>) -> Vec<CurvePoint> {
    let Question { figures, assumptions, present, .. } = question;
    let usd = |figures, rate| bill::price(present, figures, rate, assumptions).map(|priced| priced.usd_per_month);
    let at = |step: u32| {
        let rate = 10f64.powf(f64::from(step) / f64::from(CURVE_STEPS_PER_DECADE));
        CurvePoint { rate, legacy: usd(&figures.legacy, rate), candidate: usd(&figures.candidate, rate) }
    };
    (0..=CURVE_DECADES * CURVE_STEPS_PER_DECADE).map(at).collect()
}

const CURVE_DECADES: u32 = 4;
const CURVE_STEPS_PER_DECADE: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::prices::SHIPPED;
    use crate::cost::sample::{cost, cost_by};

    #[test]
    fn at_one_request_a_second_both_pay_the_floor_and_nothing_is_saved() {
        let cost = cost(None);
        let fargate = &cost.platforms[0].rates[0];
        assert_eq!(fargate.legacy, fargate.candidate);
        let saved = fargate.saved_usd_per_month.expect("both fit");
        assert!(saved.low.abs() < 1e-9 && saved.high.abs() < 1e-9, "{saved:?}");
    }

    /// 0.19 cores × 3 / 0.6 = 0.95: four quarters of a vCPU; at the upper end 0.9785, four too. The candidate's 0.12 fit
    /// the two that redundancy wants.
    #[test]
    fn at_a_thousand_the_saving_is_the_difference_of_sizes_that_can_be_bought() {
        let cost = cost(None);
        let saved = cost.savings.on_present_platform.expect("both fit");
        assert!((saved.estimate - 2.0 * 9.010_025).abs() < 1e-6, "{saved:?}");
        let [legacy, candidate] = &cost.savings.resources;
        assert_eq!((legacy.vcpu_seconds.estimate, candidate.vcpu_seconds.estimate), (190.0, 24.0));
        let payback = cost.payback.expect("asked for");
        assert!((payback.months.expect("pays") - (10_000.0 + 18.020_05) / 18.020_05).abs() < 1e-3);
    }

    #[test]
    fn old_prices_leave_their_platforms_out_and_say_so() {
        let cost = cost(Some(180));
        let left_out: Vec<&str> = cost
            .platforms
            .iter()
            .filter(|platform| platform.left_out.is_some())
            .map(|platform| &*platform.name)
            .collect();
        assert_eq!(left_out, ["lambda-x86", "lambda-arm", "cloud-run", "container-apps"]);
        assert!(cost.platforms.iter().all(|platform| platform.left_out.is_some() == platform.rates.is_empty()));
        assert!(cost.break_even.is_empty());
        let elsewhere: Vec<&str> = cost.savings.elsewhere.iter().map(|elsewhere| &*elsewhere.platform).collect();
        assert_eq!(elsewhere, ["packed-host"]);
    }

    #[test]
    fn what_is_fixed_is_shown_and_no_part_of_a_saving() {
        let cost = cost(None);
        let fixed: Vec<f64> = cost.fixed.iter().map(|fixed| fixed.usd_per_month).collect();
        assert_eq!(fixed, [16.425, 7.3]);
        let mut book = PriceBook::parse(SHIPPED).expect("the book");
        book.fixed.clear();
        assert_eq!(cost.savings.on_present_platform, cost_by(&book, None).savings.on_present_platform);
    }

    #[test]
    fn the_interval_of_a_bill_is_that_of_its_figures_in_sizes() {
        let cost = cost(None);
        let at_ten_thousand = &cost.platforms[0].rates[2];
        let legacy = at_ten_thousand.legacy.as_ref().expect("fits");
        // 9.5 cores: 38 quarters; 9.215 and 9.785: 37 and 40.
        assert_eq!(legacy.instances, 38);
        let quarters = legacy.usd_per_month.map(|usd| (usd / 9.010_025).round());
        assert_eq!(quarters, Range { low: 37.0, estimate: 38.0, high: 40.0 });
    }
}
