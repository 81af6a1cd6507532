//! What a month costs on a platform, with the cheapest of the sizes it sells that carries the load. Pure.

use serde::{Deserialize, Serialize};

use super::demand::{Assumptions, Corner, Figures, Need, Range};
use super::prices::{Billing, Ladder, Machine, Platform, Price};

/// A bill at one corner.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bill {
    pub(crate) size: String,
    /// Instances that are kept, or for those that come and go: as many as run at the average rate.
    pub(crate) instances: u64,
    /// Without what is paid whichever side runs.
    pub(crate) usd_per_month: f64,
}

/// A bill with its uncertainty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Priced {
    pub(crate) size: String,
    pub(crate) instances: u64,
    pub(crate) usd_per_month: Range,
    pub(crate) usd_per_million: Range,
}

/// None: no size that the platform sells has the memory.
pub(crate) fn price(platform: &Platform, figures: &Figures, rate: f64, assumed: &Assumptions) -> Option<Priced> {
    let at = |corner| {
        let mut bill = bill(&platform.billing, figures.at(corner), rate, assumed)?;
        bill.usd_per_month *= assumed.price_factor(corner);
        Some(bill)
    };
    let (low, estimate, high) = (at(Corner::Low)?, at(Corner::Estimate)?, at(Corner::High)?);
    let usd_per_month = Range::of(|corner| match corner {
        Corner::Low => low.usd_per_month,
        Corner::Estimate => estimate.usd_per_month,
        Corner::High => high.usd_per_month,
    });
    let millions = rate * assumed.seconds_per_month() / 1e6;
    Some(Priced {
        size: estimate.size,
        instances: estimate.instances,
        usd_per_month,
        usd_per_million: usd_per_month.map(|usd| usd / millions),
    })
}

/// `rate` is the average, requests per second.
pub(crate) fn bill(billing: &Billing, need: Need, rate: f64, assumed: &Assumptions) -> Option<Bill> {
    let bills: Vec<Bill> = match billing {
        Billing::Tasks { usd_per_vcpu_hour, usd_per_gb_hour, sizes } => fitting(sizes, need, assumed)
            .map(|(vcpu, gb)| {
                let instances = instances(vcpu, need, rate, assumed);
                let hours = instances as f64 * assumed.hours_per_month;
                let usd = usd_per_vcpu_hour.of(hours * vcpu, assumed.free_tier)
                    + usd_per_gb_hour.of(hours * gb, assumed.free_tier);
                Bill { size: format!("{vcpu} vCPU, {gb} GB"), instances, usd_per_month: usd }
            })
            .collect(),
        Billing::Machines { types } => types
            .iter()
            .filter(|machine| assumed.memory_gb_wanted(need) <= machine.gb)
            .map(|machine| on_machines(machine, need, rate, assumed))
            .collect(),
        Billing::Share { vcpu, gb, usd_per_hour } => vec![share(*vcpu, *gb, usd_per_hour, need, rate, assumed)],
        Billing::Invocations { gb, .. } => gb
            .iter()
            .filter(|gb| assumed.memory_gb_wanted(need) <= **gb)
            .filter_map(|gb| by_invocations(billing, *gb, need, rate, assumed))
            .collect(),
        Billing::ActiveTime { sizes, .. } => fitting(sizes, need, assumed)
            .filter_map(|(vcpu, gb)| by_active_time(billing, vcpu, gb, need, rate, assumed))
            .collect(),
    };
    bills.into_iter().min_by(|one, other| one.usd_per_month.total_cmp(&other.usd_per_month))
}

/// Of each rung the least memory that is enough.
fn fitting<'a>(
    sizes: &'a [Ladder],
    need: Need,
    assumed: &'a Assumptions,
) -> impl Iterator<Item = (f64, f64)> + use<'a> {
    let wanted = assumed.memory_gb_wanted(need);
    sizes.iter().filter_map(move |ladder| {
        let enough = ladder.gb.iter().copied().filter(|gb| *gb >= wanted);
        enough.min_by(f64::total_cmp).map(|gb| (ladder.vcpu, gb))
    })
}

