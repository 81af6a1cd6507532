//! The list of findings: by severity, the worst first.

use maud::{Markup, html};

use super::figures::{self, grouped, percent, visible};
use crate::exchange::Severity;
use crate::shadow::noise::Status;
use crate::show::finding::{Finding, Trend};

/// On the first page.
pub const FIRST_MAX: usize = 50;
/// On each page of all.
pub const PAGE_MAX: usize = 200;

/// What asks for something to be done.
pub fn is_open(finding: &Finding) -> bool {
    matches!(finding.status, Status::Finding | Status::Undecided)
}

/// For the first page: what is open.
pub fn region(findings: &[Finding]) -> Markup {
    let open: Vec<&Finding> = findings.iter().filter(|finding| is_open(finding)).collect();
    let others = findings.len() - open.len();
    html! {
        p.sum data-replace="" { (sum(&open)) "; " a href="/findings" { "all " (grouped(findings.len() as u64)) } @if others > 0 { ", of which " (grouped(others as u64)) " are explained or legacy's own noise" } "." }
        div.box.scroll tabindex="0" role="region" aria-label="Open findings" {
            @if open.is_empty() { p.empty { span.good { "✓" } " Nothing differs that no rule explains." } }
            @else { (table(&open[..open.len().min(FIRST_MAX)])) }
        }
        p.after {
            @if open.len() > FIRST_MAX { a href="/findings?show=open" { (grouped((open.len() - FIRST_MAX) as u64)) " more, less severe" } }
        }
    }
}

/// One page of all of them.
pub fn page(findings: &[Finding], show: Show, number: usize) -> Markup {
    let chosen: Vec<&Finding> = findings.iter().filter(|finding| show.has(finding)).collect();
    let pages = chosen.len().div_ceil(PAGE_MAX).max(1);
    let number = number.clamp(1, pages);
    let from = (number - 1) * PAGE_MAX;
    let link = |page: usize| format!("/findings?show={}&page={page}", show.name());
    html! {
        h1 { "Findings" }
        nav.tabs aria-label="Which findings" {
            @for other in Show::ALL {
                a href=(format!("/findings?show={}", other.name())) aria-current=[(other == show).then_some("page")] {
                    (other.words()) " " span.quiet { (findings.iter().filter(|finding| other.has(finding)).count()) }
                }
            }
        }
        @if chosen.is_empty() { p.empty { "None." } }
        @else {
            div.scroll tabindex="0" role="region" aria-label="Findings" { (table(&chosen[from..chosen.len().min(from + PAGE_MAX)])) }
        }
        @if pages > 1 {
            nav.tabs aria-label="Pages" {
                @if number > 1 { a href=(link(number - 1)) { "← worse" } }
                span { "page " (number) " of " (pages) }
                @if number < pages { a href=(link(number + 1)) { "less severe →" } }
            }
        }
    }
}

/// Which findings are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Show {
    All,
    Open,
    Explained,
    Noise,
}

impl Show {
    const ALL: [Show; 4] = [Show::All, Show::Open, Show::Explained, Show::Noise];

    pub fn named(name: &str) -> Option<Show> {
        Show::ALL.into_iter().find(|show| show.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Show::All => "all",
            Show::Open => "open",
            Show::Explained => "explained",
            Show::Noise => "noise",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Show::All => "All",
            Show::Open => "Open",
            Show::Explained => "Explained by a rule",
            Show::Noise => "Legacy's own noise",
        }
    }

    fn has(self, finding: &Finding) -> bool {
        match self {
            Show::All => true,
            Show::Open => is_open(finding),
            Show::Explained => finding.status == Status::Explained,
            Show::Noise => finding.status == Status::Noise,
        }
    }
}

/// The findings in the order given, those of one severity under one heading.
fn table(findings: &[&Finding]) -> Markup {
    html! {
        table.findings {
            caption.hidden { "Findings, the worst first" }
            thead { tr {
                th scope="col" { "finding" } th.number scope="col" { "seen" } th.number scope="col" { "of requests" }
                th.wide scope="col" { "24 hours" } th.wide scope="col" { "last seen (UTC)" }
            } }
            @for group in findings.chunk_by(|a, b| group(a) == group(b)) {
                tbody {
                    tr.group { th colspan="5" scope="rowgroup" { (heading(group[0])) " " span.quiet { (group.len()) } } }
                    @for finding in group { (row(finding)) }
                }
            }
        }
    }
}

fn group(finding: &Finding) -> (Status, Severity) {
    (finding.status, finding.severity)
}

fn heading(finding: &Finding) -> Markup {
    html! {
        (severity(finding.severity))
        @match finding.status {
            Status::Finding => {}
            Status::Undecided => { " undecided: too little is known about how legacy differs from itself" }
            Status::Noise => { " legacy differs from itself in the same way" }
            Status::Explained => { " explained by a rule" }
        }
    }
}

fn row(finding: &Finding) -> Markup {
    let Finding { id, endpoint, sentence, count, pairs, upper_bound, last_seen_ms, rule, .. } = finding;
    html! {
        tr data-key=(id) {
            td.what {
                a href=(format!("/findings/{id}")) { (figures::sentence(sentence, SENTENCE_MAX)) }
                small { (visible(endpoint, SENTENCE_MAX)) @if let Some(rule) = rule { " · " (visible(rule, SENTENCE_MAX)) } }
            }
            td.number { (grouped(*count)) }
            td.number title=(format!("seen in {} of {}", grouped(*count), grouped(*pairs))) { "≤ " (percent(*upper_bound)) }
            td.wide { (trend(finding)) }
            td.wide { (figures::moment(*last_seen_ms)) }
        }
    }
}

/// A day of counts as bars, and in a word.
pub fn trend(finding: &Finding) -> Markup {
    let most = finding.hours.iter().copied().max().unwrap_or(0).max(1);
    let word = match finding.trend {
        Trend::New => "new",
        Trend::Rising => "rising",
        Trend::Steady => "steady",
        Trend::Falling => "falling",
    };
    let bar = |(index, count): (usize, &u64)| {
        let height = if *count == 0 { 0 } else { (count * 14).div_ceil(most).max(2) };
        format!("M{} 15v-{height}", index * 3 + 1)
    };
    let bars: String = finding.hours.iter().enumerate().map(bar).collect();
    html! { svg.bars viewBox="0 0 72 16" aria-hidden="true" { path d=(bars) {} } " " span.trend { (word) } }
}

/// A sign, a word and a colour.
pub fn severity(severity: Severity) -> Markup {
    let sign = match severity {
        Severity::Breach => "▲",
        Severity::Lockout => "■",
        Severity::High => "◆",
        Severity::Low => "●",
    };
    html! { span.severity.(severity.name()) { span aria-hidden="true" { (sign) } " " (severity.name()) } }
}

fn sum(open: &[&Finding]) -> String {
    let of = |severity: Severity| open.iter().filter(|finding| finding.severity == severity).count();
    let part = |(severity, one, many): (Severity, &str, &str)| match of(severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        several => Some(format!("{several} {many}")),
    };
    let parts = [
        (Severity::Breach, "breach", "breaches"),
        (Severity::Lockout, "lockout", "lockouts"),
        (Severity::High, "of high severity", "of high severity"),
        (Severity::Low, "of low severity", "of low severity"),
    ];
    match parts.into_iter().filter_map(part).collect::<Vec<_>>() {
        parts if parts.is_empty() => "Nothing open".to_owned(),
        parts => format!("Open: {}", parts.join(", ")),
    }
}

const SENTENCE_MAX: usize = 160;
