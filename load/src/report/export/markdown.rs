//! The report as Markdown: for a pull request or a wiki. Pictures are only in the HTML.

use super::{Exporter, METHOD, moment, side_title, value_range, verdict_words};
use crate::claims::{ClaimShown, Judged};
use crate::cost::{Cost, break_even, pays_back};
use crate::report::contents::{Decision, MemorySide, Ratio, Report, RungShown};
use crate::shown::{bytes, count, figure, rate_of, time, usd_range};

pub(super) struct Markdown;

impl Exporter for Markdown {
    fn extension(&self) -> &'static str {
        "md"
    }

    fn export(&self, report: &Report) -> String {
        let parts = [
            head(report),
            report.decision.as_ref().map(decision).unwrap_or_default(),
            ratios(&report.ratios),
            latency(report),
            report.cold.as_ref().map(|cold| cold_starts(&cold.rungs)).unwrap_or_default(),
            report.memory.as_ref().map(|memory| memory_of(&memory.sides)).unwrap_or_default(),
            report.cost.as_ref().map(cost).unwrap_or_default(),
            claims(&report.claims),
            method(report),
        ];
        parts.concat()
    }
}

fn head(report: &Report) -> String {
    let mut text = format!("# Before and after\n\n{}\n\n", moment(report.made_at_ms));
    if !report.standing.quotable {
        text += "**Not to be quoted:**\n\n";
        text += &list(&report.standing.reasons);
    }
    text += &list(&report.sentences);
    text
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    items.iter().map(|item| format!("- {}\n", escaped(item))).collect::<String>() + "\n"
}

fn decision(decision: &Decision) -> String {
    let (_, word) = verdict_words(Some(&decision.verdict));
    format!("## May traffic move? {word}\n\n") + &list(&decision.reasons)
}

fn ratios(ratios: &[Ratio]) -> String {
    let row = |ratio: &Ratio| {
        let shown = |range: Option<_>| range.map_or("-".to_owned(), |range| value_range(&ratio.unit, range));
        let title =
            if ratio.like_for_like { ratio.title.clone() } else { format!("{} (not like for like)", ratio.title) };
        vec![title, side_title(&ratio.side).to_owned(), shown(ratio.legacy), shown(ratio.value), ratio.words.clone()]
    };
    table(
        "How many times better than legacy",
        &["figure", "side", "legacy", "side's", "times better"],
        ratios.iter().map(row),
    )
}

fn latency(report: &Report) -> String {
    let rows = report.latency.iter().map(|side| {
        let at = |quantile: f64| {
            let near = side.points.iter().find(|point| (point.quantile - quantile).abs() < 1e-9);
            near.map_or("too few answers".to_owned(), |point| time(point.us))
        };
        vec![side_title(&side.side).to_owned(), count(side.answers as f64), at(0.9), at(0.99), at(0.999), at(0.9999)]
    });
    table("Response time, all runs together", &["side", "answers", "90 %", "99 %", "99.9 %", "99.99 %"], rows)
}

fn cold_starts(rungs: &[RungShown]) -> String {
    let row = |rung: &RungShown| {
        let median =
            rung.median_ms.map(|ms| format!("{} ({} to {})", figure(ms.estimate), figure(ms.low), figure(ms.high)));
        let p95 = rung.p95_ms.map_or("-".to_owned(), figure);
        let median = median.or(rung.left_out.clone()).unwrap_or("too few".to_owned());
        vec![
            rung.step.clone().unwrap_or_default(),
            rung.sentence.clone(),
            rung.starts_ms.len().to_string(),
            median,
            p95,
        ]
    };
    table("Start to first correct answer, ms", &["rung", "what", "starts", "median", "95 %"], rungs.iter().map(row))
}

