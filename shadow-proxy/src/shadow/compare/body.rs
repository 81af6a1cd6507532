//! Two bodies, by what their senders say they are.

use super::form;
use super::found::Found;
use super::hex_digest;
use super::media_type::{Declared, declared};
use super::read::Read;
use crate::exchange::{Difference, Kind};
use crate::shadow::json;

/// For bodies that are not the same bytes.
pub(super) fn compare(legacy: &Read, candidate: &Read, found: &mut Found) {
    let (before, after) = (Form::of(legacy), Form::of(candidate));
    if legacy.body.is_empty() || candidate.body.is_empty() {
        return found.pair("body".into(), whole(legacy, before).as_deref(), whole(candidate, after).as_deref());
    }
    let is_told = match (before, after) {
        (Form::Json, Form::Json) => json(legacy, candidate, found),
        (Form::Pairs, Form::Pairs) => match (std::str::from_utf8(&legacy.body), std::str::from_utf8(&candidate.body)) {
            (Ok(legacy), Ok(candidate)) => form::compare("body", legacy, candidate, found),
            _ => false,
        },
        _ => false,
    };
    if !is_told {
        let kind = if before == after { Kind::Value } else { Kind::Type };
        let (legacy, candidate) = (whole(legacy, before), whole(candidate, after));
        found.add(Difference { path: "body".into(), kind, legacy, candidate, rule: None });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Pairs,
    Text,
    Binary,
}

impl Form {
    /// Text that looks like JSON is JSON only where the sender does not say otherwise.
    fn of(read: &Read) -> Form {
        match declared(&read.answer.headers) {
            Declared::Json | Declared::Nothing if read.json().is_some() => Form::Json,
            Declared::Binary => Form::Binary,
            _ if std::str::from_utf8(&read.body).is_err() => Form::Binary,
            Declared::Form => Form::Pairs,
            _ => Form::Text,
        }
    }
}

/// False where one of the two is no JSON after all.
fn json(legacy: &Read, candidate: &Read, found: &mut Found) -> bool {
    let (Some(legacy), Some(candidate)) = (legacy.json(), candidate.json()) else { return false };
    found.extend(json::differences(legacy, candidate, &found.known));
    true
}

/// A body as one value; none where there is none. What nobody can read is told by its digest, and what should be JSON
/// and is not, with the reason.
fn whole(read: &Read, form: Form) -> Option<String> {
    let value = match std::str::from_utf8(&read.body) {
        Ok("") => return None,
        Ok(text) if form != Form::Binary && text.len() <= TEXT_BYTES_MAX => text.to_owned(),
        _ => format!("sha256:{} {} bytes", hex_digest(&read.body), read.body.len()),
    };
    let should_be_json = matches!(declared(&read.answer.headers), Declared::Json | Declared::Nothing);
    Some(match read.not_json().filter(|_| should_be_json) {
        Some(why) => format!("not JSON ({why}): {value}"),
        None => value,
    })
}

/// Longer texts are told by their digest too.
const TEXT_BYTES_MAX: usize = 64 << 10;
