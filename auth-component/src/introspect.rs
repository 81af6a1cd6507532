//! `POST /oauth2/introspect` (RFC 7662), for services that were given a credential.

use std::io;

use base64ct::{Base64, Encoding};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::Formatter;

use crate::bearer::Authorization;
use crate::form::Form;
use crate::grant::{Grant, Origin, StoreUnavailable};
use crate::http::{BodyDefect, Request, Response, media_type};
#[cfg(feature = "parity")]
use crate::parity::{JsNumbers, Switch};
use crate::refusal::Refusal;
use crate::service::Service;
use crate::validate::ErrorBody;

const BODY_BYTES_MAX: usize = 16_384;
/// In base64, of a user id and a key.
const BASIC_BYTES_MAX: usize = 2_048;
const SCOPE: &str = "introspect";

const CHALLENGE_ANY: &str = "Basic realm=\"auth\", Bearer realm=\"auth\"";
const CHALLENGE_BASIC: &str = "Basic realm=\"auth\"";
const CHALLENGE_BEARER: &str = "Bearer realm=\"auth\", error=\"invalid_token\"";

pub(crate) fn answer(request: &Request, service: Service, now: u64) -> Response {
    describe(request, service, now).unwrap_or_else(|refused| refused)
}

fn describe(request: &Request, service: Service, now: u64) -> Result<Response, Response> {
    let client = client(request, service, now)?;
    let token = token(request)?;
    if !client.scopes.iter().any(|scope| scope == SCOPE) {
        return Err(refuse(&Refusal::ScopeMissing(SCOPE.to_owned())));
    }
    let grant = service.grant(token.as_bytes(), now).map_err(unavailable)?;
    let told = Introspection(grant);
    #[cfg(feature = "parity")]
    if service.parity.has(Switch::JsNumbers) {
        return Ok(client.mark(Response::json_formatted(200, &told, JsNumbers)));
    }
    Ok(client.mark(Response::json_formatted(200, &told, WholeNumbers)))
}

/// Who asks: the holder of an API key, never of a token.
fn client(request: &Request, service: Service, now: u64) -> Result<Grant, Response> {
    let lines = request.header("authorization");
    let (found, challenge) = match Authorization::of(&lines) {
        Authorization::Several => return Err(refuse(&Refusal::InvalidRequest)),
        Authorization::None => (Ok(None), CHALLENGE_ANY),
        Authorization::Bearer(key) => (service.grant_of_key_alone(key, now), CHALLENGE_BEARER),
        Authorization::Basic(encoded) => (basic_client(encoded, service, now), CHALLENGE_BASIC),
    };
    found
        .map_err(unavailable)?
        .ok_or_else(|| Response::json(401, &ErrorBody { error: "invalid_client" }).with("www-authenticate", challenge))
}

/// `base64(user_id:key)`, if the key is that user's.
fn basic_client(encoded: &[u8], service: Service, now: u64) -> Result<Option<Grant>, StoreUnavailable> {
    if encoded.len() > BASIC_BYTES_MAX {
        return Ok(None);
    }
    let decoded = str::from_utf8(encoded).ok().and_then(|text| Base64::decode_vec(text).ok()).unwrap_or_default();
    let Some(colon) = decoded.iter().position(|&byte| byte == b':') else { return Ok(None) };
    let (user_id, key) = (&decoded[..colon], &decoded[colon + 1..]);
    let found = service.grant_of_key_alone(key, now)?;
    Ok(found.filter(|grant| grant.user_id.as_bytes() == user_id))
}

/// What is asked about.
fn token(request: &Request) -> Result<String, Response> {
    let invalid = |status| Response::json(status, &ErrorBody { error: "invalid_request" });
    let body = request.body.read(BODY_BYTES_MAX).map_err(|defect| match defect {
        BodyDefect::TooLong => invalid(413),
        BodyDefect::Broken => invalid(400),
    })?;
    if !is_plain_form(request) {
        return Err(invalid(400));
    }
    let form = Form::parse(&body).map_err(|_| invalid(400))?;
    match (form.once("token"), form.once("token_type_hint")) {
        (Ok(Some(token)), Ok(_)) if !token.is_empty() => Ok(token),
        _ => Err(invalid(400)),
    }
}

fn is_plain_form(request: &Request) -> bool {
    let is_form = match request.header("content-type").as_slice() {
        [value] => media_type(value).eq_ignore_ascii_case(b"application/x-www-form-urlencoded"),
        _ => false,
    };
    is_form && request.header("content-encoding").iter().all(|coding| coding.eq_ignore_ascii_case(b"identity"))
}

fn unavailable(_: StoreUnavailable) -> Response {
    refuse(&Refusal::Unavailable)
}

fn refuse(refusal: &Refusal) -> Response {
    let error = refusal.error().expect("none of the refusals here is without an error code");
    refusal.mark(Response::json(refusal.status(), &ErrorBody { error }))
}

/// A fraction is cut off.
struct WholeNumbers;

impl Formatter for WholeNumbers {
    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        // Saturates where nothing whole has as many digits.
        self.write_i64(writer, value as i64)
    }
}

/// What is not active is not told apart (RFC 7662 §2.2).
struct Introspection(Option<Grant>);

/// Told of a token as it stands there; `scope` has been told before.
#[cfg(feature = "jwt")]
const TOLD_CLAIMS: [&str; 8] = ["client_id", "exp", "iat", "nbf", "sub", "aud", "iss", "jti"];

impl Serialize for Introspection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let Some(grant) = &self.0 else {
            map.serialize_entry("active", &false)?;
            return map.end();
        };
        map.serialize_entry("active", &true)?;
        if !grant.scopes.is_empty() {
            map.serialize_entry("scope", &grant.scopes.join(" "))?;
        }
        map.serialize_entry("token_type", "Bearer")?;
        match &grant.origin {
            Origin::Key => {
                if let Some(ms) = grant.expires_at_ms {
                    map.serialize_entry("exp", &(ms / 1_000))?;
                }
                map.serialize_entry("sub", &grant.user_id)?;
                match grant.audiences.as_slice() {
                    [] => {}
                    [one] => map.serialize_entry("aud", one)?,
                    several => map.serialize_entry("aud", several)?,
                }
            }
            #[cfg(feature = "jwt")]
            Origin::Token(members) => {
                for name in TOLD_CLAIMS {
                    if let Some(value) = members.get(name) {
                        map.serialize_entry(name, value)?;
                    }
                }
            }
        }
        map.end()
    }
}
