//! The `Authorization` header as RFC 6750 §2.1 and RFC 9110 §11.4 have it.

/// Longer keys are refused unread: ours have 7 bytes, no scheme in use has keys near this.
const KEY_BYTES_MAX: usize = 512;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// No bearer credential: no header, an empty one, another scheme, or the scheme alone.
    None,
    /// A bearer credential that cannot be a key.
    Malformed,
    Key(&'a [u8]),
    /// More than one header line: the sender must not use more than one method (RFC 6750 §2).
    Several,
}

pub(crate) fn credential(lines: &[Vec<u8>]) -> Credential<'_> {
    let line = match lines {
        [] => return Credential::None,
        [line] => line.trim_ascii(),
        _ => return Credential::Several,
    };
    let scheme_end = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    let (scheme, rest) = line.split_at(scheme_end);
    let key_start = rest.iter().position(|&byte| byte != b' ').unwrap_or(rest.len());
    let key = &rest[key_start..];
    if !scheme.eq_ignore_ascii_case(b"Bearer") || key.is_empty() {
        Credential::None
    } else if key.len() > KEY_BYTES_MAX || !is_b64token(key) {
        Credential::Malformed
    } else {
        Credential::Key(key)
    }
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(key: &[u8]) -> bool {
    let padding = key.iter().rev().take_while(|&&byte| byte == b'=').count();
    let body = &key[..key.len() - padding];
    !body.is_empty() && body.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_header_as_the_rfc_has_it() {
        let cases: &[(&[&str], Credential)] = &[
            (&[], Credential::None),
            (&[""], Credential::None),
            (&["Bearer"], Credential::None),
            (&["Bearer   "], Credential::None),
            (&["Basic a2V5"], Credential::None),
            (&["Bearer\tkey"], Credential::None),
            (&["Bearer key"], Credential::Key(b"key")),
            (&["bEARER   key"], Credential::Key(b"key")),
            (&["Bearer a+/~._-9=="], Credential::Key(b"a+/~._-9==")),
            (&["Bearer key more"], Credential::Malformed),
            (&["Bearer ="], Credential::Malformed),
            (&["Bearer k=y"], Credential::Malformed),
            (&["Bearer \"key\""], Credential::Malformed),
            (&["Bearer k\u{e9}y"], Credential::Malformed),
            (&["Bearer key", "Bearer key"], Credential::Several),
        ];
        for (lines, expected) in cases {
            let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
            assert_eq!(credential(&lines), *expected, "{lines:?}");
        }
        let long = [[b"Bearer ".as_slice(), &[b'k'; KEY_BYTES_MAX + 1]].concat()];
        assert_eq!(credential(&long), Credential::Malformed);
    }
}
