mod decisions;
mod tokens;

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::exchange::Answer;
use crate::metrics::{Dropped, Skip};
use crate::shadow::decode::NotDecoded;
use crate::side::headers::end_to_end;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "post")]
    method: String,
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

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseAnswer {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    /// The body is these bytes instead.
    #[serde(default)]
    bytes: Vec<u8>,
    /// The body is gzipped before it is compared.
    #[serde(default)]
    gzip: bool,
}

/// Two values of one header, or two bodies of one type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    name: String,
    legacy: Vec<String>,
    candidate: Vec<String>,
    /// Path below the header, kind, legacy, candidate.
    differences: Vec<(String, Kind, Option<String>, Option<String>)>,
}

#[test]
fn answers() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../cases/compare.json")).unwrap();
    for case in cases {
        let (legacy, candidate) = (answer(&case.legacy), answer(&case.candidate));
        let method = case.method.parse().unwrap();
        let found = compared(&Comparer::default(), method, Ok(legacy), Ok(candidate), &case.endpoint).unwrap();
        let cell = Cell::of(found.legacy, found.candidate).name();
        let verdict = serde_json::to_value(found.verdict).unwrap();
        let differences: Vec<Vec<Option<String>>> = found.differences.into_iter().map(row).collect();
        assert_eq!(differences, case.differences, "{}", case.name);
        assert_eq!((verdict.as_str(), cell), (Some(&*case.verdict), &*case.cell), "{}", case.name);
    }
}

#[test]
fn cookies() {
    parts("set-cookie", include_str!("../cases/cookies.json"));
}

#[test]
fn challenges() {
    parts("www-authenticate", include_str!("../cases/challenges.json"));
}

#[test]
fn cache_control() {
    parts("cache-control", include_str!("../cases/cache_control.json"));
}

#[test]
fn locations() {
    parts("location", include_str!("../cases/locations.json"));
}

#[test]
fn media_types() {
    parts("content-type", include_str!("../cases/media_types.json"));
}

#[test]
fn forms() {
    let parts: Vec<Part> = serde_json::from_str(include_str!("../cases/forms.json")).unwrap();
    for part in parts {
        let [legacy, candidate] = [&part.legacy, &part.candidate].map(|bodies| {
            let mut answer = with_headers(&[("content-type", "application/x-www-form-urlencoded")]);
            answer.body = bodies.concat().into();
            answer
        });
        assert_eq!(told(&Comparer::default(), legacy, candidate), part.differences, "{}", part.name);
    }
}

#[test]
fn sets_of_names_have_no_order_and_some_no_case() {
    for (name, legacy, candidate, differences) in [
        ("vary", "Accept, Origin", "origin,accept", &[][..]),
        ("vary", "Accept, Origin", "Accept", &["header.vary.origin"]),
        ("access-control-allow-headers", "X-A", "x-a, x-b", &["header.access-control-allow-headers.x-b"]),
        ("access-control-expose-headers", "a,b,,a", "b, a", &[]),
        (
            "access-control-allow-methods",
            "GET",
            "get",
            &["header.access-control-allow-methods.GET", "header.access-control-allow-methods.get"],
        ),
        ("allow", "GET, POST", "POST, GET", &[]),
        ("x-list", "a, b", "b, a", &["header.x-list"]),
    ] {
        let [legacy, candidate] = [legacy, candidate].map(|value| with_headers(&[(name, value)]));
        let paths: Vec<String> =
            told(&Comparer::default(), legacy, candidate).into_iter().map(|(path, ..)| path).collect();
        assert_eq!(paths, differences, "{name}");
    }
}

