//! What the issuer says of a token (RFC 7662 §2.2), read as strictly as a token itself.

use super::Reply;
use crate::grant::Grant;
use crate::http::media_type;
use crate::jose::{Claims, Json, Object, Policy, Refusal, parse_object};

/// An answer that was understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Inactive,
    /// With those members that a decision can depend on, or that are told on.
    Active(Claims),
}

/// Why an answer is none: then nobody knows whether the token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerDefect {
    /// Not 200: also where our own client is refused.
    Status,
    /// Not `application/json`, or not said.
    ContentType,
    /// More than 6 KiB.
    TooLong,
    /// Not the JSON that a token may have.
    Json(Refusal),
    /// `active` is absent or no boolean.
    Active,
    /// A member has a type or a size that it cannot have.
    Claim(Refusal),
}

/// What the longest token in base64url has room for, so that neither takes more memory than the other.
pub(super) const BYTES_MAX: usize = 6_144;
/// How far `iat` may lie ahead: the issuer has called the token active, so its clock is ahead of ours.
const ISSUED_AHEAD_S: u64 = 60;

const MEMBERS: [&str; 14] = [
    "sub",
    "scope",
    "aud",
    "exp",
    "nbf",
    "iat",
    "iss",
    "client_id",
    "jti",
    "email",
    "groups",
    "token_type",
    "token_use",
    "cnf",
];

impl Told {
    pub fn parse(reply: &Reply) -> Result<Told, AnswerDefect> {
        if reply.status != 200 {
            return Err(AnswerDefect::Status);
        }
        if !is_json(&reply.content_types) {
            return Err(AnswerDefect::ContentType);
        }
        if reply.body.len() > BYTES_MAX {
            return Err(AnswerDefect::TooLong);
        }
        let mut members = parse_object(&reply.body).map_err(AnswerDefect::Json)?;
        match members.get("active") {
            Some(Json::Bool(true)) => {}
            Some(Json::Bool(false)) => return Ok(Told::Inactive),
            _ => return Err(AnswerDefect::Active),
        }
        members.keep(&MEMBERS);
        Told::of(members).map_err(AnswerDefect::Claim)
    }

    /// Of the members of an active token.
    pub(super) fn of(members: Object) -> Result<Told, Refusal> {
        Claims::of(members).map(Told::Active)
    }

    /// What it stands for at `now`, where somebody may use it as a bearer token here.
    pub(super) fn grant(self, issuer: &str, audiences: &[String], now: u64) -> Option<Grant> {
        let Told::Active(claims) = self else { return None };
        let policy = policy();
        claims.check_time(&policy, now).and_then(|()| claims.check_identity(&policy)).ok()?;
        let is_issuers = claims.issuer.as_deref().is_none_or(|own| own == issuer);
        let is_for_us = audiences.is_empty() || claims.audiences.iter().any(|own| audiences.contains(own));
        (is_issuers && is_for_us && is_bearer_token(&claims.members)).then(|| Grant::of_token(claims))
    }
}

/// Not a refresh token, which some issuers call active too, and none whose holder would have to prove a key besides
/// (RFC 9449, RFC 8705).
fn is_bearer_token(members: &Object) -> bool {
    let is = |name: &str, wanted: &str| match members.get(name) {
        None => true,
        Some(value) => value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(wanted)),
    };
    is("token_type", "bearer") && is("token_use", "access_token") && !members.has("cnf")
}

/// Whether it is signed is the issuer's matter; an access token need not name its issuer, nor have an end.
fn policy() -> Policy {
    Policy {
        issuer: None,
        expiry_required: false,
        subject_required: true,
        issued_ahead_s: ISSUED_AHEAD_S,
        lifetime_s_max: u64::MAX,
        ..Policy::strict("", "", &[])
    }
}

/// Parameters are ignored; RFC 8259 has none.
fn is_json(content_types: &[Vec<u8>]) -> bool {
    let [value] = content_types else { return false };
    media_type(value).eq_ignore_ascii_case(b"application/json")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// In each body, `NOW` stands for the time of the test, and `NOW+5` for five seconds later.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        #[serde(default = "ok")]
        status: u16,
        #[serde(default = "json")]
        content_types: Vec<String>,
        body: String,
        #[serde(default)]
        audiences: Vec<String>,
        /// `grant`, `none`, or the defect.
        verdict: String,
        #[serde(default)]
        grant: Option<Granted>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Granted {
        user_id: String,
        email: Option<String>,
        groups: Vec<String>,
        scopes: Vec<String>,
        audiences: Vec<String>,
        expires_at_ms: Option<u64>,
    }

    fn ok() -> u16 {
        200
    }

    fn json() -> Vec<String> {
        vec!["application/json".to_owned()]
    }

    #[test]
    fn answers_are_understood_or_refused_as_the_table_says() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../tests/introspection-answers.json")).expect("it is well-formed");
        for case in cases {
            let body = ["NOW+61", "NOW+60", "NOW+5", "NOW+1", "NOW-1", "NOW"].iter().fold(case.body, |body, text| {
                let (ahead, behind) = (text.strip_prefix("NOW+"), text.strip_prefix("NOW-"));
                let seconds = |text: Option<&str>| text.map_or(0, |text| text.parse::<u64>().expect("a number"));
                body.replace(text, &(NOW + seconds(ahead) - seconds(behind)).to_string())
            });
            let content_types = case.content_types.into_iter().map(String::into_bytes).collect();
            let reply = Reply { status: case.status, content_types, body: body.into_bytes() };
            let told = Told::parse(&reply);
            let grant = told.clone().ok().and_then(|told| told.grant("i", &case.audiences, NOW));
            let verdict = match (&told, &grant) {
                (Err(defect), _) => format!("{defect:?}"),
                (Ok(_), None) => "none".to_owned(),
                (Ok(_), Some(_)) => "grant".to_owned(),
            };
            assert_eq!(verdict, case.verdict, "{}", case.name);
            let granted = grant.map(|grant| Granted {
                user_id: grant.user_id,
                email: grant.email,
                groups: grant.groups,
                scopes: grant.scopes,
                audiences: grant.audiences,
                expires_at_ms: grant.expires_at_ms.map(|ms| ms - NOW * 1_000),
            });
            if case.grant.is_some() {
                assert_eq!(granted, case.grant, "{}", case.name);
            }
        }
    }

    #[test]
    fn an_answer_has_a_largest_size() {
        let reply = |bytes: usize| {
            let body = format!("{{\"active\":false,\"x\":\"{}\"}}", "x".repeat(bytes - 23));
            Reply { status: 200, content_types: vec![b"application/json".to_vec()], body: body.into_bytes() }
        };
        assert_eq!(reply(BYTES_MAX).body.len(), BYTES_MAX);
        assert_eq!(Told::parse(&reply(BYTES_MAX)), Ok(Told::Inactive));
        assert_eq!(Told::parse(&reply(BYTES_MAX + 1)), Err(AnswerDefect::TooLong));
    }
}
