//! Each rule in a table, and what holds whatever comes in.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::shift::evidence::EndpointCount;
use crate::shift::plan::{DAY_MS, Freeze, HOUR_MS, MINUTE_MS, Window};
use crate::shift::times::Times;

/// What differs from a ramp at 1 % of which everything good is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    state: Value,
    #[serde(default)]
    plan: Value,
    #[serde(default)]
    input: Value,
    finding: String,
    /// All of them.
    reasons: Vec<String>,
    /// What becomes different; null: nothing changes.
    next: Value,
}

const NOW: u64 = 1_795_392_000_000;

fn good_state() -> State {
    let (phase, since_ms) = (Phase::Ramp, NOW - HOUR_MS);
    State { epoch: 7, phase, weight_ppm: 10_000, step: Some(1), since_ms, ..State::start() }
}

fn good_input() -> Input {
    let endpoint =
        EndpointCount { endpoint: "GET /me".to_owned(), pairs: 200_000, counted: 40_000, ..EndpointCount::default() };
    Input {
        now_ms: NOW,
        live: Observed {
            pairs: 60_000,
            times: Times::about(0.25, 59_400, 600),
            served_legacy: 59_400,
            served_candidate: 600,
            ids_legacy: 9_900,
            ids_candidate: 100,
            ..Observed::default()
        },
        recent: Observed::default(),
        evidence: gate::Evidence {
            expected: 200_000,
            compared: 200_000,
            endpoints: vec![endpoint],
            counted_per_minute: 200.0,
            ..gate::Evidence::default()
        },
        evidence_failed: false,
        legacy_up: true,
        legacy_load: 1.0,
        requests_per_minute: 1_000.0,
        braked: None,
        command: None,
    }
}

#[test]
fn cases() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../cases/step.json")).unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let state: State = with(&good_state(), &case.state);
        let plan: Plan = with(&Plan::default(), &case.plan);
        let input: Input = with(&good_input(), &case.input);
        let decision = step(&state, &plan, &input);
        let next = decision.next.as_ref().map_or(Value::Null, |next| changed(&json!(state), &json!(next)));
        let found = (json!(decision.finding), &decision.reasons, &next);
        if found != (json!(case.finding), &case.reasons, &case.next) {
            wrong.push(format!("{}\n{}", case.name, json!({"finding": found.0, "reasons": found.1, "next": found.2})));
        }
        assert!(decision.next.is_none_or(|next| next.epoch == state.epoch + 1), "{}", case.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn with<T: serde::Serialize + serde::de::DeserializeOwned>(base: &T, differs: &Value) -> T {
    let mut value = json!(base);
    merge(&mut value, differs);
    serde_json::from_value(value).unwrap()
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (_, Value::Null) => {}
        (Value::Object(into), Value::Object(from)) => {
            from.iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, from) => *into = from.clone(),
    }
}

fn changed(from: &Value, to: &Value) -> Value {
    let (from, to) = (from.as_object().unwrap(), to.as_object().unwrap());
    let differs = to.iter().filter(|(key, value)| *key != "epoch" && from[*key] != **value);
    differs.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// A ramp with nothing but good news goes to the end by itself, and no faster than it may.
#[test]
fn a_good_candidate_arrives() {
    let (plan, mut input) = (Plan::default(), good_input());
    input.command = Some(Command { verb: Verb::Advance, who: "somebody".to_owned(), why: "a test".to_owned() });
    let mut state = State::start();
    let (mut weights, start) = (Vec::new(), input.now_ms);
    while state.phase != Phase::ReverseShadow {
        let weight = u64::from(state.weight_ppm);
        (input.live.ids_candidate, input.live.ids_legacy) = (weight, 1_000_000 - weight);
        if let Some(next) = step(&state, &plan, &input).next {
            state = next;
            weights.push(state.weight_ppm);
        }
        input.command = None;
        input.now_ms += MINUTE_MS;
        assert!(input.now_ms < start + DAY_MS, "{state:?}");
    }
    assert_eq!(weights, [1_000, 10_000, 50_000, 250_000, 500_000, 1_000_000, 1_000_000]);
    let dwells: u64 = plan.steps.iter().map(|step| step.min_dwell_ms).sum();
    assert_eq!(input.now_ms - start, dwells + 2 * MINUTE_MS, "{state:?}");
}

fn states() -> impl Strategy<Value = State> {
    let phase = prop::sample::select(vec![
        Phase::Shadow,
        Phase::Ramp,
        Phase::Held,
        Phase::RolledBack,
        Phase::Complete,
        Phase::ReverseShadow,
    ]);
    let weight = prop_oneof![Just(0), Just(1_000), Just(10_000), Just(500_000), Just(ALL_PPM), 0..=ALL_PPM];
    let step = prop::option::of(0_usize..8);
    let approved = (prop::option::of(0_usize..8), NOW - 5..NOW + 5);
    (0_u64..4, phase, weight, step, NOW - 2 * DAY_MS..NOW + DAY_MS, any::<bool>(), approved).prop_map(
        |(epoch, phase, weight_ppm, step, since_ms, brake, (approved, approved_until_ms))| State {
            epoch,
            phase,
            weight_ppm,
            step,
            since_ms,
            brake,
            approved,
            approved_until_ms,
        },
    )
}

fn plans() -> impl Strategy<Value = Plan> {
    let windows = prop::option::of((any::<[bool; 7]>(), 0_u16..1_440, 0_u16..1_440));
    let freeze = prop::option::of(NOW - DAY_MS..NOW + DAY_MS);
    (0_usize..=6, any::<[bool; 6]>(), windows, freeze).prop_map(|(steps, approvals, window, freeze)| {
        let mut plan = Plan::default();
        plan.steps.truncate(steps);
        plan.steps.iter_mut().zip(approvals).for_each(|(step, approval)| step.approval = approval);
        plan.windows.extend(window.map(|(days, from_minute, until_minute)| Window { days, from_minute, until_minute }));
        plan.freezes.extend(freeze.map(|from_ms| Freeze { from_ms, until_ms: from_ms + HOUR_MS }));
        plan
    })
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0), 2 => 1_u64..20, 2 => 0_u64..1_000_000, 1 => any::<u64>().prop_map(|number| number >> 20)]
}

