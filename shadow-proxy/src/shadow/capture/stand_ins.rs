//! An exchange with stand-ins for whatever is nobody's business, which can still be sent: every part keeps its form.

mod headers;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Method, Uri};

use super::credential::{Jwt, Signers, Standing, api_key};
use super::document::{self, Values};
use super::form::Keyed;
use super::seeds::Seen;
use super::spelling::percent;
use crate::exchange::{Answer, Call, Decision};
use crate::shadow::compare::Signatures;
use crate::shadow::decode::decoded;
use crate::shadow::endpoint::{Endpoints, method_name};
use crate::shadow::redact::vocabulary::{Vocabulary, is_secret_like};

/// Belongs to the thread that writes.
pub(crate) struct StandIns {
    keyed: Keyed,
    words: Vocabulary,
    /// Whole path segments that endpoint templates spell out, in lower case.
    segments: HashSet<String>,
    signers: RefCell<Signers>,
    /// Tell of a token that legacy refused whether it was for its signature.
    signatures: Option<Arc<Signatures>>,
    standing: Cell<Standing>,
    /// Credentials in the call at hand.
    seen: RefCell<Vec<Seen>>,
}

impl StandIns {
    pub(crate) fn new(
        keyed: Keyed,
        extra_words: &[String],
        endpoints: &Endpoints,
        signatures: Option<Arc<Signatures>>,
    ) -> StandIns {
        StandIns {
            keyed,
            words: Vocabulary::new(extra_words.iter().map(String::as_str).chain(endpoints.words())),
            segments: endpoints.words().map(str::to_ascii_lowercase).collect(),
            signers: RefCell::default(),
            signatures,
            standing: Cell::new(Standing::Good),
            seen: RefCell::default(),
        }
    }

    /// The call, and the credentials that are in it. What legacy made of it says whether signed tokens may stay good.
    /// The flag: its body was decoded.
    pub(crate) fn call(&self, call: &Call, legacy: Decision) -> (Call, bool, Vec<Seen>) {
        self.seen.borrow_mut().clear();
        self.standing.set(if legacy == Decision::Deny { Standing::Refused } else { Standing::Good });
        let path = self.path(call.uri.path());
        let target = path + &call.uri.query().map(|query| format!("?{}", self.pairs(query))).unwrap_or_default();
        let (headers, body, is_decoded) = self.message(&call.headers, &call.body);
        let stand_in = Call {
            method: self.method(&call.method),
            // What stands for a character of a target may stand in one, so that this cannot fail.
            uri: target.parse().unwrap_or_else(|_| Uri::from_static("/")),
            headers,
            body,
        };
        (stand_in, is_decoded, self.seen.take())
    }

    /// Tokens in an answer are new ones, and good.
    pub(crate) fn answer(&self, answer: &Answer) -> (Answer, bool) {
        self.standing.set(Standing::Good);
        let (headers, body, is_decoded) = self.message(&answer.headers, &answer.body);
        self.seen.borrow_mut().clear();
        (Answer { status: answer.status, headers, body }, is_decoded)
    }

    /// Names a session without telling whose it is.
    pub(crate) fn label(&self, identity: &[u8]) -> String {
        format!("{:016x}", u64::from_be_bytes(self.keyed.stream("session", identity).array()))
    }

    pub(crate) fn jwks(&self, shared: bool) -> Vec<serde_json::Value> {
        self.signers.borrow().jwks(shared).into_iter().cloned().collect()
    }

    pub(crate) fn signers(&self) -> usize {
        self.signers.borrow().len()
    }

    /// Anything can be sent for one.
    fn method(&self, method: &Method) -> Method {
        if method_name(method) == method.as_str() {
            return method.clone();
        }
        Method::from_bytes(self.secret(method.as_str()).as_bytes()).unwrap_or(Method::GET)
    }

