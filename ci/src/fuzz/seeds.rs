//! Where the fuzzer starts: the cases and tokens of the contract, written as the fuzz targets read them (how:
//! auth-component/fuzz/src/lib.rs).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Of a case, what a request has; cases about bytes on a connection have none of it.
#[derive(Deserialize)]
struct Case {
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
}

/// One folder for each target that has seeds here.
pub(crate) fn write(contract: &Path, seeds: &Path) -> Result<()> {
    for name in json_files(contract)? {
        let case: Case = parse(&contract.join(&name))?;
        if let Some(request) = case.request.written() {
            seed(seeds, "request", &name, request.as_bytes())?;
            seed(seeds, "request", &format!("{name}-resigned"), resigned_all(&request).as_bytes())?;
        }
    }
    let tokens: BTreeMap<String, String> = parse(&contract.join("keys/tokens.json"))?;
    for (name, token) in &tokens {
        seed(seeds, "token", name, token.as_bytes())?;
        let Some((header, payload)) = decoded(token) else { continue };
        seed(seeds, "token", &format!("{name}-resigned"), &resigned(&header, &payload))?;
        seed(seeds, "json", &format!("{name}-header"), &header)?;
        seed(seeds, "json", &format!("{name}-payload"), &payload)?;
    }
    for name in ["jwks.json", "verification.json"] {
        seed(seeds, "key_set", name, &fs::read(contract.join("keys").join(name))?)?;
    }
    Ok(())
}

impl Request {
    fn written(&self) -> Option<String> {
        let mut text = format!("{} {}\n", self.method.as_ref()?, self.path.as_ref()?);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\n");
        }
        Some(format!("{text}\n{}", self.body))
    }
}

/// Every token replaced by one that the fuzz target signs: whatever is changed in it, the signature will be good.
fn resigned_all(text: &str) -> String {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut out = String::new();
    for word in text.split_inclusive(|c| !is_token(c)) {
        let (token, end) = word.split_at(word.trim_end_matches(|c| !is_token(c)).len());
        match decoded(token) {
            Some((header, payload)) => out += &String::from_utf8_lossy(&resigned(&header, &payload)),
            None => out += token,
        }
        out += end;
    }
    out
}

fn resigned(header: &[u8], payload: &[u8]) -> Vec<u8> {
    [b"<<", header, b"||", payload, b">>"].concat()
}

/// Header and payload of what has the form of a token.
fn decoded(token: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut parts = token.split('.');
    let (header, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let decode = |part| Base64UrlUnpadded::decode_vec(part).ok().filter(|bytes: &Vec<u8>| !bytes.is_empty());
    Some((decode(header)?, decode(payload)?))
}

fn json_files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            names.push(name);
        }
    }
    Ok(names)
}

fn parse<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} has another form than a seed needs", path.display()))
}

fn seed(seeds: &Path, target: &str, name: &str, text: &[u8]) -> Result<()> {
    let folder = seeds.join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), text).with_context(|| format!("cannot write {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_becomes_a_request_and_its_token_one_that_is_signed_again() {
        let request = Request {
            method: Some("POST".into()),
            path: Some("/auth/validate".into()),
            headers: vec![("Authorization".into(), "Bearer eyJhIjoxfQ.e30.AA".into())],
            body: "token=e30.e30.&x=1".into(),
        };
        let written = request.written().unwrap();
        assert_eq!(written, "POST /auth/validate\nAuthorization: Bearer eyJhIjoxfQ.e30.AA\n\ntoken=e30.e30.&x=1");
        assert_eq!(
            resigned_all(&written),
            "POST /auth/validate\nAuthorization: Bearer <<{\"a\":1}||{}>>\n\ntoken=<<{}||{}>>&x=1"
        );
    }

    #[test]
    fn every_target_of_the_contract_gets_seeds() {
        let folder = tempfile::tempdir().unwrap();
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../legacy-stub/contract");
        write(&contract, folder.path()).unwrap();
        for (target, files_min) in [("request", 900), ("token", 200), ("json", 200), ("key_set", 2)] {
            let files = fs::read_dir(folder.path().join(target)).unwrap().count();
            assert!(files >= files_min, "{target}: {files}");
        }
    }
}
