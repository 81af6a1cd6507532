//! HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>) of the sample exchanges: an entry for each answer, so that
//! two that belong together stand together. Only redacted text is in it, and so its sizes are unknown (−1).

pub(crate) mod model;

use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use serde_json::json;

use self::model::{Content, Entry, Named, PostData, Request, Response, Size};
use crate::shadow::record::Shown;
use crate::shadow::redact::{ShownAnswer, ShownCall};
use crate::show::finding::{Finding, ShownSample};

use super::{CREATOR, Export, Report};

pub struct Har;

impl Export for Har {
    fn export(&self, report: &Report) -> anyhow::Result<String> {
        let entries: Vec<Entry> = report.findings.iter().flat_map(of_finding).collect();
        let (name, version) = CREATOR;
        let har = json!({"log": {"version": "1.2", "creator": {"name": name, "version": version}, "entries": entries}});
        Ok(format!("{har:#}\n"))
    }
}

fn of_finding(finding: &Finding) -> impl Iterator<Item = Entry> {
    finding.samples.iter().flatten().flat_map(
        move |ShownSample { at_ms, shown: Shown { call, legacy, candidate }, .. }| {
            let answers = [("legacy", legacy), ("candidate", candidate)];
            let answers = answers.into_iter().filter_map(|(side, answer)| Some((side, answer.as_ref()?)));
            answers.map(move |(side, answer)| {
                let comment = format!("#{} {}: {}; answered by {side}", finding.id, finding.endpoint, finding.sentence);
                entry(*at_ms, call, answer, comment)
            })
        },
    )
}

fn entry(at_ms: u64, call: &ShownCall, answer: &ShownAnswer, comment: String) -> Entry {
    let query = call.path.split_once('?').map_or("", |(_, query)| query).split('&').filter(|pair| !pair.is_empty());
    let post_data = PostData {
        mime_type: header(&call.headers, "content-type"),
        text: Some(call.body.clone()),
        ..PostData::default()
    };
    let request = Request {
        method: call.method.clone(),
        url: format!("http://{HOST}{}", call.path),
        http_version: HTTP.into(),
        headers: headers(&call.headers),
        query_string: query.map(|pair| named(pair.split_once('=').unwrap_or((pair, "")))).collect(),
        post_data: Some(post_data).filter(|_| !call.body.is_empty()),
        ..Request::default()
    };
    let status = StatusCode::from_u16(answer.status).ok();
    let content = Content {
        size: Size(answer.body.len() as i64),
        mime_type: header(&answer.headers, "content-type"),
        text: Some(answer.body.clone()),
        encoding: None,
    };
    let response = Response {
        status: Size(i64::from(answer.status)),
        status_text: status.and_then(|status| status.canonical_reason()).unwrap_or_default().into(),
        http_version: HTTP.into(),
        headers: headers(&answer.headers),
        content,
        redirect_url: header(&answer.headers, "location"),
        ..Response::default()
    };
    Entry {
        started_date_time: humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at_ms)).to_string(),
        request: Some(request),
        response: Some(response),
        comment,
        ..Entry::default()
    }
}

fn headers(headers: &[(String, String)]) -> Vec<Named> {
    headers.iter().map(|(name, value)| named((name, value))).collect()
}

fn named((name, value): (&str, &str)) -> Named {
    Named { name: name.to_owned(), value: Some(value.to_owned()) }
}

fn header(headers: &[(String, String)], name: &str) -> String {
    headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value).to_owned()
}

const HTTP: &str = "HTTP/1.1";

/// The real one may be a secret.
const HOST: &str = "service.invalid";
