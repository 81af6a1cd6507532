//! The pepper file: the secrets that turn a key into what a record keeps of it.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use auth_component::api_key::{self, digest_hex, old_name};
use auth_component::hex;
use auth_component::store::{PEPPER_BYTES, PEPPER_NAME_BYTES, PEPPERS_MAX};
use serde::{Deserialize, Serialize};

use super::disk;

/// At least one; the last is for new keys. Never printed: there is no `Debug`.
pub struct Peppers(Vec<Pepper>);

pub struct Pepper {
    pub name: String,
    pub secret: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    v: u32,
    peppers: Vec<Written>,
}

/// A pepper as it stands in JSON, here and in what a component is told.
#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Written {
    name: String,
    /// Hex, lower case.
    secret: String,
}

const FORMAT: &str = "shadow-proxy peppers";
const VERSION: u32 = 1;
const FIRST: &str = "p1";
const SECRET_BYTES: usize = *PEPPER_BYTES.start();
const BYTES_MAX: u64 = 16 << 10;

impl Peppers {
    /// # Errors
    /// Never with content of the file.
    pub fn read(path: &Path) -> anyhow::Result<Peppers> {
        let file = File::open(path).with_context(|| {
            format!(
                "{} cannot be read; without its peppers no key of the key file is good, so restore it",
                path.display()
            )
        })?;
        Peppers::of(file, path)
    }

    /// Makes a file with one new pepper where there is none.
    pub fn read_or_create(path: &Path) -> anyhow::Result<Peppers> {
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => return Peppers::read(path),
        }
        let mut secret = vec![0; SECRET_BYTES];
        random(&mut secret)?;
        let peppers = Peppers(vec![Pepper { name: FIRST.to_owned(), secret }]);
        let document = Document { format: FORMAT.to_owned(), v: VERSION, peppers: peppers.written() };
        let mut content = serde_json::to_vec(&document).expect("it has string keys and no failing serializer");
        content.push(b'\n');
        disk::replace(path, &content)?;
        Ok(peppers)
    }

    fn of(file: File, path: &Path) -> anyhow::Result<Peppers> {
        let content = disk::read_secret(file, path, BYTES_MAX)?;
        parse(&content).with_context(|| path.display().to_string())
    }

    /// The one for new keys.
    pub fn newest(&self) -> &Pepper {
        self.0.last().expect("there is at least one")
    }

    /// Under which names an old key without an id may be kept, the newest pepper's first.
    pub fn names_of(&self, key: &[u8]) -> impl Iterator<Item = String> {
        self.0.iter().rev().map(|Pepper { name, secret }| old_name(name, &digest_hex(secret, key)))
    }

    pub fn named(&self, name: &str) -> Option<&Pepper> {
        self.0.iter().find(|pepper| pepper.name == name)
    }

    pub fn written(&self) -> Vec<Written> {
        let written = |Pepper { name, secret }: &Pepper| Written { name: name.clone(), secret: hex::encode(secret) };
        self.0.iter().map(written).collect()
    }
}

impl api_key::Peppers for Peppers {
    fn pepper(&self, name: &str) -> Option<&[u8]> {
        self.named(name).map(|pepper| pepper.secret.as_slice())
    }
}

/// Fills it from the operating system's cryptographic source.
pub fn random(bytes: &mut [u8]) -> anyhow::Result<()> {
    let filled = rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty())
        .context("the system has no randomness; nothing was changed, try again")?;
    ensure!(filled == bytes.len(), "the system gave too little randomness; nothing was changed, try again");
    Ok(())
}

