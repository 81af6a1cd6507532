//! What a candidate may do differently, each as one line of code, with the place where one would look for it.

use serde_json::{Value, json};

use super::random::Random;
use super::service::{About, Asked, Reply};

pub(super) struct Change {
    pub(super) name: &'static str,
    /// Where it shows: here or below. Each is the beginning of a path.
    pub(super) places: &'static [&'static str],
    /// Whether somebody is let in or out by it.
    pub(super) is_flip: bool,
    /// The answers in which it can show.
    pub(super) shows: fn(&Asked) -> bool,
    pub(super) make: fn(&mut Reply, &mut Random),
}

pub(super) const CHANGES: [Change; 32] = [
    flip(
        "deny → allow by status",
        &["decision", "status"],
        |asked| asked.about == About::Unknown,
        |reply, _| {
            reply.status = 200;
        },
    ),
    flip("allow → deny by status", &["decision", "status"], is_valid, |reply, _| reply.status = 401),
    flip(
        "deny → allow by a field",
        &["decision", "body.active"],
        |asked| asked.about == About::Revoked,
        |reply, _| {
            set(reply, "active", json!(true));
        },
    ),
    flip("allow → deny by a field", &["decision", "body.active"], is_valid, |reply, _| {
        set(reply, "active", json!(false));
    }),
    change("another status", &["status"], |asked| asked.about == About::Stranger, |reply, _| reply.status = 307),
    change("field missing", &["body.plan.seats"], is_valid, |reply, _| {
        part(reply, "plan").remove("seats");
    }),
    change("field added", &["body.user.password_hash"], is_valid, |reply, _| {
        part(reply, "user").insert("password_hash".into(), json!("$2b$10$KIXQ"));
    }),
    change("number becomes string", &["body.plan.seats"], is_valid, |reply, _| {
        part(reply, "plan").insert("seats".into(), json!("5"));
    }),
    change("string becomes null", &["body.plan.name"], is_valid, |reply, _| {
        part(reply, "plan").insert("name".into(), Value::Null);
    }),
    change("constant value changed", &["body.plan.price"], is_valid, |reply, _| {
        part(reply, "plan").insert("price".into(), json!(29.9));
    }),
    change(
        "value of a tenth of users",
        &["body.user.level"],
        |asked| is_valid(asked) && asked.is_of_a_tenth(),
        |reply, _| {
            part(reply, "user").insert("level".into(), json!(9));
        },
    ),
    change("noisy number becomes string", &["body.latency_ms"], is_valid, |reply, _| {
        let text = reply.body["latency_ms"].to_string();
        set(reply, "latency_ms", json!(text));
    }),
    change("noisy field missing", &["body.queue"], is_valid, |reply, _| drop(reply.body.remove("queue"))),
    change("optional field missing", &["body.hint"], is_valid, |reply, _| drop(reply.body.remove("hint"))),
    change("noise of 10 % becomes 30 %", &["body.cache"], is_valid, |reply, random| {
        noisier(reply, "cache", "miss", (0.1, 0.3), random);
    }),
    change("noise of 50 % becomes 70 %", &["body.queue"], is_valid, |reply, random| {
        noisier(reply, "queue", "length", (0.5, 0.7), random);
    }),
    change("random id becomes constant", &["body.request_id"], is_valid, |reply, _| {
        set(reply, "request_id", json!("not-implemented"));
    }),
    change("time off by an hour", &["body.timestamp"], is_valid, |reply, _| {
        let time = reply.body["timestamp"].as_u64().unwrap();
        set(reply, "timestamp", json!(time + 3_600));
    }),
    change("claim dropped", &["body.access_token"], is_valid, |reply, _| {
        reply.claims.as_mut().unwrap().remove("aud");
    }),
    change("claim retyped", &["body.access_token"], is_valid, |reply, _| claim(reply, "aud", json!(["api"]))),
    change("claim changed", &["body.access_token"], is_valid, |reply, _| claim(reply, "role", json!("admin"))),
    change("lifetime of tokens doubled", &["body.access_token"], is_valid, |reply, _| {
        let issued = reply.claims.as_ref().unwrap()["iat"].as_u64().unwrap();
        claim(reply, "exp", json!(issued + 7_200));
    }),
    change("cookie loses HttpOnly", &["header.set-cookie"], is_valid, |reply, _| {
        reply.cookie.retain(|attribute| attribute != "HttpOnly");
    }),
    change("Max-Age of a cookie changed", &["header.set-cookie"], is_valid, |reply, _| {
        reply.cookie[2] = "Max-Age=31536000".into();
    }),
    change("header missing", &["header.vary"], is_valid, |reply, _| {
        reply.headers.retain(|(name, _)| *name != "vary");
    }),
    change("header changed", &["header.x-ratelimit-limit"], is_valid, |reply, _| {
        *reply.header("x-ratelimit-limit").unwrap() = "60".into();
    }),
    change("element of an array dropped", &["body.roles"], is_valid, |reply, _| {
        set(reply, "roles", json!(["reader", "auditor"]));
    }),
    change("order of an array changed", &["body.roles"], is_valid, |reply, _| {
        set(reply, "roles", json!(["writer", "reader", "auditor"]));
    }),
    change(
        "WWW-Authenticate: another scheme",
        &["header.www-authenticate"],
        |asked| asked.about == About::Unknown,
        |reply, _| {
            *reply.header("www-authenticate").unwrap() = r#"Basic realm="api""#.into();
        },
    ),
    change("Cache-Control loses no-store", &["header.cache-control"], is_valid, |reply, _| {
        *reply.header("cache-control").unwrap() = "private".into();
    }),
    change(
        "Location loses a parameter",
        &["header.location"],
        |asked| asked.about == About::Stranger,
        |reply, _| {
            reply.location.retain(|(name, _)| *name != "next");
        },
    ),
    change("two fields swapped", &["body.user"], is_valid, |reply, _| {
        let user = part(reply, "user");
        let (id, name) = (user["id"].clone(), user["name"].clone());
        user.extend([("id".to_owned(), name), ("name".to_owned(), id)]);
    }),
];