#[test]
fn what_is_not_listed_is_still_told() {
    let [legacy, candidate] = ["1", "2"].map(|value| {
        let query: String = (0..200).map(|n| format!("k{n}={value}&")).collect();
        with_headers(&[("location", &format!("/?{query}"))])
    });
    let told = told(&Comparer::default(), legacy, candidate);
    assert_eq!(told.len(), 129);
    assert_eq!(told[128], ("header".to_owned(), Kind::Value, None, None));
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
    encoded.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("compress"));
    encoded.body = Bytes::from_static(b"?");
    assert_eq!(reason(Ok(plain(200)), Ok(encoded)), Some("encoding_unknown"));
    assert_eq!(reason(Err(Failure::Deadline), Err(Failure::Trap)), Some("legacy_deadline"));
}

proptest! {
    #[test]
    fn whatever_is_sent_is_compared_and_mirrors(legacy in any_answer(), candidate in any_answer()) {
        prop_assert_eq!(places(legacy.clone(), legacy.clone()), vec![]);
        let swapped = |kind| match kind {
            Kind::Missing => Kind::Added,
            Kind::Added => Kind::Missing,
            same => same,
        };
        let there = places(legacy.clone(), candidate.clone());
        let mut back: Vec<_> = places(candidate, legacy).into_iter().map(|(path, kind)| (path, swapped(kind))).collect();
        back.sort();
        prop_assert_eq!(there, back);
    }
}

fn parts(header: &str, cases: &str) {
    let parts: Vec<Part> = serde_json::from_str(cases).unwrap();
    for part in parts {
        let [legacy, candidate] = [&part.legacy, &part.candidate].map(|lines| {
            let mut headers = vec![("date", "Wed, 01 Jan 2025 00:00:00 GMT")];
            headers.extend(lines.iter().map(|line| match line.strip_prefix("date: ") {
                Some(date) => ("date", date),
                None => (header, line.as_str()),
            }));
            // A case's own date comes instead of the usual one.
            if headers.iter().filter(|(name, _)| *name == "date").count() > 1 {
                headers.remove(0);
            }
            with_headers(&headers)
        });
        let root = format!("header.{header}");
        let found: Vec<_> = told(&Comparer::default(), legacy, candidate)
            .into_iter()
            .filter(|(path, ..)| path != "header.date")
            .map(|(path, kind, legacy, candidate)| {
                (path.strip_prefix(&root).map_or(path.clone(), str::to_owned), kind, legacy, candidate)
            })
            .collect();
        assert_eq!(found, part.differences, "{}", part.name);
    }
}

type Told = (String, Kind, Option<String>, Option<String>);

fn told(comparer: &Comparer, legacy: Answer, candidate: Answer) -> Vec<Told> {
    let found = compared(comparer, Method::GET, Ok(legacy), Ok(candidate), "GET /").unwrap();
    found.differences.into_iter().map(|d| (d.path, d.kind, d.legacy, d.candidate)).collect()
}

fn places(legacy: Answer, candidate: Answer) -> Vec<(String, Kind)> {
    let mut places: Vec<_> =
        told(&Comparer::default(), legacy, candidate).into_iter().map(|(path, kind, ..)| (path, kind)).collect();
    places.sort();
    places
}

