//! What chooses the side of a call, as the configuration says.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::config::{ChoiceConfig, Config};
use crate::keys::disk;
use crate::metrics::Metrics;
use crate::random;
use crate::serve::carried::Values;
use crate::serve::families::Families;
use crate::serve::identity::Identity;
use crate::serve::route::Choice;
use crate::serve::testers::Testers;
use crate::shadow::session::SessionLimits;

use super::judging::NO_RANDOMNESS;

/// The choice by the key that is configured, or kept, or drawn now.
///
/// # Errors
/// A file cannot be read or made.
pub fn drawn(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Choice> {
    let choice_config = &config.shift.choice;
    choice(choice_config, hash_key(choice_config, &config.data)?, &config.stateful.sessions, metrics)
}

pub fn choice(
    config: &ChoiceConfig,
    hash_key: [u8; 16],
    sessions: &SessionLimits,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Choice> {
    let ChoiceConfig { hash_key: _, sticky, sticky_values_max, testers } = config;
    let identity = Identity::new(sticky.clone(), hash_key);
    let values = Values::new(identity.headers().cloned().collect()).context(NO_RANDOMNESS)?;
    let families = (*sticky_values_max > 0).then(|| Families::new(*sticky_values_max, sessions.ttl, metrics.clone()));
    let testers = testers.as_ref().map(|(header, token_file)| Testers::read(header.clone(), token_file));
    Ok(Choice { identity, values, families, is_shared: sessions.is_shared, testers: testers.transpose()? })
}

/// The key that draws the clients: whoever knows it can work out who is served by which side, so it is random where
/// nobody configured one.
///
/// # Errors
/// Its file cannot be read or made, or others may read it.
fn hash_key(config: &ChoiceConfig, data: &Path) -> anyhow::Result<[u8; 16]> {
    if let Some(known) = known_hash_key(config, data)? {
        return Ok(known);
    }
    let key: [u8; 16] = random::key().context(NO_RANDOMNESS)?;
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect();
    disk::replace(&data.join(HASH_KEY_FILE), text.as_bytes())?;
    tracing::info!(
        "drew a new {HASH_KEY_FILE}, which says who is served by which side; give replicas the same as shift.hash_key"
    );
    Ok(key)
}

/// The same where it is known already; makes no file.
///
/// # Errors
/// Its file cannot be read, or others may read it.
pub fn known_hash_key(config: &ChoiceConfig, data: &Path) -> anyhow::Result<Option<[u8; 16]>> {
    if let Some(text) = &config.hash_key {
        return Ok(Some(hash_key_of(text)));
    }
    let path = data.join(HASH_KEY_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let text = disk::read_secret(file, &path, HASH_KEY_BYTES_MAX)?;
    let text = std::str::from_utf8(&text).unwrap_or_default().trim();
    parse(text).map(Some).with_context(|| {
        format!(
            "{} holds no key of 32 hexadecimal digits; restore it, or delete it to draw all clients anew",
            path.display()
        )
    })
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let is_key = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_key.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}

const HASH_KEY_FILE: &str = "hash.key";
const HASH_KEY_BYTES_MAX: u64 = 1_024;

/// A file's key as it is, so that replicas may share one by copying it; of any other text 128 bits.
fn hash_key_of(text: &str) -> [u8; 16] {
    if let Some(key) = parse(text) {
        return key;
    }
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(text);
    std::array::from_fn(|index| digest[index])
}
