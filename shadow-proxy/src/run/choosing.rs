//! What chooses the side of a call, as the configuration says.

use std::sync::Arc;

use anyhow::Context as _;

use crate::config::ChoiceConfig;
use crate::metrics::Metrics;
use crate::serve::carried::Values;
use crate::serve::families::Families;
use crate::serve::identity::Identity;
use crate::serve::route::Choice;
use crate::serve::testers::Testers;
use crate::shadow::session::SessionLimits;

use super::judging::NO_RANDOMNESS;

pub fn choice(config: &ChoiceConfig, sessions: &SessionLimits, metrics: &Arc<Metrics>) -> anyhow::Result<Choice> {
    let ChoiceConfig { hash_key, sticky, sticky_values_max, testers } = config;
    let identity = Identity::new(sticky.clone(), key(hash_key));
    let values = Values::new(identity.headers().cloned().collect()).context(NO_RANDOMNESS)?;
    let families = (*sticky_values_max > 0).then(|| Families::new(*sticky_values_max, sessions.ttl, metrics.clone()));
    let testers = testers.as_ref().map(|(header, token_file)| Testers::read(header.clone(), token_file));
    Ok(Choice { identity, values, families, is_shared: sessions.is_shared, testers: testers.transpose()? })
}

/// 128 bits of the configured text: the same on every replica and after every restart.
fn key(text: &str) -> [u8; 16] {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(text);
    std::array::from_fn(|index| digest[index])
}
