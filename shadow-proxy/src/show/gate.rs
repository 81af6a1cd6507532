//! What the store has for the gate, and the gate's judgement in words.

use std::collections::BTreeMap;

use crate::shadow::record::Store;
use crate::shift::decommission::Farewell;
use crate::shift::evidence::EndpointCount;
use crate::shift::gate::{Evidence, Judgement, Policy, judge};
use crate::shift::lint::Traffic;

/// Judges by what the store has at this moment.
///
/// # Errors
/// The store cannot be read.
pub fn judgement(store: &Store, policy: &Policy, now_ms: u64) -> anyhow::Result<Judgement> {
    Ok(judge(&evidence(store, now_ms)?, policy))
}

/// What the store has at this moment.
///
/// # Errors
/// The store cannot be read.
pub fn evidence(store: &Store, now_ms: u64) -> anyhow::Result<Evidence> {
    let account: BTreeMap<String, u64> = store.account()?.into_iter().collect();
    let of = |name: &str| account.get(name).copied().unwrap_or(0);
    let decisions = store.flips()?;
    let not_wanted: u64 = NOT_WANTED.iter().map(|reason| of(&format!("skipped:{reason}"))).sum();
    Ok(Evidence {
        breaches: decisions.breaches,
        lockouts: decisions.lockouts,
        expected: of("received").saturating_sub(not_wanted),
        compared: of("compared"),
        endpoints: store.endpoints()?,
        counted_per_minute: per_minute(&store.minutes()?, now_ms / 60_000),
    })
}

/// For people: whether legacy may go, and why.
pub fn farewell_text(Farewell { verdict, reasons }: &Farewell) -> String {
    reasons.iter().fold(format!("{}\n", verdict.words()), |text, reason| text + &format!("  {reason}\n"))
}

/// How much comes at present: what a plan has to get along with.
///
/// # Errors
/// The store cannot be read.
pub fn traffic(store: &Store, now_ms: u64) -> anyhow::Result<Traffic> {
    let EndpointCount { pairs, counted, counted_mismatches, .. } = EndpointCount::total(&store.endpoints()?);
    let counted_per_minute = per_minute(&store.minutes()?, now_ms / 60_000);
    let pairs_per_minute = counted_per_minute * pairs as f64 / counted.max(1) as f64;
    Ok(Traffic { counted_per_minute, pairs_per_minute, counted, mismatches: counted_mismatches })
}

/// The mean of the last minutes that are over; of the present one when it is the first.
fn per_minute(minutes: &[(u64, u64)], now: u64) -> f64 {
    let over = minutes.iter().filter(|(minute, _)| *minute < now && minute + MINUTES > now);
    let (first, counted) = over.fold((now, 0), |(first, sum), (minute, counted)| (first.min(*minute), sum + counted));
    if first < now {
        return counted as f64 / (now - first) as f64;
    }
    minutes.iter().find(|(minute, _)| *minute == now).map_or(0.0, |(_, counted)| *counted as f64)
}

/// For people: the verdict, why, and the endpoints behind it.
pub fn text(judgement: &Judgement) -> String {
    let Judgement { verdict, reasons, pairs, counted, counted_mismatches, rate, endpoints, .. } = judgement;
    let mut text = format!("{}\n", verdict.words());
    for reason in reasons {
        text += &format!("  {reason}\n");
    }
    text += &format!(
        "{pairs} pairs, {counted} of them evidence, {counted_mismatches} of these unequal; at most {:.4} % are, with 95 % confidence\n",
        rate.upper_bound * 100.0
    );
    let width = endpoints.iter().map(|endpoint| endpoint.count.endpoint.chars().count()).max().unwrap_or(0);
    for endpoint in endpoints {
        let (count, rate) = (&endpoint.count, endpoint.rate);
        text += &format!(
            "  {:<width$} {:>9} pairs {:>7} evidence {:>6} unequal  at most {:.3} %\n",
            count.endpoint,
            count.pairs,
            count.counted,
            count.counted_mismatches,
            rate.upper_bound * 100.0
        );
    }
    text
}

/// Reasons for which a request was never to be compared.
const NOT_WANTED: [&str; 5] = ["route", "unsafe", "off", "method", "client_gone"];

/// How far back the present rate reaches.
const MINUTES: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_rate() {
        assert_eq!(per_minute(&[], 100), 0.0);
        assert_eq!(per_minute(&[(100, 30)], 100), 30.0, "all of it is from this minute");
        assert_eq!(per_minute(&[(98, 40), (99, 60), (100, 1)], 100), 50.0);
        assert_eq!(per_minute(&[(95, 50)], 100), 10.0, "nothing came in four of five minutes");
        assert_eq!(per_minute(&[(40, 1_000)], 100), 0.0, "long ago");
    }
}
