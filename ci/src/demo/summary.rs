//! What the demo found, for the terminal, as Markdown and as JSON.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::admin::{Finding, Latency, Status};
use crate::table::{Table, grouped, share};

const FINDINGS_SHOWN: usize = 5;

/// A longer curl line, one with a large body, would drown the others on a terminal.
const CURL_CHARS_MAX: usize = 400;

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Summary {
    /// What is broken, as sentences; the demo fails when there is one.
    pub(super) problems: Vec<String>,
    pub(super) requests_sent: u64,
    pub(super) seconds: f64,
    /// How the legacy stub ran.
    pub(super) legacy_stub: String,
    pub(super) status: Status,
    /// The most frequent differences that no rule explains.
    pub(super) findings: Vec<Finding>,
    pub(super) findings_total: usize,
}

impl Summary {
    /// Keeps the most frequent findings of all that the proxy has; a breach comes before what is merely frequent.
    pub(super) fn most_frequent(all: Vec<Finding>) -> (Vec<Finding>, usize) {
        let mut findings: Vec<Finding> =
            all.into_iter().filter(|finding| matches!(&*finding.status, "finding" | "undecided")).collect();
        findings.sort_by_key(|finding| (finding.severity != "breach", Reverse(finding.count)));
        let total = findings.len();
        findings.truncate(FINDINGS_SHOWN);
        (findings, total)
    }

    pub(super) fn text(&self) -> String {
        let tables: Vec<String> = self.tables().iter().map(Table::text).collect();
        let mut text = format!("{}\n{}\n", tables.join("\n"), self.findings_title());
        for finding in &self.findings {
            let Finding { id, endpoint, path, sentence, curl, .. } = finding;
            text += &format!("  #{id} {endpoint}  {path}  {}\n", frequency(finding));
            text += &format!("     {sentence}\n");
            text += &curl.iter().map(|curl| format!("     {}\n", on_terminal(curl))).collect::<String>();
        }
        text
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = format!("# cargo demo: {}\n\n{}\n\n", self.verdict(), self.course());
        for table in self.tables() {
            text += &format!("{}\n", table.markdown());
        }
        text += &format!("## {}\n\n", self.findings_title());
        for finding in &self.findings {
            let Finding { id, endpoint, path, sentence, curl, .. } = finding;
            text += &format!("- #{id} **{endpoint}** `{path}`, {}. {sentence}\n", frequency(finding));
            text += &curl.iter().map(|curl| format!("\n   ```sh\n   {curl}\n   ```\n")).collect::<String>();
        }
        text
    }

    /// One line: fine, or what is broken.
    pub(super) fn verdict(&self) -> String {
        if !self.problems.is_empty() {
            return format!("BROKEN: {}", self.problems.join("; "));
        }
        let (decisions, requests) = (&self.status.decisions, &self.status.requests);
        format!(
            "ok: the accounts add up; of {} compared pairs {} differ in a way no rule knows, {}, {}",
            grouped(requests.compared),
            grouped(self.status.verdicts.mismatch),
            counted(decisions.deny_allow, "breach", "breaches"),
            counted(decisions.allow_deny, "lockout", "lockouts"),
        )
    }

    fn course(&self) -> String {
        format!(
            "{} requests of the contract's mix in {:.0} s. The legacy stub ran {}; the candidate is the embedded component.",
            grouped(self.requests_sent),
            self.seconds,
            self.legacy_stub
        )
    }

    fn tables(&self) -> [Table; 4] {
        [self.accounting(), self.verdicts(), self.decisions(), self.latency()]
    }

    fn accounting(&self) -> Table {
        let requests = &self.status.requests;
        let mut rows = vec![row("received", requests.received), row("= mirrored", requests.mirrored)];
        rows.extend(reasons("+ skipped", &requests.skipped));
        rows.extend(reasons("+ dropped", &requests.dropped));
        rows.push(row("+ being served", requests.serving));
        rows.push(row("mirrored", requests.mirrored));
        rows.push(row("= compared", requests.compared));
        rows.extend(reasons("+ not comparable", &requests.not_comparable));
        rows.push(row("+ on their way", requests.in_flight));
        let holds = if requests.problems().is_empty() { "it adds up" } else { "IT DOES NOT ADD UP" };
        Table { title: format!("Accounting: {holds}"), header: vec!["", "requests"], rows }
    }

    fn verdicts(&self) -> Table {
        let verdicts = &self.status.verdicts;
        let counts = [
            ("match: nothing differs", verdicts.matched),
            ("explained: a rule knows every difference", verdicts.explained),
            ("mismatch: no rule knows some difference", verdicts.mismatch),
        ];
        self.of_compared("Verdicts", &counts)
    }

