//! HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>) of the sample exchanges: an entry for each answer, so that
//! two that belong together stand together. Only redacted text is in it, and so its sizes are unknown (−1).

use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use serde_json::{Value, json};

use crate::shadow::record::Shown;
use crate::shadow::redact::{ShownAnswer, ShownCall};
use crate::show::finding::{Finding, ShownSample};

use super::{CREATOR, Export, Report};

pub struct Har;

impl Export for Har {
    fn export(&self, report: &Report) -> anyhow::Result<String> {
        let entries: Vec<Value> = report.findings.iter().flat_map(of_finding).collect();
        let (name, version) = CREATOR;
        let har = json!({"log": {"version": "1.2", "creator": {"name": name, "version": version}, "entries": entries}});
        Ok(format!("{har:#}\n"))
    }
}

fn of_finding(finding: &Finding) -> impl Iterator<Item = Value> {
    finding.samples.iter().flatten().flat_map(
        move |ShownSample { at_ms, shown: Shown { call, legacy, candidate }, .. }| {
            let answers = [("legacy", legacy), ("candidate", candidate)];
            let answers = answers.into_iter().filter_map(|(side, answer)| Some((side, answer.as_ref()?)));
            answers.map(move |(side, answer)| {
                let comment = format!("#{} {}: {}; answered by {side}", finding.id, finding.endpoint, finding.sentence);
                entry(*at_ms, call, answer, &comment)
            })
        },
    )
}

fn entry(at_ms: u64, call: &ShownCall, answer: &ShownAnswer, comment: &str) -> Value {
    let query = call.path.split_once('?').map_or("", |(_, query)| query);
    let query: Vec<Value> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let mut request = json!({
        "method": call.method,
        "url": format!("http://{HOST}{}", call.path),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&call.headers),
        "queryString": query,
        "headersSize": -1,
        "bodySize": -1,
    });
    if !call.body.is_empty() {
        request["postData"] = json!({"mimeType": media_type(&call.headers), "params": [], "text": call.body});
    }
    let status = StatusCode::from_u16(answer.status).ok();
    json!({
        "startedDateTime": humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at_ms)).to_string(),
        "time": 0,
        "request": request,
        "response": {
            "status": answer.status,
            "statusText": status.and_then(|status| status.canonical_reason()).unwrap_or_default(),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": headers(&answer.headers),
            "content": {"size": answer.body.len(), "mimeType": media_type(&answer.headers), "text": answer.body},
            "redirectURL": header(&answer.headers, "location"),
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": -1, "wait": 0, "receive": -1},
        "comment": comment,
    })
}

fn headers(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn media_type(headers: &[(String, String)]) -> &str {
    header(headers, "content-type")
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// The real one may be a secret.
const HOST: &str = "service.invalid";
