//! Who a signed token is about, read in less time than a JSON parser takes: of most only the first claims.

use std::borrow::Cow;

use base64_simd::{Out, URL_SAFE_NO_PAD};

/// The claims that are the same in the next token of the same client. Texts without their quotes, numbers as written.
#[derive(Default)]
struct Claims<'a> {
    issuer: Option<Cow<'a, [u8]>>,
    /// Which of [`SUBJECTS`] it is, and its value.
    subject: Option<(usize, Cow<'a, [u8]>)>,
}

/// The first that a token has is who it is about.
const SUBJECTS: [&str; 3] = ["sub", "sid", "client_id"];

/// Gives what a payload says to `then`; false where it is no JSON object in base64url, or says nothing of the kind.
pub(super) fn read(payload: &[u8], then: impl FnOnce(&[u8], &str, &[u8]) -> bool) -> bool {
    // Whoever writes `iss` and `sub` writes them early.
    let mut first = [0; FIRST_CHARS / 4 * 3];
    if payload.len() > FIRST_CHARS
        && let Some(json) = decode(&payload[..FIRST_CHARS], &mut first)
    {
        let (claims, _) = claims(json);
        if let (Some(issuer), Some((0, subject))) = (&claims.issuer, &claims.subject) {
            return then(issuer, SUBJECTS[0], subject);
        }
    }
    let mut all = [0; PAYLOAD_CHARS_MAX / 4 * 3];
    if payload.len() > PAYLOAD_CHARS_MAX {
        return false;
    }
    let Some(json) = decode(payload, &mut all) else { return false };
    let (Claims { issuer, subject: Some((which, subject)) }, true) = claims(json) else { return false };
    then(issuer.as_deref().unwrap_or_default(), SUBJECTS[which], &subject)
}

/// Those at the top of an object, up to where nothing more is wanted; and whether it is one that far.
fn claims(json: &[u8]) -> (Claims<'_>, bool) {
    let mut claims = Claims::default();
    let is_object = members(json, &mut |name, value| {
        if name == b"iss" {
            claims.issuer = text(value);
        } else if let Some(which) = SUBJECTS.iter().position(|subject| subject.as_bytes() == name)
            && claims.subject.as_ref().is_none_or(|(known, _)| which < *known)
            && let Some(value) = text(value)
        {
            claims.subject = Some((which, value));
        }
        claims.issuer.is_some() && claims.subject.as_ref().is_some_and(|(which, _)| *which == 0)
    });
    (claims, is_object.is_some())
}