    fn decisions(&self) -> Table {
        let decisions = &self.status.decisions;
        let counts = [
            ("both allow", decisions.allow_allow),
            ("both deny", decisions.deny_deny),
            ("lockout: legacy allows, the candidate denies", decisions.allow_deny),
            ("breach: legacy denies, the candidate allows", decisions.deny_allow),
            ("other: a side failed or decided nothing", decisions.other),
        ];
        self.of_compared("Decisions", &counts)
    }

    fn of_compared(&self, title: &str, counts: &[(&str, u64)]) -> Table {
        let compared = self.status.requests.compared;
        let cells = |(name, count): &(&str, u64)| vec![(*name).to_owned(), grouped(*count), share(*count, compared)];
        Table { title: title.to_owned(), header: vec!["", "pairs", "share"], rows: counts.iter().map(cells).collect() }
    }

    fn latency(&self) -> Table {
        let cells = |name: &str, latency: &Latency| {
            let figures = [latency.p50_us, latency.p95_us, latency.p99_us].map(duration);
            std::iter::once(name.to_owned()).chain(figures).collect()
        };
        let latency = &self.status.latency;
        let rows = vec![cells("legacy", &latency.legacy), cells("candidate", &latency.candidate)];
        Table { title: "Latency".to_owned(), header: vec!["", "p50", "p95", "p99"], rows }
    }

    fn findings_title(&self) -> String {
        match (self.findings.len(), self.findings_total) {
            (_, 0) => "No findings: a rule explains every difference".to_owned(),
            (shown, total) if shown == total => format!("Findings, by frequency ({total})"),
            (shown, total) => format!("Findings, the {shown} most frequent of {total}"),
        }
    }
}

fn row(name: &str, count: u64) -> Vec<String> {
    vec![name.to_owned(), grouped(count)]
}

/// A row for each reason, or one that says there was none.
fn reasons(name: &str, counts: &BTreeMap<String, u64>) -> Vec<Vec<String>> {
    let seen = counts.iter().filter(|(_, count)| **count > 0);
    let rows: Vec<_> =
        seen.map(|(reason, count)| row(&format!("{name}: {}", reason.replace('_', " ")), *count)).collect();
    if rows.is_empty() { vec![row(name, 0)] } else { rows }
}

fn frequency(finding: &Finding) -> String {
    let Finding { count, pairs, severity, .. } = finding;
    format!("{} of {} pairs, {severity}", grouped(*count), grouped(*pairs))
}

/// Whole or not at all: half a command line would do something else.
fn on_terminal(curl: &str) -> String {
    match curl.chars().count() {
        0..=CURL_CHARS_MAX => curl.to_owned(),
        long => format!("its curl line has {} characters and stands in summary.md", grouped(long as u64)),
    }
}

fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { several })
}