fn memory_of(sides: &[MemorySide]) -> String {
    let row = |side: &MemorySide| {
        let shown = |value: Option<u64>| value.map_or("-".to_owned(), |value| bytes(value as f64));
        let each = side.line.as_ref().map_or("-".to_owned(), |line| bytes(line.each_bytes));
        vec![
            side_title(&side.side).to_owned(),
            shown(side.idle.rss_bytes),
            shown(side.idle.pss_bytes),
            shown(side.loaded.rss_bytes_peak),
            shown(side.loaded.cgroup_bytes_peak),
            each,
        ]
    };
    let head = ["side", "RSS idle", "PSS idle", "RSS peak", "cgroup peak", "one more process"];
    table("Memory", &head, sides.iter().map(row))
}

fn cost(cost: &Cost) -> String {
    let rows = cost.platforms.iter().flat_map(|platform| {
        platform.rates.iter().map(|at| {
            let shown = |priced: &Option<crate::cost::Priced>| {
                priced.as_ref().map_or("-".to_owned(), |priced| usd_range(priced.usd_per_month))
            };
            let saved = at.saved_usd_per_month.map_or("-".to_owned(), usd_range);
            vec![platform.title.clone(), count(at.rate), shown(&at.legacy), shown(&at.candidate), saved]
        })
    });
    let left_out = cost
        .platforms
        .iter()
        .filter_map(|platform| platform.left_out.as_ref().map(|why| format!("{} is left out: {why}", platform.title)));
    let told = cost.break_even.iter().map(break_even).chain(cost.payback.iter().map(pays_back));
    let notes: Vec<String> = cost.notes.iter().cloned().chain(left_out).chain(told).collect();
    let title = format!("USD a month (savings are told at {})", rate_of(cost.rate_main));
    table(&title, &["platform", "requests/s", "legacy", "component", "saved"], rows) + &list(&notes)
}

fn claims(claims: &[ClaimShown]) -> String {
    let row = |claim: &ClaimShown| {
        let ours = claim.figures.iter().map(|figure| {
            let ours = figure.ours.map_or("not measured".to_owned(), |range| value_range(&claim.unit, range));
            format!("{} {ours}", side_title(&figure.side))
        });
        let verdict = super::judged_words(claim.reproduced);
        vec![claim.title.clone(), ours.collect::<Vec<_>>().join("; "), verdict.to_owned(), claim.why.clone()]
    };
    let reproduced = claims.iter().filter(|claim| claim.reproduced == Judged::Yes).count();
    let title = format!("Published figures beside ours ({reproduced} of {} reproduced)", claims.len());
    table(&title, &["claim", "ours", "reproduced", "why"], claims.iter().map(row))
}

fn method(report: &Report) -> String {
    let mut text = "## Method\n\n".to_owned() + &list(&METHOD.map(str::to_owned));
    let rows = report
        .sources
        .iter()
        .map(|source| vec![source.file.clone(), bytes(source.bytes as f64), source.sha256.clone()]);
    text += &table("Made of", &["file", "size", "SHA-256"], rows);
    text
}

/// Empty without rows.
fn table(title: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line =
        |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "));
    let body: String = rows.map(|row| line(&row)).collect();
    if body.is_empty() {
        return String::new();
    }
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    format!("## {title}\n\n{}|{}\n{body}\n", line(&head), "---|".repeat(head.len()))
}

/// What Markdown or HTML would take for its own.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_would_break_the_table_is_escaped() {
        let text = table("t", &["a"], [vec!["x|y<b>\nz".to_owned()]].into_iter());
        insta::assert_snapshot!(text, @r"
        ## t

        | a |
        |---|
        | x\|y&lt;b> z |
        ");
    }

    #[test]
    fn all_parts_are_there_and_a_report_of_nothing_says_so() {
        let text = Markdown.export(&sample::report());
        for title in [
            "# Before and after",
            "- Speed:",
            "## May traffic move? Go",
            "## How many times",
            "## Start to",
            "## Memory",
            "## USD",
            "## Published",
        ] {
            assert!(text.contains(title), "{title} is not in\n{text}");
        }
        let nothing = Markdown.export(&sample::report_of(&crate::measured::Measured::default()));
        assert!(nothing.contains("**Not to be quoted:**") && nothing.contains("run `cargo load compare`"), "{nothing}");
    }
}