fn parse(content: &[u8]) -> anyhow::Result<Peppers> {
    // serde's own words may quote a secret.
    let document: Document = match serde_json::from_slice(content) {
        Ok(document) => document,
        Err(error) => bail!(
            "line {}, column {} is not as in {{\"format\":\"{FORMAT}\",\"v\":{VERSION},\"peppers\":[{{\"name\":\"{FIRST}\",\
             \"secret\":\"…64 hex digits…\"}}]}}; correct it, or restore the file",
            error.line(),
            error.column()
        ),
    };
    ensure!(document.format == FORMAT, "this is no pepper file; give one that `shadow-proxy keys import` made");
    ensure!(document.v == VERSION, "it is of version {}, this program knows {VERSION}; use a newer one", document.v);
    ensure!(
        (1..=PEPPERS_MAX).contains(&document.peppers.len()),
        "it has {} peppers; have 1 to {PEPPERS_MAX}",
        document.peppers.len()
    );
    let mut peppers: Vec<Pepper> = Vec::new();
    for (number, Written { name, secret }) in (1..).zip(document.peppers) {
        let is_name = PEPPER_NAME_BYTES.contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        ensure!(
            is_name,
            "the name of pepper {number} is not 1 to {} of a-z and 0-9; write such a one",
            PEPPER_NAME_BYTES.end()
        );
        ensure!(peppers.iter().all(|other| other.name != name), "two peppers are called {name}; rename one");
        let secret = hex::decode(&secret).filter(|secret| PEPPER_BYTES.contains(&secret.len()));
        let secret = secret.with_context(|| {
            format!(
                "the secret of pepper {name} is not {SECRET_BYTES} to {} bytes in lower-case hex; make one \
                 with `openssl rand -hex {SECRET_BYTES}`",
                PEPPER_BYTES.end()
            )
        })?;
        peppers.push(Pepper { name, secret });
    }
    Ok(Peppers(peppers))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn document(peppers: &str) -> String {
        format!("{{\"format\":\"{FORMAT}\",\"v\":1,\"peppers\":[{peppers}]}}")
    }

    fn pepper(name: &str, secret: &str) -> String {
        format!("{{\"name\":\"{name}\",\"secret\":\"{secret}\"}}")
    }

    #[test]
    fn a_file_is_made_once_for_its_user_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("peppers.json");
        let made = Peppers::read_or_create(&path).expect("it can be made");
        let read = Peppers::read_or_create(&path).expect("it can be read");
        assert!(made.newest().name == "p1" && made.newest().secret.len() == 32);
        assert!(made.newest().secret == read.newest().secret, "a second one would lose every key");
        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        let other = folder.path().join("other.json");
        let other = Peppers::read_or_create(&other).expect("it can be made");
        assert!(made.newest().secret != other.newest().secret);
    }

    #[test]
    fn the_last_pepper_is_for_new_keys_and_old_names_are_tried_with_each() {
        let two = [pepper("p1", &"0b".repeat(32)), pepper("p2", &"aa".repeat(33))].join(",");
        let peppers = parse(document(&two).as_bytes()).expect("a good file");
        assert!(peppers.newest().name == "p2" && peppers.named("p1").is_some() && peppers.named("p3").is_none());
        let names: Vec<String> = peppers.names_of(b"key").collect();
        assert!(names[0].starts_with("old-p2-") && names[1].starts_with("old-p1-") && names.len() == 2, "{names:?}");
        assert_eq!(names[0].len(), "old-p2-".len() + 64);
    }

    #[test]
    fn anything_else_is_refused_without_a_word_of_it() {
        const SECRET: &str = "5ec2e7";
        let good = pepper("p1", &SECRET.repeat(11)[..64]);
        assert!(parse(document(&good).as_bytes()).is_ok());
        for bad in [
            String::new(),
            format!("\"{SECRET}\""),
            format!("{{\"{SECRET}\":1}}"),
            document(""),
            document(&format!("\"{SECRET}\"")),
            document(&format!("{{\"name\":\"p1\",\"secret\":\"{SECRET}\",\"{SECRET}\":1}}")),
            document(&pepper("p1", SECRET)),
            document(&pepper("p1", &format!("{}g", &SECRET.repeat(11)[..63]))),
            document(&pepper("p1", &SECRET.repeat(11).to_uppercase())),
            document(&pepper("P 1", &SECRET.repeat(11))),
            document(&[good.clone(), good.clone()].join(",")),
            document(&good).replace("\"v\":1", "\"v\":2"),
            document(&good).replace("peppers\",\"v", "keys\",\"v"),
        ] {
            let error = parse(bad.as_bytes()).err().map(|error| format!("{error:#}"));
            let error = error.unwrap_or_else(|| panic!("{bad}"));
            assert!(!error.contains(SECRET) && error.contains("; "), "{error}");
        }
    }
}
