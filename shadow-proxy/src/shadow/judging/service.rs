//! An authentication service as services are: most of what it says is the same each time, some of it never is, and some
//! of it now and then.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::exchange::{Answer, Call, Leg};

use super::random::{BASE64URL, HEX, Random};

pub(super) const ENDPOINT: &str = "GET /session";

/// The names in its answers at which changes are looked for, and so are not to be hidden.
pub(super) const WORDS: [&str; 17] = [
    "access_token",
    "active",
    "cache",
    "hint",
    "latency_ms",
    "level",
    "name",
    "password_hash",
    "plan",
    "price",
    "queue",
    "request_id",
    "roles",
    "seats",
    "timestamp",
    "user",
    "x-ratelimit-limit",
];

/// What is asked, and so what is the same in all answers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    user: u64,
    at_ms: u64,
    pub(super) about: About,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// 200, with a token and a cookie.
    Valid,
    /// 200, and a field of the body says no.
    Revoked,
    /// 401.
    Unknown,
    /// 302 to the login.
    Stranger,
}

impl Asked {
    pub(super) fn new(run: u64, index: u64) -> Asked {
        let mut random = Random::new(run, 0, index);
        let about = match random.below(100) {
            0..80 => About::Valid,
            80..84 => About::Revoked,
            84..94 => About::Unknown,
            _ => About::Stranger,
        };
        Asked { user: random.below(500), at_ms: 1_790_000_000_000 + index * 37 + random.below(37), about }
    }

    /// One user in ten is like this.
    pub(super) fn is_of_a_tenth(&self) -> bool {
        self.user % 10 == 3
    }

    pub(super) fn call(&self) -> Call {
        let headers = HeaderMap::new();
        Call { method: Method::GET, uri: "/session".parse().unwrap(), headers, body: Bytes::new() }
    }
}

/// An answer before it is written down, so that a change is a line of code.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Map<String, Value>,
    pub(super) claims: Option<Map<String, Value>>,
    signature: String,
    /// `sid=…`, then its attributes.
    pub(super) cookie: Vec<String>,
    pub(super) location: Vec<(&'static str, String)>,
}

/// Which of the three answers to a call.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    Legacy = 1,
    LegacyAgain = 2,
    Candidate = 3,
}

