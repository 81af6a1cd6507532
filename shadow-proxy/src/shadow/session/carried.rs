//! The places of a call in which a client carries what it was issued.

use std::borrow::Cow;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{BODY_BYTES_MAX, VALUE_BYTES_MAX, VALUE_BYTES_MIN};
use crate::exchange::Call;

/// Says what stands in place of a value, given with the name of its cookie where it is one's.
pub(super) type Replace<'a> = dyn FnMut(Option<&str>, &str) -> Option<String> + 'a;

/// The call with values replaced, each as a whole and never as a part of another; none when there is none to replace.
/// All other bytes stay.
pub(super) fn rewritten(call: &Call, replace: &mut Replace) -> Option<Call> {
    let uri = uri(&call.uri, replace);
    let headers = headers(&call.headers, replace);
    let body = body(call, replace);
    if uri.is_none() && headers.is_none() && body.is_none() {
        return None;
    }
    let mut call = Call {
        uri: uri.unwrap_or_else(|| call.uri.clone()),
        headers: headers.unwrap_or_else(|| call.headers.clone()),
        ..call.clone()
    };
    if let Some(body) = body {
        call.body = body.into();
        if let Some(length) = call.headers.get_mut(CONTENT_LENGTH) {
            *length = call.body.len().into();
        }
    }
    Some(call)
}

fn uri(uri: &Uri, replace: &mut Replace) -> Option<Uri> {
    let path = uri.path_and_query()?.as_str();
    if path.len() < VALUE_BYTES_MIN {
        return None;
    }
    let (segments, query) = path.split_once('?').map_or((path, None), |(segments, query)| (segments, Some(query)));
    let new_segments = pieces(segments, '/', |segment| encoded(segment, replace));
    let new_query = query.and_then(|query| pairs(query, replace));
    if new_segments.is_none() && new_query.is_none() {
        return None;
    }
    let segments = new_segments.as_deref().unwrap_or(segments);
    let path = match new_query.as_deref().or(query) {
        Some(query) => format!("{segments}?{query}"),
        None => segments.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

fn headers(headers: &HeaderMap, replace: &mut Replace) -> Option<HeaderMap> {
    let mut changed = None;
    for (index, (name, value)) in headers.iter().enumerate() {
        let Ok(text) = value.to_str() else { continue };
        let new =
            if name == COOKIE { pieces(text, ';', |pair| cookie(pair, replace)) } else { after_scheme(text, replace) };
        if let Some(new) = new.and_then(|new| HeaderValue::from_str(&new).ok()) {
            let headers = changed.get_or_insert_with(|| headers.clone());
            // The same order as the original's, of which it is a copy.
            if let Some((_, value)) = headers.iter_mut().nth(index) {
                *value = new;
            }
        }
    }
    changed
}

/// `Bearer TOKEN` or `TOKEN`.
fn after_scheme(text: &str, replace: &mut Replace) -> Option<String> {
    if let Some(new) = whole(text, replace) {
        return Some(new);
    }
    let (scheme, value) = text.split_once(' ')?;
    let new = whole(value.trim_start(), replace)?;
    Some(format!("{scheme} {new}"))
}

fn cookie(pair: &str, replace: &mut Replace) -> Option<String> {
    let (name, value) = pair.split_once('=')?;
    let new = replace(Some(name.trim()), value.trim()).or_else(|| whole(value.trim(), replace))?;
    Some(format!("{name}={new}"))
}

fn body(call: &Call, replace: &mut Replace) -> Option<String> {
    let is_read = (VALUE_BYTES_MIN..=BODY_BYTES_MAX).contains(&call.body.len());
    if !is_read || call.headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    let text = std::str::from_utf8(&call.body).ok()?;
    let media_type = call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.to_ascii_lowercase().contains("form-urlencoded") {
        return pairs(text, replace);
    }
    let is_json = text.trim_ascii_start().starts_with(['{', '[', '"']);
    if is_json { json(text, replace) } else { None }
}

/// The strings of a JSON text, read as tokens: what is between them stays as it was written.
fn json(text: &str, replace: &mut Replace) -> Option<String> {
    let mut new = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(start) = text[at..].find('"').map(|length| at + length) {
        let end = string_end(text, start)?;
        let quoted = &text[start..end];
        let inside = &quoted[1..quoted.len() - 1];
        let plain = if inside.contains('\\') {
            serde_json::from_str::<String>(quoted).map_or(Cow::Borrowed(inside), Cow::Owned)
        } else {
            Cow::Borrowed(inside)
        };
        if let Some(value) = whole(&plain, replace) {
            new.push_str(&text[copied..start]);
            new.push_str(&serde_json::Value::from(value).to_string());
            copied = end;
        }
        at = end;
    }
    (copied > 0).then(|| new + &text[copied..])
}

/// Behind the quote that ends the string which begins at `start`; none where it does not end.
fn string_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The values of a query or a form.
fn pairs(text: &str, replace: &mut Replace) -> Option<String> {
    pieces(text, '&', |pair| {
        let (name, value) = pair.split_once('=')?;
        Some(format!("{name}={}", encoded(value, replace)?))
    })
}

/// A value as it stands in a URL or a form.
fn encoded(value: &str, replace: &mut Replace) -> Option<String> {
    if let Some(new) = whole(value, replace) {
        return Some(utf8_percent_encode(&new, OUTSIDE_URLS).to_string());
    }
    if !value.contains(['%', '+']) {
        return None;
    }
    let spaced = value.replace('+', " ");
    let plain = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(utf8_percent_encode(&whole(&plain, replace)?, OUTSIDE_URLS).to_string())
}

/// The pieces between separators; none when none is replaced.
fn pieces(text: &str, separator: char, mut new: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut changed = false;
    let mut replaced = |piece| match new(piece) {
        Some(new) => {
            changed = true;
            Cow::Owned(new)
        }
        None => Cow::Borrowed(piece),
    };
    let pieces: Vec<Cow<str>> = text.split(separator).map(&mut replaced).collect();
    changed.then(|| pieces.join(separator.encode_utf8(&mut [0; 4])))
}

fn whole(value: &str, replace: &mut Replace) -> Option<String> {
    if (VALUE_BYTES_MIN..=VALUE_BYTES_MAX).contains(&value.len()) { replace(None, value) } else { None }
}

/// All but the unreserved characters (RFC 3986 §2.3).
const OUTSIDE_URLS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
