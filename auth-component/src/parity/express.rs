//! How Express dresses an answer: `res.json()`, the router's own answers, and the pages of its default error handler.

use base64ct::{Base64Unpadded, Encoding};
use sha1::{Digest, Sha1};

use super::{Parity, Switch};
use crate::http::{Request, Response};
use crate::validate::ErrorBody;

/// Of the base64 of a SHA-1 digest.
const ETAG_CHARS: usize = 27;
/// Of a page. It repeats the path, where one letter becomes up to five.
const PAGE_BYTES_MAX: usize = 32_768;

/// The error of `express.json()`, which the default error handler answers with no more than its name.
pub(super) fn body_refused(status: u16, parity: Parity) -> Response {
    let phrase = match status {
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        _ => "Bad Request",
    };
    match parity.has(Switch::HtmlErrors) {
        true => page(status, phrase.chars()).expect("a phrase is short"),
        false => Response::json(status, &ErrorBody { error: "invalid_request" }),
    }
}

/// The router knows the path, but no handler for the method.
pub(super) fn wrong_method(request: &Request, parity: Parity, response: Response) -> Response {
    let allowed = response.header("allow").filter(|_| response.status == 405);
    let Some(allowed) = allowed.map(str::to_owned) else { return response };
    if request.method == "OPTIONS" && parity.has(Switch::OptionsListsMethods) {
        Response::of(200, "text/plain", allowed.clone().into_bytes())
            .with("allow", allowed)
            .with("x-content-type-options", "nosniff")
    } else if parity.has(Switch::NotFoundForWrongMethod) {
        Response::json(404, &ErrorBody { error: "not_found" })
    } else {
        response
    }
}

pub(super) fn not_found(request: &Request, parity: Parity, response: Response) -> Response {
    if response.status != 404 || !parity.has(Switch::HtmlErrors) {
        return response;
    }
    let message = ["Cannot ", request.method, " "].into_iter().flat_map(str::chars).chain(encoded(request.path()));
    page(404, message).unwrap_or(response)
}

/// What stands on every answer. The body is still the one that GET would get.
pub(super) fn dress(request: &Request, parity: Parity, mut response: Response) -> Response {
    if parity.has(Switch::NoChallenge) {
        response.remove("www-authenticate");
    }
    if parity.has(Switch::NoCacheControl) {
        response.remove("cache-control");
    } else {
        response = response.uncached();
    }
    if parity.has(Switch::NoSunset) {
        response.remove("sunset");
    }
    let is_json = response.header("content-type") == Some("application/json");
    if is_json && parity.has(Switch::JsonCharset) {
        response.remove("content-type");
        response = response.with("content-type", "application/json; charset=utf-8");
    }
    if is_json && parity.has(Switch::Etag) {
        let etag = etag(&response.body);
        if response.status == 200 && is_fresh(request, &etag) {
            response.status = 304;
            response.body.clear();
            response.remove("content-type");
            response.remove("content-length");
        }
        response = response.with("etag", etag);
    }
    if parity.has(Switch::PoweredBy) {
        response = response.with("x-powered-by", "Express");
    }
    if request.method != "HEAD" {
        return response;
    }
    // Node writes a length for HEAD only where the handler has set one.
    if response.header("content-length") == Some("0") && parity.has(Switch::BareHead) {
        response.remove("content-length");
    }
    response.without_body()
}

/// finalhandler's document, unless it would be too long.
fn page(status: u16, message: impl Iterator<Item = char>) -> Option<Response> {
    let mut document = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n\
         <body>\n<pre>",
    );
    for c in message {
        match c {
            '"' => document.push_str("&quot;"),
            '&' => document.push_str("&amp;"),
            '\'' => document.push_str("&#39;"),
            '<' => document.push_str("&lt;"),
            '>' => document.push_str("&gt;"),
            _ => document.push(c),
        }
        if document.len() > PAGE_BYTES_MAX {
            return None;
        }
    }
    document.push_str("</pre>\n</body>\n</html>\n");
    let response = Response::of(status, "text/html; charset=utf-8", document.into_bytes())
        .with("content-security-policy", "default-src 'none'")
        .with("x-content-type-options", "nosniff");
    Some(response)
}

/// As the package `encodeurl` has it: escapes that are whole stay, and so does what a URL may hold.
fn encoded(path: &str) -> impl Iterator<Item = char> {
    let bytes = path.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().flat_map(move |(at, &byte)| {
        let stays = match byte {
            b'%' => is_hex(at + 1) && is_hex(at + 2),
            b'!' | b'#'..=b';' | b'=' | b'?'..=b'_' | b'a'..=b'z' | b'|' | b'~' => true,
            _ => false,
        };
        let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
        let (first, escape) = match stays {
            true => (char::from(byte), None),
            false => ('%', Some([digit(byte >> 4), digit(byte & 15)])),
        };
        std::iter::once(first).chain(escape.into_iter().flatten())
    })
}

/// The weak tag of the package `etag`.
fn etag(body: &[u8]) -> String {
    let digest = Base64Unpadded::encode_string(&Sha1::digest(body));
    format!("W/\"{:x}-{}\"", body.len(), &digest[..ETAG_CHARS])
}

/// As the package `fresh` has it, for a weak tag and an answer without `Last-Modified`.
fn is_fresh(request: &Request, etag: &str) -> bool {
    if !matches!(request.method, "GET" | "HEAD") {
        return false;
    }
    // Node joins the lines of these two headers.
    let wanted = request.header("if-none-match").join(&b", "[..]);
    if wanted.is_empty() || asks_anew(&request.header("cache-control").join(&b", "[..])) {
        return false;
    }
    let matches = |tag: &[u8]| {
        let tag = tag.trim_ascii_start();
        let tag = &tag[..tag.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1)];
        // `fresh` also takes the tag with another `W/` in front.
        let tag = tag.strip_prefix(b"W/W/").map_or(tag, |_| &tag[2..]);
        tag == etag.as_bytes() || etag.strip_prefix("W/").is_some_and(|strong| tag == strong.as_bytes())
    };
    wanted == b"*" || wanted.split(|&byte| byte == b',').any(matches)
}

fn asks_anew(cache_control: &[u8]) -> bool {
    cache_control.split(|&byte| byte == b',').any(|directive| directive.trim_ascii() == b"no-cache")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_those_of_express() {
        assert_eq!(etag(b"{\"status\":\"ok\"}"), "W/\"f-VaSQ4oDUiZblZNAEkkN+sX+q3Sg\"");
        assert_eq!(etag(b""), "W/\"0-2jmj7l5rSw0yVb/vlWAYkK/YBwk\"");
    }

    #[test]
    fn a_path_is_shown_as_a_url_and_as_text() {
        let shown: String = encoded("/a%20b%2g%%41|~^[]\\`{}\" \u{e9}").collect();
        assert_eq!(shown, "/a%20b%252g%25%41|~^[]\\%60%7B%7D%22%20%C3%A9");
        let response = page(404, "<'&\">".chars()).expect("it is short");
        let page = String::from_utf8(response.body).expect("UTF-8");
        assert!(page.contains("<pre>&lt;&#39;&amp;&quot;&gt;</pre>"), "{page}");
    }

    #[test]
    fn a_page_that_would_be_too_long_is_none() {
        assert!(page(404, "'".repeat(6_000).chars()).is_some());
        assert_eq!(page(404, "'".repeat(7_000).chars()), None);
    }
}
