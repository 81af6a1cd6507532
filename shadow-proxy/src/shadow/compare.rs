//! Two answers to one call: where they differ, and whether they decide the same about the credential.

mod decision;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

pub(crate) use self::decision::Decisions;
use super::decode::{NotDecoded, decoded};
use super::json;
use super::path;
use super::rules::Rules;
use crate::exchange::{Answer, Call, Cell, Decision, Difference, Failure, Kind, Leg, Side, Verdict};

/// What two answers are held against. One serves every pair: legacy with the candidate, and legacy with itself.
#[derive(Clone)]
pub(crate) struct Comparer {
    pub rules: Rules,
    pub decisions: Decisions,
}

#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub verdict: Verdict,
    /// The flipped decision first, then status, headers by name, body.
    pub differences: Vec<Difference>,
    pub legacy: Decision,
    pub candidate: Decision,
}

/// Why there is no verdict: a side failed (`candidate_trap`), or its body could not be read (`encoding_unknown`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NotComparable(pub &'static str);

impl NotComparable {
    fn failed(side: Side, failure: Failure) -> NotComparable {
        NotComparable(match (side, failure) {
            (Side::Legacy, Failure::Connect) => "legacy_connect",
            (Side::Legacy, Failure::Deadline) => "legacy_deadline",
            (Side::Legacy, Failure::Closed) => "legacy_closed",
            (Side::Legacy, Failure::TooLarge) => "legacy_too_large",
            (Side::Legacy, Failure::Trap) => "legacy_trap",
            (Side::Legacy, Failure::Memory) => "legacy_memory",
            (Side::Legacy, Failure::NoAnswer) => "legacy_no_answer",
            (Side::Legacy, Failure::Busy) => "legacy_busy",
            (Side::Candidate, Failure::Connect) => "candidate_connect",
            (Side::Candidate, Failure::Deadline) => "candidate_deadline",
            (Side::Candidate, Failure::Closed) => "candidate_closed",
            (Side::Candidate, Failure::TooLarge) => "candidate_too_large",
            (Side::Candidate, Failure::Trap) => "candidate_trap",
            (Side::Candidate, Failure::Memory) => "candidate_memory",
            (Side::Candidate, Failure::NoAnswer) => "candidate_no_answer",
            (Side::Candidate, Failure::Busy) => "candidate_busy",
        })
    }
}

impl From<NotDecoded> for NotComparable {
    fn from(reason: NotDecoded) -> Self {
        NotComparable(reason.name())
    }
}

impl Comparer {
    /// The first leg stands in legacy's place and the second in the candidate's, wherever they are from; when both
    /// failed the reason is the first one's. `endpoint` is the call's name as `Endpoints` gives it.
    pub(crate) fn compare(
        &self,
        _call: &Call,
        legacy: &Leg,
        candidate: &Leg,
        endpoint: &str,
    ) -> Result<Comparison, NotComparable> {
        let legacy = Read::new(legacy, Side::Legacy)?;
        let candidate = Read::new(candidate, Side::Candidate)?;
        let decisions = (legacy.decision(&self.decisions, endpoint), candidate.decision(&self.decisions, endpoint));
        let bodies = body_differences(&legacy, &candidate);

        let mut differences = Vec::new();
        differences.extend(flip(decisions.0, decisions.1));
        if legacy.answer.status != candidate.answer.status {
            let status = |read: &Read| Some(read.answer.status.as_str().to_owned());
            differences.push(difference("status".into(), Kind::Value, status(&legacy), status(&candidate)));
        }
        header_differences(&legacy, &candidate, !bodies.is_empty(), &mut differences);
        differences.extend(bodies);

        self.rules.explain(&mut differences, endpoint);
        let verdict = verdict(&differences);
        Ok(Comparison { verdict, differences, legacy: decisions.0, candidate: decisions.1 })
    }
}

impl Comparison {
    /// Explains, by a rule of this name, what no other rule did: two values of which `are_same` says that they are.
    pub(crate) fn explain(&mut self, name: &str, are_same: impl Fn(&str, &str) -> bool) {
        let plain = |value: &Option<String>| {
            let value = value.as_deref()?;
            Some(serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned()))
        };
        for difference in &mut self.differences {
            if difference.kind == Kind::Value
                && difference.rule.is_none()
                && let (Some(legacy), Some(candidate)) = (plain(&difference.legacy), plain(&difference.candidate))
                && are_same(&legacy, &candidate)
            {
                difference.rule = Some(name.into());
            }
        }
        self.verdict = verdict(&self.differences);
    }
}

