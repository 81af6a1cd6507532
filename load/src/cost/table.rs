//! `load cost` for people at a terminal.

use std::fmt::Write;

use super::bill::Priced;
use super::breakeven::Payback;
use super::demand::Range;
use super::estimate::{BreakEven, Cost, PlatformCost};
use crate::shown::{count, rate_of, usd, usd_range};

pub(crate) fn render(cost: &Cost) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let mut line = |shown: std::fmt::Arguments<'_>| writeln!(text, "{shown}").unwrap_or_default();
    if cost.short {
        line(format_args!("From short runs: good for a look, not for a claim."));
    }
    for note in &cost.notes {
        line(format_args!("Note: {note}"));
    }
    line(format_args!("USD a month  {:>9}  {:<38} {:<38} saved", "req/s", "legacy", "candidate"));
    for platform in &cost.platforms {
        line(format_args!("{}{}", platform.title, marks(platform)));
        if let Some(why) = &platform.left_out {
            line(format_args!("  left out: {why}"));
        }
        for at in &platform.rates {
            let saved = at.saved_usd_per_month.map_or("-".to_owned(), usd_range);
            let (legacy, candidate) = (priced(at.legacy.as_ref()), priced(at.candidate.as_ref()));
            line(format_args!("  {:>20}  {legacy:<38} {candidate:<38} {saved}", count(at.rate)));
        }
    }
    for fixed in &cost.fixed {
        let mark = if fixed.price.verified { "" } else { " (price not verified)" };
        line(format_args!("Whichever runs: {} {} a month{mark}", fixed.name, usd(fixed.usd_per_month)));
    }
    line(format_args!("\nSaved at {}, three things that are not the same:", rate_of(cost.rate_main)));
    for of in &cost.savings.resources {
        let (cpu, memory) = (shown(of.vcpu_seconds), shown(of.gb_hours));
        line(format_args!("  {:<10} {cpu} vCPU-s and {memory} GB-h for a million requests", of.side));
    }
    let present = cost.savings.on_present_platform.map_or("no size has the memory".to_owned(), usd_range);
    line(format_args!("  money on the present platform ({}): {present} a month", cost.present));
    for there in &cost.savings.elsewhere {
        let saved = usd_range(there.saved_usd_per_month);
        let without = there.of_it_by_candidate.map_or("legacy cannot go there".to_owned(), usd_range);
        line(format_args!(
            "  money by moving to: {}: {saved} a month, of which by the candidate {without}",
            there.title
        ));
    }
    for crossing in &cost.break_even {
        line(format_args!("{}", break_even(crossing)));
    }
    if let Some(payback) = &cost.payback {
        line(format_args!("{}", pays_back(payback)));
    }
    text
}

fn marks(platform: &PlatformCost) -> &'static str {
    if platform.prices.iter().all(|line| line.verified) { "" } else { " (a price is not verified)" }
}

fn priced(priced: Option<&Priced>) -> String {
    let Some(Priced { size, instances, usd_per_month, .. }) = priced else {
        return "no size has the memory".to_owned();
    };
    format!("{} ({instances} × {size})", usd_range(*usd_per_month))
}

/// From which rate on always-on is no dearer.
pub(crate) fn break_even(crossing: &BreakEven) -> String {
    let BreakEven { side, always_on, per_request, rate } = crossing;
    match rate {
        Some(rate) => format!("{side}: {always_on} costs no more than {per_request} from {} on", rate_of(*rate)),
        None => format!("{side}: {per_request} costs less than {always_on} at every rate up to 100,000/s"),
    }
}

pub(crate) fn pays_back(payback: &Payback) -> String {
    let Payback { migration_usd, double_run_usd, saved_usd_per_month, months_low, months, months_high } = payback;
    let cost = format!("{} and {} for running both", usd(*migration_usd), usd_range(*double_run_usd));
    let month = |months: &Option<f64>| months.map_or("never".to_owned(), |months| format!("{months:.0} months"));
    match months {
        None => {
            format!("The migration ({cost}) does not pay for itself: {} a month saved", usd_range(*saved_usd_per_month))
        }
        Some(_) if months_low == months_high => format!("The migration ({cost}) has paid after {}", month(months)),
        Some(_) => format!(
            "The migration ({cost}) has paid after {} ({} to {})",
            month(months),
            month(months_low),
            month(months_high)
        ),
    }
}

fn shown(range: Range) -> String {
    crate::shown::range(range, crate::shown::figure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::sample::cost;

    #[test]
    fn what_is_old_or_not_verified_is_marked() {
        let mut cost = cost(Some(180));
        cost.platforms.retain(|platform| ["fargate-x86", "ec2", "cloud-run"].contains(&platform.name.as_str()));
        insta::assert_snapshot!(render(&cost), @"
        USD a month      req/s  legacy                                 candidate                              saved
        AWS Fargate, x86
                             1  $18.02 (2 × 0.25 vCPU, 0.5 GB)         $18.02 (2 × 0.25 vCPU, 0.5 GB)         $0.00
                         1,000  $36.04 (4 × 0.25 vCPU, 0.5 GB)         $18.02 (2 × 0.25 vCPU, 0.5 GB)         $18.02
                        10,000  $342.38 ($333.37 to $360.40) (38 × 0.25 vCPU, 0.5 GB) $45.05 (5 × 0.25 vCPU, 0.5 GB)         $297.33 ($288.32 to $315.35)
        AWS EC2, machines of its own (a price is not verified)
                             1  $6.13 (2 × t4g.nano)                   $6.13 (2 × t4g.nano)                   $0.00
                         1,000  $30.66 (10 × t4g.nano)                 $6.13 (2 × t4g.nano)                   $24.53
                        10,000  $291.27 ($285.14 to $297.84) (95 × t4g.nano) $36.79 ($36.79 to $39.86) (12 × t4g.nano) $254.48 ($245.28 to $261.05)
        Google Cloud Run, by requests
          left out: the price of a GB-second is of 2025-01-01, 689 days ago; look it up, or use --allow-old-prices
        Whichever runs: load balancer $16.43 a month (price not verified)
        Whichever runs: two public IPv4 addresses $7.30 a month (price not verified)

        Saved at 1,000 requests/s, three things that are not the same:
          legacy     190 (184 to 196) vCPU-s and 0.0515 GB-h for a million requests
          candidate  24 (23.3 to 24.7) vCPU-s and 0.0244 GB-h for a million requests
          money on the present platform (fargate-x86): $18.02 a month
          money by moving to: A share of an m7g.large: $32.47 ($32.36 to $32.57) a month, of which by the candidate $24.72 ($23.76 to $25.68)
        The migration ($10,000 and $18.02 for running both) has paid after 556 months
        ");
    }

    #[test]
    fn a_migration_that_may_never_pay_says_so() {
        let saved = Range { low: -1.0, estimate: 10.0, high: 20.0 };
        let text = pays_back(&Payback::of(1_000.0, Range::exactly(20.0), saved));
        insta::assert_snapshot!(text, @"The migration ($1,000 and $20.00 for running both) has paid after 102 months (51 months to never)");
        let never = pays_back(&Payback::of(1_000.0, Range::exactly(20.0), Range::exactly(0.0)));
        insta::assert_snapshot!(never, @"The migration ($1,000 and $20.00 for running both) does not pay for itself: $0.00 a month saved");
    }
}
