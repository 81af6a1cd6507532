//! One rule: as it is written, and as it is understood.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::condition::{self, Condition};
use super::day::Day;
use super::number::Decimal;
use super::starter::STARTER;
use crate::exchange::{Difference, Kind};
use crate::shadow::class::Class;
use crate::shadow::endpoint;
use crate::shadow::noise::Place;
use crate::shadow::path::{Path, Root, Segment};

/// `[[compare.rules]]`, as written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRule {
    /// Shown wherever the rule explains something; no two rules share one.
    pub name: String,
    /// As endpoints are shown, e.g. `POST /auth/validate`; without it the rule holds for all of them.
    pub endpoint: Option<String>,
    pub path: String,
    /// `value`, `missing`, `added`, `type`, `order`, `repeated`; only `value` when not written.
    pub explains: Option<Vec<String>>,
    pub reason: String,
    /// The day from which on it explains nothing.
    pub expires: String,
    /// How many places (endpoint and path) it was written for.
    pub places_max: Option<u32>,

    /// At most one condition. The one value of that side that is agreed; without it, any.
    pub legacy: Option<String>,
    pub candidate: Option<String>,
    /// A regular expression that both values match as a whole.
    pub pattern: Option<String>,
    /// Of both values.
    pub class: Option<String>,
    /// How far apart two numbers may be.
    pub tolerance: Option<serde_json::Number>,
    /// How far apart two times may be.
    pub tolerance_ms: Option<u64>,
    /// The order of the array's elements means nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unordered: bool,
    /// Its elements are told apart by the member of this name.
    pub keyed_by: Option<String>,
    /// What the candidate calls the member.
    pub renamed_to: Option<String>,
    /// A member that is `null` is as good as none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub null_is_missing: bool,

    /// Of a rule that somebody accepted: who, when, and the finding it was made from.
    pub accepted_by: Option<String>,
    pub accepted_at: Option<String>,
    pub finding: Option<u64>,
}

impl RawRule {
    /// Whether it explains whatever differs there, as far as that depends on the place: for a rule with no condition but
    /// on the class of both values.
    pub(crate) fn is_about(&self, place: &Place) -> bool {
        let Place { endpoint, path, kind, classes } = place;
        let is_of_class = |class: &String| {
            let is_of = |found: Option<Class>| found.is_some_and(|found| found.name() == class);
            is_of(classes.0) && is_of(classes.1)
        };
        let kinds = self.explains.as_deref();
        self.endpoint.as_ref().is_none_or(|only| only == endpoint)
            && self.path == *path
            && kinds.map_or(*kind == Kind::Value, |kinds| kinds.iter().any(|explained| explained == kind.name()))
            && self.class.as_ref().is_none_or(is_of_class)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub name: Arc<str>,
    pub endpoint: Option<String>,
    pub path: Path,
    pub explains: Vec<Kind>,
    pub condition: Condition,
    pub reason: String,
    /// Built-in rules have none.
    pub expires: Option<Day>,
    pub places_max: Option<u32>,
}

impl Rule {
    /// All errors at once, each as `key = value: what is wrong; what to write`.
    pub(super) fn parse(raw: RawRule) -> Result<Rule, Vec<String>> {
        let mut errors = Vec::new();
        let condition = condition(&raw, &mut errors);
        let RawRule { name, endpoint, path, explains, reason, expires: expires_text, places_max, .. } = raw;
        check_texts(&name, endpoint.as_deref(), &reason, &mut errors);
        let explains = kinds(explains, &condition, &mut errors);
        let expires = Day::parse(&expires_text);
        if expires.is_none() {
            errors.push(format!(
                "expires = {expires_text:?}: not a day; write the first one on which the rule no longer holds, e.g. expires = \"2027-06-30\""
            ));
        }
        if places_max == Some(0) {
            errors.push("places_max = 0: a rule is for one place or more; write for example `places_max = 1`".into());
        }
        let place = place(&path, &condition).map_err(|error| errors.push(format!("path = {path:?}: {error}"))).ok();
        match place {
            Some(path) if errors.is_empty() => {
                Ok(Rule { name: name.into(), endpoint, path, explains, condition, reason, expires, places_max })
            }
            _ => Err(errors),
        }
    }