/// A text or a whole number that is not empty.
fn text(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let text = match value {
        [b'"', inside @ .., b'"'] if !inside.contains(&b'\\') => Cow::Borrowed(inside),
        [b'"', ..] => Cow::Owned(serde_json::from_slice::<String>(value).ok()?.into_bytes()),
        [b'0'..=b'9' | b'-', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => Cow::Borrowed(value),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// Visits names and values as they are written until `visit` says that it has enough; none where it is no object.
fn members<'a>(json: &'a [u8], visit: &mut dyn FnMut(&'a [u8], &'a [u8]) -> bool) -> Option<()> {
    let mut at = after_space(json, 0);
    if *json.get(at)? != b'{' {
        return None;
    }
    at = after_space(json, at + 1);
    if *json.get(at)? == b'}' {
        return Some(());
    }
    loop {
        let name_end = string_end(json, at)?;
        let name = &json[at + 1..name_end - 1];
        at = after_space(json, name_end);
        if *json.get(at)? != b':' {
            return None;
        }
        at = after_space(json, at + 1);
        let end = value_end(json, at)?;
        if visit(name, &json[at..end]) {
            return Some(());
        }
        at = after_space(json, end);
        match *json.get(at)? {
            b',' => at = after_space(json, at + 1),
            b'}' => return Some(()),
            _ => return None,
        }
    }
}

fn value_end(json: &[u8], start: usize) -> Option<usize> {
    match *json.get(start)? {
        b'"' => string_end(json, start),
        b'{' | b'[' => {
            let (mut at, mut depth) = (start, 0_usize);
            loop {
                match *json.get(at)? {
                    b'"' => {
                        at = string_end(json, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        b',' | b'}' | b']' | b':' => None,
        _ => json[start..].iter().position(|byte| b",}] \t\r\n".contains(byte)).map(|length| start + length),
    }
}

/// Behind the quote that ends the string which begins at `start`.
fn string_end(json: &[u8], start: usize) -> Option<usize> {
    if *json.get(start)? != b'"' {
        return None;
    }
    let mut at = start + 1;
    loop {
        at = quote_or_backslash(json, at)?;
        if json[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Eight bytes at a time: names and values are about as long, and a search made for long texts takes as long to begin.
fn quote_or_backslash(json: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // The lowest of the bits is set for the first byte that is zero.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    while let Some(bytes) = json.get(at..)?.first_chunk() {
        let word = u64::from_le_bytes(*bytes);
        let found = [b'"', b'\\'].into_iter().fold(0, |found, byte| found | zeros(word ^ (ONES * u64::from(byte))));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    json[at..].iter().position(|&byte| byte == b'"' || byte == b'\\').map(|more| at + more)
}

fn after_space(json: &[u8], mut at: usize) -> usize {
    while json.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// base64url without padding (RFC 7515 §2). Not in constant time: it is no secret to whom a client sends its own token.
fn decode<'a>(text: &[u8], into: &'a mut [u8]) -> Option<&'a [u8]> {
    URL_SAFE_NO_PAD.decode(text, Out::from_slice(into)).ok().map(|decoded| &*decoded)
}

const FIRST_CHARS: usize = 256;
/// A longer payload is taken as a whole, like a token that is not signed.
const PAYLOAD_CHARS_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use proptest::prelude::*;

    use super::*;

    fn said(json: &str) -> Option<String> {
        let mut said = None;
        read(Base64UrlUnpadded::encode_string(json.as_bytes()).as_bytes(), |issuer, name, subject| {
            let [issuer, subject] = [issuer, subject].map(String::from_utf8_lossy);
            said = Some(format!("{issuer} {name} {subject}"));
            true
        });
        said
    }

    #[test]
    fn the_claims_are_those_that_a_parser_finds() {
        let long = "x".repeat(1_000);
        for (json, expected) in [
            (r#"{"iss":"i","sub":"s"}"#, Some("i sub s")),
            (" { \"sub\" : \"s\" ,\n\"iss\" : \"i\" } ", Some("i sub s")),
            (r#"{"client_id":"c","sid":"d","sub":"s"}"#, Some(" sub s")),
            (r#"{"sid":"d","client_id":"c"}"#, Some(" sid d")),
            (r#"{"client_id":"c","sid":null,"sub":""}"#, Some(" client_id c")),
            (r#"{"sub":-17}"#, Some(" sub -17")),
            (r#"{"sub":1.5}"#, None),
            (r#"{"sub":true,"a":{"sub":"s"},"b":["sub","s"]}"#, None),
            (r#"{"a":{"}":"]"},"b":[[1],{"c":"\""}],"sub":"s"}"#, Some(" sub s")),
            (r#"{"sub":"\u0073\"\\"}"#, Some(" sub s\"\\")),
            (r#"{"sub":"\x"}"#, None),
            (r#"{}"#, None),
            (r#"[]"#, None),
            (r#""#, None),
            (r#"{"sub""#, None),
            (r#"{"sub":"#, None),
            (r#"{"sub":"s"#, None),
            (r#"{"sub":"s""#, None),
            (r#"{"sub":"s",}"#, None),
            (r#"{"sub":"s" "a":1}"#, None),
            (r#"{"a":]}"#, None),
        ] {
            assert_eq!(said(json).as_deref(), expected, "{json}");
        }
        for json in [
            format!(r#"{{"iss":"i","sub":"s","a":"{long}"}}"#),
            format!(r#"{{"iss":"i","a":"{long}","sub":"s"}}"#),
            format!(r#"{{"a":"{long}","sub":"s","iss":"i"}}"#),
            format!(r#"{{"sub":"s","sid":"{long}","iss":"i"}}"#),
        ] {
            assert_eq!(said(&json).as_deref(), Some("i sub s"), "{json}");
        }
    }

    proptest! {
        #[test]
        fn base64url_is_read_as_others_read_it(bytes in proptest::collection::vec(any::<u8>(), 0..100), cut in 0..4_usize) {
            let text = Base64UrlUnpadded::encode_string(&bytes);
            let mut buffer = [0; 100];
            prop_assert_eq!(decode(text.as_bytes(), &mut buffer), Some(&bytes[..]));
            let text = &text[..text.len().saturating_sub(cut)];
            let other = Base64UrlUnpadded::decode_vec(text).ok();
            prop_assert_eq!(decode(text.as_bytes(), &mut buffer), other.as_deref());
        }

        #[test]
        fn what_is_no_base64url_is_not_read(bytes in proptest::collection::vec(any::<u8>(), 1..20)) {
            let mut buffer = [0; 20];
            let other = Base64UrlUnpadded::decode(&bytes, &mut buffer).ok();
            prop_assert_eq!(decode(&bytes, &mut [0; 20]).map(<[u8]>::to_vec), other.map(<[u8]>::to_vec));
        }

        #[test]
        fn no_json_is_too_strange(json in "[\\[\\]{}\",:\\\\a-c1 ]{0,60}|\\{\"(sub|iss|sid)\":[\\[\\]{}\",:0-9a-z\\\\-]{0,400}") {
            let ours = said(&json);
            if let Ok(object) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&json)
                && let Some(sub) = object.get("sub").and_then(|sub| sub.as_str()).filter(|sub| !sub.is_empty())
                && json.matches("sub").count() == 1
            {
                prop_assert!(ours.is_some_and(|ours| ours.ends_with(sub)), "{json}");
            }
        }
    }
}
