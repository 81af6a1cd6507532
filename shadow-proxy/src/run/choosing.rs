//! What chooses the side of a call, as the configuration says.

use std::sync::Arc;

use anyhow::Context as _;

use crate::config::ChoiceConfig;
use crate::metrics::Metrics;
use crate::serve::families::Families;
use crate::serve::identity::Identity;
use crate::serve::route::Choice;
use crate::serve::testers::Testers;

pub fn choice(config: &ChoiceConfig, metrics: &Arc<Metrics>) -> anyhow::Result<Choice> {
    let ChoiceConfig { hash_key, sticky, sticky_values_max, testers } = config;
    let identity = Identity::new(sticky.clone(), key(hash_key));
    let families = (*sticky_values_max > 0).then(|| {
        let headers = identity.headers().cloned().collect();
        Families::new(*sticky_values_max, headers, metrics.clone()).context("the system has no randomness for keys")
    });
    let testers = testers.as_ref().map(|(header, token_file)| Testers::read(header.clone(), token_file));
    Ok(Choice { identity, families: families.transpose()?, testers: testers.transpose()? })
}

/// 128 bits of the configured text: the same on every replica and after every restart.
fn key(text: &str) -> [u8; 16] {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(text);
    std::array::from_fn(|index| digest[index])
}
