//! Commands: a form, what would come of it, and the confirmation.

use maud::{Markup, html};
use serde::Deserialize;

use super::figures::{count, per_second, sentence, share};
use super::journal;
use super::view::View;
use crate::shift::state::{Phase, State};
use crate::shift::step::{Command, Decision, Input, Verb, step};

/// What the form on the page sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub form_token: String,
    pub verb: Word,
    #[serde(default)]
    pub who: String,
    #[serde(default)]
    pub why: String,
    /// The change after which the effect was stated: only with it the command is given.
    #[serde(default)]
    pub confirmed_at: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    Advance,
    Hold,
    Resume,
    Approve,
    Rollback,
}

impl Word {
    pub fn verb(self) -> Verb {
        match self {
            Word::Advance => Verb::Advance,
            Word::Hold => Verb::Hold,
            Word::Resume => Verb::Resume,
            Word::Approve => Verb::Approve,
            Word::Rollback => Verb::Rollback,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Word::Advance => "Advance",
            Word::Hold => "Hold",
            Word::Resume => "Resume",
            Word::Approve => "Approve",
            Word::Rollback => "Roll back",
        }
    }
}

impl Order {
    pub fn command(&self) -> Command {
        Command { verb: self.verb.verb(), who: self.who.trim().to_owned(), why: self.why.trim().to_owned() }
    }

    /// What is missing before anything is done; none: nothing.
    pub fn gap(&self) -> Option<&'static str> {
        let is_empty = self.who.trim().is_empty() || self.why.trim().is_empty();
        let is_long = self.who.len() > WHO_BYTES_MAX || self.why.len() > WHY_BYTES_MAX;
        match (is_empty, is_long) {
            (true, _) => Some("Who and why are written into the journal; give both."),
            (_, true) => Some("Who or why is too long; write a name and a sentence."),
            _ => None,
        }
    }
}

/// On the first page. Not kept up to date, so that nothing changes under somebody who writes.
pub fn form(form_token: &str, view: &View) -> Markup {
    let has_approvals = view.plan.steps.iter().any(|step| step.approval);
    html! {
        form.order method="post" action="/shift" {
            input type="hidden" name="form_token" value=(form_token);
            (who_and_why("", ""))
            div.buttons {
                @for word in [Word::Advance, Word::Hold, Word::Resume, Word::Approve, Word::Rollback] {
                    @if word != Word::Approve || has_approvals {
                        button.danger[word == Word::Rollback] name="verb" value=(word.verb().name()) { (word.words()) "…" }
                    }
                }
            }
            p.quiet { "Each says first what it will do, and does it when you confirm." }
        }
    }
}

pub fn who_and_why(who: &str, why: &str) -> Markup {
    html! {
        label { "Who" input name="who" required maxlength=(WHO_BYTES_MAX) autocomplete="name" value=(who); }
        label { "Why" input name="why" required maxlength=(WHY_BYTES_MAX) autocomplete="off" value=(why); }
    }
}

/// What the command would do at this moment, or why not.
pub fn confirmation(form_token: &str, order: &Order, view: &View) -> Markup {
    let (state, input) = (&view.state, &view.present.input);
    let command = order.command();
    let preview =
        step(state, &view.plan, &Input { command: Some(command.clone()), now_ms: view.now_ms, ..input.clone() });
    let is_stale = order.confirmed_at.is_some_and(|at| at != state.epoch);
    html! {
        h1 { (order.verb.words()) "?" }
        @if is_stale { p.alarm role="alert" { strong { "The state has changed since you asked." } " This is what it would do now." } }
        @match &preview.next {
            None => (refusal(&preview)),
            Some(next) => {
                p.effect { (sentence(&effect(state, next, input), 600)) }
                h2 { "Because" }
                ul.plain { @for reason in &preview.reasons { li { (sentence(reason, 400)) } } }
                form.order method="post" action="/shift" {
                    input type="hidden" name="form_token" value=(form_token);
                    input type="hidden" name="verb" value=(command.verb.name());
                    input type="hidden" name="confirmed_at" value=(state.epoch);
                    (who_and_why(&command.who, &command.why))
                    div.buttons {
                        button.primary.danger[order.verb == Word::Rollback] { "Yes, " (order.verb.words().to_lowercase()) }
                        a.button href="/#shift" { "No" }
                    }
                }
            }
        }
        @if !preview.tests.is_empty() { h2 { "What was tested" } (journal::tests(&preview.tests)) }
    }
}

