//! API keys from records in a bucket.

use super::{Bucket, Settings};
use crate::api_key::{ApiKey, Record, check, digest_hex};
use crate::grant::{Grant, Keys, Origin, StoreUnavailable};

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
        let is_good = standing.is_ok();
        Ok(record.filter(|_| is_good).map(grant))
    }

    fn are_ready(&self) -> bool {
        // Whether there is one of this name does not matter, whether the store says so does.
        self.bucket.get("0000000000000000").is_ok()
    }
}

impl StoreKeys<'_> {
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

fn grant(record: Record) -> Grant {
    let end = record.exp.into_iter().chain(record.grace_until).min();
    Grant {
        user_id: record.user_id,
        email: record.email,
        groups: record.groups,
        scopes: record.scopes,
        audiences: record.aud,
        expires_at_ms: end.map(|seconds| seconds * 1_000),
        is_replaced: record.grace_until.is_some(),
        origin: Origin::Key,
    }
}
