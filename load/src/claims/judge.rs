//! Whether our figures reproduce a claim: yes, partly, no, or not measured. Pure.

use serde::{Deserialize, Serialize};

use super::book::{Claim, Claims, Figure, Sense};
use super::ours::Ours;
use crate::cost::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Judged {
    /// Each of our figures is as claimed, or goes beyond it in the sense of the claim.
    Yes,
    /// One of them, or an advantage at least half as large.
    Partly,
    No,
    /// A figure is missing, was measured at another rate, or comes from short or invalid runs.
    NotMeasured,
}

/// A claim beside our figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ClaimShown {
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) source: String,
    pub(crate) method: String,
    /// `us`, `bytes`, `per_second` or `usd`.
    pub(crate) unit: String,
    pub(crate) figures: Vec<FigureShown>,
    /// How many times better the first figure is than the second, as claimed; null for a single figure.
    pub(crate) times_claimed: Option<f64>,
    /// The same of ours.
    pub(crate) times_ours: Option<Range>,
    pub(crate) reproduced: Judged,
    pub(crate) why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FigureShown {
    pub(crate) side: String,
    pub(crate) claimed: f64,
    pub(crate) ours: Option<Range>,
    /// Ours is as claimed or beyond; null without ours.
    pub(crate) holds: Option<bool>,
}

/// All claims. `quotable`: the figures may be held against anything.
pub(crate) fn ledger(claims: &Claims, ours: Ours<'_>, quotable: bool) -> Vec<ClaimShown> {
    claims.claims.iter().map(|claim| judge(claim, ours, quotable)).collect()
}

fn judge(claim: &Claim, ours: Ours<'_>, quotable: bool) -> ClaimShown {
    let other_rate = claim.rate.filter(|rate| ours.rate() != Some(*rate));
    let figures: Vec<FigureShown> = claim
        .figures
        .iter()
        .map(|figure| {
            let measured = ours.get(&figure.ours).filter(|_| other_rate.is_none());
            FigureShown {
                side: figure.side.clone(),
                claimed: figure.value,
                ours: measured,
                holds: measured.map(|measured| holds(figure, measured)),
            }
        })
        .collect();
    let (times_claimed, times_ours) = (times_claimed(claim), times_ours(claim, &figures));
    let mut why = claim.why.clone();
    if let Some(rate) = other_rate {
        why = format!("To be measured at {rate} requests/s: run `cargo load compare --rate {rate}`. {why}");
    }
    ClaimShown {
        key: claim.key.clone(),
        title: claim.title.clone(),
        source: claim.source.clone(),
        method: claim.method.clone(),
        unit: claim.unit.clone(),
        reproduced: if quotable { verdict(&figures, times_claimed, times_ours) } else { Judged::NotMeasured },
        figures,
        times_claimed,
        times_ours,
        why,
    }
}

/// Our interval reaches the claimed value or lies beyond it.
fn holds(figure: &Figure, ours: Range) -> bool {
    match figure.claims {
        Sense::AtMost => ours.low <= figure.value,
        Sense::AtLeast => ours.high >= figure.value,
    }
}

fn verdict(figures: &[FigureShown], times_claimed: Option<f64>, times_ours: Option<Range>) -> Judged {
    let Some(held) = figures.iter().map(|figure| figure.holds).collect::<Option<Vec<bool>>>() else {
        return Judged::NotMeasured;
    };
    let is_half_as_large = times_claimed.zip(times_ours).is_some_and(|(claimed, ours)| ours.low >= claimed / 2.0);
    match (held.iter().all(|holds| *holds), held.iter().any(|holds| *holds) || is_half_as_large) {
        (true, _) => Judged::Yes,
        (false, true) => Judged::Partly,
        (false, false) => Judged::No,
    }
}

/// The first figure against the second; of `at-most` the smaller is the better.
fn times_claimed(claim: &Claim) -> Option<f64> {
    let [first, second, ..] = claim.figures.as_slice() else { return None };
    Some(if first.claims == Sense::AtMost { second.value / first.value } else { first.value / second.value })
}

fn times_ours(claim: &Claim, figures: &[FigureShown]) -> Option<Range> {
    let [first, second, ..] = figures else { return None };
    let (first, second) = (first.ours?, second.ours?);
    let of = |over: Range, under: Range| Range {
        low: over.low / under.high,
        estimate: over.estimate / under.estimate,
        high: over.high / under.low,
    };
    Some(if claim.figures[0].claims == Sense::AtMost { of(second, first) } else { of(first, second) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::claims::ours::is_known;
    use crate::measured::Measured;

    fn range(low: f64, estimate: f64, high: f64) -> Range {
        Range { low, estimate, high }
    }

    fn shown(figures: &[(f64, Sense, Option<Range>)]) -> Vec<FigureShown> {
        figures
            .iter()
            .map(|(value, claims, ours)| {
                let figure = Figure { side: "a".to_owned(), value: *value, claims: *claims, ours: String::new() };
                let holds = ours.map(|ours| holds(&figure, ours));
                FigureShown { side: "a".to_owned(), claimed: *value, ours: *ours, holds }
            })
            .collect()
    }

    #[test]
    fn verdicts() {
        use Sense::{AtLeast, AtMost};
        let ours = |value: f64| Some(range(value * 0.9, value, value * 1.1));
        for (name, first, second, times, expected) in [
            ("both beaten", ours(1.0), ours(200.0), range(180.0, 200.0, 220.0), Judged::Yes),
            ("both within the interval", ours(1.3), ours(130.0), range(90.0, 100.0, 110.0), Judged::Yes),
            ("only one", ours(9.0), ours(180.0), range(18.0, 20.0, 22.0), Judged::Partly),
            ("neither, and half the advantage", ours(1.6), ours(120.0), range(60.0, 75.0, 90.0), Judged::Partly),
            ("neither, and far less", ours(40.0), ours(90.0), range(2.0, 2.2, 2.4), Judged::No),
            ("not all measured", ours(1.0), None, range(1.0, 1.0, 1.0), Judged::NotMeasured),
        ] {
            let figures = shown(&[(1.2, AtMost, first), (142.0, AtLeast, second)]);
            assert_eq!(verdict(&figures, Some(142.0 / 1.2), Some(times)), expected, "{name}");
        }
        assert_eq!(verdict(&shown(&[(0.8, AtMost, ours(0.5))]), None, None), Judged::Yes);
        assert_eq!(verdict(&shown(&[(0.8, AtMost, ours(1.5))]), None, None), Judged::No);
    }

    #[test]
    fn every_shipped_claim_asks_for_a_figure_that_there_is() {
        let claims = Claims::shipped().claims;
        let keys: BTreeSet<&str> = claims.iter().map(|claim| claim.key.as_str()).collect();
        assert_eq!((claims.len(), keys.len()), (11, 11));
        for figure in claims.iter().flat_map(|claim| &claim.figures) {
            assert!(is_known(&figure.ours), "{}", figure.ours);
        }
    }

    #[test]
    fn without_a_measurement_nothing_is_judged() {
        let measured = Measured::default();
        let ledger = ledger(&Claims::shipped(), Ours { measured: &measured, cost: None }, true);
        assert!(ledger.iter().all(|claim| claim.reproduced == Judged::NotMeasured));
    }
}
