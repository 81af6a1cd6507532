//! A header by which testers choose their side, whatever the weight.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use http::header::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::exchange::Side;
use crate::keys::disk;

#[derive(Clone, Debug)]
pub struct Testers {
    header: HeaderName,
    /// SHA-256 of the token.
    token_digest: [u8; 32],
}

impl Testers {
    /// # Errors
    /// The token's file cannot be read, others may read it, or it holds too little.
    pub fn read(header: HeaderName, token_file: &Path) -> anyhow::Result<Testers> {
        let path = token_file.display();
        let named = || format!("shift.testers.token_file {path} cannot be read; check the path");
        let file = File::open(token_file).with_context(named)?;
        disk::ensure_private(&file, token_file)?;
        let mut token = Vec::new();
        file.take(TOKEN_BYTES_MAX).read_to_end(&mut token).with_context(named)?;
        let token = token.trim_ascii();
        ensure!(
            token.len() >= TOKEN_BYTES_MIN,
            "the token in {path} is shorter than {TOKEN_BYTES_MIN} characters; make a longer one, with `openssl rand -hex 24`"
        );
        Ok(Testers { header, token_digest: Sha256::digest(token).into() })
    }

    /// The side that a tester asks for. The header is gone then, whoever sent it: no side and no record sees it.
    pub fn take(&self, headers: &mut HeaderMap) -> Option<Side> {
        if !headers.contains_key(&self.header) {
            return None;
        }
        let mut values = headers.get_all(&self.header).iter();
        let side = values.next().and_then(|value| self.side(value.as_bytes()));
        let side = side.filter(|_| values.next().is_none());
        *headers = without(std::mem::take(headers), &self.header);
        side
    }

    fn side(&self, value: &[u8]) -> Option<Side> {
        let at = value.iter().position(|&byte| byte == b' ')?;
        let side = match &value[..at] {
            b"candidate" => Side::Candidate,
            b"legacy" => Side::Legacy,
            _ => return None,
        };
        let digest: [u8; 32] = Sha256::digest(value[at..].trim_ascii()).into();
        // How far two digests are equal says nothing about the token, but who reads this need not know that.
        bool::from(digest.ct_eq(&self.token_digest)).then_some(side)
    }
}

/// In the order received, which `HeaderMap::remove` would not keep.
fn without(headers: HeaderMap, unwanted: &HeaderName) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(headers.len());
    let mut last = None;
    for (name, value) in headers {
        // `into_iter` gives the name once for several values in a row.
        last = name.or(last);
        if let Some(name) = last.as_ref().filter(|name| *name != unwanted) {
            kept.append(name.clone(), value);
        }
    }
    kept
}

const TOKEN_BYTES_MIN: usize = 16;
const TOKEN_BYTES_MAX: u64 = 4_096;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "a-token-of-testers-0123";

    fn testers(text: &str, mode: u32) -> anyhow::Result<Testers> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        Testers::read(HeaderName::from_static("x-shadow-side"), file.path())
    }

    fn taken(values: &[&[u8]]) -> (Option<Side>, Vec<String>) {
        let mut headers = HeaderMap::new();
        headers.append("host", "h".parse().unwrap());
        for value in values {
            headers.append("x-shadow-side", http::HeaderValue::from_bytes(value).unwrap());
        }
        headers.append("accept", "a".parse().unwrap());
        headers.append("cookie", "c".parse().unwrap());
        let side = testers(TOKEN, 0o600).unwrap().take(&mut headers);
        (side, headers.keys().map(|name| name.as_str().to_owned()).collect())
    }

    #[test]
    fn a_side_is_given_for_the_token_alone_and_the_header_is_gone() {
        let with = |side: &str, token: &str| format!("{side} {token}").into_bytes();
        for (values, expected) in [
            (vec![with("candidate", TOKEN)], Some(Side::Candidate)),
            (vec![with("legacy", TOKEN)], Some(Side::Legacy)),
            (vec![with("legacy ", TOKEN)], Some(Side::Legacy)),
            (vec![with("Legacy", TOKEN)], None),
            (vec![with("both", TOKEN)], None),
            (vec![with("candidate", "")], None),
            (vec![b"candidate".to_vec()], None),
            (vec![with("candidate", &TOKEN[1..])], None),
            (vec![with("candidate", &format!("{TOKEN}x"))], None),
            (vec![with("candidate", TOKEN), with("candidate", TOKEN)], None),
            (vec![Vec::new()], None),
            (vec![], None),
        ] {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let (side, left) = taken(&values);
            assert_eq!(side, expected, "{values:?}");
            assert_eq!(left, ["host", "accept", "cookie"]);
        }
    }

    #[test]
    fn a_token_that_others_can_read_or_guess_is_refused() {
        assert!(testers(&format!(" {TOKEN}\n"), 0o600).is_ok());
        assert!(testers(TOKEN, 0o400).is_ok());
        for (text, mode, said) in [
            (TOKEN, 0o640, "chmod 600"),
            (TOKEN, 0o604, "chmod 600"),
            ("short", 0o600, "shorter than 16"),
            ("", 0o600, "shorter than 16"),
        ] {
            let error = testers(text, mode).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let missing = Testers::read(HeaderName::from_static("x"), Path::new("/nowhere/token")).unwrap_err();
        assert!(format!("{missing:#}").contains("/nowhere/token"));
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_taken_out(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            let sent = [&b"candidate "[..], &value].concat();
            for sent in [&value, &sent] {
                if http::HeaderValue::from_bytes(sent).is_ok() {
                    let (side, left) = taken(&[sent]);
                    prop_assert_eq!(side, None);
                    prop_assert_eq!(left, ["host", "accept", "cookie"]);
                }
            }
        }
    }
}
