//! The keys of `[shift]` that say who is served by which side.

use std::path::PathBuf;

use http::HeaderName;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST};

use crate::serve::identity::IdKind;

use super::reader::Section;

pub struct ChoiceConfig {
    pub hash_key: String,
    pub sticky: Vec<IdKind>,
    /// Of what sessions were issued; 0: nothing is kept.
    pub sticky_values_max: usize,
    /// The header, and the file with the token.
    pub testers: Option<(HeaderName, PathBuf)>,
}

pub fn read(shift: &mut Section) -> ChoiceConfig {
    let hash_key = shift.text("hash_key").unwrap_or_else(|| "shadow-proxy".to_owned());
    let sticky = shift.list("sticky", STICKY, str::parse::<IdKind>);
    let sticky = sticky.unwrap_or_else(|| vec![IdKind::Credential, IdKind::Cookies, IdKind::Address]);
    if sticky.iter().rev().skip(1).any(|kind| *kind == IdKind::Address) {
        shift.wrong("sticky", "has something behind address, which every call has", STICKY_LINE);
    }
    if (1..sticky.len()).any(|at| sticky[..at].contains(&sticky[at])) {
        shift.wrong("sticky", "names something twice", STICKY_LINE);
    }
    let sticky_values_max = shift.number("sticky_values_max", 100_000, 0..=10_000_000, "values") as usize;
    let testers = read_testers(shift, &sticky);
    ChoiceConfig { hash_key, sticky, sticky_values_max, testers }
}

fn read_testers(shift: &mut Section, sticky: &[IdKind]) -> Option<(HeaderName, PathBuf)> {
    let mut testers = shift.section("testers");
    if testers.is_empty() {
        testers.close(shift);
        return None;
    }
    let header = testers.required("header", "\"x-shadow-side\"", |name| {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "is no name of a header".to_owned())?;
        if NEEDED.contains(&name) || sticky.contains(&IdKind::Header(name.clone())) {
            return Err("is needed by the sides, and would be taken out of every call".to_owned());
        }
        Ok(name)
    });
    let token_file = testers.needed_file("token_file");
    testers.close(shift);
    Some((header?, token_file?))
}

const NEEDED: [HeaderName; 6] =
    [AUTHORIZATION, COOKIE, HOST, CONTENT_TYPE, CONTENT_LENGTH, crate::serve::identity::X_API_KEY];

const STICKY: &str = "[\"credential\", \"cookie\", \"address\"]";
const STICKY_LINE: &str = "sticky = [\"credential\", \"cookie\", \"address\"]";
