//! Configurations of which a command needs a part; whatever else they say does not matter to it.

use std::path::PathBuf;

use crate::keys::Files;
use crate::shift::gate;
use crate::shift::plan::Plan;

use super::reader::Section;
use super::{evidence, not_toml, shift};

/// Only what the gate goes by; whatever else the file says does not matter.
pub fn parse_gate(toml: &str) -> Result<gate::Policy, Vec<String>> {
    let mut table: toml::Table = toml::from_str(toml).map_err(|error| vec![not_toml(&error)])?;
    let gate = table.remove("gate").into_iter().map(|gate| ("gate".to_owned(), gate));
    let mut root = Section::root(gate.collect());
    let policy = evidence::read_gate(&mut root);
    root.finish().map(|()| policy)
}

/// Only the plan of a shift, with what the gate goes by.
pub fn parse_plan(toml: &str) -> Result<Plan, Vec<String>> {
    let mut table: toml::Table = toml::from_str(toml).map_err(|error| vec![not_toml(&error)])?;
    let sections = ["gate", "shift"].into_iter().filter_map(|key| Some((key.to_owned(), table.remove(key)?)));
    let mut root = Section::root(sections.collect());
    let gate = evidence::read_gate(&mut root);
    let shift = shift::read(&mut root, &gate);
    root.finish().map(|()| shift.plan)
}

/// Only which files the commands about keys work on; they need not be there yet.
pub fn parse_key_files(toml: &str) -> Result<Files, Vec<String>> {
    let mut table: toml::Table = toml::from_str(toml).map_err(|error| vec![not_toml(&error)])?;
    let auth = table.remove("auth").into_iter().map(|auth| ("auth".to_owned(), auth));
    let mut root = Section::root(auth.collect());
    let mut section = root.section("auth");
    let [keys, peppers] = [("keys", "keys.db.json"), ("peppers", "peppers.json")]
        .map(|(key, example)| section.required(key, &format!("\"{example}\""), |text| Ok(PathBuf::from(text))));
    match (keys, peppers) {
        (Some(keys), Some(peppers)) => Ok(Files { keys, peppers }),
        _ => Err(section.errors()),
    }
}
