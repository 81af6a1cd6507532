//! The `Authorization` header as RFC 6750 §2.1, RFC 7617 and RFC 9110 §11.4 have it, and what a credential is by its
//! form.

/// Longer keys are refused unread: ours have 71 bytes, no scheme in use has keys near this.
const KEY_BYTES_MAX: usize = 512;
const TOKEN_BYTES_MAX: usize = 8_192;
/// As long as the longest in use (Google's); its issuer is asked about it, so it is not to be anything at all.
const OPAQUE_BYTES_MAX: usize = 2_048;
/// Between the three parts of a JWS.
const TOKEN_DOTS: usize = 2;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Authorization<'a> {
    /// No header, an empty one, another scheme, or the scheme `Bearer` alone.
    None,
    Bearer(&'a [u8]),
    /// What stands behind the scheme, possibly nothing.
    Basic(&'a [u8]),
    /// More than one header line: the sender must not use more than one method (RFC 6750 §2).
    Several,
}

/// What was sent as a credential; nothing says yet that it is good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// Neither a key nor a token can look like this.
    Malformed,
    /// May also be an opaque token.
    Key(&'a [u8]),
    /// In the form of a JWS (RFC 7515).
    Token(&'a [u8]),
    /// Too long for a key, or with dots that make no JWS.
    Opaque(&'a [u8]),
}

/// Whether a bearer credential can be looked up as an API key, by its form: what has a dot, is longer than 512 bytes or is no
/// `b64token` (RFC 6750 §2.1) never is.
pub fn can_be_key(text: &[u8]) -> bool {
    matches!(Credential::of(text), Credential::Key(_))
}

impl Authorization<'_> {
    /// The values of the header without the spaces and tabs around them.
    pub(crate) fn of(lines: &[Vec<u8>]) -> Authorization<'_> {
        let line = match lines {
            [] => return Authorization::None,
            [line] => line.as_slice(),
            _ => return Authorization::Several,
        };
        let scheme_end = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
        let (scheme, rest) = line.split_at(scheme_end);
        let rest = &rest[rest.iter().take_while(|&&byte| byte == b' ').count()..];
        if scheme.eq_ignore_ascii_case(b"Basic") {
            Authorization::Basic(rest)
        } else if scheme.eq_ignore_ascii_case(b"Bearer") && !rest.is_empty() {
            Authorization::Bearer(rest)
        } else {
            Authorization::None
        }
    }
}

impl Credential<'_> {
    pub(crate) fn of(text: &[u8]) -> Credential<'_> {
        // Not counted where it matters no more: what was sent may be long.
        let dots = text.iter().take(TOKEN_BYTES_MAX + 1).filter(|&&byte| byte == b'.').count();
        let (credential, bytes_max) = match dots {
            TOKEN_DOTS => (Credential::Token(text), TOKEN_BYTES_MAX),
            0 if text.len() <= KEY_BYTES_MAX => (Credential::Key(text), KEY_BYTES_MAX),
            _ => (Credential::Opaque(text), OPAQUE_BYTES_MAX),
        };
        if text.len() <= bytes_max && is_b64token(text) { credential } else { Credential::Malformed }
    }
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(text: &[u8]) -> bool {
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let body = &text[..text.len() - padding];
    !body.is_empty() && body.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_header_as_the_rfc_has_it() {
        let cases: &[(&[&str], Authorization)] = &[
            (&[], Authorization::None),
            (&[""], Authorization::None),
            (&["Bearer"], Authorization::None),
            (&["Bearer   "], Authorization::None),
            (&["Bearer \tkey"], Authorization::Bearer(b"\tkey")),
            (&["Digest a2V5"], Authorization::None),
            (&["Bearer\tkey"], Authorization::None),
            (&["Basic"], Authorization::Basic(b"")),
            (&["basic  a2V5"], Authorization::Basic(b"a2V5")),
            (&["Bearer key"], Authorization::Bearer(b"key")),
            (&["bEARER   key"], Authorization::Bearer(b"key")),
            (&["Bearer key more"], Authorization::Bearer(b"key more")),
            (&["Bearer key", "Bearer key"], Authorization::Several),
        ];
        for (lines, expected) in cases {
            let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
            assert_eq!(Authorization::of(&lines), *expected, "{lines:?}");
        }
    }

    #[test]
    fn tells_keys_from_tokens_by_the_dots() {
        let long_token = [&[b'a'; TOKEN_BYTES_MAX - 2][..], b".."].concat();
        let cases: &[(&[u8], Credential)] = &[
            (b"a+/~_-9==", Credential::Key(b"a+/~_-9==")),
            (b"a.b.c", Credential::Token(b"a.b.c")),
            (b"..", Credential::Token(b"..")),
            (b"a.b", Credential::Opaque(b"a.b")),
            (b".", Credential::Opaque(b".")),
            (b"a.b.c.d.e", Credential::Opaque(b"a.b.c.d.e")),
            (b"key more", Credential::Malformed),
            (b"=", Credential::Malformed),
            (b"", Credential::Malformed),
            (b"k=y", Credential::Malformed),
            (b"\"key\"", Credential::Malformed),
            (b"k\xe9y", Credential::Malformed),
            (&[b'k'; KEY_BYTES_MAX], Credential::Key(&[b'k'; KEY_BYTES_MAX])),
            (&[b'k'; KEY_BYTES_MAX + 1], Credential::Opaque(&[b'k'; KEY_BYTES_MAX + 1])),
            (&[b'k'; OPAQUE_BYTES_MAX], Credential::Opaque(&[b'k'; OPAQUE_BYTES_MAX])),
            (&[b'k'; OPAQUE_BYTES_MAX + 1], Credential::Malformed),
            (&[b'.'; OPAQUE_BYTES_MAX + 1], Credential::Malformed),
            (&long_token, Credential::Token(&long_token)),
            (&[&long_token[..], b"a"].concat(), Credential::Malformed),
        ];
        for (text, expected) in cases {
            assert_eq!(Credential::of(text), *expected, "{}", text.escape_ascii());
        }
    }
}
