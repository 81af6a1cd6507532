//! What an answer decides about the credential.

use std::ops::RangeInclusive;

use http::HeaderName;
use serde::Deserialize;
use serde_json::Value;

use super::read::Read;
use crate::exchange::Decision;
use crate::shadow::json::{Document, Member};
use crate::shadow::path::{Path, Segment};
use crate::shadow::rules::is_endpoint;

/// How an answer is read as a decision where its status alone does not tell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decisions {
    /// Asked first; the first that fits decides.
    pub rules: Vec<DecisionRule>,
    /// Top-level boolean fields of a JSON body: one that is `false` makes a 2xx a deny.
    pub names: Vec<String>,
    /// Statuses that refuse the credential.
    pub denies: Vec<u16>,
    /// Endpoints, as `Endpoints` names them without the method, whose 2xx lets nobody in.
    pub neither: Vec<String>,
}

impl Default for Decisions {
    fn default() -> Self {
        Decisions {
            rules: Vec::new(),
            names: ["valid", "active"].map(str::to_owned).into(),
            denies: vec![401, 403, 407],
            neither: ["/healthz", "/readyz"].map(str::to_owned).into(),
        }
    }
}

impl Decisions {
    /// 5xx is an error; the configured statuses refuse the credential; 2xx lets it in unless its body or its endpoint
    /// says otherwise; all others decide nothing about it (404, 304, but also 400, which refuses the request).
    ///
    /// `body` is the answer whose body is read: any with the same body.
    pub(super) fn of(&self, answer: &Read, body: &Read, endpoint: &str) -> Decision {
        if let Some(rule) = self.rules.iter().find(|rule| rule.fits(answer, body, endpoint)) {
            return rule.means;
        }
        match answer.answer.status.as_u16() {
            500.. => Decision::Error,
            status if self.denies.contains(&status) => Decision::Deny,
            200..300 if self.guards_nothing(endpoint) => Decision::Neither,
            200..300 if self.says_no(body) => Decision::Deny,
            200..300 => Decision::Allow,
            _ => Decision::Neither,
        }
    }

    fn says_no(&self, body: &Read) -> bool {
        let is_false = |json: &Document, name: &String| json.member(name) == Some(Member::Bool(false));
        self.names.iter().any(|name| body.json().is_some_and(|json| is_false(json, name)))
    }

    fn guards_nothing(&self, endpoint: &str) -> bool {
        let path = endpoint.split_once(' ').map_or(endpoint, |(_, path)| path);
        self.neither.iter().any(|neither| neither == path)
    }
}

/// `[[compare.decisions]]`, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDecision {
    /// As endpoints are shown, e.g. `POST /auth/validate`; without it the rule holds for all of them.
    endpoint: Option<String>,
    when: RawWhen,
    /// `allow`, `deny`, `error` or `neither`.
    means: String,
}

/// All that is written has to hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWhen {
    status: Option<Vec<RawStatus>>,
    header: Option<String>,
    /// A place in a JSON body: `active`, `user.state`, `grants[].kind`.
    field: Option<String>,
    /// What the header or field is, or begins with; without both it only has to be there.
    is: Option<Vec<Value>>,
    begins: Option<Vec<String>>,
}

