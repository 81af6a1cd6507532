//! The state at a glance: what is in force, what is missing, who would be let in.

use maud::{Markup, html};

use super::figures::{self, grouped, percent, sentence, share, visible};
use super::view::View;
use crate::shift::decommission;
use crate::shift::gate::Verdict;
use crate::shift::plan::{self, Plan};
use crate::shift::state::{Phase, State};
use crate::shift::step::{Decision, Finding};

/// One word for the state, and the sentences behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    pub tone: Tone,
    pub word: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Waiting,
    Bad,
}

impl Tone {
    fn sign(self) -> &'static str {
        match self {
            Tone::Good => "✓",
            Tone::Waiting => "…",
            Tone::Bad => "✕",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Waiting => "waiting",
            Tone::Bad => "bad",
        }
    }
}

/// `farewell`: whether legacy may go, where that is the question.
pub fn headline(state: &State, decision: &Decision, gate: Verdict, farewell: Verdict) -> Headline {
    let (tone, word) = match (state.phase, gate) {
        _ if decision.finding == Finding::RollBack => (Tone::Bad, "Rolling back"),
        (Phase::RolledBack, _) => (Tone::Bad, "Rolled back"),
        (Phase::Complete | Phase::ReverseShadow, _) => match farewell {
            Verdict::Go => (Tone::Good, "Legacy may go"),
            Verdict::NoGo => (Tone::Bad, "Legacy may not go"),
            Verdict::NotEnough => (Tone::Waiting, "Not yet"),
        },
        (_, Verdict::NoGo) => (Tone::Bad, "No-go"),
        (Phase::Held, _) => (Tone::Waiting, "Held"),
        _ if is_shown(decision) => (Tone::Good, "Go"),
        _ => (Tone::Waiting, "Not enough evidence"),
    };
    Headline { tone, word }
}

/// All tests of this look say that the next step may be taken.
fn is_shown(decision: &Decision) -> bool {
    let before =
        |name: &str| decision.tests.iter().any(|test| test.name.starts_with(name) && test.says == Finding::Advance);
    ["mismatches before", "errors within", "latency within"].into_iter().all(before)
}

/// What must not be overlooked.
pub fn alarm(view: &View) -> Markup {
    let (breaches, lockouts) = (view.breaches(), view.lockouts());
    html! {
        @if breaches > 0 {
            p.alarm.breach role="alert" { strong { "▲ " (breach(breaches)) } " " span.more { "The candidate let in whom legacy refused. " } a href="/findings?show=open" { "See which" } }
        }
        @if lockouts > 0 {
            p.alarm.lockout role="alert" { strong { "■ " (lockout(lockouts)) } " " span.more { "The candidate refused whom legacy let in. " } a href="/findings?show=open" { "See which" } }
        }
        @if view.is_braked { p.alarm.braked role="alert" { strong { "✕ The brake is on." } " " span.more { "The candidate was found failing; only a person goes on." } } }
        @if view.recording_fails { p.alarm role="alert" { strong { "✕ Records do not reach the disk." } " " span.more { "Free space in the data directory." } } }
        @if let Some(failed) = &view.stored.failed { p.alarm role="alert" { strong { "✕ The store cannot be read." } " " (visible(failed, 300)) } }
    }
}

/// Of the window.
pub fn title(view: &View) -> String {
    let (breaches, lockouts) = (view.breaches(), view.lockouts());
    let state = format!("{} {} · shadow-proxy", share(view.in_force_ppm), view.state.phase.name());
    match (breaches, lockouts) {
        (0, 0) => state,
        (0, lockouts) => format!("■ {} · {state}", lockout(lockouts)),
        (breaches, _) => format!("▲ {} · {state}", breach(breaches)),
    }
}

fn breach(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "breach" } else { "breaches" })
}

fn lockout(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "lockout" } else { "lockouts" })
}

pub fn region(view: &View) -> Markup {
    let View { state, present, plan, .. } = view;
    let farewell = decommission::judge(state, plan, &present.input);
    // The gate looks every few seconds, and this must not wait for it.
    let gate = if view.breaches() + view.lockouts() > 0 { Verdict::NoGo } else { view.judgement.verdict };
    let Headline { tone, word } = headline(state, &present.decision, gate, farewell.verdict);
    let reasons = &present.decision.reasons;
    html! {
        div.cards {
            section.card.verdict.(tone.name()) aria-labelledby="verdict-title" {
                h3 id="verdict-title" { "Verdict" }
                p.word { span aria-hidden="true" { (tone.sign()) } " " (word) }
                div.reasons data-replace="" tabindex="0" role="region" aria-label="Why" {
                    p { (sentence(reasons.first().map_or("Nothing is known yet.", String::as_str), 400)) }
                    @if reasons.len() > 1 { ul { @for reason in reasons.iter().skip(1).take(6) { li { (sentence(reason, 400)) } } } }
                }
            }
            (matrix(view))
            (coverage(view))
        }
        (track(view))
    }
}