fn verdict(differences: &[Difference]) -> Verdict {
    match differences {
        [] => Verdict::Match,
        differences if differences.iter().all(|difference| difference.rule.is_some()) => Verdict::Explained,
        _ => Verdict::Mismatch,
    }
}

/// One side's answer, made readable once.
struct Read<'a> {
    answer: &'a Answer,
    body: Bytes,
    /// Read whatever the media type says: an answer that forgot its type still decides.
    json: Option<Value>,
}

impl<'a> Read<'a> {
    fn new(leg: &'a Leg, side: Side) -> Result<Read<'a>, NotComparable> {
        let answer = leg.outcome.as_ref().map_err(|failure| NotComparable::failed(side, *failure))?;
        let body = decoded(&answer.headers, &answer.body, DECODED_BYTES_MAX)?;
        let starts_as_object = body.trim_ascii_start().starts_with(b"{");
        let json = (starts_as_object || is_json(&answer.headers)).then(|| json::parsed(&body).ok()).flatten();
        Ok(Read { answer, body, json })
    }

    fn decision(&self, decisions: &Decisions, endpoint: &str) -> Decision {
        decisions.of(self.answer, self.json.as_ref(), endpoint)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
}

fn flip(legacy: Decision, candidate: Decision) -> Option<Difference> {
    let (before, after) = match Cell::of(legacy, candidate) {
        Cell::AllowDeny => ("allow", "deny"),
        Cell::DenyAllow => ("deny", "allow"),
        Cell::AllowAllow | Cell::DenyDeny | Cell::Other => return None,
    };
    Some(difference("decision".into(), Kind::Value, Some(before.to_owned()), Some(after.to_owned())))
}

fn body_differences(legacy: &Read, candidate: &Read) -> Vec<Difference> {
    if legacy.body == candidate.body {
        return Vec::new();
    }
    if let (Some(legacy_json), Some(candidate_json)) = (&legacy.json, &candidate.json)
        && is_json(&legacy.answer.headers)
        && is_json(&candidate.answer.headers)
    {
        return json::differences(legacy_json, candidate_json);
    }
    let text = |body: &Bytes| (!body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned());
    let (legacy, candidate) = (text(&legacy.body), text(&candidate.body));
    vec![difference("body".into(), kind_of(&legacy, &candidate), legacy, candidate)]
}

fn header_differences(legacy: &Read, candidate: &Read, bodies_differ: bool, found: &mut Vec<Difference>) {
    let mut names: Vec<&HeaderName> = legacy.answer.headers.keys().chain(candidate.answer.headers.keys()).collect();
    names.sort_unstable_by_key(|name| name.as_str());
    names.dedup();
    for name in names {
        for (before, after) in unequal_pairs(&values(legacy, name), &values(candidate, name)) {
            let kind = kind_of(&before, &after);
            let is_news = *name != CONTENT_LENGTH || length_is_news(legacy, candidate, bodies_differ, kind);
            let mut path = "header".to_owned();
            path::push_key(&mut path, name.as_str());
            // One line is enough for a hundred cookies that differ in the same way.
            let is_known = found.iter().any(|known| known.kind == kind && known.path == path);
            if is_news && !is_known {
                found.push(difference(path, kind, before.map(text), after.map(text)));
            }
        }
    }
}

fn values<'a>(read: &Read<'a>, name: &HeaderName) -> Vec<&'a HeaderValue> {
    read.answer.headers.get_all(name).iter().collect()
}

/// Values in order, whole: a comma inside one (`Expires=Wed, …`) means nothing here. What both lists begin and end with
/// is set aside first, so that a dropped first cookie is one missing value and not a change of all that follow.
fn unequal_pairs<'a>(
    before: &[&'a HeaderValue],
    after: &[&'a HeaderValue],
) -> Vec<(Option<&'a HeaderValue>, Option<&'a HeaderValue>)> {
    let start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[start..], &after[start..]);
    let end = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[..before.len() - end], &after[..after.len() - end]);
    (0..before.len().max(after.len()))
        .map(|index| (before.get(index).copied(), after.get(index).copied()))
        .filter(|(a, b)| a != b)
        .collect()
}

/// A length that differs because the bodies, their encodings or their white space do is told by those already.
fn length_is_news(legacy: &Read, candidate: &Read, bodies_differ: bool, kind: Kind) -> bool {
    let same_encoding = values(legacy, &CONTENT_ENCODING) == values(candidate, &CONTENT_ENCODING);
    let same_length = legacy.answer.body.len() == candidate.answer.body.len();
    !bodies_differ && same_encoding && (same_length || kind != Kind::Value)
}

