//! What the store has for the gate, and the gate's judgement in words.

use std::collections::BTreeMap;

use crate::shadow::record::Store;
use crate::shift::decommission::Farewell;
use crate::shift::evidence::EndpointCount;
use crate::shift::gate::{Evidence, Judgement, Policy, Verdict, judge, percent};
use crate::shift::lint::Traffic;
use crate::shift::plan::MINUTE_MS;
use crate::shift::void;

/// Judges by what the store has at this moment.
///
/// # Errors
/// The store cannot be read.
pub fn judgement(store: &Store, policy: &Policy, now_ms: u64) -> anyhow::Result<Judgement> {
    let judgement = judge(&evidence(store, now_ms)?, policy);
    let account: BTreeMap<String, u64> = store.account()?.into_iter().collect();
    Ok(less_void(judgement, &by_reason(&account, "not_comparable:")))
}

/// Never go while replayed calls are void: nobody knows what the candidate would have answered them.
fn less_void(mut judgement: Judgement, not_comparable: &BTreeMap<String, u64>) -> Judgement {
    let void = void::sentences(not_comparable);
    if void.is_empty() {
        return judgement;
    }
    if judgement.verdict == Verdict::NoGo {
        judgement.reasons.extend(void);
        return judgement;
    }
    let shown = std::mem::take(&mut judgement.reasons);
    let missing = shown.into_iter().filter(|_| judgement.verdict == Verdict::NotEnough);
    judgement.reasons = void.into_iter().chain(missing).collect();
    Judgement { verdict: Verdict::NotEnough, ..judgement }
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
        failed: FAILED.iter().map(|reason| of(&format!("not_comparable:{reason}"))).sum(),
        decided: account.iter().filter(|(name, _)| is_decided(name)).map(|(_, count)| count).sum(),
        undetermined: by_reason(&account, "undetermined:"),
        parser_mismatches: of("parser_mismatches"),
        endpoints: store.endpoints()?,
        counted_per_minute: present_rate(store, now_ms)?,
    })
}

/// Exchanges in which both sides decided, whatever came of it.
fn is_decided(name: &str) -> bool {
    name.starts_with("undetermined:") || name.starts_with("decision:") && name != "decision:other"
}

fn by_reason(account: &BTreeMap<String, u64>, prefix: &str) -> BTreeMap<String, u64> {
    let reasons = account.iter().filter_map(|(name, count)| Some((name.strip_prefix(prefix)?.to_owned(), *count)));
    reasons.filter(|(_, count)| *count > 0).collect()
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
    let counted_per_minute = present_rate(store, now_ms)?;
    let pairs_per_minute = counted_per_minute * pairs as f64 / counted.max(1) as f64;
    Ok(Traffic { counted_per_minute, pairs_per_minute, counted, mismatches: counted_mismatches })
}

fn present_rate(store: &Store, now_ms: u64) -> anyhow::Result<f64> {
    Ok(per_minute(&store.minutes()?, store.traffic_since_ms()?, now_ms))
}

/// The mean of the last minutes, since traffic began where that was later: right from the first second on.
fn per_minute(minutes: &[(u64, u64)], since_ms: Option<u64>, now_ms: u64) -> f64 {
    let now = now_ms / MINUTE_MS;
    let lately = minutes.iter().filter(|(minute, _)| *minute <= now && minute + MINUTES > now);
    let (first, counted) = lately.fold((now, 0), |(first, sum), (minute, counted)| (first.min(*minute), sum + counted));
    let from_ms = (first * MINUTE_MS).max(since_ms.unwrap_or(0));
    let least_ms = if counted < REQUESTS_TO_TELL { 10_000 } else { 1_000 };
    let taken_ms = now_ms.saturating_sub(from_ms).max(least_ms);
    counted as f64 * MINUTE_MS as f64 / taken_ms as f64
}

/// For people: the verdict, why, and the endpoints behind it.
pub fn text(judgement: &Judgement) -> String {
    let Judgement { verdict, reasons, pairs, counted, counted_mismatches, rate, endpoints, .. } = judgement;
    let mut text = format!("{}\n", verdict.words());
    for reason in reasons {
        text += &format!("  {reason}\n");
    }
    text += &format!(
        "{pairs} pairs, {counted} of them evidence, {counted_mismatches} of these unequal; at most {} are, with 95 % confidence\n",
        percent(rate.upper_bound)
    );
    let width = endpoints.iter().map(|endpoint| endpoint.count.endpoint.chars().count()).max().unwrap_or(0);
    for endpoint in endpoints {
        let (count, rate) = (&endpoint.count, endpoint.rate);
        text += &format!(
            "  {:<width$} {:>9} pairs {:>7} evidence {:>6} unequal  at most {}\n",
            count.endpoint,
            count.pairs,
            count.counted,
            count.counted_mismatches,
            percent(rate.upper_bound)
        );
    }
    text
}

/// Reasons for which a request was never to be compared.
const NOT_WANTED: [&str; 6] = ["route", "unsafe", "off", "method", "upgrade", "client_gone"];

/// Reasons that are a fault of the candidate: neither our own limit (`candidate_busy`) nor the way to it.
const FAILED: [&str; 6] = [
    "candidate_trap",
    "candidate_memory",
    "candidate_no_answer",
    "candidate_too_large",
    "candidate_closed",
    "candidate_deadline",
];

/// How far back the present rate reaches.
const MINUTES: u64 = 10;
/// So many, and the time in which they came tells a rate.
const REQUESTS_TO_TELL: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_void_call_keeps_the_gate_from_saying_go_and_hides_no_breach() {
        let void = BTreeMap::from([(void::REFUSED_NOW.to_owned(), 1)]);
        let sentence = void::sentences(&void).remove(0);
        let endpoint = EndpointCount { pairs: 9_000, counted: 9_000, ..EndpointCount::default() };
        let judged = |breaches, void: &BTreeMap<String, u64>| {
            let endpoints = vec![endpoint.clone()];
            let evidence = Evidence { breaches, expected: 9_000, compared: 9_000, endpoints, ..Evidence::default() };
            less_void(judge(&evidence, &Policy::default()), void)
        };
        assert_eq!(judged(0, &BTreeMap::new()).verdict, Verdict::Go);
        let not_enough = judged(0, &void);
        assert_eq!((not_enough.verdict, not_enough.reasons), (Verdict::NotEnough, vec![sentence.clone()]));
        let no_go = judged(1, &void);
        assert_eq!((no_go.verdict, no_go.reasons.last()), (Verdict::NoGo, Some(&sentence)));
        assert!(no_go.reasons[0].starts_with("1 breach"));
    }

    #[test]
    fn the_present_rate() {
        let second = |minute: u64, second: u64| minute * MINUTE_MS + second * 1_000;
        let begun = Some(second(100, 10));
        assert_eq!(per_minute(&[], None, second(100, 0)), 0.0);
        assert_eq!(per_minute(&[(100, 100)], begun, second(100, 11)), 6_000.0, "right from the first second");
        assert_eq!(per_minute(&[(100, 5_000)], begun, second(101, 0)), 6_000.0);
        assert_eq!(per_minute(&[(100, 2)], begun, second(100, 10)), 12.0, "two tell little");
        assert_eq!(per_minute(&[(98, 40), (99, 60), (100, 50)], Some(0), second(101, 0)), 50.0);
        assert_eq!(per_minute(&[(95, 50)], Some(0), second(100, 0)), 10.0, "nothing came in four of five minutes");
        assert_eq!(per_minute(&[(40, 1_000)], Some(0), second(100, 0)), 0.0, "long ago");
    }
}
