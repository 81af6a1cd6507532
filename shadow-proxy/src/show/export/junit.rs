//! JUnit XML: a test case for each endpoint, which fails when one of its findings says that the candidate differs.

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::shadow::noise::Status;
use crate::show::finding::Finding;

use super::{CREATOR, Export, Report};

pub struct Junit;

impl Export for Junit {
    fn export(&self, report: &Report) -> anyhow::Result<String> {
        let mut suite = TestSuite::new("shadow-proxy diffs");
        for endpoint in &report.endpoints {
            let of_endpoint = |finding: &&Finding| finding.endpoint == endpoint.endpoint;
            let findings: Vec<&Finding> = report.findings.iter().filter(of_endpoint).collect();
            let mut case = TestCase::new(endpoint.endpoint.as_str(), outcome(&findings));
            case.set_classname("shadow-proxy");
            case.set_system_out(lines(findings.into_iter().filter(|finding| finding.status != Status::Finding)));
            suite.add_test_case(case);
        }
        let mut document = Document::new(CREATOR.0);
        document.add_test_suite(suite);
        Ok(document.to_string()?)
    }
}

fn outcome(findings: &[&Finding]) -> TestCaseStatus {
    let differ: Vec<&Finding> = findings.iter().filter(|finding| finding.status == Status::Finding).copied().collect();
    let Some(worst) = differ.first() else { return TestCaseStatus::success() };
    let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
    failed.set_type(worst.severity.name());
    failed.set_message(match differ.len() {
        1 => worst.sentence.clone(),
        count => format!("{count} findings, the worst: {}", worst.sentence),
    });
    failed.set_description(lines(differ));
    failed
}

fn lines<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    let line = |finding: &Finding| {
        let Finding { id, severity, count, pairs, sentence, status, .. } = finding;
        format!("#{id} {} ({}), {count} of {pairs}: {sentence}\n", severity.name(), status.name())
    };
    findings.into_iter().map(line).collect()
}
