//! API keys from records in a bucket.

use super::{Bucket, Settings};
use crate::api_key::{ApiKey, Record, check, digest_hex};
use crate::grant::{Grant, Keys, Origin, StoreUnavailable};

#[derive(Clone, Copy)]
pub struct StoreKeys<'a> {
    pub bucket: &'a dyn Bucket,
    pub settings: &'a Settings,
}

impl Keys for StoreKeys<'_> {
    fn find(&self, key: &[u8], now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        let record = match ApiKey::parse(key) {
            Ok(own) => self.record(own.id())?,
            Err(_) => self.old_record(key)?,
        };
        // Also without a record: the time must not tell which ids exist.
        let standing = check(key, record.as_ref(), self.settings, now).map_err(|_| StoreUnavailable)?;
        Ok(standing.ok().map(|accepted| grant(accepted.record)))
    }

    fn are_ready(&self) -> bool {
        // Whether there is one of this name does not matter, whether the store says so does.
        self.bucket.get("0000000000000000").is_ok()
    }
}

impl StoreKeys<'_> {
    /// Whether it is an old key that the store has, in force or not.
    #[cfg(feature = "introspection")]
    pub(super) fn has_old(&self, key: &[u8]) -> Result<bool, StoreUnavailable> {
        Ok(self.old_record(key)?.is_some())
    }

    /// Of a key without an id, which is found by its digest under one of the peppers. All of them are tried, always.
    fn old_record(&self, key: &[u8]) -> Result<Option<Record>, StoreUnavailable> {
        let mut found = None;
        for pepper in &self.settings.peppers {
            let record = self.record(&format!("old-{}-{}", pepper.name, digest_hex(&pepper.secret, key)))?;
            found = found.or(record);
        }
        Ok(found)
    }

    fn record(&self, name: &str) -> Result<Option<Record>, StoreUnavailable> {
        let text = self.bucket.get(name)?;
        text.map(|text| Record::parse(&text, name).map_err(|_| StoreUnavailable)).transpose()
    }
}

fn grant(record: &Record) -> Grant {
    let end = record.exp.into_iter().chain(record.grace_until).min();
    Grant {
        user_id: record.user_id.clone(),
        email: record.email.clone(),
        groups: record.groups.clone(),
        scopes: record.scopes.clone(),
        audiences: record.aud.clone(),
        expires_at_ms: end.map(|seconds| seconds * 1_000),
        origin: Origin::Key,
    }
}