/// Who would be let in: the two cells in which the sides differ are what the whole page is for.
fn matrix(view: &View) -> Markup {
    let agree = |cell: &str| html! { td.agree { b { (grouped(view.decided(cell))) } small { "✓ agree" } } };
    let differ = |count: u64, sign: &str, class: &str, name: String| {
        html! { td.differ.(class).none[count == 0] { b { @if count > 0 { (sign) " " } (grouped(count)) } small { (name) } } }
    };
    let (breaches, lockouts) = (view.decided("deny_allow"), view.decided("allow_deny"));
    let word = |count: u64, one: &str, many: &str| if count == 1 { one.to_owned() } else { many.to_owned() };
    html! {
        section.card aria-labelledby="matrix-title" {
            h3 id="matrix-title" { "Would the candidate decide the same?" }
            table.matrix {
                caption.hidden { "Compared exchanges of this run by what both sides decided" }
                thead { tr { td {} th scope="col" { "candidate allows" } th scope="col" { "candidate denies" } } }
                tbody {
                    tr { th scope="row" { "legacy allows" } (agree("allow_allow")) (differ(lockouts, "■", "lockout", word(lockouts, "lockout", "lockouts"))) }
                    tr { th scope="row" { "legacy denies" } (differ(breaches, "▲", "breach", word(breaches, "breach", "breaches"))) (agree("deny_deny")) }
                }
            }
            // A line each, so that a number with one more digit does not wrap and move what stands above.
            p.quiet { (grouped(view.decided("other"))) " decide nothing; this run." br; "All runs: " (breach(view.breaches())) ", " (lockout(view.lockouts())) "." }
        }
    }
}

fn coverage(view: &View) -> Markup {
    let requests = &view.snapshot.requests;
    let sum = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum::<u64>();
    let (skipped, dropped, unclear) = (sum(&requests.skipped), sum(&requests.dropped), sum(&requests.not_comparable));
    let shares = [
        ("compared", "compared", requests.compared),
        ("being compared", "flight", requests.in_flight + requests.serving),
        ("not comparable", "unclear", unclear),
        ("skipped on purpose", "skipped", skipped),
        ("dropped, no room", "dropped", dropped),
    ];
    let total = shares.iter().map(|(_, _, count)| *count).sum::<u64>().max(1) as f64;
    let widths = shares.map(|(_, _, count)| count as f64 / total * 100.0);
    let bar = |(index, width): (usize, &f64)| (shares[index].1, widths[..index].iter().sum::<f64>(), *width);
    html! {
        section.card.coverage aria-labelledby="coverage-title" {
            h3 id="coverage-title" { "Coverage" }
            p.word { (view.judgement.coverage.map_or_else(|| "…".to_owned(), percent)) span.quiet { " compared of what was to be" } }
            svg.bar viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
                @for (class, from, width) in widths.iter().enumerate().map(bar) {
                    rect.(class) x=(format!("{from:.2}")) y="0" height="4" width=(format!("{width:.2}")) {}
                }
            }
            table.account {
                caption.hidden { "Where every request of this run is" }
                tbody {
                    tr { th scope="row" { "received" } td { (grouped(requests.received)) } }
                    @for (name, class, count) in &shares {
                        tr { th scope="row" { span.dot.(class) aria-hidden="true" {} (name) } td { (grouped(*count)) } }
                    }
                    tr { th scope="row" { "rescued by legacy" } td { (grouped(requests.rescued)) } }
                    tr { th scope="row" { "unanswered" } td { (grouped(requests.unanswered)) } }
                }
            }
            details id="reasons" {
                summary { "Reasons" }
                ul data-replace="" {
                    @for (what, counts) in [("skipped", &requests.skipped), ("dropped", &requests.dropped), ("not comparable", &requests.not_comparable)] {
                        @for (reason, count) in counts.iter().filter(|(_, count)| **count > 0) { li { (what) ": " (reason) " " b { (grouped(*count)) } } }
                    }
                }
            }
        }
    }
}

