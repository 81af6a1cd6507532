//! The forward endpoints as the Express service answers: identity headers as they are, refusals in two words.

use super::{Parity, Switch};
use crate::http::{Request, Response};
use crate::validate::ErrorBody;

const IDENTITY: [&str; 3] = ["x-auth-request-user", "x-auth-request-email", "x-auth-request-groups"];

pub(super) fn plain(request: &Request, parity: Parity, response: Response) -> Response {
    if response.header(IDENTITY[0]).is_some() && parity.has(Switch::PlainIdentity) {
        plain_identity(request, response)
    } else if response.header("content-type") == Some("application/problem+json") && parity.has(Switch::PlainRefusals) {
        plain_refusal(response)
    } else {
        response
    }
}

/// Only headers that have a value, and unencoded where the value is visible ASCII and spaces.
fn plain_identity(request: &Request, mut response: Response) -> Response {
    for name in IDENTITY {
        let value = response.remove(name).unwrap_or_default();
        // What the client itself sent under this name goes on to the application unless the proxy finds another value.
        if value.is_empty() && request.headers.values(name).is_empty() {
            continue;
        }
        response = response.with(name, plain_value(value));
    }
    response
}

/// The value before it was escaped, where a header can carry it so. Decoded where it lies: it may be long.
fn plain_value(value: String) -> String {
    let escaped = |after: &str| after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let is_plain = |after| escaped(after).is_some_and(|byte| matches!(byte, b' '..=b'~'));
    if !value.split('%').skip(1).all(is_plain) {
        return value;
    }
    let mut rest = value.len();
    let mut value = value;
    // From behind, so that what an escape stands for is never taken for another.
    while let Some(at) = value[..rest].rfind('%') {
        if let Some(byte) = escaped(&value[at + 1..]) {
            value.replace_range(at..at + 3, char::from(byte).encode_utf8(&mut [0; 4]));
        }
        rest = at;
    }
    value
}

/// What the strict service refuses and Express lets through keeps its own shape.
fn plain_refusal(mut response: Response) -> Response {
    let status = response.status;
    let is_told_otherwise = response.header("x-error-status").is_some_and(|told| told != status.to_string());
    let error = match status {
        401 if !is_told_otherwise => "unauthorized",
        403 => "forbidden",
        _ => return response,
    };
    let mut plain = Response::json(status, &ErrorBody { error });
    // Whether it goes too is the matter of another switch.
    if let Some(challenge) = response.remove("www-authenticate") {
        plain = plain.with("www-authenticate", challenge);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_plain_only_where_it_is_visible_ascii() {
        let cases = [
            ("", ""),
            ("user_123", "user_123"),
            ("staff,ops%2C%20europe", "staff,ops, europe"),
            ("100%25", "100%"),
            ("%2541%41", "%41A"),
            ("jos%C3%A9", "jos%C3%A9"),
            ("a%0D%0AX-Admin%3A", "a%0D%0AX-Admin%3A"),
            ("%7F", "%7F"),
        ];
        for (value, plain) in cases {
            assert_eq!(plain_value(value.to_owned()), plain, "{value}");
        }
    }
}