#[test]
fn the_guide_says_what_every_reason_means() {
    use Failure::{Busy, Closed, Connect, Deadline, Memory, NoAnswer, TooLarge, Trap};
    let anywhere = [Connect, Deadline, Closed, TooLarge];
    let in_a_component = [Trap, Memory, NoAnswer, Busy];
    let of_legacy = anywhere.iter().map(|failure| reason(Err(*failure), Ok(plain(200))));
    let of_both = anywhere.iter().chain(&in_a_component).map(|failure| reason(Ok(plain(200)), Err(*failure)));
    let failed = of_legacy.chain(of_both);
    let unread =
        [NotDecoded::EncodingUnknown, NotDecoded::EncodingBroken, NotDecoded::DecodedTooLarge].map(NotDecoded::name);
    let skipped = Skip::ALL.map(|(_, name)| name);
    let dropped = Dropped::ALL.map(|(_, name)| name);
    let guide = include_str!("../../../../migration-guide/troubleshooting.md");
    let reasons = failed.flatten().chain(unread).chain(skipped).chain(dropped).chain(["session_unknown"]);
    let missing: Vec<&str> = reasons.filter(|reason| !guide.contains(&format!("`{reason}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn reason(legacy: Result<Answer, Failure>, candidate: Result<Answer, Failure>) -> Option<&'static str> {
    compared(&Comparer::default(), Method::GET, legacy, candidate, "GET /").err().map(|reason| reason.0)
}

fn compared(
    comparer: &Comparer,
    method: Method,
    legacy: Result<Answer, Failure>,
    candidate: Result<Answer, Failure>,
    endpoint: &str,
) -> Result<Comparison, NotComparable> {
    let leg = |outcome| Leg { outcome, latency: Duration::from_millis(1) };
    let call = Call { method, uri: Uri::from_static("/"), headers: HeaderMap::new(), body: Bytes::new() };
    comparer.compare(&call, &leg(legacy), &leg(candidate), endpoint, Day::of_ms(0))
}

fn plain(status: u16) -> Answer {
    Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: Bytes::new() }
}

fn with_headers(headers: &[(&str, &str)]) -> Answer {
    let mut answer = plain(200);
    for (name, value) in headers {
        answer.headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    answer
}

fn answer(case: &CaseAnswer) -> Answer {
    let mut answer = plain(case.status);
    for (name, value) in &case.headers {
        answer.headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    // As both sides make their answers.
    answer.headers = end_to_end(answer.headers);
    let body = if case.bytes.is_empty() { case.body.as_bytes() } else { &case.bytes };
    answer.body = if case.gzip { gzip(body) } else { Bytes::copy_from_slice(body) };
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

/// Near to what the comparers know, so that they are reached, and far enough to break them.
fn any_answer() -> impl Strategy<Value = Answer> {
    let name = prop::sample::select(vec![
        "set-cookie",
        "www-authenticate",
        "proxy-authenticate",
        "cache-control",
        "vary",
        "allow",
        "location",
        "content-type",
        "content-length",
        "date",
        "x-other",
    ]);
    let value = prop_oneof![
        r#"(a|sid)?=?[ab"]?(; ?(Path|max-age|Domain|HttpOnly|Expires|samesite)=?(/|/a|-?[0-9]{1,3}|\.A|a)?){0,3}"#,
        r#"((Basic|bearer|Negotiate)? ?(realm|b)?( ?= ?"?[a,\\"]{0,2}"?)?,? ?){0,4}"#,
        r"(https?:|x)?(//)?(u@)?[aA.]{0,2}(:[0-9]{0,2})?(/[ab%]{0,2}){0,2}(\?([ab]=%?[0-9a-f]{0,2}&?){0,3})?(#[a=]{0,2})?",
        "(eyJhbGciOiJIUzI1NiJ9|e30|)\\.(e30|eyJhIjoxfQ|)\\.(a|b|)",
        "(Wed, )?[0-9]{1,2}[ -](Jan|feb|x)[ -](19|20)?[0-9]{2} [0-9]{1,2}:[0-9]{2}:[0-9]{2}( GMT)?",
        "(application|image|text)/(json|x-www-form-urlencoded|png)(; ?charset=\"?[uU]tf-8\"?)?",
        "[ -~\u{80}-\u{ff}]{0,12}",
    ];
    let body = prop_oneof![
        Just(Vec::new()),
        "[ab=&%+]{0,8}".prop_map(String::into_bytes),
        r#"\{"a":(1|"eyJhbGciOiJIUzI1NiJ9\.e30\.a"|\["a"\])\}"#.prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    let status = prop::sample::select(vec![200_u16, 204, 304, 401, 500]);
    (status, prop::collection::vec((name, value), 0..6), body).prop_map(|(status, headers, body)| {
        let mut answer = plain(status);
        for (name, value) in headers {
            let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { continue };
            answer.headers.append(name, value);
        }
        answer.body = body.into();
        answer
    })
}

fn post() -> String {
    "POST".to_owned()
}

fn default_endpoint() -> String {
    "POST /auth/validate".to_owned()
}