fn kind_of<T>(legacy: &Option<T>, candidate: &Option<T>) -> Kind {
    match (legacy, candidate) {
        (Some(_), None) => Kind::Missing,
        (None, Some(_)) => Kind::Added,
        _ => Kind::Value,
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn difference(path: String, kind: Kind, legacy: Option<String>, candidate: Option<String>) -> Difference {
    Difference { path, kind, legacy, candidate, rule: None }
}

/// What a compressed body may become. Compared bodies are held by a few workers at a time.
const DECODED_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Method, StatusCode, Uri};
    use serde::Deserialize;

    use super::*;
    use crate::side::headers::end_to_end;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        #[serde(default = "default_endpoint")]
        endpoint: String,
        legacy: CaseAnswer,
        candidate: CaseAnswer,
        verdict: String,
        /// A cell of the matrix.
        cell: String,
        /// Path, kind, legacy, candidate, and the rule when there is one.
        differences: Vec<Vec<Option<String>>>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct CaseAnswer {
        status: u16,
        #[serde(default)]
        headers: Vec<(String, String)>,
        #[serde(default)]
        body: String,
        /// The body is gzipped before it is compared.
        #[serde(default)]
        gzip: bool,
    }

    #[test]
    fn cases() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("cases/compare.json")).unwrap();
        for case in cases {
            let found = compared(Ok(answer(&case.legacy)), Ok(answer(&case.candidate)), &case.endpoint).unwrap();
            let cell = Cell::of(found.legacy, found.candidate).name();
            let verdict = serde_json::to_value(found.verdict).unwrap();
            let differences: Vec<Vec<Option<String>>> = found.differences.into_iter().map(row).collect();
            assert_eq!(differences, case.differences, "{}", case.name);
            assert_eq!((verdict.as_str(), cell), (Some(&*case.verdict), &*case.cell), "{}", case.name);
        }
    }

    #[test]
    fn every_reason_not_to_compare_has_its_own_name() {
        for side in [Side::Legacy, Side::Candidate] {
            for (failure, name) in [
                (Failure::Connect, "connect"),
                (Failure::Deadline, "deadline"),
                (Failure::Closed, "closed"),
                (Failure::TooLarge, "too_large"),
                (Failure::Trap, "trap"),
                (Failure::Memory, "memory"),
                (Failure::NoAnswer, "no_answer"),
                (Failure::Busy, "busy"),
            ] {
                let (mut legacy, mut candidate) = (Ok(plain(200)), Ok(plain(200)));
                *(if side == Side::Legacy { &mut legacy } else { &mut candidate }) = Err(failure);
                assert_eq!(reason(legacy, candidate), Some(&*format!("{}_{name}", side.name())));
            }
        }
        let mut encoded = plain(200);
        encoded.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        encoded.body = Bytes::from_static(b"?");
        assert_eq!(reason(Ok(plain(200)), Ok(encoded)), Some("encoding_unknown"));
        assert_eq!(reason(Err(Failure::Deadline), Err(Failure::Trap)), Some("legacy_deadline"));
    }

    fn reason(legacy: Result<Answer, Failure>, candidate: Result<Answer, Failure>) -> Option<&'static str> {
        compared(legacy, candidate, "GET /").err().map(|reason| reason.0)
    }

    fn compared(
        legacy: Result<Answer, Failure>,
        candidate: Result<Answer, Failure>,
        endpoint: &str,
    ) -> Result<Comparison, NotComparable> {
        let comparer = Comparer { rules: Rules::starter(), decisions: Decisions::default() };
        let leg = |outcome| Leg { outcome, latency: Duration::from_millis(1) };
        let call =
            Call { method: Method::GET, uri: Uri::from_static("/"), headers: HeaderMap::new(), body: Bytes::new() };
        comparer.compare(&call, &leg(legacy), &leg(candidate), endpoint)
    }

    fn plain(status: u16) -> Answer {
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    fn answer(case: &CaseAnswer) -> Answer {
        let mut answer = plain(case.status);
        for (name, value) in &case.headers {
            answer.headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        // As both sides make their answers.
        answer.headers = end_to_end(answer.headers);
        answer.body = if case.gzip { gzip(case.body.as_bytes()) } else { case.body.clone().into() };
        answer
    }

    fn gzip(plain: &[u8]) -> Bytes {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap().into()
    }

    fn row(difference: Difference) -> Vec<Option<String>> {
        let kind = serde_json::to_value(difference.kind).unwrap().as_str().map(str::to_owned);
        let mut row = vec![Some(difference.path), kind, difference.legacy, difference.candidate];
        row.extend(difference.rule.map(|rule| Some(rule.to_string())));
        row
    }

    fn default_endpoint() -> String {
        "POST /auth/validate".to_owned()
    }
}
