//! One finding, and the form that makes a rule of it.

use maud::{Markup, html};
use serde::Deserialize;

use super::exchange::exchange;
use super::figures::{self, grouped, percent, visible};
use super::findings::{is_open, severity, trend};
use super::shift::who_and_why;
use crate::shadow::acceptance::{Acceptance, NotAccepted, Proposal};
use crate::shadow::class::Class;
use crate::shadow::rules::proposal::Refusal;
use crate::show::finding::Finding;

pub fn page(finding: &Finding) -> Markup {
    let Finding { id, endpoint, path, kind, status, count, pairs, rate, upper_bound, sentence, .. } = finding;
    let samples = finding.samples.as_deref().unwrap_or_default();
    html! {
        p.crumbs { a href="/findings" { "Findings" } " / #" (id) }
        h1 { (severity(finding.severity)) " " (figures::sentence(sentence, 300)) }
        dl.facts {
            div { dt { "endpoint" } dd { code { (visible(endpoint, 200)) } } }
            div { dt { "place" } dd { code { (visible(path, 300)) } ", " (kind.name()) ", " (class(finding.classes.legacy)) " → " (class(finding.classes.candidate)) } }
            div { dt { "seen" } dd { (grouped(*count)) " of " (grouped(*pairs)) " (" (percent(*rate)) ", at most " (percent(*upper_bound)) " of all requests)" } }
            div { dt { "first, last" } dd { (figures::moment(finding.first_seen_ms)) " – " (figures::moment(finding.last_seen_ms)) " UTC" } }
            div { dt { "24 hours" } dd { (trend(finding)) } }
            div { dt { "taken for" } dd { (status.name()) @if let Some(rule) = &finding.rule { ", by rule " code { (visible(rule, 200)) } } } }
        }
        @if is_open(finding) { p { a.button.primary href=(format!("/findings/{id}/accept")) { "Accept as an expected change…" } } }
        @for (index, sample) in samples.iter().enumerate() {
            section.exchange {
                @if index == 0 {
                    h2 { "An exchange of " (figures::moment(sample.at_ms)) " UTC" }
                    (exchange(sample))
                } @else {
                    details { summary { "Another, of " (figures::moment(sample.at_ms)) " UTC" } (exchange(sample)) }
                }
            }
        }
        @if samples.is_empty() { p.empty { "No exchange that shows it is kept any more; wait for the next." } }
        @if let Some(curl) = &finding.curl {
            section.curl {
                h2 { "Ask it again" }
                p.quiet { "${SECRET_1} and $BODY stand for what was not kept: put in your own." }
                pre id="curl" tabindex="0" { (visible(curl, 4_000)) }
                button type="button" data-copy="curl" hidden { "Copy" }
            }
        }
    }
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    pub form_token: String,
    pub who: String,
    pub why: String,
    #[serde(default)]
    pub expires: String,
    #[serde(default)]
    pub structure_is_meant: bool,
}

/// What may be asked before.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    #[serde(default)]
    pub structure_is_meant: bool,
}

impl Confirmed {
    pub fn acceptance(self) -> Acceptance {
        let Confirmed { who, why, expires, structure_is_meant, .. } = self;
        Acceptance { who, why, expires: Some(expires).filter(|day| !day.trim().is_empty()), structure_is_meant }
    }
}

/// For what the rule would be before somebody says who and why.
pub fn unsigned(wish: &Wish) -> Acceptance {
    let (who, why) = ("(who you are)".to_owned(), "(why it does not matter)".to_owned());
    Acceptance { who, why, expires: None, structure_is_meant: wish.structure_is_meant }
}

pub fn accept(form_token: &str, finding: &Finding, wish: &Wish, proposed: &Result<Proposal, NotAccepted>) -> Markup {
    let id = finding.id;
    html! {
        p.crumbs { a href="/findings" { "Findings" } " / " a href=(format!("/findings/{id}")) { "#" (id) } " / accept" }
        h1 { "Accept as an expected change?" }
        p { (severity(finding.severity)) " " (figures::sentence(&finding.sentence, 300)) ", at " code { (visible(&finding.endpoint, 200)) } }
        @match proposed {
            Ok(Proposal { text, expires, findings, exchanges, pairs, .. }) => {
                p.effect { "The rule would have explained " strong { (of(*findings as u64, "finding")) } ", seen in " strong { (of(*exchanges, "exchange")) } " of " (grouped(*pairs)) " at this endpoint, and explains the like of it from now on. What was counted so far is no evidence any more: the gate begins anew." }
                h2 { "It is written into rules.toml" }
                pre tabindex="0" { (visible(text, 4_000)) }
                form.order method="post" action=(format!("/findings/{id}/accept")) {
                    input type="hidden" name="form_token" value=(form_token);
                    @if wish.structure_is_meant { input type="hidden" name="structure_is_meant" value="true"; }
                    (who_and_why("", ""))
                    label { "Until (a day; it explains nothing from then on)" input type="date" name="expires" value=(expires); }
                    div.buttons { button.primary { "Write the rule" } a.button href=(format!("/findings/{id}")) { "No" } }
                }
            }
            Err(NotAccepted::Refused(Refusal::Structural)) => {
                p.effect { (Refusal::Structural.to_string()) }
                form.order method="get" action=(format!("/findings/{id}/accept")) {
                    input type="hidden" name="structure_is_meant" value="true";
                    div.buttons { button { "It is meant: show the rule" } a.button href=(format!("/findings/{id}")) { "Back" } }
                }
            }
            Err(error) => {
                p.effect { "There is no rule for this: " (visible(&error.to_string(), 400)) }
                p { a.button href=(format!("/findings/{id}")) { "Back" } }
            }
        }
    }
}

fn of(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

fn class(class: Option<Class>) -> &'static str {
    class.map_or("nothing", Class::name)
}