/// 401, or `"400-499"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawStatus {
    One(u16),
    Range(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DecisionRule {
    endpoint: Option<String>,
    /// Empty: any.
    statuses: Vec<RangeInclusive<u16>>,
    place: Option<(Place, Test)>,
    means: Decision,
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    Header(HeaderName),
    Field(Vec<Segment>),
}

/// One of these, or one that begins like this; both empty: any.
#[derive(Clone, Debug, PartialEq)]
struct Test {
    is: Vec<Value>,
    begins: Vec<String>,
}

impl DecisionRule {
    /// All errors at once, each as `decisions[0].key = value: what is wrong; what to write`.
    pub(crate) fn parse_all(raw: Vec<RawDecision>) -> Result<Vec<DecisionRule>, Vec<String>> {
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for (at, raw) in raw.into_iter().enumerate() {
            match DecisionRule::parse(raw) {
                Ok(rule) => rules.push(rule),
                Err(error) => errors.push(format!("decisions[{at}].{error}")),
            }
        }
        if errors.is_empty() { Ok(rules) } else { Err(errors) }
    }

    fn parse(raw: RawDecision) -> Result<DecisionRule, String> {
        let RawDecision { endpoint, when, means } = raw;
        if let Some(endpoint) = endpoint.as_deref().filter(|endpoint| !is_endpoint(endpoint)) {
            return Err(format!(
                "endpoint = {endpoint:?}: not an endpoint; write method and path as they are shown, e.g. \"POST /auth/validate\""
            ));
        }
        let means = match means.as_str() {
            "allow" => Decision::Allow,
            "deny" => Decision::Deny,
            "error" => Decision::Error,
            "neither" => Decision::Neither,
            _ => {
                return Err(format!(
                    "means = {means:?}: no decision; write \"allow\", \"deny\", \"error\" or \"neither\""
                ));
            }
        };
        let statuses = when.status.iter().flatten().map(RawStatus::range).collect::<Result<_, _>>()?;
        let place = place(&when)?;
        if when.status.is_none() && place.is_none() {
            return Err("when: holds for every answer; write status, header or field".into());
        }
        Ok(DecisionRule { endpoint, statuses, place, means })
    }

    fn fits(&self, answer: &Read, body: &Read, endpoint: &str) -> bool {
        let status = answer.answer.status.as_u16();
        let test_holds = || match &self.place {
            None => true,
            Some((Place::Header(name), test)) => {
                let mut values = answer.answer.headers.get_all(name).iter();
                values.any(|value| value.to_str().is_ok_and(|text| test.holds_text(text)))
            }
            Some((Place::Field(segments), test)) => {
                body.json().is_some_and(|json| json.any_at(segments, |value| test.holds(value)))
            }
        };
        self.endpoint.as_deref().is_none_or(|only| only == endpoint)
            && (self.statuses.is_empty() || self.statuses.iter().any(|range| range.contains(&status)))
            && test_holds()
    }
}

impl RawStatus {
    fn range(&self) -> Result<RangeInclusive<u16>, String> {
        let (text, range) = match self {
            RawStatus::One(status) => (status.to_string(), Some(*status..=*status)),
            RawStatus::Range(text) => {
                let ends = text.split_once('-').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
                (format!("{text:?}"), ends.map(|(from, to)| from..=to))
            }
        };
        range.filter(|range| *range.start() >= 100 && *range.end() < 600 && !range.is_empty()).ok_or_else(|| {
            format!("when.status = [{text}]: not a status or a range of them; write for example [401, \"500-599\"]")
        })
    }
}

fn place(when: &RawWhen) -> Result<Option<(Place, Test)>, String> {
    let test = Test { is: when.is.clone().unwrap_or_default(), begins: when.begins.clone().unwrap_or_default() };
    let has_test = when.is.is_some() || when.begins.is_some();
    let place = match (&when.header, &when.field) {
        (None, None) if has_test => return Err("when: says what is asked but not where; add header or field".into()),
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err("when: has header and field; write one of them, or two rules".into()),
        (Some(name), None) => {
            let name = name.parse().map_err(|_| {
                format!("when.header = {name:?}: no name of a header; write for example \"x-auth-result\"")
            })?;
            Place::Header(name)
        }
        (None, Some(field)) => {
            let path = format!("body{}{field}", if field.starts_with('[') { "" } else { "." });
            let path = Path::parse(&path).map_err(|error| format!("when.field = {field:?}: {error}"))?;
            Place::Field(path.segments)
        }
    };
    let is_scalar = |value: &Value| !matches!(value, Value::Array(_) | Value::Object(_));
    let is_text = |value: &Value| value.is_string();
    match (&place, &test.is) {
        (Place::Header(_), is) if !is.iter().all(is_text) => {
            Err("when.is: headers are texts; write for example is = [\"denied\"]".into())
        }
        (_, is) if !is.iter().all(is_scalar) => {
            Err("when.is: not texts, numbers or booleans; write for example is = [false, \"denied\"]".into())
        }
        _ => Ok(Some((place, test))),
    }
}

impl Test {
    fn holds(&self, value: Member) -> bool {
        let is = |written: Value| self.is.contains(&written);
        match value {
            _ if self.is.is_empty() && self.begins.is_empty() => true,
            Member::Text(text) => self.holds_text(&text),
            Member::Bool(value) => is(value.into()),
            Member::Number(text) => serde_json::from_str(text).is_ok_and(is),
            Member::Null | Member::Array | Member::Object => false,
        }
    }

    fn holds_text(&self, text: &str) -> bool {
        self.is.is_empty() && self.begins.is_empty()
            || self.is.iter().any(|value| value.as_str() == Some(text))
            || self.begins.iter().any(|start| text.starts_with(start))
    }
}