    pub(super) fn explains(&self, difference: &Difference, place: &Path, endpoint: &str, now: Day) -> bool {
        self.explains.contains(&difference.kind)
            && self.is_in_force(now)
            && self.is_for(endpoint)
            && self.path.covers(place)
            && self.condition.holds(difference, place)
    }

    pub(crate) fn is_for(&self, endpoint: &str) -> bool {
        self.endpoint.as_deref().is_none_or(|only| only == endpoint)
    }

    pub(crate) fn is_in_force(&self, now: Day) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    pub(crate) fn is_built_in(&self) -> bool {
        self.expires.is_none()
    }
}

fn check_texts(name: &str, endpoint: Option<&str>, reason: &str, errors: &mut Vec<String>) {
    if name.trim().is_empty() {
        errors.push("name = \"\": a rule is told by its name; write for example `name = \"ids-are-random\"`".into());
    } else if name.starts_with(STARTER) {
        errors.push(format!("name = {name:?}: `{STARTER}` begins the names of built-in rules; choose another name"));
    }
    if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        errors.push(format!(
            "name = {name:?}: longer than {NAME_BYTES_MAX} bytes or more than a line; choose a short name"
        ));
    }
    if let Some(endpoint) = endpoint.filter(|endpoint| !is_endpoint(endpoint)) {
        errors.push(format!(
            "endpoint = {endpoint:?}: not an endpoint; write method and path as they are shown, e.g. \"POST /auth/validate\""
        ));
    }
    if reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX {
        errors.push(format!(
            "reason = {reason:?}: nobody can review a rule without one; write why the difference does not matter, in up to {REASON_BYTES_MAX} bytes"
        ));
    }
}

/// The one condition that is written.
fn condition(raw: &RawRule, errors: &mut Vec<String>) -> Condition {
    let mut written: Vec<(&str, Result<Condition, String>)> = Vec::new();
    let RawRule { legacy, candidate, .. } = raw;
    if legacy.is_some() || candidate.is_some() {
        let key = if legacy.is_some() { "legacy" } else { "candidate" };
        written.push((key, Ok(Condition::Expected { legacy: legacy.clone(), candidate: candidate.clone() })));
    }
    if let Some(pattern) = &raw.pattern {
        let parsed = condition::whole(pattern).map_err(|error| format!("pattern = {pattern:?}: {error}"));
        written.push(("pattern", parsed.map(Condition::Pattern)));
    }
    if let Some(class) = &raw.class {
        written.push(("class", of_class(class).map_err(|error| format!("class = {class:?}: {error}"))));
    }
    if let Some(number) = &raw.tolerance {
        let tolerance = Decimal::parse(&number.to_string()).filter(|tolerance| !tolerance.is_negative());
        let error = || format!("tolerance = {number}: not a number from 0 up; write for example `tolerance = 0.5`");
        written.push(("tolerance", tolerance.map(Condition::Tolerance).ok_or_else(error)));
    }
    if let Some(tolerance) = raw.tolerance_ms {
        written.push(("tolerance_ms", Ok(Condition::ToleranceMs(tolerance))));
    }
    for (key, is_written, condition) in [
        ("unordered", raw.unordered, Condition::Unordered),
        ("null_is_missing", raw.null_is_missing, Condition::NullIsMissing),
    ] {
        written.extend(is_written.then_some((key, Ok(condition))));
    }
    for (key, name, condition) in [
        ("keyed_by", &raw.keyed_by, Condition::KeyedBy as fn(String) -> Condition),
        ("renamed_to", &raw.renamed_to, Condition::RenamedTo),
    ] {
        let Some(name) = name else { continue };
        let error = || format!("{key} = \"\": the name of a member is not empty; write for example `{key} = \"id\"`");
        let is_name = !name.is_empty();
        written.push((key, is_name.then(|| condition(name.clone())).ok_or_else(error)));
    }
    if let [(first, _), (second, _), ..] = written.as_slice() {
        errors.push(format!("{second}: stands beside {first}, and a rule has one condition; write one rule for each"));
    }
    let mut conditions = written.into_iter().filter_map(|(_, parsed)| parsed.map_err(|error| errors.push(error)).ok());
    conditions.next().unwrap_or(Condition::None)
}

