//! The table `[auth]`: keys from files instead of those for development.

use std::path::PathBuf;

use auth_component::jose::{Algorithm, Policy};

use crate::keys::{Sources, Tokens};

use super::reader::Section;

/// In what the component can answer like the service it replaces; legacy-stub/README.md says what each does.
const PARITY: [&str; 8] = [
    "json-body-first",
    "html-errors",
    "etag",
    "options-lists-methods",
    "not-found-for-wrong-method",
    "loose-slash",
    "ignore-path-case",
    "jwt-exp-optional",
];
/// Any of these says that tokens are to be checked.
const TOKENS: [&str; 11] = [
    "jwks",
    "issuer",
    "audiences",
    "algorithms",
    "types",
    "type_required",
    "key_id_required",
    "claims_required",
    "skew_s",
    "issued_ahead_s",
    "lifetime_s_max",
];
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
    let has_tokens = TOKENS.iter().any(|key| section.has(key));
    let tokens = read_tokens(&mut section, has_tokens);
    section.close(root);
    let tokens = if has_tokens { Some(tokens?) } else { None };
    Some(Sources { keys: keys?, peppers: peppers?, tokens, parity })
}

fn read_tokens(section: &mut Section, has_tokens: bool) -> Option<(PathBuf, Tokens)> {
    const NEEDED: [(&str, &str); 4] = [
        ("jwks", "jwks = \"jwks.json\""),
        ("issuer", "issuer = \"https://issuer.example\""),
        ("audiences", "audiences = [\"https://api.example\"]"),
        ("algorithms", "algorithms = [\"ES256\"]"),
    ];
    for (key, example) in NEEDED {
        if has_tokens && !section.has(key) {
            section.wrong(key, "is missing, without it no token can be checked", example);
        }
    }
    let jwks = section.file("jwks");
    let issuer = section.optional("issuer", "\"https://issuer.example\"", |text| short(text).map(str::to_owned));
    let audiences = section.list("audiences", "[\"https://api.example\"]", |text| short(text).map(str::to_owned));
    let algorithms = section.list("algorithms", "[\"ES256\"]", algorithm);
    let types = section.list("types", "[\"at+jwt\"]", |text| short(text).map(str::to_owned));
    let claims_required = section.list("claims_required", "[\"client_id\"]", |text| short(text).map(str::to_owned));
    let tokens = Tokens {
        types: types.unwrap_or_else(|| vec!["JWT".to_owned(), "at+jwt".to_owned()]),
        type_required: section.flag("type_required", false),
        key_id_required: section.flag("key_id_required", false),
        claims_required: claims_required.unwrap_or_default(),
        skew_s: section.number("skew_s", 0, 0..=300, "seconds"),
        issued_ahead_s: section.number("issued_ahead_s", 60, 0..=300, "seconds"),
        lifetime_s_max: section.number("lifetime_s_max", DAY_S, 1..=LAST_S, "seconds"),
        issuer: issuer?,
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
    section.wrong_as(policy.defects().into_iter().map(|defect| format!("algorithms: {defect}")));
    Some((jwks?, tokens))
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::named(text).ok_or_else(|| {
        let known: Vec<&str> = Algorithm::ALL.into_iter().map(Algorithm::name).collect();
        format!("is none of {}", known.join(", "))
    })
}

fn switch(text: &str) -> Result<String, String> {
    if PARITY.contains(&text) { Ok(text.to_owned()) } else { Err(format!("is none of {}", PARITY.join(", "))) }
}

fn short(text: &str) -> Result<&str, String> {
    const BYTES_MAX: usize = 256;
    let is_short = (1..=BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if is_short { Ok(text) } else { Err(format!("is not 1 to {BYTES_MAX} bytes without control characters")) }
}