/// The plan as a row of steps, and where we are on it.
fn track(view: &View) -> Markup {
    let View { state, plan, .. } = view;
    html! {
        section.track aria-labelledby="track-title" {
            h3 id="track-title" { "The candidate answers " strong { (share(view.in_force_ppm)) } " of the traffic: phase " strong { (state.phase.name()) } }
            ol.steps {
                @for stop in stops(state, plan) {
                    li.(stop.place.name()) aria-current=[(stop.place == Place::Here).then_some("step")] {
                        span.dot aria-hidden="true" { @if stop.place == Place::Done { "✓" } }
                        b { (share(stop.weight_ppm)) } small { (stop.says) } span.hidden { (stop.place.words()) }
                    }
                }
            }
            p.quiet data-replace="" { (standing(view)) }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Done,
    Here,
    Next,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::Done => "done",
            Place::Here => "here",
            Place::Next => "next",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Place::Done => ", behind us",
            Place::Here => ", now",
            Place::Next => ", to come",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Stop {
    weight_ppm: u32,
    says: String,
    place: Place,
}

/// Shadow, the steps, and a weight of a person's own between them.
fn stops(state: &State, plan: &Plan) -> Vec<Stop> {
    let place = |weight_ppm: u32| match weight_ppm.cmp(&state.weight_ppm) {
        std::cmp::Ordering::Less => Place::Done,
        std::cmp::Ordering::Equal => Place::Here,
        std::cmp::Ordering::Greater => Place::Next,
    };
    let stop = |weight_ppm, says| Stop { weight_ppm, says, place: place(weight_ppm) };
    let shadow = if state.phase == Phase::RolledBack { "taken back" } else { "shadow" };
    let mut stops = vec![stop(0, shadow.to_owned())];
    for step in &plan.steps {
        let approval = if step.approval { ", approval" } else { "" };
        let dwell = if step.min_dwell_ms == 0 { String::new() } else { format!(", {}", plan::span(step.min_dwell_ms)) };
        let budget = percent(step.budget());
        stops.push(stop(step.weight_ppm, format!("≤ {budget}{dwell}{approval}")));
    }
    if !stops.iter().any(|stop| stop.place == Place::Here) {
        stops.push(stop(state.weight_ppm, "by hand".to_owned()));
        stops.sort_by_key(|stop| stop.weight_ppm);
    }
    stops
}

fn standing(view: &View) -> String {
    let View { state, plan, now_ms, .. } = view;
    let since = if state.since_ms == 0 {
        "since the beginning".to_owned()
    } else {
        format!(
            "for {}, since {} UTC",
            plan::span(now_ms.saturating_sub(state.since_ms)),
            figures::moment(state.since_ms)
        )
    };
    let above = plan.step_above(state.weight_ppm).map(|next| &plan.steps[next]);
    let next = match above {
        Some(next) => format!("next: {}", share(next.weight_ppm)),
        None => "the plan ends here".to_owned(),
    };
    let closed = above.and_then(|next| plan.closed(next, *now_ms)).map_or(String::new(), |why| format!("; {why}"));
    let approved = state.approved.filter(|_| *now_ms < state.approved_until_ms);
    let approved = approved.and_then(|step| plan.steps.get(step));
    let approved = approved.map_or(String::new(), |step| format!("; {} is approved", share(step.weight_ppm)));
    format!("At this weight {since}; {next}{approved}{closed}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shift::step::TestResult;

    fn decision(finding: Finding, says: Finding) -> Decision {
        let tests = ["mismatches before the next step", "errors within the margin", "latency within the margin"];
        let test = |name: &str| TestResult { name: name.to_owned(), statistic: 0.0, threshold: 0.0, says };
        Decision { finding, reasons: Vec::new(), tests: tests.map(test).into(), next: None }
    }

    #[test]
    fn one_word_says_how_it_stands() {
        use Verdict::{Go, NoGo, NotEnough};
        let hold = |says| decision(Finding::Hold, says);
        let (shown, not_shown) = (hold(Finding::Advance), hold(Finding::Hold));
        for (phase, decision, gate, farewell, word) in [
            (Phase::Shadow, &not_shown, NotEnough, NotEnough, "Not enough evidence"),
            (Phase::Shadow, &shown, Go, NotEnough, "Go"),
            (Phase::Ramp, &shown, Go, NotEnough, "Go"),
            (Phase::Ramp, &shown, NoGo, NotEnough, "No-go"),
            (Phase::Ramp, &decision(Finding::RollBack, Finding::RollBack), Go, Go, "Rolling back"),
            (Phase::Held, &shown, Go, NotEnough, "Held"),
            (Phase::Held, &shown, NoGo, NotEnough, "No-go"),
            (Phase::RolledBack, &shown, Go, NotEnough, "Rolled back"),
            (Phase::ReverseShadow, &shown, NoGo, Go, "Legacy may go"),
            (Phase::ReverseShadow, &shown, Go, NotEnough, "Not yet"),
            (Phase::Complete, &shown, Go, NoGo, "Legacy may not go"),
        ] {
            let state = State { phase, ..State::start() };
            assert_eq!(headline(&state, decision, gate, farewell).word, word, "{phase:?} {gate:?}");
        }
    }

    #[test]
    fn the_track_shows_where_we_are_also_between_two_steps() {
        let plan = Plan::default();
        let of = |weight_ppm, phase| stops(&State { weight_ppm, phase, ..State::start() }, &plan);
        let places = |stops: Vec<Stop>| stops.into_iter().map(|stop| stop.place).collect::<Vec<_>>();
        use Place::{Done, Here, Next};
        assert_eq!(places(of(0, Phase::Shadow)), [Here, Next, Next, Next, Next, Next, Next]);
        assert_eq!(places(of(50_000, Phase::Ramp)), [Done, Done, Done, Here, Next, Next, Next]);
        assert_eq!(places(of(1_000_000, Phase::Complete)), [Done, Done, Done, Done, Done, Done, Here]);
        let by_hand = of(30_000, Phase::Held);
        assert_eq!((by_hand[3].says.as_str(), by_hand[3].place), ("by hand", Here));
        assert_eq!(of(0, Phase::Shadow)[1].says, "≤ 0.1 %, 10 minutes");
        assert_eq!(of(0, Phase::RolledBack)[0].says, "taken back");
    }
}