fn observed() -> impl Strategy<Value = Observed> {
    prop_oneof![
        Just(Observed::default()),
        Just(good_input().live),
        prop::collection::vec(count(), 13).prop_map(|n| Observed {
            pairs: n[0],
            breaches: n[1],
            lockouts: n[2],
            candidate_bad: n[3],
            legacy_bad: n[4],
            times: Times::about(0.25, n[5], n[6]),
            served_legacy: n[7],
            served_candidate: n[8],
            rescued: n[9],
            unanswered: n[10],
            ids_legacy: n[11],
            ids_candidate: n[12],
        }),
    ]
}

fn evidence() -> impl Strategy<Value = gate::Evidence> {
    prop_oneof![
        Just(gate::Evidence::default()),
        Just(good_input().evidence),
        (prop::collection::vec(count(), 7), prop::option::of(0.0..1e6)).prop_map(|(n, rate)| gate::Evidence {
            breaches: n[0],
            lockouts: n[1],
            expected: n[2],
            compared: n[3],
            endpoints: vec![EndpointCount {
                endpoint: "GET /".to_owned(),
                pairs: n[4],
                counted: n[5],
                counted_mismatches: n[6].min(n[5]),
                ..EndpointCount::default()
            }],
            counted_per_minute: rate.unwrap_or(f64::NAN),
        }),
    ]
}

fn inputs() -> impl Strategy<Value = Input> {
    let number = || prop_oneof![Just(0.0), Just(1.0), Just(f64::NAN), 0.0..1e6];
    let braked = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Brake::Breach)),
        1 => (count(), count()).prop_map(|(failed, of)| Some(Brake::Failing { failed, of })),
    ];
    let flags = (any::<bool>(), any::<bool>());
    (NOW - DAY_MS..NOW + 8 * DAY_MS, observed(), observed(), evidence(), flags, number(), number(), braked).prop_map(
        |(now_ms, live, recent, evidence, (evidence_failed, legacy_up), legacy_load, requests_per_minute, braked)| {
            Input {
                now_ms,
                live,
                recent,
                evidence,
                evidence_failed,
                legacy_up,
                legacy_load,
                requests_per_minute,
                braked,
                command: None,
            }
        },
    )
}

