//! The table `[auth]`: keys from files instead of those for development.

use std::net::IpAddr;
use std::time::Duration;

use auth_component::jose::{Algorithm, Policy};
use auth_component::store::{CACHE_S_MAX, Endpoint as ComponentEndpoint, ISSUERS_MAX, NEGATIVE_S_MAX};
use auth_component::{LAST_S, Switch};
use http::Uri;

use crate::keys::{Endpoint, Introspection, Issuer, Sources, Tokens};

use super::reader::Section;

/// What the component waits for at most.
const DEADLINE_MS_MAX: u64 = 10_000;
const DAY_S: u64 = 86_400;

/// None where the table is empty or wrong.
pub fn read(root: &mut Section) -> Option<Sources> {
    let mut section = root.section("auth");
    if section.is_empty() {
        section.close(root);
        return None;
    }
    let keys = section.needed_file("keys");
    let peppers = section.needed_file("peppers");
    let parity = section.list("parity", "[\"etag\"]", switch).unwrap_or_default();
    let issuers: Option<Vec<Issuer>> = section
        .sections("issuers", ISSUERS_MAX)
        .into_iter()
        .map(|mut issuer| {
            let read = read_issuer(&mut issuer);
            issuer.close(&mut section);
            read
        })
        .collect();
    let introspection = read_introspection(&mut section);
    section.close(root);
    Some(Sources { keys: keys?, peppers: peppers?, issuers: issuers?, introspection, parity })
}

/// None where the table is empty or wrong.
fn read_introspection(auth: &mut Section) -> Option<Introspection> {
    let mut introspection = auth.section("introspection");
    if introspection.is_empty() {
        introspection.close(auth);
        return None;
    }
    let url = introspection.required("url", "\"https://issuer.example/oauth2/introspect\"", endpoint_url);
    let client_id = introspection.required("client_id", "\"gateway\"", short);
    let secret_file = introspection.needed_file("client_secret_file");
    let issuer = introspection.required("issuer", "\"https://issuer.example\"", short);
    let audiences = introspection.list("audiences", "[\"https://api.example\"]", short).unwrap_or_default();
    let cache_s_max = introspection.number("cache_s_max", 60, 0..=CACHE_S_MAX, "seconds");
    let negative_s = introspection.number("negative_s", 5, 0..=NEGATIVE_S_MAX, "seconds");
    let deadline_ms = introspection.number("deadline_ms", 500, 1..=DEADLINE_MS_MAX, "milliseconds");
    introspection.close(auth);
    let endpoint = Endpoint { url: url?, client_id: client_id?, issuer: issuer?, audiences, cache_s_max, negative_s };
    Some(Introspection { secret_file: secret_file?, deadline: Duration::from_millis(deadline_ms), endpoint })
}

/// As a component reads it, and never in plain text to another machine: the secret and the tokens are in what is asked.
fn endpoint_url(text: &str) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|_| "is not a URL".to_owned())?;
    if !ComponentEndpoint::is_url(text) {
        return Err("is not https://HOST:PORT/PATH".to_owned());
    }
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if uri.scheme_str() == Some("https") || is_here {
        Ok(text.to_owned())
    } else {
        Err("is plain http to another machine, which would show it secret and tokens to whoever listens".to_owned())
    }
}

fn read_issuer(issuer: &mut Section) -> Option<Issuer> {
    let jwks = issuer.needed_file("jwks");
    let name = issuer.required("issuer", "\"https://issuer.example\"", short);
    let audiences = issuer.needed_list("audiences", "[\"https://api.example\"]", short);
    let algorithms = issuer.needed_list("algorithms", "[\"ES256\"]", algorithm);
    let types = issuer.list("types", "[\"at+jwt\"]", short);
    let claims_required = issuer.list("claims_required", "[\"client_id\"]", short);
    let tokens = Tokens {
        types: types.unwrap_or_else(|| vec!["JWT".to_owned(), "at+jwt".to_owned()]),
        type_required: issuer.flag("type_required", false),
        key_id_required: issuer.flag("key_id_required", false),
        claims_required: claims_required.unwrap_or_default(),
        skew_s: issuer.number("skew_s", 0, 0..=300, "seconds"),
        issued_ahead_s: issuer.number("issued_ahead_s", 60, 0..=300, "seconds"),
        lifetime_s_max: issuer.number("lifetime_s_max", DAY_S, 1..=LAST_S, "seconds"),
        issuer: name?,
        audiences: audiences?,
        algorithms: algorithms.as_ref()?.iter().map(|algorithm| algorithm.name().to_owned()).collect(),
    };
    // What is wrong with the parts together.
    let policy = Policy {
        audiences: tokens.audiences.clone(),
        types: tokens.types.clone(),
        skew_s: tokens.skew_s,
        issued_ahead_s: tokens.issued_ahead_s,
        lifetime_s_max: tokens.lifetime_s_max,
        ..Policy::strict(&tokens.issuer, "", &algorithms?)
    };
    issuer.wrong_as(policy.defects().into_iter().map(|defect| format!("algorithms: {defect}")));
    Some(Issuer { jwks: jwks?, tokens })
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::named(text).ok_or_else(|| {
        let known: Vec<&str> = Algorithm::ALL.into_iter().map(Algorithm::name).collect();
        format!("is none of {}, EdDSA", known.join(", "))
    })
}

fn switch(text: &str) -> Result<String, String> {
    let known = Switch::ALL.map(Switch::name);
    if known.contains(&text) { Ok(text.to_owned()) } else { Err(format!("is none of {}", known.join(", "))) }
}

fn short(text: &str) -> Result<String, String> {
    const BYTES_MAX: usize = 256;
    let is_short = (1..=BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if is_short {
        Ok(text.to_owned())
    } else {
        Err(format!("is not 1 to {BYTES_MAX} bytes without control characters"))
    }
}
