//! What the records are about, and what earlier runs left in them.

use std::collections::HashMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::clock::now_ms;
use crate::config::{CandidateConfig, Config};
use crate::keys::{Sources, Tokens};
use crate::shadow::record::{Origin, Store};
use crate::shadow::rules::Day;

use super::candidate::{built, component};

/// Of another candidate, or of one that was told to decide otherwise, the records begin anew, and by other rules their
/// evidence does.
pub fn origin(config: &Config) -> anyhow::Result<Origin> {
    let mut build = match &config.candidate {
        CandidateConfig::Url(url) => digest(url.to_string().as_bytes()),
        CandidateConfig::File(file) => digest(&component(file)?),
        CandidateConfig::Built => digest(built(config)),
    };
    if let Some(auth) = &config.auth {
        build = digest(format!("{build} {}", settings(auth)).as_bytes());
    }
    Ok(Origin { build, rules: config.comparer.digest(Day::of_ms(now_ms())) })
}

/// For how many calls of each endpoint legacy was asked twice.
pub fn aa_pairs(data: &Path) -> anyhow::Result<HashMap<String, u64>> {
    let endpoints = Store::open(data)?.endpoints()?;
    Ok(endpoints.into_iter().map(|count| (count.endpoint, count.aa_pairs)).collect())
}

/// What a component is told that changes its answers. Keys are not: they come and go.
fn settings(auth: &Sources) -> String {
    let issuers: Vec<&Tokens> = auth.issuers.iter().map(|issuer| &issuer.tokens).collect();
    let endpoint = auth.introspection.as_ref().map(|introspection| &introspection.endpoint);
    serde_json::to_string(&(&auth.parity, issuers, endpoint)).expect("texts and numbers can be written")
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::{Overrides, parse};

    use super::*;

    #[test]
    fn a_candidate_that_is_told_to_decide_otherwise_is_another() {
        let build = |auth: &str| {
            let files = "keys = \"Cargo.toml\"\npeppers = \"Cargo.toml\"";
            let toml = format!("legacy.url = \"http://127.0.0.1:1\"\n[auth]\n{files}\n{auth}");
            origin(&parse(&toml, &Overrides::new()).unwrap_or_else(|wrong| panic!("{wrong:?}"))).unwrap().build
        };
        assert_eq!(build(""), build(""));
        assert_ne!(build(""), build("parity = [\"etag\"]"));
    }
}
