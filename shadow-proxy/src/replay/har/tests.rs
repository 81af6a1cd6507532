use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::exchange::Leg;

/// An entry as an exporter writes it, and what becomes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Replace members of a plain entry; null takes nothing out, as exporters do.
    #[serde(default)]
    entry: Value,
    #[serde(default)]
    request: Value,
    #[serde(default)]
    response: Value,
    /// None: the entry is left out.
    #[serde(default)]
    sent: Option<Request>,
    #[serde(default)]
    legacy: Option<Answer>,
    #[serde(default)]
    left_out: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default = "get")]
    method: String,
    target: String,
    #[serde(default)]
    headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    body: String,
}

/// Headers are those of the names that are given; none without a body says that it was not recorded.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    body: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

#[test]
fn entries_are_sent_as_they_were_or_left_out_and_counted() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("cases.json")).expect("cases");
    for case in cases {
        let name = &case.name;
        let mut entry = json!({
            "startedDateTime": "2025-03-01T10:00:00.000Z", "time": 4.0,
            "request": {"method": "GET", "url": "https://svc.test/a", "headers": [], "bodySize": -1},
            "response": {"status": 200, "headers": [], "content": {"size": 2, "text": "{}"}, "bodySize": -1},
        });
        for (member, changes) in [("request", &case.request), ("response", &case.response)] {
            for (key, value) in changes.as_object().into_iter().flatten() {
                entry[member][key] = value.clone();
            }
        }
        for (key, value) in case.entry.as_object().into_iter().flatten() {
            entry[key] = value.clone();
        }
        if case.entry.is_string() {
            entry = case.entry.clone();
        }
        let records = records(&json!({"log": {"entries": [entry]}}).to_string(), &[]).expect(name);
        let mut left_out = BTreeMap::new();
        let mut sent = None;
        for record in records {
            match record {
                Ok(recorded) => sent = Some(recorded),
                Err(Damage::LeftOut(what, place)) => {
                    assert!(place.starts_with("log.entries[0]") || place.contains('.'), "{name}: {place}");
                    *left_out.entry(what.name().to_owned()).or_default() += 1;
                }
                Err(damage) => panic!("{name}: {damage:?}"),
            }
        }
        assert_eq!(left_out, case.left_out, "{name}");
        assert_eq!(sent.is_some(), case.sent.is_some(), "{name}");
        let (Some(recorded), Some(wanted)) = (sent, case.sent) else { continue };
        let call = &recorded.call;
        assert_eq!((call.method.as_str(), &*call.uri.to_string()), (&*wanted.method, &*wanted.target), "{name}");
        assert_eq!(String::from_utf8_lossy(&call.body), wanted.body, "{name}");
        check_headers(name, &wanted.headers, &call.headers);
        match (case.legacy, recorded.legacy) {
            (Some(wanted), Some(leg)) => check_answer(name, &wanted, &leg),
            (wanted, leg) => assert_eq!(wanted.is_some(), leg.is_some(), "{name}"),
        }
    }
}

fn check_answer(name: &str, wanted: &Answer, leg: &Leg) {
    let answer = leg.said().expect(name);
    assert_eq!(answer.status.as_u16(), wanted.status, "{name}");
    check_headers(name, &wanted.headers, &answer.headers);
    let (body, flaw) = crate::shadow::decode::readable(&answer.headers, &answer.body, 1 << 20);
    let body = leg.outcome.is_ok().then(|| String::from_utf8_lossy(&body).into_owned());
    assert_eq!((body, flaw), (wanted.body.clone(), None), "{name}");
}

fn check_headers(name: &str, wanted: &BTreeMap<String, Vec<String>>, headers: &http::HeaderMap) {
    for (header, wanted) in wanted {
        let values: Vec<&str> = headers.get_all(header).iter().map(|value| value.to_str().expect(name)).collect();
        assert_eq!(&values, wanted, "{name}: {header}");
    }
}

