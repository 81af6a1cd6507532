//! Go, no-go, or not enough evidence. Pure: counters in, a verdict with its reasons out.

use serde::{Deserialize, Serialize};

use super::evidence::{ALPHA, EndpointCount, Rate, clean_pairs_needed};

/// What has to be shown before traffic may move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Rate of mismatches that must be excluded, over all pairs that count.
    pub mismatch_ppm_max: u32,
    /// No endpoint may be known to be above this rate, however rare it is.
    pub endpoint_mismatch_ppm_max: u32,
    /// Compared, of the requests that were to be compared.
    pub coverage_percent_min: u8,
    /// Pairs that count, of each endpoint with a thousandth of the traffic or more.
    pub endpoint_pairs_min: u64,
    /// The chance of being wrong: 1 less the confidence.
    pub alpha: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            mismatch_ppm_max: 1_000,
            endpoint_mismatch_ppm_max: 10_000,
            coverage_percent_min: 90,
            endpoint_pairs_min: 20,
            alpha: ALPHA,
        }
    }
}

/// All that the gate looks at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub breaches: u64,
    pub lockouts: u64,
    /// Requests that were to be compared (received, less those that are skipped on purpose), and those that were.
    pub expected: u64,
    pub compared: u64,
    pub endpoints: Vec<EndpointCount>,
    /// Pairs that count, at the present rate.
    pub counted_per_minute: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Go,
    NoGo,
    NotEnough,
}

impl Verdict {
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Go => 0,
            Verdict::NoGo => 1,
            Verdict::NotEnough => 2,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Verdict::Go => "go",
            Verdict::NoGo => "no-go",
            Verdict::NotEnough => "not enough evidence",
        }
    }
}

