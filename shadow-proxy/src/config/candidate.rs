//! The section `[candidate]`.

use std::path::PathBuf;
use std::time::Duration;

use crate::side::candidate::{Instances, Limits};

use super::reader::Section;
use super::{CandidateConfig, MEBIBYTE, any_origin};

pub struct Part {
    pub candidate: CandidateConfig,
    pub limits: Limits,
    pub connect: Duration,
    pub compiled: Option<PathBuf>,
}

pub fn read(root: &mut Section, body_bytes_max: usize) -> Part {
    let mut section = root.section("candidate");
    let file = section.file("component");
    let url = section.optional("url", "\"http://127.0.0.1:4000\"", any_origin);
    if file.is_some() && url.is_some() {
        section.wrong(
            "url",
            "stands beside candidate.component: the candidate is one or the other",
            "url = \"http://127.0.0.1:4000\", without component",
        );
    }
    let limits = read_limits(&mut section, body_bytes_max);
    let connect = section.millis("connect_ms", 1_000);
    let compiled = section.text("compiled").map(PathBuf::from);
    section.close(root);
    let candidate = match (file, url) {
        (Some(file), _) => CandidateConfig::File(file),
        (None, Some(url)) => CandidateConfig::Url(url),
        (None, None) => CandidateConfig::Built,
    };
    Part { candidate, limits, connect, compiled }
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
