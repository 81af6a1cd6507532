//! Validity gates: whether the figures of a run may be reported, and if not, whose fault it was. Pure.

use crate::result::{Gate, Validity, Verdict};

/// What is known about a run.
#[cfg_attr(test, derive(serde::Deserialize))]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// Planned ahead; nothing in a closed loop.
    pub(crate) planned: Option<u64>,
    /// Per second.
    pub(crate) achieved_rate: f64,
    pub(crate) rate_planned: Option<f64>,
    pub(crate) requests: u64,
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    pub(crate) unsent: u64,
    pub(crate) queued_at_cap: u64,
    pub(crate) lag_us_p99: Option<u64>,
    /// How late the latest hundredth may go out, where that is not 1 ms.
    pub(crate) lag_us_p99_max: Option<u64>,
    pub(crate) lag_us_p50: Option<u64>,
    pub(crate) service_us_p50: Option<u64>,
    pub(crate) generator_cores: f64,
    /// How many of them it may use.
    pub(crate) generator_cores_max: f64,
    /// Mean in flight, counted while it ran and as response times and the rate make it.
    pub(crate) in_flight_counted: f64,
    pub(crate) in_flight_from_times: f64,
    /// Shares of the whole machine's CPU time meanwhile; nothing where it does not say.
    pub(crate) steal_share: Option<f64>,
    /// Neither idle, nor the generator's, nor the service's: what others did.
    pub(crate) foreign_share: Option<f64>,
    /// That the cgroup of either was held back.
    pub(crate) throttled_us: Option<u64>,
    pub(crate) complete: bool,
}

const ACHIEVED_OFF_MAX: f64 = 0.005;
const ERRORS_SHARE_MAX: f64 = 0.001;
const GENERATOR_SHARE_MAX: f64 = 0.7;
const LAG_US_P99_MAX: f64 = 1_000.0;
/// A lag above this share of the service time shows in the response time.
const LAG_SHARE_SEEN: f64 = 0.1;
const STEAL_SHARE_MAX: f64 = 0.01;
const FOREIGN_SHARE_MAX: f64 = 0.1;
const LITTLE_OFF_MAX: f64 = 0.1;
/// With less in flight on average, a rounding of µs is more than a tenth.
const LITTLE_IN_FLIGHT_MIN: f64 = 0.05;

/// Every gate that there are facts for, and the worst verdict of those that failed.
pub(crate) fn judge(facts: &Facts) -> Validity {
    let gates: Vec<Gate> =
        [load(facts), generator(facts), machine(facts)].into_iter().flatten().filter_map(Check::gate).collect();
    let verdict =
        gates.iter().filter(|gate| !gate.passed).map(|gate| gate.else_verdict).max().unwrap_or(Verdict::Valid);
    Validity { verdict, gates, remarks: remarks(facts) }
}

/// One gate, before it is known whether there is anything to measure.
struct Check {
    name: &'static str,
    measured: Option<f64>,
    max: f64,
    else_verdict: Verdict,
    sentence: &'static str,
}

impl Check {
    fn gate(self) -> Option<Gate> {
        let Check { name, measured, max, else_verdict, sentence } = self;
        let measured = measured.filter(|measured| measured.is_finite())?;
        let passed = measured <= max;
        Some(Gate { name: name.to_owned(), passed, measured, limit: max, else_verdict, sentence: sentence.to_owned() })
    }
}

fn load(facts: &Facts) -> Vec<Check> {
    // Who is behind: a generator that has CPU left and lets requests go in time waits for the service.
    let waits = facts.queued_at_cap > 0 || facts.failed > 0;
    let behind = if waits { Verdict::TargetSaturated } else { Verdict::GeneratorBound };
    let off = facts.rate_planned.map(|planned| (facts.achieved_rate / planned - 1.0).abs());
    let unsent = facts.planned.map(|planned| facts.unsent as f64 / planned.max(1) as f64);
    let errors = (facts.wrong + facts.failed) as f64 / facts.requests.max(1) as f64;
    let share = |name, measured, max, else_verdict, sentence| Check { name, measured, max, else_verdict, sentence };
    vec![
        share(
            "achieved-rate-off-share",
            off.filter(|_| facts.complete),
            ACHIEVED_OFF_MAX,
            behind,
            "the rate that was sent is the rate that was asked for",
        ),
        share("unsent-share", unsent.filter(|_| facts.complete), 0.0, behind, "every planned request was sent"),
        share("errors-share", Some(errors), ERRORS_SHARE_MAX, Verdict::TargetSaturated, "requests were answered"),
        share(
            "wrong",
            Some(facts.wrong as f64),
            0.0,
            Verdict::TargetSaturated,
            "every answer is the one the contract asks for",
        ),
        share(
            "ended-early",
            Some(f64::from(u8::from(!facts.complete))),
            0.0,
            Verdict::TargetSaturated,
            "the run went on to its end",
        ),
    ]
}

