//! The table `[auth]`: keys from files instead of those for development.

use auth_component::Switch;
use auth_component::jose::{Algorithm, Policy};
use auth_component::store::ISSUERS_MAX;

use crate::keys::{Issuer, Sources, Tokens};

use super::reader::Section;

const DAY_S: u64 = 86_400;
/// The end of the year 9999: no limit.
const LAST_S: u64 = 253_402_300_799;

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
    section.close(root);
    Some(Sources { keys: keys?, peppers: peppers?, issuers: issuers?, parity })
}

fn read_issuer(issuer: &mut Section) -> Option<Issuer> {
    let jwks = issuer.needed_file("jwks");
    let name = issuer.required("issuer", "\"https://issuer.example\"", |text| short(text).map(str::to_owned));
    let audiences = issuer.needed_list("audiences", "[\"https://api.example\"]", |text| short(text).map(str::to_owned));
    let algorithms = issuer.needed_list("algorithms", "[\"ES256\"]", algorithm);
    let types = issuer.list("types", "[\"at+jwt\"]", |text| short(text).map(str::to_owned));
    let claims_required = issuer.list("claims_required", "[\"client_id\"]", |text| short(text).map(str::to_owned));
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
        format!("is none of {}", known.join(", "))
    })
}

fn switch(text: &str) -> Result<String, String> {
    let known = Switch::ALL.map(Switch::name);
    if known.contains(&text) { Ok(text.to_owned()) } else { Err(format!("is none of {}", known.join(", "))) }
}

fn short(text: &str) -> Result<&str, String> {
    const BYTES_MAX: usize = 256;
    let is_short = (1..=BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if is_short { Ok(text) } else { Err(format!("is not 1 to {BYTES_MAX} bytes without control characters")) }
}
