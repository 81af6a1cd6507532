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
        let value = decoded(&value).unwrap_or(value);
        response = response.with(name, value);
    }
    response
}

/// The value before it was escaped; none where a header cannot carry it as it is.
fn decoded(value: &str) -> Option<String> {
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, escaped)) = rest.split_once('%') {
        let (digits, after) = escaped.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        decoded.push_str(before);
        decoded.push(matches!(byte, b' '..=b'~').then(|| char::from(byte))?);
        rest = after;
    }
    Some(decoded + rest)
}

/// What the strict service refuses and Express lets through keeps its own shape.
fn plain_refusal(response: Response) -> Response {
    let status = response.status;
    let is_told_otherwise = response.header("x-error-status").is_some_and(|told| told != status.to_string());
    let error = match status {
        401 if !is_told_otherwise => "unauthorized",
        403 => "forbidden",
        _ => return response,
    };
    let mut plain = Response::json(status, &ErrorBody { error });
    // Whether it goes too is the matter of another switch.
    let challenge = response.header("www-authenticate");
    if let Some(challenge) = challenge {
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
            ("", Some("")),
            ("user_123", Some("user_123")),
            ("staff,ops%2C%20europe", Some("staff,ops, europe")),
            ("100%25", Some("100%")),
            ("jos%C3%A9", None),
            ("a%0D%0AX-Admin%3A", None),
            ("%7F", None),
        ];
        for (value, plain) in cases {
            assert_eq!(decoded(value).as_deref(), plain, "{value}");
        }
    }
}