fn generator(facts: &Facts) -> Vec<Check> {
    let share = facts.generator_cores / facts.generator_cores_max;
    // What was not answered was in flight too, but has no time.
    let all_have_times = facts.complete && facts.unsent == 0 && facts.failed == 0;
    let little = (facts.in_flight_from_times >= LITTLE_IN_FLIGHT_MIN && all_have_times)
        .then(|| (facts.in_flight_counted / facts.in_flight_from_times - 1.0).abs());
    let ours =
        |name, measured, max, sentence| Check { name, measured, max, else_verdict: Verdict::GeneratorBound, sentence };
    // A generator that others do not let run is late through no fault of its own.
    let disturbed = facts.foreign_share.is_some_and(|share| share > FOREIGN_SHARE_MAX);
    let late = if disturbed { Verdict::Noisy } else { Verdict::GeneratorBound };
    let lag = ours(
        "lag-us-p99",
        facts.lag_us_p99.map(|us| us as f64),
        facts.lag_us_p99_max.map_or(LAG_US_P99_MAX, |us| us as f64),
        "requests went out when they were planned",
    );
    vec![
        ours("generator-share", Some(share), GENERATOR_SHARE_MAX, "the generator had CPU to spare"),
        Check { else_verdict: late, ..lag },
        ours(
            "little-off-share",
            little,
            LITTLE_OFF_MAX,
            "what was in flight is what times and rate make it (Little 1961)",
        ),
    ]
}

fn machine(facts: &Facts) -> Vec<Check> {
    let noisy = |name, measured, max, sentence| Check { name, measured, max, else_verdict: Verdict::Noisy, sentence };
    vec![
        noisy("steal-share", facts.steal_share, STEAL_SHARE_MAX, "the hypervisor gave its CPU to nobody else"),
        noisy("foreign-cpu-share", facts.foreign_share, FOREIGN_SHARE_MAX, "no other program used the CPU"),
        noisy("throttled-us", facts.throttled_us.map(|us| us as f64), 0.0, "no cgroup was held back"),
    ]
}

/// What does not spoil the run, but a reader of its figures should know.
fn remarks(facts: &Facts) -> Vec<String> {
    let mut remarks = Vec::new();
    if let (Some(lag), Some(service)) = (facts.lag_us_p50, facts.service_us_p50)
        && lag as f64 > LAG_SHARE_SEEN * service as f64
    {
        remarks.push(format!(
            "half of the requests went out {lag} µs late or more, which is part of their response time of {service} µs and \
             more: service_us is the service alone"
        ));
    }
    if facts.queued_at_cap > 0 {
        remarks.push(format!(
            "{} requests waited for a connection; allow more with --connections if the service may have them",
            facts.queued_at_cap
        ));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Map, Value, json};

    use super::*;

    #[derive(Deserialize)]
    struct Row {
        what: String,
        /// Those that differ from a good run.
        facts: Map<String, Value>,
        verdict: Verdict,
        failed: Vec<String>,
    }

    /// A good run of 10 s at 1000/s, where `other` says nothing else.
    fn facts(other: &Map<String, Value>) -> Facts {
        let mut good = json!({
            "planned": 10_000, "achieved_rate": 1_000.0, "rate_planned": 1_000.0, "requests": 10_000, "wrong": 0,
            "failed": 0, "unsent": 0, "queued_at_cap": 0, "lag_us_p99": 300, "lag_us_p99_max": null, "lag_us_p50": 10, "service_us_p50": 200,
            "generator_cores": 0.1, "generator_cores_max": 1.0, "in_flight_counted": 1.0, "in_flight_from_times": 1.0,
            "steal_share": 0.0, "foreign_share": 0.05, "throttled_us": 0, "complete": true,
        });
        for (name, value) in other {
            assert!(good.get(name).is_some(), "there is no fact {name}");
            good[name] = value.clone();
        }
        serde_json::from_value(good).expect("facts")
    }

    #[test]
    fn each_gate_closes_where_it_should_and_nowhere_else() {
        let rows: Vec<Row> = serde_json::from_str(include_str!("cases/gates.json")).expect("the cases");
        for Row { what, facts: other, verdict, failed } in rows {
            let found = judge(&facts(&other));
            let closed: Vec<&str> =
                found.gates.iter().filter(|gate| !gate.passed).map(|gate| gate.name.as_str()).collect();
            assert_eq!(closed, failed, "{what}");
            assert_eq!(found.verdict, verdict, "{what}");
        }
    }

    #[test]
    fn a_lag_that_shows_in_the_response_time_is_remarked() {
        let remarks = |lag_us_p50: u64| {
            let other = json!({"lag_us_p50": lag_us_p50}).as_object().expect("an object").clone();
            judge(&facts(&other)).remarks.len()
        };
        assert_eq!((remarks(20), remarks(21)), (0, 1));
    }
}
