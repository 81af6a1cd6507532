//! Bodies of a HAR, which are recorded as texts, as parsed parameters, or not at all.

use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use super::super::source::LeftOut;
use crate::show::export::har::model::{Content, Param, PostData, Size};

/// The body as it was sent, less its encoding.
///
/// # Errors
/// There was one, and it was not recorded whole.
pub(super) fn of_request(post: Option<PostData>, headers: &mut HeaderMap, size: Size) -> Result<Bytes, LeftOut> {
    let sent = length(headers).or(u64::try_from(size.0).ok()).filter(|sent| *sent > 0);
    let Some(PostData { mime_type, params, text, encoding }) = post else {
        return if sent.is_some() { Err(LeftOut::RequestBody) } else { Ok(Bytes::new()) };
    };
    let body = match text.filter(|text| !text.is_empty() || params.is_empty()) {
        Some(text) => {
            let is_whole = !text.contains(LOST) || sent == Some(text.len() as u64);
            bytes(text, encoding.as_deref()).filter(|_| is_whole).ok_or(LeftOut::RequestBody)?
        }
        None if params.is_empty() => Bytes::new(),
        None => of_params(&mime_type, &params, headers, sent)?.into(),
    };
    if body.is_empty() && sent.is_some() { Err(LeftOut::RequestBody) } else { Ok(body) }
}

/// None where it was not recorded, or not whole. Then `size` may still say how long it was.
pub(super) fn of_response(content: Content, headers: &HeaderMap, body_size: Size) -> Option<Bytes> {
    let Content { size, text, encoding, .. } = content;
    let was_empty = length(headers) == Some(0) || length(headers).is_none() && size.0 == 0 && body_size.0 == 0;
    let text = match text {
        Some(text) if !text.is_empty() => text,
        Some(_) if size.0 <= 0 && length(headers).unwrap_or(0) == 0 && body_size.0 <= 0 => return Some(Bytes::new()),
        _ => return was_empty.then(Bytes::new),
    };
    if encoding.is_none() {
        // Some count characters, some the bytes before they were decoded.
        let is_of_encoded = headers.contains_key(CONTENT_ENCODING)
            && (size.0 == body_size.0 || u64::try_from(size.0).ok() == length(headers));
        let said = usize::try_from(size.0).unwrap_or(0);
        if text.contains(LOST) || said > text.len() && said > text.chars().count() && !is_of_encoded {
            return None;
        }
    }
    bytes(text, encoding.as_deref())
}

/// Whether an exporter kept it as it came, which is told by how such bytes begin.
pub(super) fn is_encoded_still(headers: &HeaderMap, body: &[u8]) -> bool {
    headers.contains_key(CONTENT_ENCODING) && STARTS.iter().any(|start| body.starts_with(start))
}

fn bytes(text: String, encoding: Option<&str>) -> Option<Bytes> {
    match encoding {
        Some(encoding) if encoding.eq_ignore_ascii_case("base64") => {
            let digits: String = text.split_ascii_whitespace().collect();
            Some(Base64::decode_vec(&digits).ok()?.into())
        }
        _ => Some(text.into()),
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn of_params(mime: &str, params: &[Param], headers: &mut HeaderMap, sent: Option<u64>) -> Result<String, LeftOut> {
    let typed = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or(mime).to_owned();
    let kind = typed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "multipart/form-data" {
        return multipart(&typed, params, headers);
    }
    // A body that is no form was put into a name by whoever parsed it as one.
    let lone = match params {
        [Param { name, value, .. }] if value.as_deref().unwrap_or_default().is_empty() => Some(name),
        _ => None,
    };
    match lone {
        Some(name) if kind != FORM || sent == Some(name.len() as u64) => Ok(name.clone()),
        _ if kind == FORM || kind.is_empty() => Ok(form(params, sent)),
        _ => Err(LeftOut::RequestBody),
    }
}

/// Some exporters decode parameters and some do not. The length that was sent tells, else what may stand in them.
fn form(params: &[Param], sent: Option<u64>) -> String {
    let pairs = |spelled: fn(&str) -> String| {
        let pair = |Param { name, value, .. }: &Param| {
            format!("{}={}", spelled(name), spelled(value.as_deref().unwrap_or_default()))
        };
        params.iter().map(pair).collect::<Vec<_>>().join("&")
    };
    let (kept, again) = (pairs(str::to_owned), pairs(spelled));
    let fits = |text: &str| sent == Some(text.len() as u64);
    let texts = || params.iter().flat_map(|param| [Some(&param.name), param.value.as_ref()]).flatten();
    let is_kept = match (fits(&kept), fits(&again)) {
        (true, false) => texts().all(|text| !text.contains('&')),
        (false, true) => false,
        _ => {
            let is_escaped = texts().any(|text| text.contains('%')) || texts().all(|text| is_plain(text));
            is_escaped && texts().all(|text| may_be_encoded(text))
        }
    };
    if is_kept { kept } else { again }
}

/// Every percent sign begins an escape, and nothing stands in it that a form cannot have.
fn may_be_encoded(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_escape = |at: usize| bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => is_escape(at),
        b'&' | b'#' => false,
        byte => byte.is_ascii_graphic(),
    })
}

/// Nothing that any encoder would escape.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*-._~!'()+".contains(&byte))
}

/// <https://url.spec.whatwg.org/#concept-urlencoded-serializer>
fn spelled(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => spelled.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) => spelled.push(char::from(byte)),
            byte => spelled += &format!("%{byte:02X}"),
        }
    }
    spelled
}

/// RFC 7578. A part whose content was not recorded cannot be made again.
fn multipart(typed: &str, params: &[Param], headers: &mut HeaderMap) -> Result<String, LeftOut> {
    let named = typed.split(';').skip(1).filter_map(|part| part.trim().split_once('='));
    let mut named = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"));
    let boundary = named.next().map(|(_, value)| value.trim().trim_matches('"').to_owned());
    let boundary = boundary.filter(|boundary| !boundary.is_empty()).unwrap_or_else(|| {
        headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(concat!("multipart/form-data; boundary=", "replayed-form")));
        BOUNDARY.to_owned()
    });
    let mut body = String::new();
    for Param { name, value, file_name, content_type } in params {
        let value = value.as_deref().filter(|value| !value.contains(LOST)).ok_or(LeftOut::RequestBody)?;
        let quoted = |text: &str| text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        body += &format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(name));
        if let Some(file_name) = file_name {
            body += &format!("; filename=\"{}\"", quoted(file_name));
        }
        if let Some(content_type) = content_type.as_deref().filter(|content_type| !content_type.is_empty()) {
            body += &format!("\r\nContent-Type: {}", content_type.replace(['\r', '\n'], " "));
        }
        body += &format!("\r\n\r\n{value}\r\n");
    }
    Ok(body + &format!("--{boundary}--\r\n"))
}

const FORM: &str = "application/x-www-form-urlencoded";
const BOUNDARY: &str = "replayed-form";
/// Stands where bytes were no text.
const LOST: char = '\u{fffd}';
/// gzip and zstd; what deflate and Brotli begin with tells nothing.
const STARTS: [&[u8]; 2] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd]];
