//! What is kept of an answer: no token, and no longer than the token is good.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Endpoint, Told};
use crate::hex;
use crate::jose::{Json, Number, Object, parse_object};

/// A larger one is not kept.
const VALUE_BYTES_MAX: usize = 4_096;

#[derive(Serialize)]
struct Value<'a> {
    /// In seconds since the Unix epoch; over at this instant.
    until: u64,
    /// None of a token that is not active.
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<&'a Object>,
}

/// Of whoever has asked whom about what: what one client was told is not told to another.
pub(super) fn name(endpoint: &Endpoint, token: &str) -> String {
    // None of the parts has a NUL in it, so that no two questions have one name.
    let mut sha = Sha256::new();
    for part in [&endpoint.issuer, &endpoint.client_id, token] {
        sha.update(part);
        sha.update([0]);
    }
    hex::encode(&sha.finalize())
}

/// None where there is nothing to keep.
pub(super) fn value(told: &Told, endpoint: &Endpoint, now: u64) -> Option<Vec<u8>> {
    let seconds = match told {
        Told::Active(claims) => match claims.expires_at {
            None => endpoint.cache_s_max,
            // Over already, by our clock.
            Some(end) if end <= now => endpoint.negative_s,
            Some(end) => endpoint.cache_s_max.min(end - now),
        },
        Told::Inactive => endpoint.negative_s,
    };
    let claims = if let Told::Active(claims) = told { Some(&claims.members) } else { None };
    let value = Value { until: now.saturating_add(seconds), claims };
    let value = serde_json::to_vec(&value).expect("it has string keys and no failing serializer");
    (seconds > 0 && value.len() <= VALUE_BYTES_MAX).then_some(value)
}

/// None where it is over, not understood, or longer good than it would be kept now: the clock was set back, or the limit.
pub(super) fn read(value: &[u8], endpoint: &Endpoint, now: u64) -> Option<Told> {
    if value.len() > VALUE_BYTES_MAX {
        return None;
    }
    let mut members = parse_object(value).ok()?;
    let told = match members.take("claims") {
        None => Told::Inactive,
        Some(Json::Object(claims)) => Told::of(claims).ok()?,
        Some(_) => return None,
    };
    let Some(Json::Number(Number::Unsigned(until))) = members.get("until") else { return None };
    let seconds_max = match told {
        Told::Active(_) => endpoint.cache_s_max.max(endpoint.negative_s),
        Told::Inactive => endpoint.negative_s,
    };
    (now < *until && *until <= now.saturating_add(seconds_max)).then_some(told)
}