/// So many that the peak finds none busier than it may be, and not fewer than redundancy wants.
fn instances(vcpu: f64, need: Need, rate: f64, assumed: &Assumptions) -> u64 {
    let usable = need.cores_max.map_or(vcpu, |cores| vcpu.min(cores));
    // A hair less than a whole instance is what rounding of the figures makes of one.
    let wanted = (assumed.cores_wanted(need, rate) / usable - 1e-9).ceil().max(0.0) as u64;
    wanted.max(assumed.instances_min).max(1)
}

fn on_machines(machine: &Machine, need: Need, rate: f64, assumed: &Assumptions) -> Bill {
    // On a machine of its own a process that uses one core is started once for each core.
    let processes = need.cores_max.map_or(1.0, |cores| (machine.vcpu / cores).floor().max(1.0));
    let fits = (machine.gb / assumed.memory_gb_wanted(need).max(1e-9)).floor().max(1.0);
    let usable = need.cores_max.map_or(machine.vcpu, |cores| cores * processes.min(fits)).min(machine.vcpu);
    let whole = Need { cores_max: None, ..need };
    let instances = instances(usable * machine.cpu_share, whole, rate, assumed);
    let hours = instances as f64 * assumed.hours_per_month;
    let usd_per_month = machine.usd_per_hour.of(hours, assumed.free_tier);
    Bill { size: machine.name.clone(), instances, usd_per_month }
}

fn share(vcpu: f64, gb: f64, usd_per_hour: &Price, need: Need, rate: f64, assumed: &Assumptions) -> Bill {
    let cores = assumed.cores_wanted(need, rate);
    let by_cores = need.cores_max.map_or(1.0, |most| (cores / most).ceil());
    let instances = (by_cores as u64).max(assumed.instances_min).max(1);
    let memory = instances as f64 * assumed.memory_gb_wanted(need);
    let share = (cores / vcpu).max(memory / gb);
    let usd_per_month = share * assumed.hours_per_month * usd_per_hour.usd;
    let of_each = |total: f64| total / instances as f64;
    Bill { size: format!("{:.2} vCPU or {:.2} GB", of_each(cores), of_each(memory)), instances, usd_per_month }
}

fn by_invocations(billing: &Billing, gb: f64, need: Need, rate: f64, assumed: &Assumptions) -> Option<Bill> {
    let Billing::Invocations { usd_per_million_requests, usd_per_gb_second, gb_per_vcpu, step_ms, .. } = billing else {
        return None;
    };
    // With less than a core, the CPU's part of the time is stretched.
    let share = (gb / gb_per_vcpu).min(1.0);
    let cpu_us = need.cpu_us * assumed.cpu_factor;
    let billed_ms = stepped((need.service_us + cpu_us * (1.0 / share - 1.0)) / 1e3, *step_ms);
    let cold_ms = stepped(need.cold_start_us / share / 1e3, *step_ms);
    let requests = rate * assumed.seconds_per_month();
    let seconds = requests * (billed_ms + cold_ms * assumed.cold_starts_per_million / 1e6) / 1e3;
    let usd_per_month = usd_per_million_requests.of(requests / 1e6, assumed.free_tier)
        + usd_per_gb_second.of(seconds * gb, assumed.free_tier);
    let instances = (rate * billed_ms / 1e3).ceil() as u64;
    Some(Bill { size: format!("{:.0} MB, {billed_ms} ms billed", gb * 1_024.0), instances, usd_per_month })
}

fn by_active_time(billing: &Billing, vcpu: f64, gb: f64, need: Need, rate: f64, assumed: &Assumptions) -> Option<Bill> {
    let Billing::ActiveTime {
        usd_per_million_requests,
        usd_per_vcpu_second,
        usd_per_gb_second,
        usd_per_idle_vcpu_second,
        step_ms,
        ..
    } = billing
    else {
        return None;
    };
    let usable = need.cores_max.map_or(vcpu, |cores| vcpu.min(cores));
    // What comes and goes follows the traffic, so it is sized for the average and not for the peak.
    let running = (assumed.cores(need, rate) / assumed.utilisation_max / usable).ceil().max(1.0);
    // A request keeps its instance active for its time, rounded up; they come at random (Poisson), so that an instance
    // is active with the chance that at least one came within the last such time.
    let stretched_us = need.service_us + need.cpu_us * assumed.cpu_factor * (1.0 / vcpu.min(1.0) - 1.0);
    let window_s = stepped(stretched_us / 1e3, *step_ms) / 1e3;
    let active = running * (1.0 - (-rate / running * window_s).exp()) * assumed.seconds_per_month();
    let requests = rate * assumed.seconds_per_month();
    let mut usd_per_month = usd_per_million_requests.of(requests / 1e6, assumed.free_tier)
        + usd_per_vcpu_second.of(active * vcpu, assumed.free_tier);
    let kept = match usd_per_idle_vcpu_second {
        Some(idle) => {
            let kept = running.max(assumed.instances_min as f64);
            let waiting = (kept * assumed.seconds_per_month() - active).max(0.0);
            usd_per_month += idle.of(waiting * vcpu, assumed.free_tier);
            usd_per_month += usd_per_gb_second.of((active + waiting) * gb, assumed.free_tier);
            kept
        }
        None => {
            usd_per_month += usd_per_gb_second.of(active * gb, assumed.free_tier);
            running
        }
    };
    Some(Bill { size: format!("{vcpu} vCPU, {gb} GB"), instances: kept as u64, usd_per_month })
}