#[test]
fn entries_of_other_hosts_are_sent_only_when_asked_for() {
    let har = |urls: &[&str]| {
        let entries: Vec<Value> = urls.iter().map(|url| json!({"request": {"method": "GET", "url": url}})).collect();
        json!({"log": {"entries": entries}}).to_string()
    };
    let mixed = har(&["https://a.test/1", "https://A.test:443/2", "https://b.test/3", "http://u:p@a.test/4"]);
    for (file, hosts, wanted) in [
        (&mixed, &[][..], Ok((vec!["/1", "/2", "/4"], 1))),
        (&mixed, &["b.test"], Ok((vec!["/3"], 3))),
        (&mixed, &["b.test", "https://a.test/"], Ok((vec!["/1", "/2", "/3", "/4"], 0))),
        (&mixed, &["*"], Ok((vec!["/1", "/2", "/3", "/4"], 0))),
        (
            &mixed,
            &["c.test"],
            Err("no entry of the host c.test that --host names; it has those of a.test (3), b.test (1)"),
        ),
        (
            &har(&["http://a.test/1", "http://b.test/2"]),
            &[],
            Err("none of which has more than half of them: a.test (1), b.test (1); name the service's with --host"),
        ),
        (&har(&["http://a.test:8080/1", "http://a.test/2", "http://a.test/3"]), &[], Ok((vec!["/2", "/3"], 1))),
        (&har(&["http://a.test/1"]), &[], Ok((vec!["/1"], 0))),
        (&har(&[]), &[], Ok((vec![], 0))),
    ] {
        match (records(file, hosts), wanted) {
            (Ok(records), Ok((targets, left_out))) => {
                let sent: Vec<String> = records.iter().flatten().map(|sent| sent.call.uri.to_string()).collect();
                assert_eq!(
                    (sent, records.iter().filter(|record| record.is_err()).count()),
                    (targets.iter().map(|t| (*t).to_owned()).collect(), left_out),
                    "{file} {hosts:?}"
                );
            }
            (Err(error), Err(wanted)) => assert!(error.to_string().contains(wanted), "{error}"),
            (found, _) => panic!("{file} {hosts:?}: {:?}", found.err()),
        }
    }
}

#[test]
fn a_file_that_is_no_har_is_refused_in_a_sentence_that_says_what_to_do() {
    let deep = format!("{{\"log\":{{\"entries\":[{{\"x\":{}{}}}]}}}}", "[".repeat(500), "]".repeat(500));
    let own = r#"{"log":{"creator":{"name":"shadow-proxy","version":"1"},"entries":[]}}"#;
    for (file, wanted) in [
        (&b"{\"log\":{\"entries\":["[..], "it is cut short at line 1; export it again"),
        (b"{\"log\":{\"entries\":[{}\n]}\n", "it is cut short at line 2; export it again"),
        (b"{\"log\":{}}", "`log.entries` is missing; export it again"),
        (b"{\"log\":{\"entries\":{}}}", "it is no HAR 1.2: line 1"),
        (b"{\"log\":7}", "it is no HAR 1.2: line 1"),
        (b"{\"request\":{}}", "`log.entries` is missing; export it again"),
        (deep.as_bytes(), "nested too deeply at line 1; take that member out"),
        (
            b"{\"log\":{\"entries\":[]}}\n{\"log\":{\"entries\":[]}}",
            "more than one JSON document is in it, the second at line 2 (NDJSON)",
        ),
        (b"{\"log\":\n{\"entries\":[]}}\n{}", "the second at line 3; give one file for each"),
        (b"{\"log\":{\"entries\":[\"\xff\"]}}", "it is no UTF-8 at byte 20; save it as UTF-8"),
        (b"cb({\"log\":{\"entries\":[}})", "it is no HAR 1.2: line 1"),
        (own.as_bytes(), "replay a finding with --id N"),
    ] {
        let error = read(file, &Hosts::default()).err().expect("it is refused").to_string();
        assert!(error.contains(wanted), "{error}");
    }
    for good in [
        "\u{feff}{\"log\":{\"entries\":[]}}",
        " onInputData ({\"log\":{\"entries\":[]}});\n",
        "{\"log\":{\"entries\":[]},\"x\":[1,{}]}",
    ] {
        assert!(records(good, &[]).is_ok_and(|records| records.is_empty()), "{good}");
    }
}

#[test]
fn records_are_in_the_order_of_time_and_those_without_one_stay_where_they_are() {
    let entry = |time: Value, path: &str| json!({"startedDateTime": time, "request": {"method": "GET", "url": format!("http://a{path}")}});
    let file = json!({"log": {"entries": [
        entry(json!("2025-03-01T10:00:05+01:00"), "/2"), entry(Value::Null, "/3"),
        entry(json!("2025-03-01T10:00:00+0100"), "/1"), entry(json!("2025-03-01T04:00:09.5-05:00"), "/4"),
    ]}});
    let sent: Vec<String> = records(&file.to_string(), &[])
        .expect("a HAR")
        .into_iter()
        .flatten()
        .map(|sent| sent.call.uri.to_string())
        .collect();
    assert_eq!(sent, ["/1", "/2", "/3", "/4"]);
}

fn records(file: &str, hosts: &[&str]) -> anyhow::Result<Vec<Result<Recorded, Damage>>> {
    read(file.as_bytes(), &Hosts(hosts.iter().map(|host| (*host).to_owned()).collect()))
}
