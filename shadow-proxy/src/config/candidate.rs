//! The section `[candidate]`.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use crate::side::candidate::{Instances, Limits};
use crate::side::tls::Trust;

use super::legacy::{origin, read_trust};
use super::reader::Section;
use super::{CandidateConfig, MEBIBYTE};

pub struct Part {
    pub candidate: CandidateConfig,
    pub trust: Trust,
    pub limits: Limits,
    pub connect: Duration,
    pub compiled: Option<PathBuf>,
    pub version: Option<String>,
    pub version_header: Option<HeaderName>,
}

pub fn read(root: &mut Section, body_bytes_max: usize) -> Part {
    let mut section = root.section("candidate");
    let file = section.file("component");
    let url = section.optional("url", "\"http://127.0.0.1:4000\"", origin);
    if file.is_some() && url.is_some() {
        section.wrong(
            "url",
            "stands beside candidate.component: the candidate is one or the other",
            "url = \"http://127.0.0.1:4000\", without component",
        );
    }
    let trust = read_trust(&mut section, url.as_ref());
    let limits = read_limits(&mut section, body_bytes_max);
    let connect = section.millis("connect_ms", 1_000);
    let compiled = section.text("compiled").map(PathBuf::from);
    let version = section.text("version");
    let version_header = section.optional("version_header", "\"x-version\"", |name| {
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| "is no name of a header".to_owned())
    });
    section.close(root);
    let candidate = match (file, url) {
        (Some(file), _) => CandidateConfig::File(file),
        (None, Some(url)) => CandidateConfig::Url(url),
        (None, None) => CandidateConfig::Built,
    };
    Part { candidate, trust, limits, connect, compiled, version, version_header }
}

fn read_limits(section: &mut Section, body_bytes_max: usize) -> Limits {
    Limits {
        instances: section.parsed("instances", "fresh", "\"reuse=1000\"", instances).unwrap_or(Instances::Fresh),
        calls_max: section.number("calls_max", 128, 1..=4_096, "calls") as usize,
        memory_bytes_max: section.number("memory_bytes_max", 16 * MEBIBYTE, MEBIBYTE..=1 << 32, "bytes") as usize,
        deadline: section.millis("deadline_ms", 1_000),
        cpu_max: section.millis("cpu_ms", 250),
        tick: Duration::from_millis(5),
        body_bytes_max,
    }
}

fn instances(text: &str) -> Result<Instances, String> {
    text.parse().map_err(|_: String| "is neither fresh nor reuse=N".to_owned())
}