fn refusal(preview: &Decision) -> Markup {
    html! {
        p.effect { "Nothing would change: this is refused." }
        ul.plain { @for reason in &preview.reasons { li { (sentence(reason, 400)) } } }
        p { a.button href="/#shift" { "Back" } }
    }
}

/// From where to where, in numbers that say whom it concerns.
fn effect(from: &State, to: &State, input: &Input) -> String {
    let per_minute = input.requests_per_minute;
    let of_candidate = |state: &State| per_minute * f64::from(state.weight_ppm) / 1e6;
    let weight = match from.weight_ppm == to.weight_ppm {
        true => format!("The weight stays at {}", share(from.weight_ppm)),
        false => format!("The candidate's share goes from {} to {}", share(from.weight_ppm), share(to.weight_ppm)),
    };
    let clients = match (from.weight_ppm == to.weight_ppm, per_minute >= 1.0) {
        (true, _) => String::new(),
        (false, true) => format!(
            ": of {} requests a minute it will answer {} instead of {}",
            count(per_minute),
            few(of_candidate(to)),
            few(of_candidate(from))
        ),
        (false, false) => "; there is hardly any traffic at present".to_owned(),
    };
    let after = match to.phase {
        Phase::Shadow => "Legacy answers everybody, and nothing moves until somebody says `advance`.",
        Phase::Ramp => "The next step follows by itself when its evidence is there.",
        Phase::Held => {
            "No further step is taken until somebody says `resume`; what takes the traffic back still works."
        }
        Phase::RolledBack => "Legacy answers, and nothing moves until somebody says `advance`.",
        Phase::Complete | Phase::ReverseShadow => "The candidate answers everybody, and legacy is the mirror.",
    };
    format!("{weight}{clients}. Phase {} → {}. {after}", from.phase.name(), to.phase.name())
}

fn few(number: f64) -> String {
    if number >= 10.0 || number == 0.0 { count(number) } else { per_second(number).trim_end_matches("/s").to_owned() }
}

const WHO_BYTES_MAX: usize = 200;
const WHY_BYTES_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effect_says_whom_it_concerns() {
        let at = |weight_ppm, phase| State { weight_ppm, phase, ..State::start() };
        let input = Input { requests_per_minute: 1_200.0, ..Input::nothing(0) };
        assert_eq!(
            effect(&at(0, Phase::Shadow), &at(1_000, Phase::Ramp), &input),
            "The candidate's share goes from 0 % to 0.1 %: of 1,200 requests a minute it will answer 1.20 instead of 0. \
             Phase shadow → ramp. The next step follows by itself when its evidence is there."
        );
        assert_eq!(
            effect(&at(250_000, Phase::Ramp), &at(0, Phase::RolledBack), &Input::nothing(0)),
            "The candidate's share goes from 25 % to 0 %; there is hardly any traffic at present. \
             Phase ramp → rolled-back. Legacy answers, and nothing moves until somebody says `advance`."
        );
        assert!(
            effect(&at(1_000, Phase::Ramp), &at(1_000, Phase::Held), &input).starts_with("The weight stays at 0.1 %. ")
        );
    }

    #[test]
    fn every_word_of_the_form_is_a_command() {
        for word in ["advance", "hold", "resume", "approve", "rollback"] {
            let read: Word = serde_json::from_value(word.into()).expect("a word");
            assert_eq!(read.verb().name(), word);
        }
    }
}
