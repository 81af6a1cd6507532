//! Who is asked about opaque tokens: the table `[auth.introspection]`, and the secret by which it knows us.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use super::disk;

#[derive(Clone)]
pub struct Introspection {
    pub secret_file: PathBuf,
    /// For one question, connection and answer included.
    pub deadline: Duration,
    pub endpoint: Endpoint,
}

/// As a component reads it, less the secret.
#[derive(Clone, Serialize)]
pub struct Endpoint {
    pub url: String,
    pub client_id: String,
    pub issuer: String,
    pub audiences: Vec<String>,
    pub cache_s_max: u64,
    pub negative_s: u64,
}

/// The member `introspection` of the settings.
#[derive(Serialize)]
pub struct Written<'a> {
    #[serde(flatten)]
    endpoint: &'a Endpoint,
    client_secret: &'a str,
}

const SECRET_BYTES_MAX: usize = 256;

impl Introspection {
    /// # Errors
    /// Never with content of the file.
    pub fn read_secret(&self) -> anyhow::Result<String> {
        read_secret(&self.secret_file)
    }

    pub fn written<'a>(&'a self, client_secret: &'a str) -> Written<'a> {
        Written { endpoint: &self.endpoint, client_secret }
    }
}

/// The text of the file, less the line break at its end that an editor leaves.
fn read_secret(path: &Path) -> anyhow::Result<String> {
    let file = File::open(path).with_context(|| {
        format!("{} cannot be read; without the client's secret nobody is told about opaque tokens", path.display())
    })?;
    let content = disk::read_secret(file, path, SECRET_BYTES_MAX as u64 + 2)?;
    let text = String::from_utf8(content).unwrap_or_default();
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    let is_good = (1..=SECRET_BYTES_MAX).contains(&secret.len()) && !secret.bytes().any(|byte| byte.is_ascii_control());
    ensure!(
        is_good,
        "{} is no client secret of 1 to {SECRET_BYTES_MAX} bytes on one line; write there what the issuer gave you",
        path.display()
    );
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_one_line_that_nobody_else_can_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let read = |content: &[u8], mode: u32| {
            fs::write(&path, content).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
            read_secret(&path).map_err(|error| format!("{error:#}"))
        };
        let longest = [b's'; SECRET_BYTES_MAX];
        for (good, secret) in [
            (&b"5ec2et"[..], "5ec2et"),
            (b"5ec2et\n", "5ec2et"),
            (b"5ec2et\r\n", "5ec2et"),
            (b" 5ec2et ", " 5ec2et "),
            ("\u{e9}".as_bytes(), "\u{e9}"),
            (&longest, str::from_utf8(&longest).expect("ASCII")),
        ] {
            assert_eq!(read(good, 0o600).as_deref(), Ok(secret));
            assert_eq!(read(good, 0o400).as_deref(), Ok(secret));
        }
        for bad in
            [&b""[..], b"\n", b"5ec2et\n\n", b"5ec2et\nmore", b"5ec2et\0", b"\xff5ec2et", &[b's'; 257], &[b's'; 300]]
        {
            let error = read(bad, 0o600).expect_err("not a secret");
            assert!(error.contains("secret") && !error.contains("5ec2et"), "{error}");
        }
        for mode in [0o640, 0o604, 0o602, 0o660] {
            let error = read(b"5ec2et", mode).expect_err("others can read it");
            assert!(error.contains("run `chmod 600"), "{error}");
        }
        fs::remove_file(&path).expect("it is there");
        assert!(read_secret(&path).is_err());
    }
}