fn of_class(name: &str) -> Result<Condition, String> {
    match Class::named(name) {
        Some(Class::Null | Class::Empty) => Err("has one value, so that two of it never differ; write null_is_missing, or the values as legacy and candidate".to_owned()),
        Some(class) => Ok(Condition::Class(class)),
        None => {
            let names: Vec<&str> = Class::ALL.map(Class::name).into();
            Err(format!("no class; write one of {}", names.join(", ")))
        }
    }
}

/// What it may explain depends on what it says of the values: only a rule that names presence excuses absence.
fn kinds(written: Option<Vec<String>>, condition: &Condition, errors: &mut Vec<String>) -> Vec<Kind> {
    let (default, allowed, hint): (&[Kind], &[Kind], &str) = match condition {
        Condition::None | Condition::Expected { .. } => (&[Kind::Value], &KINDS, ""),
        Condition::Pattern(_) | Condition::Class(_) | Condition::Tolerance(_) | Condition::ToleranceMs(_) => {
            (&[Kind::Value], &[Kind::Value], "a rule about both values explains `value` alone")
        }
        Condition::Unordered | Condition::KeyedBy(_) => {
            (&[Kind::Order], &[Kind::Order], "a rule about an array explains `order` alone")
        }
        Condition::RenamedTo(_) => (&[Kind::Renamed], &[Kind::Renamed], "a rule about a name explains `renamed` alone"),
        Condition::NullIsMissing => (
            &[Kind::Missing, Kind::Added],
            &[Kind::Missing, Kind::Added],
            "null_is_missing explains `missing` and `added` alone",
        ),
    };
    let Some(names) = written else { return default.to_vec() };
    let kinds: Option<Vec<Kind>> = names.iter().map(|name| kind(name)).collect();
    match kinds.filter(|kinds| !kinds.is_empty()) {
        Some(kinds) if kinds.iter().all(|kind| allowed.contains(kind)) => return kinds,
        Some(_) if hint.is_empty() => errors.push(format!(
            "explains = {names:?}: `renamed` is for a rule that says the name; write it with renamed_to"
        )),
        Some(_) => errors.push(format!(
            "explains = {names:?}: {hint}; leave `explains` away, and write another rule for the rest"
        )),
        None => errors.push(format!(
            "explains = {names:?}: not a list of kinds; write one or more of \"value\", \"missing\", \"added\", \"type\", \"order\", \"repeated\""
        )),
    }
    default.to_vec()
}

fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

fn place(text: &str, condition: &Condition) -> Result<Path, String> {
    let path = Path::parse(text)?;
    let is_exact = matches!(condition, Condition::Expected { legacy: Some(_), candidate: Some(_) });
    let is_in_json = path.is_json() || path.root == Root::Jwt;
    match (condition, path.root, path.segments.last()) {
        (_, Root::Decision, _) => {
            Err("a flipped decision is never explained; make the sides agree, or name another place".into())
        }
        (_, Root::Status, _) if !is_exact => {
            Err("a status says what became of the request; write the agreed ones as legacy and candidate".into())
        }
        (_, Root::Header, None) => Err("headers have names; write `header.NAME` or `header.*`".into()),
        (Condition::RenamedTo(_) | Condition::NullIsMissing | Condition::Unordered | Condition::KeyedBy(_), _, _)
            if !is_in_json =>
        {
            Err("only JSON has names and arrays that this can be said of; write a path below `body` or `jwt`".into())
        }
        (Condition::RenamedTo(_), _, last) if !matches!(last, Some(Segment::Key(_))) => {
            Err("one name is renamed, not any; write the path of the member, e.g. `body.user.id`".into())
        }
        _ => Ok(path),
    }
}

/// Method and path as endpoints are shown.
pub(crate) fn is_endpoint(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(method, path)| {
        !method.is_empty()
            && method.bytes().all(|byte| byte.is_ascii_uppercase())
            && (path.starts_with('/') || path == endpoint::UNNAMED)
    })
}

/// Those that a rule may name on its own.
const KINDS: [Kind; 6] = [Kind::Value, Kind::Missing, Kind::Added, Kind::Type, Kind::Order, Kind::Repeated];

const NAME_BYTES_MAX: usize = 128;
const REASON_BYTES_MAX: usize = 1_000;