/// At least one step is billed.
fn stepped(ms: f64, step_ms: f64) -> f64 {
    (ms / step_ms).ceil().max(1.0) * step_ms
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::cost::prices::{PriceBook, SHIPPED};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        platform: String,
        rate: f64,
        cpu_us: f64,
        memory_mb: f64,
        service_us: f64,
        #[serde(default)]
        cold_start_us: f64,
        cores_max: Option<f64>,
        peak_factor: Option<f64>,
        instances_min: Option<u64>,
        free_tier: Option<bool>,
        size: String,
        instances: u64,
        usd_per_month: f64,
    }

    #[derive(Deserialize)]
    struct Cases {
        case: Vec<Case>,
    }

    fn assumed() -> Assumptions {
        Assumptions {
            peak_factor: 1.0,
            utilisation_max: 0.5,
            instances_min: 1,
            memory_factor: 1.25,
            cpu_factor: 1.0,
            price_tolerance: 0.0,
            cold_starts_per_million: 0.0,
            free_tier: false,
            hours_per_month: 730.0,
        }
    }

    /// Worked out by hand from the prices of the shipped book.
    #[test]
    fn cases() {
        let book = PriceBook::parse(SHIPPED).expect("the book");
        let cases: Cases = toml::from_str(include_str!("cases/bills.toml")).expect("the cases");
        for case in cases.case {
            let need = Need {
                cpu_us: case.cpu_us,
                memory_gb: case.memory_mb / 1_024.0,
                service_us: case.service_us,
                cold_start_us: case.cold_start_us,
                cores_max: case.cores_max,
            };
            let mut assumed = assumed();
            assumed.peak_factor = case.peak_factor.unwrap_or(1.0);
            assumed.instances_min = case.instances_min.unwrap_or(1);
            assumed.free_tier = case.free_tier.unwrap_or(false);
            let platform = book.platform(&case.platform).expect(&case.name);
            let bill = bill(&platform.billing, need, case.rate, &assumed).expect(&case.name);
            assert_eq!((bill.size.as_str(), bill.instances), (case.size.as_str(), case.instances), "{}", case.name);
            let off = (bill.usd_per_month - case.usd_per_month).abs();
            assert!(off < 0.005, "{}: {} instead of {}", case.name, bill.usd_per_month, case.usd_per_month);
        }
    }

    #[test]
    fn more_of_anything_never_costs_less() {
        let book = PriceBook::parse(SHIPPED).expect("the book");
        let need =
            Need { cpu_us: 100.0, memory_gb: 0.05, service_us: 300.0, cold_start_us: 90_000.0, cores_max: Some(1.0) };
        let assumed = Assumptions { cold_starts_per_million: 1_000.0, ..assumed() };
        for platform in &book.platforms {
            let mut last = 0.0;
            for step in 0..60 {
                let scale = 1.15_f64.powi(step);
                let more = Need {
                    cpu_us: need.cpu_us * scale,
                    memory_gb: need.memory_gb * scale.powf(0.5),
                    service_us: need.service_us * scale,
                    ..need
                };
                let Some(bill) = bill(&platform.billing, more, 50.0, &assumed) else { break };
                assert!(bill.usd_per_month >= last - 1e-9, "{} at {scale}", platform.name);
                last = bill.usd_per_month;
            }
            assert!(last > 0.0);
        }
    }
}