    /// A body is kept decoded: what its encoding was is done again when it is read.
    fn message(&self, headers: &HeaderMap, body: &Bytes) -> (HeaderMap, Bytes, bool) {
        let plain = decoded(headers, body, BODY_BYTES_MAX);
        let is_decoded = plain.is_ok() && headers.contains_key(CONTENT_ENCODING);
        let plain = plain.unwrap_or_else(|_| body.clone());
        let stand_in = self.body(headers, &plain);
        let mut kept = HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            let is_own_length = *name == CONTENT_LENGTH && value.as_bytes() == body.len().to_string().as_bytes();
            let value = if is_own_length && !is_decoded { stand_in.len().into() } else { self.header(name, value) };
            let other = || HeaderName::from_bytes(self.secret(name.as_str()).to_ascii_lowercase().as_bytes());
            let name = if self.words.is_header(name.as_str()) { Ok(name.clone()) } else { other() };
            if let Ok(name) = name {
                kept.append(name, value);
            }
        }
        (kept, stand_in, is_decoded)
    }

    fn credential(&self, text: &str) -> String {
        let stand_in = self.secret(text);
        if !stand_in.is_empty() && !stand_in.contains(char::is_whitespace) {
            self.see(&stand_in, Jwt::parse(text).is_some());
        }
        stand_in
    }

    fn see(&self, stand_in: &str, is_token: bool) {
        let mut seen = self.seen.borrow_mut();
        if seen.iter().all(|known| known.credential != stand_in) {
            seen.push(Seen { credential: stand_in.to_owned(), is_token });
        }
    }

    fn path(&self, path: &str) -> String {
        let segment = |segment: &str| {
            let plain = plain(segment).to_ascii_lowercase();
            // What may be in the name of an endpoint is no secret.
            let is_known =
                self.segments.contains(&plain) || (plain == segment && self.words.template(segment) == segment);
            if is_known { segment.to_owned() } else { self.part(segment) }
        };
        path.split('/').map(segment).collect::<Vec<_>>().join("/")
    }

    /// A query, or a form.
    fn pairs(&self, text: &str) -> String {
        let pair = |pair: &str| match pair.split_once('=') {
            None => self.part(pair),
            Some((name, value)) => {
                let key = plain(name);
                let stays = self.stays(&key, &plain(value), self.is_secret(&key));
                let value = if stays { value.to_owned() } else { self.part(value) };
                if CREDENTIALS.contains(&&*key) {
                    self.see(&plain(&value), plain(&value).contains('.'));
                }
                format!("{}={value}", self.name(&key, name))
            }
        };
        text.split('&').map(pair).collect::<Vec<_>>().join("&")
    }

    fn name(&self, name: &str, spelled: &str) -> String {
        if self.words.knows_key(name) { spelled.to_owned() } else { self.part(spelled) }
    }

    fn part(&self, spelled: &str) -> String {
        percent(spelled, |text| self.secret(text), |bytes| self.keyed.bytes(bytes))
    }

    fn body(&self, headers: &HeaderMap, body: &Bytes) -> Bytes {
        let Ok(text) = std::str::from_utf8(body) else { return self.keyed.bytes(body).into() };
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.to_ascii_lowercase();
        let looks_like_json = text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[', '"']);
        if media_type.contains("form-urlencoded") {
            self.pairs(text).into()
        } else if media_type.contains("json") || looks_like_json {
            document::other(text, self).into()
        } else {
            self.text(text).into()
        }
    }

    /// The words that everybody uses stay.
    fn text(&self, text: &str) -> String {
        self.words.shown(text, |hidden| self.secret(hidden))
    }

    /// Word by word, so that a secret has one stand-in wherever it stands.
    fn secret(&self, text: &str) -> String {
        let mut stand_in = String::with_capacity(text.len());
        for piece in text.split_inclusive(is_between) {
            let word = piece.trim_end_matches(is_between);
            stand_in.push_str(&self.word(word));
            stand_in.push_str(&piece[word.len()..]);
        }
        stand_in
    }

    fn word(&self, word: &str) -> String {
        if let Some(key) = api_key(&self.keyed, word) {
            self.see(&key, false);
            return key;
        }
        if let Some(jwt) = Jwt::parse(word) {
            let (header, claims) = (document::other(&jwt.header, self), document::other(&jwt.claims, self));
            let is_signed_well = self.signatures.as_ref().is_some_and(|signatures| signatures.holds(word));
            let standing = if is_signed_well { Standing::Good } else { self.standing.get() };
            return self.signers.borrow_mut().token(&self.keyed, &jwt, &header, &claims, standing);
        }
        if ["http://", "https://"].iter().any(|scheme| word.starts_with(scheme)) {
            return self.address(word);
        }
        // What surrounds a secret is not part of it.
        let core = word.trim_matches(|c: char| c.is_ascii_punctuation());
        let start = word.find(core).unwrap_or(0);
        if core.is_empty() {
            return self.keyed.text(word);
        }
        format!("{}{}{}", &word[..start], self.keyed.text(core), &word[start + core.len()..])
    }
}

impl Values for StandIns {
    fn knows_key(&self, key: &str) -> bool {
        self.words.knows_key(key) || CLAIMS.contains(&key)
    }

    fn is_secret(&self, key: &str) -> bool {
        !Values::knows_key(self, key) || is_secret_like(key)
    }

    fn stays(&self, key: &str, value: &str, secret: bool) -> bool {
        if TIMES.contains(&key) {
            return is_number(value) || humantime::parse_rfc3339(value).is_ok() || is_date(value);
        }
        match key {
            "alg" => ALGORITHMS.iter().any(|known| known.eq_ignore_ascii_case(value)),
            "typ" => TYPES.iter().any(|known| known.eq_ignore_ascii_case(value)),
            _ => !secret && self.words.knows(value),
        }
    }

    fn other(&self, text: &str) -> String {
        self.secret(text)
    }
}

/// Without percent signs, for comparing only.
fn plain(spelled: &str) -> String {
    let text = RefCell::new(String::new());
    percent(
        spelled,
        |plain| {
            plain.clone_into(&mut text.borrow_mut());
            String::new()
        },
        |_| Vec::new(),
    );
    text.into_inner()
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || c.is_control() || ",;\"'<>()[]{}".contains(c)
}

fn is_date(text: &str) -> bool {
    httpdate::parse_http_date(text).is_ok()
}

/// Seconds or milliseconds of a time, or a duration; longer ones are no times.
fn is_number(text: &str) -> bool {
    (1..=17).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

const BODY_BYTES_MAX: usize = 16 << 20;

/// Parameters that hold one.
const CREDENTIALS: [&str; 3] = ["access_token", "api_key", "token"];

/// Claims and members that say when, which decides; who and what never stands there.
const TIMES: [&str; 9] =
    ["auth_time", "created_at", "exp", "expires_at", "expires_in", "iat", "issued_at", "nbf", "updated_at"];
/// Names of a token that say nothing about whose it is (RFC 7515, 7519, 9068).
const CLAIMS: [&str; 24] = [
    "acr",
    "alg",
    "amr",
    "aud",
    "auth_time",
    "azp",
    "client_id",
    "cnf",
    "cty",
    "email",
    "exp",
    "groups",
    "iat",
    "iss",
    "jti",
    "kid",
    "name",
    "nbf",
    "nonce",
    "roles",
    "scope",
    "scp",
    "sub",
    "typ",
];
const ALGORITHMS: [&str; 15] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA", "Ed25519", "none",
];
const TYPES: [&str; 6] = ["JWT", "at+jwt", "application/at+jwt", "dpop+jwt", "id_token+jwt", "logout+jwt"];

#[cfg(test)]
mod tests;
