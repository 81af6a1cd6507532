//! Which differences are agreed not to matter, and why. A rule explains a difference; it never removes it.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;

use super::path::{Path, Root};
use crate::exchange::{Difference, Kind};

/// `[[rules]]` of the configuration, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRule {
    /// Shown wherever the rule explains something; no two rules share one.
    #[serde(default)]
    pub name: String,
    /// As endpoints are shown, e.g. `POST /auth/validate`; without it the rule holds for all of them.
    pub endpoint: Option<String>,
    #[serde(default)]
    pub path: String,
    /// `value`, `missing`, `added`, `type`, `order`, `repeated`; only `value` when not written.
    pub explains: Option<Vec<String>>,
    /// The one value of that side that is agreed; without it, any.
    pub legacy: Option<String>,
    pub candidate: Option<String>,
    #[serde(default)]
    pub reason: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub name: Arc<str>,
    pub endpoint: Option<String>,
    pub path: Path,
    pub explains: Vec<Kind>,
    pub legacy: Option<String>,
    pub candidate: Option<String>,
}

impl Rule {
    /// All errors at once, each as `key = value: what is wrong; what to write`.
    pub(crate) fn parse(raw: RawRule) -> Result<Rule, Vec<String>> {
        let RawRule { name, endpoint, path, explains, legacy, candidate, reason } = raw;
        let mut errors = Vec::new();
        if name.trim().is_empty() {
            errors
                .push("name = \"\": a rule is told by its name; write for example `name = \"ids-are-random\"`".into());
        } else if name.starts_with(STARTER) {
            errors
                .push(format!("name = {name:?}: `{STARTER}` begins the names of built-in rules; choose another name"));
        }
        if let Some(endpoint) = endpoint.as_deref().filter(|endpoint| !is_endpoint(endpoint)) {
            errors.push(format!(
                "endpoint = {endpoint:?}: not an endpoint; write method and path as they are shown, e.g. \"POST /auth/validate\""
            ));
        }
        if reason.trim().is_empty() {
            errors.push(
                "reason = \"\": nobody can review a rule without one; write why the difference does not matter".into(),
            );
        }
        let explains = kinds(explains).unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        });
        match Path::parse(&path) {
            Ok(Path { root: Root::Decision, .. }) => errors.push(format!(
                "path = {path:?}: a flipped decision is never explained; make the sides agree, or name another place"
            )),
            Ok(path) if errors.is_empty() => {
                return Ok(Rule { name: name.into(), endpoint, path, explains, legacy, candidate });
            }
            Ok(_) => {}
            Err(error) => errors.push(format!("path = {path:?}: {error}")),
        }
        Err(errors)
    }

    fn explains(&self, difference: &Difference, place: &Path, endpoint: &str) -> bool {
        let agreed = |value: &Option<String>, found: &Option<String>| value.is_none() || value == found;
        self.explains.contains(&difference.kind)
            && self.endpoint.as_deref().is_none_or(|only| only == endpoint)
            && agreed(&self.legacy, &difference.legacy)
            && agreed(&self.candidate, &difference.candidate)
            && self.path.covers(place)
    }
}

/// In the order they are asked: the user's, then the starter set. The first that explains a difference names it.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
}

impl Rules {
    /// What differs between any two services and says nothing about either: tracing ids, clocks, banners.
    ///
    /// Headers that guard something (CSRF, idempotency, authorization) are left out on purpose.
    pub(crate) fn starter() -> Rules {
        let volatile = VOLATILE_HEADERS.iter().map(|name| {
            // Differs from answer to answer of one and the same service.
            starter_rule(name, &[Kind::Value])
        });
        let banners = BANNER_HEADERS.iter().map(|name| {
            // Names the software that answered.
            starter_rule(name, &[Kind::Value, Kind::Missing, Kind::Added])
        });
        Rules { rules: volatile.chain(banners).collect() }
    }

    /// The user's rules before the starter set. All errors at once, each beginning with the rule it is about.
    pub(crate) fn parse(raw: Vec<RawRule>) -> Result<Rules, Vec<String>> {
        let (mut rules, mut errors, mut names) = (Vec::new(), Vec::new(), HashSet::new());
        for (index, raw) in raw.into_iter().enumerate() {
            match Rule::parse(raw) {
                Ok(rule) if !names.insert(rule.name.clone()) => errors.push(format!(
                    "rules[{index}].name = {:?}: another rule has this name; choose one that is not taken",
                    rule.name
                )),
                Ok(rule) => rules.push(rule),
                Err(of_rule) => errors.extend(of_rule.into_iter().map(|error| format!("rules[{index}].{error}"))),
            }
        }
        rules.extend(Rules::starter().rules);
        if errors.is_empty() { Ok(Rules { rules }) } else { Err(errors) }
    }

    /// Writes into each difference the rule that explains it.
    pub(crate) fn explain(&self, differences: &mut [Difference], endpoint: &str) {
        for difference in differences {
            // A place that is none, or a flipped decision, which no rule may excuse.
            let Some(place) = Path::parse(&difference.path).ok().filter(|place| place.root != Root::Decision) else {
                continue;
            };
            let rule = self.rules.iter().find(|rule| rule.explains(difference, &place, endpoint));
            difference.rule = rule.map(|rule| rule.name.clone());
        }
    }
}

fn starter_rule(header: &str, explains: &[Kind]) -> Rule {
    Rule {
        name: format!("{STARTER}{header}").into(),
        endpoint: None,
        path: Path::parse(&format!("header.{header}")).expect("the names below are plain header names"),
        explains: explains.to_vec(),
        legacy: None,
        candidate: None,
    }
}