/// Microseconds in the unit that reads well.
fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::tests::sample;

    fn finding(path: &str, status: &str, count: u64) -> Finding {
        Finding {
            id: 7,
            endpoint: "POST /auth/validate".into(),
            path: path.into(),
            status: status.into(),
            severity: "low".into(),
            count,
            pairs: 4990,
            sentence: "Legacy sends `ETag`, the candidate does not.".into(),
            curl: Some("curl -i -X POST http://127.0.0.1:8080/auth/validate".into()),
        }
    }

    fn summary() -> Summary {
        let (findings, findings_total) = Summary::most_frequent(vec![finding("header.etag", "finding", 1234)]);
        Summary {
            problems: Vec::new(),
            requests_sent: 5000,
            seconds: 21.4,
            legacy_stub: "in a container (podman, runc)".into(),
            status: sample(),
            findings,
            findings_total,
        }
    }

    #[test]
    fn the_five_most_frequent_findings_are_kept() {
        let mut all: Vec<Finding> = (1..=7).map(|count| finding("header.etag", "finding", count)).collect();
        all.push(finding("header.date", "explained", 100));
        let (kept, total) = Summary::most_frequent(all);
        assert_eq!(kept.iter().map(|finding| finding.count).collect::<Vec<_>>(), [7, 6, 5, 4, 3]);
        assert_eq!(total, 7);

        let breach = Finding { severity: "breach".into(), ..finding("decision", "finding", 1) };
        let (kept, _) = Summary::most_frequent(vec![finding("header.etag", "finding", 9), breach]);
        assert_eq!(kept.iter().map(|finding| finding.path.as_str()).collect::<Vec<_>>(), ["decision", "header.etag"]);
    }

    #[test]
    fn a_finding_without_a_kept_exchange_has_no_curl_line() {
        let explained = r#"[{"id":1,"endpoint":"GET /healthz","path":"header.etag","status":"explained","severity":"low","count":9,
            "pairs":9,"sentence":"only legacy sends it","curl":null}]"#;
        let mut summary = Summary { findings: serde_json::from_str(explained).unwrap(), ..summary() };
        assert!(!summary.text().contains("curl") && !summary.markdown().contains("curl"));
        summary.findings[0].curl = Some("curl -i".into());
        assert!(summary.text().contains("     curl -i\n"));
        summary.findings[0].curl = Some("x".repeat(6_000));
        assert!(summary.text().contains("     its curl line has 6,000 characters and stands in summary.md\n"));
        assert!(summary.markdown().contains(&"x".repeat(6_000)));
    }

    #[test]
    fn a_latency_reads_well() {
        assert_eq!([0, 999, 1_000, 12_449, 2_500_000].map(duration), ["0 µs", "999 µs", "1.0 ms", "12.4 ms", "2.5 s"]);
    }

    #[test]
    fn the_verdict_is_one_line() {
        let mut summary = summary();
        assert_eq!(
            summary.verdict(),
            "ok: the accounts add up; of 4,990 compared pairs 1,000 differ in a way no rule knows, 0 breaches, 3 lockouts"
        );
        summary.problems = vec!["1 breach".into(), "2 wrong answers".into()];
        assert_eq!(summary.verdict(), "BROKEN: 1 breach; 2 wrong answers");
    }

    #[test]
    fn the_summary_on_a_terminal() {
        insta::assert_snapshot!(summary().text(), @r"
        Accounting: it adds up
                                                requests
          received                                 5,012
          = mirrored                               5,000
          + skipped: body too large                    8
          + skipped: upgrade                           2
          + dropped: queue full                        2
          + being served                               0
          mirrored                                 5,000
          = compared                               4,990
          + not comparable: candidate deadline        10
          + on their way                               0

        Verdicts
                                                    pairs   share
          match: nothing differs                      990  19.8 %
          explained: a rule knows every difference  3,000  60.1 %
          mismatch: no rule knows some difference   1,000  20.0 %

        Decisions
                                                        pairs   share
          both allow                                    2,000  40.1 %
          both deny                                     2,500  50.1 %
          lockout: legacy allows, the candidate denies      3   0.1 %
          breach: legacy denies, the candidate allows       0   0.0 %
          other: a side failed or decided nothing         487   9.8 %

        Latency
                        p50     p95      p99
          legacy     431 µs  1.2 ms  12.4 ms
          candidate   38 µs   61 µs   140 µs

        Findings, by frequency (1)
          #7 POST /auth/validate  header.etag  1,234 of 4,990 pairs, low
             Legacy sends `ETag`, the candidate does not.
             curl -i -X POST http://127.0.0.1:8080/auth/validate
        ");
    }

    #[test]
    fn the_summary_as_markdown() {
        insta::assert_snapshot!(summary().markdown(), @r"
        # cargo demo: ok: the accounts add up; of 4,990 compared pairs 1,000 differ in a way no rule knows, 0 breaches, 3 lockouts

        5,000 requests of the contract's mix in 21 s. The legacy stub ran in a container (podman, runc); the candidate is the embedded component.

        ## Accounting: it adds up

        |  | requests |
        | --- | ---: |
        | received | 5,012 |
        | = mirrored | 5,000 |
        | + skipped: body too large | 8 |
        | + skipped: upgrade | 2 |
        | + dropped: queue full | 2 |
        | + being served | 0 |
        | mirrored | 5,000 |
        | = compared | 4,990 |
        | + not comparable: candidate deadline | 10 |
        | + on their way | 0 |

        ## Verdicts

        |  | pairs | share |
        | --- | ---: | ---: |
        | match: nothing differs | 990 | 19.8 % |
        | explained: a rule knows every difference | 3,000 | 60.1 % |
        | mismatch: no rule knows some difference | 1,000 | 20.0 % |

        ## Decisions

        |  | pairs | share |
        | --- | ---: | ---: |
        | both allow | 2,000 | 40.1 % |
        | both deny | 2,500 | 50.1 % |
        | lockout: legacy allows, the candidate denies | 3 | 0.1 % |
        | breach: legacy denies, the candidate allows | 0 | 0.0 % |
        | other: a side failed or decided nothing | 487 | 9.8 % |

        ## Latency

        |  | p50 | p95 | p99 |
        | --- | ---: | ---: | ---: |
        | legacy | 431 µs | 1.2 ms | 12.4 ms |
        | candidate | 38 µs | 61 µs | 140 µs |

        ## Findings, by frequency (1)

        - #7 **POST /auth/validate** `header.etag`, 1,234 of 4,990 pairs, low. Legacy sends `ETag`, the candidate does not.

           ```sh
           curl -i -X POST http://127.0.0.1:8080/auth/validate
           ```
        ");
    }
}