fn verbs() -> impl Strategy<Value = Verb> {
    prop_oneof![
        Just(Verb::Advance),
        Just(Verb::Hold),
        Just(Verb::Resume),
        Just(Verb::Approve),
        Just(Verb::Rollback),
        any::<u32>().prop_map(Verb::Weight),
        (0..=ALL_PPM).prop_map(Verb::Weight),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn without_a_person_only_evidence_raises(state in states(), plan in plans(), input in inputs()) {
        let decision = step(&state, &plan, &input);
        prop_assert!(!decision.reasons.is_empty());
        prop_assert_eq!(&step(&state, &plan, &input), &decision, "the same again");
        let Some(next) = decision.next else { return Ok(()) };
        prop_assert_eq!(next.epoch, state.epoch + 1);
        if next.weight_ppm <= state.weight_ppm { return Ok(()) }
        prop_assert_eq!(decision.finding, Finding::Advance);
        prop_assert_eq!(state.phase, Phase::Ramp);
        prop_assert!(!state.brake && input.braked.is_none() && input.live.breaches == 0);
        prop_assert!(input.legacy_up && !input.evidence_failed);
        prop_assert!(input.live.pairs > 0 && input.live.times.pairs() > 0 && input.live.served_candidate > 0);
        let index = plan.step_above(state.weight_ppm).expect("there is one");
        prop_assert!(plan.closed(&plan.steps[index], input.now_ms).is_none());
        prop_assert_eq!((next.step, next.weight_ppm), (Some(index), plan.steps[index].weight_ppm));
        prop_assert!(!plan.steps[index].approval || state.approved == Some(index));
        prop_assert!(input.now_ms - state.since_ms >= plan.steps[index - 1].min_dwell_ms);
        prop_assert_eq!(gate::judge(&input.evidence, &plan.policy(&plan.steps[index])).verdict, gate::Verdict::Go);
    }

    #[test]
    fn a_person_gets_the_next_step_or_what_was_said(
        state in states(), plan in plans(), input in inputs(), verb in verbs()
    ) {
        let command = Command { verb, who: "somebody".to_owned(), why: "a test".to_owned() };
        let decision = step(&state, &plan, &Input { command: Some(command), ..input });
        prop_assert!(!decision.reasons.is_empty());
        let Some(next) = decision.next else { return Ok(()) };
        if next.weight_ppm <= state.weight_ppm { return Ok(()) }
        let allowed = match verb {
            Verb::Weight(weight_ppm) => weight_ppm,
            Verb::Advance => plan.steps[plan.step_above(state.weight_ppm).expect("there is one")].weight_ppm,
            other => panic!("{other:?} raised the weight"),
        };
        prop_assert_eq!(next.weight_ppm, allowed);
        prop_assert!(next.weight_ppm <= ALL_PPM && !next.brake);
    }

    /// Nothing but `resume` and `advance` takes it off.
    #[test]
    fn the_brake_never_raises(state in states(), plan in plans(), input in inputs(), verb in prop::option::of(verbs())) {
        let state = State { brake: true, ..state };
        let command = verb.map(|verb| Command { verb, who: "somebody".to_owned(), why: "a test".to_owned() });
        let decision = step(&state, &plan, &Input { command, ..input });
        let Some(next) = decision.next else { return Ok(()) };
        let is_released = matches!(verb, Some(Verb::Resume | Verb::Advance));
        prop_assert!(is_released || next.brake && next.weight_ppm <= state.weight_ppm, "{next:?}");
    }

    /// In a few looks a braked shift is at 0, if legacy is there.
    #[test]
    fn what_is_taken_back_arrives_at_nothing(state in states(), plan in plans(), input in inputs()) {
        let mut input = Input { braked: Some(Brake::Breach), legacy_up: true, ..input };
        let mut state = state;
        for _ in 0..3 {
            state = step(&state, &plan, &input).next.unwrap_or(state);
            input.now_ms += MINUTE_MS;
        }
        prop_assert_eq!(state.weight_ppm, 0);
    }

    #[test]
    fn replicas_agree_in_whatever_order_they_meet(a in states(), b in states(), c in states()) {
        prop_assert_eq!(a.join(&b), b.join(&a));
        prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
        prop_assert_eq!(a.join(&a), a.clone());
        let both = a.join(&b);
        prop_assert_eq!(both.brake, a.brake || b.brake);
        prop_assert!(a.brake != b.brake || (both.phase == Phase::RolledBack) == (a.phase == Phase::RolledBack || b.phase == Phase::RolledBack));
        prop_assert!(both.brake || both.phase == Phase::RolledBack || both.weight_ppm == a.weight_ppm.min(b.weight_ppm));
    }

    /// What the journal has of a decision can be judged again.
    #[test]
    fn a_decision_can_be_written_and_read(state in states(), plan in plans(), mut input in inputs()) {
        for number in [&mut input.legacy_load, &mut input.requests_per_minute, &mut input.evidence.counted_per_minute] {
            if number.is_nan() { *number = 0.0; }
        }
        let text = serde_json::to_string(&(&state, &plan, &input)).expect("it can be written");
        let (state, plan, again): (State, Plan, Input) = serde_json::from_str(&text).expect("it can be read");
        prop_assert_eq!(&again, &input);
        let decision = step(&state, &plan, &input);
        let text = serde_json::to_string(&decision).expect("it can be written");
        prop_assert_eq!(serde_json::from_str::<Decision>(&text).expect("it can be read"), decision);
    }
}