fn kinds(names: Option<Vec<String>>) -> Result<Vec<Kind>, String> {
    let Some(names) = names else { return Ok(vec![Kind::Value]) };
    let kinds: Option<Vec<Kind>> = names.iter().map(|name| kind(name)).collect();
    kinds.filter(|kinds| !kinds.is_empty()).ok_or_else(|| {
        format!("explains = {names:?}: not a list of kinds; write one or more of \"value\", \"missing\", \"added\", \"type\", \"order\", \"repeated\"")
    })
}

fn kind(name: &str) -> Option<Kind> {
    match name {
        "value" => Some(Kind::Value),
        "missing" => Some(Kind::Missing),
        "added" => Some(Kind::Added),
        "type" => Some(Kind::Type),
        "order" => Some(Kind::Order),
        "repeated" => Some(Kind::Repeated),
        _ => None,
    }
}

/// Method and path as endpoints are shown.
pub(crate) fn is_endpoint(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(method, path)| {
        !method.is_empty()
            && method.bytes().all(|byte| byte.is_ascii_uppercase())
            && (path.starts_with('/') || path == super::endpoint::UNNAMED)
    })
}

const STARTER: &str = "starter:";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_set_excuses_values_not_presence() {
        let rules = Rules::starter();
        for (path, kind, rule) in [
            ("header.date", Kind::Value, Some("starter:date")),
            ("header.date", Kind::Missing, None),
            ("header.x-request-id", Kind::Added, None),
            ("header.x-powered-by", Kind::Missing, Some("starter:x-powered-by")),
            ("header.server", Kind::Added, Some("starter:server")),
            ("header.x-candidate-id", Kind::Value, None),
            ("header.etag", Kind::Value, None),
            ("header.set-cookie", Kind::Value, None),
            ("status", Kind::Value, None),
            ("decision", Kind::Value, None),
            ("body.date", Kind::Value, None),
        ] {
            assert_eq!(explained(&rules, path, kind, "GET /").as_deref(), rule, "{path} {kind:?}");
        }
    }

    #[test]
    fn the_users_rules_come_first_and_explain_only_what_they_list() {
        let rules = parse(
            r#"
            [[rules]]
            name = "ids"
            endpoint = "POST /auth/validate"
            path = "body.*.id"
            reason = "random"

            [[rules]]
            name = "dates"
            path = "header.Date"
            explains = ["value", "missing"]
            reason = "the candidate has no clock"

            [[rules]]
            name = "never reached"
            path = "header.date"
            explains = ["missing"]
            reason = "shadowed by the one above"
            "#,
        )
        .unwrap();
        for (path, kind, endpoint, rule) in [
            ("body.user.id", Kind::Value, "POST /auth/validate", Some("ids")),
            ("body.user.id", Kind::Value, "POST (unnamed)", None),
            ("body.user.id", Kind::Type, "POST /auth/validate", None),
            ("body.user.id", Kind::Missing, "POST /auth/validate", None),
            ("body.id", Kind::Value, "POST /auth/validate", None),
            ("header.date", Kind::Value, "GET /", Some("dates")),
            ("header.date", Kind::Missing, "GET /", Some("dates")),
            ("header.date", Kind::Added, "GET /", None),
            ("header.age", Kind::Value, "GET /", Some("starter:age")),
        ] {
            assert_eq!(explained(&rules, path, kind, endpoint).as_deref(), rule, "{path} {kind:?} {endpoint}");
        }
    }

    #[test]
    fn all_errors_at_once() {
        let errors = parse(
            r#"
            [[rules]]
            endpoint = "/auth/validate"
            path = "body.items[0]"
            explains = ["other"]

            [[rules]]
            name = "starter:mine"
            path = "decision"
            explains = []
            reason = "it is fine"

            [[rules]]
            name = "twice"
            path = "status"
            reason = "r"

            [[rules]]
            name = "twice"
            path = "status"
            reason = "r"
            "#,
        )
        .unwrap_err();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        rules[0].name = "": a rule is told by its name; write for example `name = "ids-are-random"`
        rules[0].endpoint = "/auth/validate": not an endpoint; write method and path as they are shown, e.g. "POST /auth/validate"
        rules[0].reason = "": nobody can review a rule without one; write why the difference does not matter
        rules[0].explains = ["other"]: not a list of kinds; write one or more of "value", "missing", "added", "type", "order", "repeated"
        rules[0].path = "body.items[0]": positions are not part of a path; write `[]` for every element, or `["key"]`
        rules[1].name = "starter:mine": `starter:` begins the names of built-in rules; choose another name
        rules[1].explains = []: not a list of kinds; write one or more of "value", "missing", "added", "type", "order", "repeated"
        rules[1].path = "decision": a flipped decision is never explained; make the sides agree, or name another place
        rules[3].name = "twice": another rule has this name; choose one that is not taken
        "#);
    }

    fn parse(toml: &str) -> Result<Rules, Vec<String>> {
        #[derive(Deserialize)]
        struct File {
            rules: Vec<RawRule>,
        }
        Rules::parse(toml::from_str::<File>(toml).unwrap().rules)
    }

    fn explained(rules: &Rules, path: &str, kind: Kind, endpoint: &str) -> Option<String> {
        let mut differences = [Difference { path: path.into(), kind, legacy: None, candidate: None, rule: None }];
        rules.explain(&mut differences, endpoint);
        differences[0].rule.as_deref().map(str::to_owned)
    }
}
