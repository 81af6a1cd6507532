//! What a proxy says of the request it asks about, and what its operator demands of the credential.

use crate::form::{Form, FormDefect};
use crate::grant::Grant;
use crate::http::Request;
use crate::refusal::Refusal;
use crate::scope::is_scope;

/// The demands. Of the rest only the form is looked at: it changes no decision, and what a client could write there in the
/// proxy's place must not get anywhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Question {
    /// With one space between them.
    scope: Option<String>,
    audience: Option<String>,
}

const METHOD_CHARS: std::ops::RangeInclusive<usize> = 1..=32;
const PORT_DIGITS: std::ops::RangeInclusive<usize> = 1..=5;

impl From<FormDefect> for Refusal {
    fn from(_: FormDefect) -> Refusal {
        Refusal::InvalidRequest
    }
}

impl Question {
    pub(crate) fn of_forward(request: &Request) -> Result<Question, Refusal> {
        let [method] = request.header("x-forwarded-method").try_into().map_err(|_| Refusal::InvalidRequest)?;
        let method: Vec<u8> = method;
        if !is_method(&method) {
            return Err(Refusal::InvalidRequest);
        }
        check_once(request, "x-forwarded-proto", |value| matches!(value, b"http" | b"https" | b"ws" | b"wss"))?;
        check_once(request, "x-forwarded-host", is_host)?;
        check_once(request, "x-forwarded-uri", is_path)?;
        Question::of_query(request)
    }

    pub(crate) fn of_nginx(request: &Request) -> Result<Question, Refusal> {
        check_once(request, "x-original-method", is_method)?;
        check_once(request, "x-original-url", is_url)?;
        Question::of_query(request)
    }

    fn of_query(request: &Request) -> Result<Question, Refusal> {
        let form = Form::parse(request.query().as_bytes())?;
        let (scope, audience) = (form.once("scope")?, form.once("aud")?);
        if scope.as_deref().is_some_and(|scope| !are_scopes(scope)) || audience.as_deref() == Some("") {
            return Err(Refusal::InvalidRequest);
        }
        Ok(Question { scope, audience })
    }

    pub(crate) fn check(self, grant: &Grant) -> Result<(), Refusal> {
        let holds = |scope: &str| grant.scopes.iter().any(|own| own == scope);
        if let Some(scope) = self.scope.filter(|scope| !scope.split(' ').all(holds)) {
            return Err(Refusal::ScopeMissing(scope));
        }
        match self.audience {
            Some(audience) if !grant.audiences.contains(&audience) => Err(Refusal::AudienceOther),
            _ => Ok(()),
        }
    }
}

/// Absent, or there once and as it must be.
fn check_once(request: &Request, name: &str, is_good: fn(&[u8]) -> bool) -> Result<(), Refusal> {
    match request.header(name).as_slice() {
        [] => Ok(()),
        [value] if is_good(value) => Ok(()),
        _ => Err(Refusal::InvalidRequest),
    }
}

fn is_method(value: &[u8]) -> bool {
    METHOD_CHARS.contains(&value.len()) && value.iter().all(u8::is_ascii_uppercase)
}

/// A name or an address in brackets, with or without a port; never a user.
fn is_host(value: &[u8]) -> bool {
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let is_address_byte = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    let name_end = match value {
        [b'[', rest @ ..] => {
            let length = rest.iter().take_while(|byte| is_address_byte(byte)).count();
            if length == 0 || rest.get(length) != Some(&b']') {
                return false;
            }
            length + 2
        }
        _ => value.iter().take_while(|byte| is_name_byte(byte)).count(),
    };
    match &value[name_end..] {
        [] => name_end > 0,
        [b':', port @ ..] => name_end > 0 && PORT_DIGITS.contains(&port.len()) && port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn is_path(value: &[u8]) -> bool {
    value.first() == Some(&b'/') && value.iter().all(u8::is_ascii_graphic)
}

fn is_url(value: &[u8]) -> bool {
    let Some(rest) = value.strip_prefix(b"https://").or_else(|| value.strip_prefix(b"http://")) else {
        return false;
    };
    let (host, path) = rest.split_at(rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len()));
    is_host(host) && (path.is_empty() || is_path(path))
}

/// `scope-token *( SP scope-token )` (RFC 6749 §3.3); it has no quote and no backslash, so a challenge can carry it.
fn are_scopes(scope: &str) -> bool {
    scope.split(' ').all(is_scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_may_say() {
        let hosts = ["a", "app.example.com", "a_b-c:8443", "127.0.0.1:1", "[::1]", "[2001:db8::1]:443"];
        assert!(hosts.iter().all(|host| is_host(host.as_bytes())));
        let bad = ["", ":80", "a:", "a:123456", "a:8x", "u@a", "a b", "[]", "[::1", "[::1]x", "a/b", "[g]", "\u{e9}"];
        assert!(bad.iter().all(|host| !is_host(host.as_bytes())));
        assert!(["http://a", "https://a:1/b?c"].iter().all(|url| is_url(url.as_bytes())));
        let bad = ["", "http://", "ftp://a", "http://a?b", "http:///b", "https://u@a/", "HTTP://a", "https://a/ b"];
        assert!(bad.iter().all(|url| !is_url(url.as_bytes())));
        assert!(["a", "a b"].into_iter().all(are_scopes));
        assert!(["", " ", "a  b", "a ", "a\"", "a\\", "\u{e9}"].into_iter().all(|scope| !are_scopes(scope)));
    }
}
