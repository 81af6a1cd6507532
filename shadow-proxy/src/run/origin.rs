//! What the records are about, and what earlier runs left in them.

use std::collections::HashMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::clock::now_ms;
use crate::config::{CandidateConfig, Config};
use crate::shadow::record::{Origin, Store};
use crate::shadow::rules::Day;

use super::candidate::{built, component};

/// Of another candidate the records begin anew, and by other rules their evidence does.
pub fn origin(config: &Config) -> anyhow::Result<Origin> {
    let build = match &config.candidate {
        CandidateConfig::Url(url) => digest(url.to_string().as_bytes()),
        CandidateConfig::File(file) => digest(&component(file)?),
        CandidateConfig::Built => digest(built(config)),
    };
    Ok(Origin { build, rules: config.comparer.digest(Day::of_ms(now_ms())) })
}

/// For how many calls of each endpoint legacy was asked twice.
pub fn aa_pairs(data: &Path) -> anyhow::Result<HashMap<String, u64>> {
    let endpoints = Store::open(data)?.endpoints()?;
    Ok(endpoints.into_iter().map(|count| (count.endpoint, count.aa_pairs)).collect())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