/// What the service answers; everything about `whose` it is, is noise.
pub(super) fn reply(asked: &Asked, run: u64, index: u64, whose: Whose) -> Reply {
    let mut random = Random::new(run, whose as u64, index);
    // The first answer is there when the others are asked for.
    let late_ms = if matches!(whose, Whose::Legacy) { 0 } else { 1 + random.below(80) };
    let now_s = (asked.at_ms + late_ms) / 1_000;
    let mut reply = Reply {
        status: 200,
        headers: vec![
            ("content-type", "application/json".into()),
            ("cache-control", "no-store, private".into()),
            ("date", httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(now_s))),
            ("vary", "authorization".into()),
            ("x-ratelimit-limit", "600".into()),
            ("x-ratelimit-remaining", (300 + random.below(300)).to_string()),
            ("x-request-id", random.text(HEX, 32)),
            ("x-node", format!("auth-{}", random.below(3))),
        ],
        body: Map::new(),
        claims: None,
        signature: random.text(BASE64URL, 43),
        cookie: Vec::new(),
        location: Vec::new(),
    };
    match asked.about {
        About::Valid => valid(&mut reply, asked, now_s, &mut random),
        About::Revoked => {
            reply.body = fields(json!({ "active": false, "reason": "revoked", "user": user(asked) }));
        }
        About::Unknown => {
            reply.status = 401;
            reply.body = fields(json!({ "error": { "code": "invalid_token", "message": "the token is not known" } }));
            reply.headers.push(("www-authenticate", r#"Bearer realm="api", error="invalid_token""#.into()));
        }
        About::Stranger => {
            reply.status = 302;
            reply.location = vec![("next", "%2Fhome".into()), ("state", random.text(BASE64URL, 22))];
        }
    }
    if reply.location.is_empty() {
        reply.body.insert("request_id".into(), uuid(&mut random).into());
        reply.body.insert("timestamp".into(), now_s.into());
    }
    reply
}

fn valid(reply: &mut Reply, asked: &Asked, now_s: u64, random: &mut Random) {
    let expires = std::time::UNIX_EPOCH + Duration::from_secs(now_s + 3_600);
    let mut scopes = ["profile", "orders:read", "orders:write", "reports"];
    random.shuffle(&mut scopes);
    reply.body = fields(json!({
        "active": true,
        "user": user(asked),
        "plan": { "name": if asked.user.is_multiple_of(4) { "free" } else { "pro" }, "price": 19.9, "seats": 5 },
        "roles": ["reader", "writer", "auditor"],
        "scopes": scopes,
        "expires_at": humantime::format_rfc3339_seconds(expires).to_string(),
        "latency_ms": random.below(40_000) as f64 / 100.0,
        // These differ from answer to answer in 1, 10, 50 and 99 of 100; the first in 1 of 100 of all calls.
        "degraded": drift(random, 0.0125, false.into(), |_| true.into()),
        "cache": drift(random, 0.10, "hit".into(), |random| format!("miss {}", random.below(1_000_000)).into()),
        "queue": drift(random, 0.50, "empty".into(), |random| format!("length {}", random.below(1_000_000)).into()),
        "etag_seed": drift(random, 0.99, "0000000000000000".into(), |random| random.text(HEX, 16).into()),
    }));
    if random.chance(0.9) {
        reply.body.insert("hint".into(), "rotate your key soon".into());
    }
    reply.claims = Some(fields(json!({
        "iss": "https://auth.example", "aud": "api", "sub": format!("user_{}", asked.user), "role": "writer",
        "iat": now_s, "exp": now_s + 3_600, "jti": uuid(random),
    })));
    reply.cookie = vec![format!("sid={}", random.text(BASE64URL, 32))];
    reply.cookie.extend(["Path=/", "Max-Age=3600", "HttpOnly", "Secure", "SameSite=Lax"].map(str::to_owned));
}

fn user(asked: &Asked) -> Value {
    json!({ "id": format!("user_{}", asked.user), "name": format!("Name {}", asked.user), "level": asked.user % 7 })
}

/// Of two such values, `rate` differ: one that is not usual never comes twice, unless there is one only.
fn drift(random: &mut Random, rate: f64, usual: Value, unusual: impl Fn(&mut Random) -> Value) -> Value {
    if random.chance(1.0 - (1.0 - rate).sqrt()) { unusual(random) } else { usual }
}

fn uuid(random: &mut Random) -> String {
    [8, 4, 4, 4, 12].map(|length| random.text(HEX, length)).join("-")
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

impl Reply {
    pub(super) fn header(&mut self, name: &str) -> Option<&mut String> {
        self.headers.iter_mut().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// As it comes over the wire: with a signed token, a tag of the body, its length.
    pub(super) fn leg(mut self) -> Leg {
        if let Some(claims) = &self.claims {
            let part = |json: &str| base64url(json.as_bytes());
            let header = part(r#"{"alg":"HS256","kid":"key-1","typ":"JWT"}"#);
            let claims = part(&serde_json::to_string(claims).unwrap());
            self.body.insert("access_token".into(), format!("{header}.{claims}.{}", self.signature).into());
        }
        let body = if self.body.is_empty() { String::new() } else { serde_json::to_string(&self.body).unwrap() };
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, value: &str| {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        for (name, value) in &self.headers {
            add(name, value);
        }
        if !self.cookie.is_empty() {
            add("set-cookie", &self.cookie.join("; "));
        }
        if !self.location.is_empty() {
            let query: Vec<String> = self.location.iter().map(|(name, value)| format!("{name}={value}")).collect();
            add("location", &format!("https://login.example/start?{}", query.join("&")));
        }
        if !body.is_empty() {
            add("etag", &format!("W/\"{:016x}\"", Random::new(0, 0, sum(body.as_bytes())).bits()));
            add("content-length", &body.len().to_string());
        }
        let status = StatusCode::from_u16(self.status).unwrap();
        Leg { outcome: Ok(Answer { status, headers, body: Bytes::from(body) }), latency: Duration::from_millis(2) }
    }
}

/// FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn base64url(bytes: &[u8]) -> String {
    let digits = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len())
            .map(|digit| char::from(BASE64URL[(bits >> (18 - 6 * digit)) as usize & 63]))
            .collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}