type Shows = fn(&Asked) -> bool;
type Make = fn(&mut Reply, &mut Random);

const fn change(name: &'static str, places: &'static [&'static str], shows: Shows, make: Make) -> Change {
    Change { name, places, is_flip: false, shows, make }
}

const fn flip(name: &'static str, places: &'static [&'static str], shows: Shows, make: Make) -> Change {
    Change { name, places, is_flip: true, shows, make }
}

impl Change {
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.places.iter().any(|place| begins(path, place))
    }

    /// What follows from a change of the body and is news to nobody.
    pub(super) fn follows(&self, path: &str) -> bool {
        ["header.etag", "header.content-length"].iter().any(|place| begins(path, place))
    }
}

fn begins(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '(']))
}

fn is_valid(asked: &Asked) -> bool {
    asked.about == About::Valid
}

fn set(reply: &mut Reply, field: &str, value: Value) {
    reply.body.insert(field.to_owned(), value);
}

fn part<'a>(reply: &'a mut Reply, field: &str) -> &'a mut serde_json::Map<String, Value> {
    reply.body[field].as_object_mut().unwrap()
}

/// Legacy's value is the usual one with chance 1 − x, and then of two values 1 − (1 − x)² differ.
fn noisier(reply: &mut Reply, field: &str, unusual: &str, (noise, wanted): (f64, f64), random: &mut Random) {
    let legacys = (1.0 - noise).sqrt();
    // What of a candidate's values has to be usual for `wanted` of them to differ from legacy's.
    let kept = (1.0 - wanted) / legacys / legacys;
    let unusual = format!("{unusual} {}", random.below(1_000_000));
    if !reply.body[field].as_str().unwrap().contains(' ') && !random.chance(kept) {
        set(reply, field, json!(unusual));
    }
}

fn claim(reply: &mut Reply, name: &str, value: Value) {
    reply.claims.as_mut().unwrap().insert(name.to_owned(), value);
}
