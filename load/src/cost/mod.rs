//! `load cost`: what was measured, as money.

mod args;

mod demand;
mod prices;

mod bill;
mod breakeven;
pub(crate) mod estimate;

mod answer;
mod measured;

mod table;

#[cfg(test)]
mod sample;

pub(crate) use args::{CostArgs, Terms};
pub(crate) use bill::Priced;
pub(crate) use demand::Range;
pub(crate) use estimate::Cost;
pub(crate) use measured::figures as measured;
pub(crate) use prices::PriceLine;
pub(crate) use table::{break_even, pays_back};

use crate::file;
use answer::Question;
use measured::Found;
use prices::PriceBook;

/// # Errors
/// All that is wrong or missing, each with what to do.
pub(crate) fn run(args: &CostArgs, now_ms: u64) -> Result<String, Vec<String>> {
    let cost = estimate(args.figures()?, &args.terms, now_ms)?;
    if let Some(file) = &args.out {
        file::write(&cost, file).map_err(|error| vec![format!("{error:#}")])?;
    }
    Ok(table::render(&cost))
}

/// # Errors
/// All that is wrong, each with what to do.
pub(crate) fn estimate(found: Found, terms: &Terms, now_ms: u64) -> Result<Cost, Vec<String>> {
    let Found { figures, notes, short } = found;
    let book = PriceBook::read(terms.prices.as_deref())?;
    let assumptions = terms.assumptions(&book)?;
    let present = terms.present(&book)?;
    let wrong = [figures.legacy.wrong("legacy"), figures.candidate.wrong("candidate")].concat();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let age_days_max = (!terms.allow_old_prices).then_some(terms.max_age);
    if let Some(why) = age_days_max.and_then(|most| prices::too_old(present, prices::Day::of_ms(now_ms), most)) {
        return Err(vec![format!("{}: {why}", present.title)]);
    }
    let question = Question {
        book: &book,
        figures: &figures,
        assumptions: &assumptions,
        present,
        rates: &terms.rates,
        rate_main: terms.rate_main,
        now_ms,
        age_days_max,
        migration: terms.migration_cost,
        double_run_months: terms.double_run,
    };
    Ok(Cost { notes, short, ..answer::answer(&question) })
}