/// The verdict with everything that led to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    pub verdict: Verdict,
    /// The worst first; for `go`, what was shown.
    pub reasons: Vec<String>,
    /// What is missing, when nothing else is wrong.
    pub needs: Option<Needs>,
    pub breaches: u64,
    pub lockouts: u64,
    pub coverage: Option<f64>,
    pub pairs: u64,
    pub mismatches: u64,
    pub counted: u64,
    pub counted_mismatches: u64,
    pub rate: Rate,
    pub rate_max: f64,
    pub endpoints: Vec<EndpointRate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Needs {
    pub clean_requests: u64,
    /// At the present rate; none when nothing comes.
    pub minutes: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointRate {
    #[serde(flatten)]
    pub count: EndpointCount,
    pub rate: Rate,
}

pub fn judge(evidence: &Evidence, policy: &Policy) -> Judgement {
    let EndpointCount { pairs, mismatches, counted, counted_mismatches, .. } =
        EndpointCount::total(&evidence.endpoints);
    let rate_max = ppm(policy.mismatch_ppm_max);
    let endpoints: Vec<EndpointRate> = evidence
        .endpoints
        .iter()
        .map(|count| EndpointRate {
            rate: Rate::of(count.counted_mismatches, count.counted, policy.alpha),
            count: count.clone(),
        })
        .collect();
    let mut judgement = Judgement {
        verdict: Verdict::Go,
        reasons: Vec::new(),
        needs: None,
        breaches: evidence.breaches,
        lockouts: evidence.lockouts,
        coverage: (evidence.expected > 0).then(|| evidence.compared as f64 / evidence.expected as f64),
        pairs,
        mismatches,
        counted,
        counted_mismatches,
        rate: Rate::of(counted_mismatches, counted, policy.alpha),
        rate_max,
        endpoints,
    };
    let against = objections(&judgement, policy);
    let missing = gaps(&judgement, policy);
    let clean_requests = clean_pairs_needed(counted_mismatches, counted, rate_max, policy.alpha);
    (judgement.verdict, judgement.reasons) = match (against.is_empty(), missing.is_empty() && clean_requests == 0) {
        (false, _) => (Verdict::NoGo, against),
        (true, true) => (Verdict::Go, vec![shown(&judgement, policy)]),
        (true, false) => {
            let needs = (clean_requests > 0).then(|| Needs {
                clean_requests,
                minutes: (evidence.counted_per_minute > 0.0)
                    .then(|| clean_requests as f64 / evidence.counted_per_minute),
            });
            judgement.needs = needs;
            (Verdict::NotEnough, needs.iter().map(sentence).chain(missing).collect())
        }
    };
    judgement
}

/// What speaks against going on, however much more would come.
fn objections(judgement: &Judgement, policy: &Policy) -> Vec<String> {
    let mut against = Vec::new();
    let Judgement { breaches, lockouts, rate, rate_max, .. } = judgement;
    if *breaches > 0 {
        against.push(format!(
            "{breaches} {}: the candidate let in whom legacy refused; see `shadow-proxy diffs`",
            if *breaches == 1 { "breach" } else { "breaches" }
        ));
    }
    if *lockouts > 0 {
        against.push(format!(
            "{lockouts} {}: the candidate refused whom legacy let in; see `shadow-proxy diffs`",
            if *lockouts == 1 { "lockout" } else { "lockouts" }
        ));
    }
    if rate.lower_bound > *rate_max {
        against.push(format!(
            "at least {} of the requests are answered differently, and {} is what may be; mend it or write a rule",
            percent(rate.lower_bound),
            percent(*rate_max)
        ));
    }
    let endpoint_max = ppm(policy.endpoint_mismatch_ppm_max);
    let differ = judgement.endpoints.iter().filter(|endpoint| endpoint.rate.lower_bound > endpoint_max);
    against.extend(worst(differ.map(|EndpointRate { count, rate }| {
        let reason = format!(
            "{}: at least {} are answered differently, and {} is what may be at one endpoint",
            count.endpoint,
            percent(rate.lower_bound),
            percent(endpoint_max)
        );
        (rate.lower_bound, reason)
    })));
    against
}

/// What is said of endpoints, the highest number first: of many alike only the first few, and how many more there are.
pub(super) fn worst(found: impl Iterator<Item = (f64, String)>) -> Vec<String> {
    const TOLD: usize = 3;
    let mut found: Vec<_> = found.collect();
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let more = found.len().saturating_sub(TOLD);
    let told = found.into_iter().take(TOLD).map(|(_, reason)| reason);
    told.chain((more > 0).then(|| format!("and so at {more} more endpoint{}", if more == 1 { "" } else { "s" })))
        .collect()
}

/// What is not known yet.
fn gaps(judgement: &Judgement, policy: &Policy) -> Vec<String> {
    let mut missing = Vec::new();
    match judgement.coverage {
        Some(coverage) if coverage * 100.0 < f64::from(policy.coverage_percent_min) => missing.push(format!(
            "only {} of the requests were compared, and {} % are wanted; `shadow-proxy status` says what became of the others",
            percent(coverage),
            policy.coverage_percent_min
        )),
        Some(_) => {}
        None => missing.push("nothing was compared; send requests through the proxy".to_owned()),
    }
    let few = judgement.endpoints.iter().map(|endpoint| &endpoint.count).filter(|count| {
        let is_rare = count.pairs.saturating_mul(RARE) < judgement.pairs;
        count.counted < policy.endpoint_pairs_min && !is_rare
    });
    missing.extend(worst(few.map(|count| {
        let EndpointCount { endpoint, counted, .. } = count;
        let wanted = policy.endpoint_pairs_min;
        (-(*counted as f64), format!("{endpoint}: {counted} different requests, and {wanted} are wanted"))
    })));
    missing
}

fn sentence(needs: &Needs) -> String {
    format!("needs {} more clean requests{}", grouped(needs.clean_requests), wait(needs.minutes))
}

/// How long it takes until what is needed has come; none: nothing comes.
pub(super) fn wait(minutes: Option<f64>) -> String {
    match minutes {
        None => "; none come at present".to_owned(),
        Some(minutes) if minutes < 1.0 => ", less than a minute at the present rate".to_owned(),
        Some(minutes) if minutes < 1.5 => ", about a minute at the present rate".to_owned(),
        Some(minutes) if minutes < 120.0 => format!(", about {minutes:.0} minutes at the present rate"),
        Some(minutes) if minutes < 48.0 * 60.0 => {
            format!(", about {:.0} hours at the present rate", minutes / 60.0)
        }
        Some(minutes) => format!(", about {:.0} days at the present rate", minutes / 1_440.0),
    }
}

fn shown(judgement: &Judgement, policy: &Policy) -> String {
    format!(
        "{} different requests, {} answered differently: at most {} are, with {} confidence, and {} is what may be",
        grouped(judgement.counted),
        grouped(judgement.counted_mismatches),
        percent(judgement.rate.upper_bound.min(judgement.rate_max)),
        percent(1.0 - policy.alpha),
        percent(judgement.rate_max)
    )
}

fn ppm(ppm: u32) -> f64 {
    f64::from(ppm) / 1e6
}

/// With as many digits as tell something.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits =
        if percent >= 10.0 || percent == 0.0 { 0 } else { (1.0 - percent.log10().floor()).clamp(1.0, 6.0) as usize };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// A weight, for people.
pub fn share(weight_ppm: u32) -> String {
    percent(ppm(weight_ppm))
}

/// `1240` is `1,240`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Below one in so many requests an endpoint is no reason to wait; what is known to be wrong with it still counts.
const RARE: u64 = 1_000;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        #[serde(default)]
        breaches: u64,
        #[serde(default)]
        lockouts: u64,
        expected: u64,
        compared: u64,
        /// Name, pairs, mismatches, counted, counted mismatches.
        endpoints: Vec<(String, u64, u64, u64, u64)>,
        #[serde(default)]
        counted_per_minute: f64,
        verdict: String,
        reasons: Vec<String>,
    }

    #[test]
    fn cases() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("cases/gate.json")).unwrap();
        for case in cases {
            let endpoints =
                case.endpoints.into_iter().map(|(endpoint, pairs, mismatches, counted, counted_mismatches)| {
                    EndpointCount {
                        endpoint,
                        pairs,
                        mismatches,
                        counted,
                        counted_mismatches,
                        ..EndpointCount::default()
                    }
                });
            let evidence = Evidence {
                breaches: case.breaches,
                lockouts: case.lockouts,
                expected: case.expected,
                compared: case.compared,
                endpoints: endpoints.collect(),
                counted_per_minute: case.counted_per_minute,
            };
            let judgement = judge(&evidence, &Policy::default());
            assert_eq!(judgement.verdict.words(), case.verdict, "{}", case.name);
            assert_eq!(judgement.reasons, case.reasons, "{}", case.name);
        }
    }

    #[test]
    fn of_many_endpoints_the_worst_are_named() {
        let found = |endpoints: u32| worst((0..endpoints).map(|number| (f64::from(number), number.to_string())));
        assert_eq!(found(0), Vec::<String>::new());
        assert_eq!(found(3), ["2", "1", "0"]);
        assert_eq!(found(4), ["3", "2", "1", "and so at 1 more endpoint"]);
        assert_eq!(found(40), ["39", "38", "37", "and so at 37 more endpoints"]);
    }

    #[test]
    fn figures_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.0, 0.001, 0.000_123_4, 0.0456, 0.5, 1.0].map(percent),
            ["0 %", "0.1 %", "0.012 %", "4.6 %", "50 %", "100 %"]
        );
    }
}
