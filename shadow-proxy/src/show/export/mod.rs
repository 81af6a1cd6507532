//! Findings for other programs: one file for each format.

mod har;
mod json;
mod junit;
mod sarif;

use clap::ValueEnum;

use crate::shift::evidence::EndpointCount;

use super::finding::Finding;

/// What there is to export. Everything in it is redacted.
pub struct Report {
    pub endpoints: Vec<EndpointCount>,
    /// With all their samples.
    pub findings: Vec<Finding>,
}

pub trait Export {
    fn export(&self, report: &Report) -> anyhow::Result<String>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// All there is, for programs of your own
    Json,
    /// For CI: a test case for each endpoint, which fails when it has findings
    Junit,
    /// SARIF 2.1.0, for tools that track findings
    Sarif,
    /// HAR 1.2 of the sample exchanges, for network viewers
    Har,
}

impl Format {
    pub fn exporter(self) -> &'static dyn Export {
        match self {
            Format::Json => &json::Json,
            Format::Junit => &junit::Junit,
            Format::Sarif => &sarif::Sarif,
            Format::Har => &har::Har,
        }
    }
}

const CREATOR: (&str, &str) = ("shadow-proxy", env!("CARGO_PKG_VERSION"));
