//! What differs between any two services and says nothing about either: tracing ids, clocks, banners.
//!
//! Headers that guard something (CSRF, idempotency, authorization) are left out on purpose.

use super::condition::Condition;
use super::number::Decimal;
use super::rule::Rule;
use crate::exchange::Kind;
use crate::shadow::path::Path;

pub(super) fn rules() -> Vec<Rule> {
    // Differs from answer to answer of one and the same service.
    let volatile = VOLATILE_HEADERS.iter().map(|name| header(name, &[Kind::Value]));
    // Names the software that answered.
    let banners = BANNER_HEADERS.iter().map(|name| header(name, &[Kind::Value, Kind::Missing, Kind::Added]));
    // Two tokens are not issued in the same second; how long each is good for is another matter.
    let tolerance = Decimal::parse(TOKEN_TOLERANCE_S).expect("it is a number");
    let times = ["iat", "exp", "nbf"].map(|name| claim(name, Condition::Tolerance(tolerance)));
    let id = claim("jti", Condition::None);
    volatile.chain(banners).chain(times).chain([id]).collect()
}

fn header(name: &str, explains: &[Kind]) -> Rule {
    rule(name, &format!("header.{name}"), explains, Condition::None)
}

fn claim(name: &str, condition: Condition) -> Rule {
    rule(&format!("jwt-{name}"), &format!("jwt.claims.{name}"), &[Kind::Value], condition)
}

fn rule(name: &str, path: &str, explains: &[Kind], condition: Condition) -> Rule {
    Rule {
        name: format!("{STARTER}{name}").into(),
        endpoint: None,
        path: Path::parse(path).expect("the names below are plain"),
        explains: explains.to_vec(),
        condition,
        reason: "differs between any two services, and says nothing about either".to_owned(),
        expires: None,
        places_max: None,
    }
}

pub(super) const STARTER: &str = "starter:";

const TOKEN_TOLERANCE_S: &str = "30";

/// Their values are excused, their presence is not.
pub(crate) const VOLATILE_HEADERS: [&str; 18] = [
    "age",
    "b3",
    "date",
    "request-id",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-amzn-trace-id",
    "x-b3-parentspanid",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-datadog-parent-id",
    "x-datadog-span-id",
    "x-datadog-trace-id",
    "x-request-id",
    "x-runtime",
];

const BANNER_HEADERS: [&str; 2] = ["server", "x-powered-by"];
