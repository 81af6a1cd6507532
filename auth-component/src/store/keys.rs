//! API keys from records in a bucket.

use std::hint::black_box;

use super::settings::Pepper;
use super::{Bucket, Settings};
use crate::api_key::{ApiKey, Record, check, digest_hex, old_name};
use crate::grant::{Grant, Keys, Origin, StoreUnavailable};

#[derive(Clone, Copy)]
pub struct StoreKeys<'a> {
    pub bucket: &'a dyn Bucket,
    pub settings: &'a Settings,
}

impl Keys for StoreKeys<'_> {
    fn find(&self, key: &[u8], now: u64) -> Result<Option<Grant>, StoreUnavailable> {
        let records = match ApiKey::parse(key) {
            Ok(own) => Vec::from_iter(self.record(own.id())?),
            Err(_) => self.old_records(key)?,
        };
        if records.is_empty() {
            check(key, None, self.settings, now).map_err(|_| StoreUnavailable)?.ok();
        }
        let mut found = None;
        for record in records {
            if check(key, Some(&record), self.settings, now).map_err(|_| StoreUnavailable)?.is_err() {
                // Whoever has revoked a key need not know under how many peppers it is kept.
                return Ok(None);
            }
            found = Some(grant(record));
        }
        Ok(found)
    }

    fn are_ready(&self) -> bool {
        // Whether there is one of this name does not matter, whether the store says so does.
        self.record(NOBODY).is_ok()
    }
}

/// An id that a key could have, and with this record none has.
const NOBODY: &str = "0000000000000000";
const STAND_IN: &str = concat!(
    r#"{"v":1,"id":"0000000000000000","alg":"hs256","pepper":"p1","#,
    r#""hash":"0000000000000000000000000000000000000000000000000000000000000000","#,
    r#""user_id":"user_000","scopes":["read","write"],"aud":[],"created":1700000000,"nbf":null,"exp":1900000000,"#,
    r#""revoked":null,"replaced_by":null,"grace_until":null,"weak":false}"#,
);

impl StoreKeys<'_> {
    /// Whether it is an old key that the store has, in force or not.
    #[cfg(feature = "introspection")]
    pub(super) fn has_old(&self, key: &[u8]) -> Result<bool, StoreUnavailable> {
        Ok(!self.old_records(key)?.is_empty())
    }

    /// Of a key without an id, which is found by its digest under each pepper. All of them are tried, always.
    fn old_records(&self, key: &[u8]) -> Result<Vec<Record>, StoreUnavailable> {
        let name = |pepper: &Pepper| old_name(&pepper.name, &digest_hex(&pepper.secret, key));
        let records = self.settings.peppers.iter().map(|pepper| self.record(&name(pepper)));
        records.filter_map(Result::transpose).collect()
    }

    fn record(&self, name: &str) -> Result<Option<Record>, StoreUnavailable> {
        match self.bucket.get(name)? {
            Some(text) => Record::parse(&text, name).map(Some).map_err(|_| StoreUnavailable),
            None => {
                // The time must not tell which ids exist.
                black_box(Record::parse(STAND_IN.as_bytes(), NOBODY).map_err(|_| StoreUnavailable)?);
                Ok(None)
            }
        }
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
