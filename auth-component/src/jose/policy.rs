//! What an issuer's tokens must be like to be good here.

use super::Algorithm;

/// As written in the configuration; [`Policy::defects`] says what is wrong with it. An empty list of algorithms or types
/// lets nothing through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub algorithms: Vec<Algorithm>,
    /// `iss` must be exactly this; `None` does not look at it.
    pub issuer: Option<String>,
    /// `aud` must name one of these. Where this is empty, `aud` must be absent: a token for somebody is not for everybody
    /// (RFC 7519 §4.1.3).
    pub audiences: Vec<String>,
    /// Media types without `application/`.
    pub types: Vec<String>,
    pub type_required: bool,
    pub key_id_required: bool,
    pub expiry_required: bool,
    pub subject_required: bool,
    /// Further claims that must be there and not `null`.
    pub claims_required: Vec<String>,
    /// Every one must be in `scope`.
    pub scopes: Vec<String>,
    /// How far the issuer's clock may differ, for `exp`, `nbf` and `iat`.
    pub skew_s: u64,
    /// How far `iat` may lie ahead, where that is more than `skew_s`.
    pub issued_ahead_s: u64,
    /// `exp` may lie at most this far ahead.
    pub lifetime_s_max: u64,
}

const SKEW_S_MAX: u64 = 300;
const DAY_S: u64 = 86_400;

impl Policy {
    /// An access token of `issuer` for `audience`: typed, with a subject, good for at most a day, no clock skew.
    pub fn strict(issuer: &str, audience: &str, algorithms: &[Algorithm]) -> Policy {
        Policy {
            algorithms: algorithms.to_vec(),
            issuer: Some(issuer.to_owned()),
            audiences: vec![audience.to_owned()],
            types: vec!["JWT".to_owned(), "at+jwt".to_owned()],
            type_required: true,
            key_id_required: false,
            expiry_required: true,
            subject_required: true,
            claims_required: Vec::new(),
            scopes: Vec::new(),
            skew_s: 0,
            issued_ahead_s: 0,
            lifetime_s_max: DAY_S,
        }
    }

    /// For whoever reads the configuration: every fault, each with what to do.
    pub fn defects(&self) -> Vec<&'static str> {
        let shared = |algorithm: &Algorithm| algorithm.name().starts_with("HS");
        let checks = [
            (self.algorithms.is_empty(), "algorithms is empty; name the one the issuer signs with"),
            (
                self.algorithms.iter().any(shared) && !self.algorithms.iter().all(shared),
                "algorithms mixes shared secrets (HS) with public keys; give each its own issuer",
            ),
            (self.types.is_empty(), "types is empty; name at least one, such as at+jwt"),
            (self.issuer.as_deref() == Some(""), "issuer is an empty text; leave it out or write the issuer's URL"),
            (self.audiences.iter().any(String::is_empty), "an audience is an empty text; remove it"),
            (self.skew_s > SKEW_S_MAX, "skew_s is more than 300; set the clocks right and use at most 300"),
            (
                self.issued_ahead_s > SKEW_S_MAX,
                "issued_ahead_s is more than 300; set the clocks right and use at most 300",
            ),
            (self.lifetime_s_max == 0, "lifetime_s_max is 0; use the issuer's token lifetime in seconds"),
        ];
        checks.into_iter().filter_map(|(found, what)| found.then_some(what)).collect()
    }
}
