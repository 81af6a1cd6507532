//! The report as one page: no script, nothing from elsewhere, for screen and paper, light and dark.

mod table;

mod first;

mod speed;

mod size;

mod money;

mod record;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Exporter, moment};
use crate::report::contents::Report;

pub(super) struct Html;

impl Exporter for Html {
    fn extension(&self) -> &'static str {
        "html"
    }

    fn export(&self, report: &Report) -> String {
        page(report).into_string()
    }
}

fn page(report: &Report) -> Markup {
    let parts = [
        ("speed", "Speed", speed::part(report)),
        ("size", "Size", size::part(report)),
        ("money", "Money", money::part(report)),
        ("evidence", "Evidence of equivalence", record::evidence(report)),
        ("claims", "Published figures beside ours", record::claims(report)),
        ("baseline", "Since the baseline", record::baseline(report)),
        ("method", "How this was measured", record::method(report)),
        ("data", "Runs and raw data", record::data(report)),
    ];
    let parts: Vec<_> = parts.into_iter().filter_map(|(id, title, part)| part.map(|part| (id, title, part))).collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Nothing is loaded, whoever embeds the page.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="color-scheme" content="light dark";
                title { "Before and after, " (moment(report.made_at_ms)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (first::part(report))
                    nav aria-label="Contents" { ol { @for (id, title, _) in &parts { li { a href={ "#" (id) } { (title) } } } } }
                    @for (id, title, part) in &parts {
                        section id=(id) aria-labelledby={ (id) "-title" } {
                            h2 id={ (id) "-title" } { (title) }
                            (part)
                        }
                    }
                }
            }
        }
    }
}

const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::Measured;
    use crate::report::sample;

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_no_script() {
        let page = Html.export(&sample::report());
        for loading in ["<script", "src=", "@import", "url(", "<link", "<iframe", "javascript:", " onload", " onclick"]
        {
            assert!(!page.contains(loading), "{loading}");
        }
        let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains("href=\"http"), "a link leads away");
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
    }

    #[test]
    fn every_picture_has_a_title_a_description_and_its_data() {
        let page = Html.export(&sample::report());
        let pictures = page.matches("<svg ").count();
        assert!(pictures >= 10, "{pictures}");
        assert_eq!(page.matches("<title>").count(), pictures + 1);
        assert_eq!(page.matches("<desc>").count(), pictures);
        let figures = page.matches("<figure>").count();
        assert_eq!(page.matches("<summary>Data</summary>").count(), figures);
        assert_eq!(pictures, figures + 3, "four panels share the data of a timeline");
        assert!(!page.contains("NaN") && !page.contains("inf\""));
    }

    #[test]
    fn a_report_that_may_not_be_quoted_has_no_headline() {
        let page = Html.export(&sample::report_of(&Measured::default()));
        assert!(page.contains("Not to be quoted") && page.contains("cargo load compare"));
        assert!(!page.contains("class=\"sentences\""));
        let mut short = sample::measured();
        if let Some(compare) = &mut short.compare {
            compare.head.short = true;
        }
        let page = Html.export(&sample::report_of(&short));
        assert!(page.contains("Good for a look, not for a claim") && !page.contains("class=\"sentences\""));
    }

    #[test]
    fn what_it_was_given_is_shown_and_not_obeyed() {
        let mut report = sample::report();
        report.sides[0].spec = "process:<img src=x>".to_owned();
        report.standing.reasons.push("<b>bold</b>".to_owned());
        report.standing.quotable = false;
        let page = Html.export(&report);
        assert!(!page.contains("<img") && !page.contains("<b>bold"));
    }
}
