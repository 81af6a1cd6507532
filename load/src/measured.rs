//! The folder in which the commands leave their results, read back.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::result::VERSION;
use crate::result::attack::{self, Attack};
use crate::result::cold::{self, Cold};
use crate::result::compare::{self, Compare};
use crate::result::memory::{self, Memory};
use crate::result::search::{self, Search};

/// What there is; everything may be missing.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) attack: Option<Attack>,
    pub(crate) compare: Option<Compare>,
    pub(crate) search: Option<Search>,
    pub(crate) cold: Option<Cold>,
    pub(crate) memory: Option<Memory>,
}

impl Measured {
    /// # Errors
    /// All files that are there and cannot be read, each with what to do.
    pub(crate) fn read(folder: &Path) -> Result<Self, Vec<String>> {
        if !folder.is_dir() {
            return Err(vec![format!("there is no folder {}; correct --in", folder.display())]);
        }
        let mut wrong = Vec::new();
        let measured = Self {
            attack: one(folder, attack::SCHEMA, &mut wrong),
            compare: one(folder, compare::SCHEMA, &mut wrong),
            search: one(folder, search::SCHEMA, &mut wrong),
            cold: one(folder, cold::SCHEMA, &mut wrong),
            memory: one(folder, memory::SCHEMA, &mut wrong),
        };
        if wrong.is_empty() { Ok(measured) } else { Err(wrong) }
    }
}

/// `load-cold` is in `cold.json`.
pub(crate) fn file_name(schema: &str) -> String {
    format!("{}.json", schema.trim_start_matches("load-"))
}

fn one<T: DeserializeOwned>(folder: &Path, schema: &str, wrong: &mut Vec<String>) -> Option<T> {
    let file = folder.join(file_name(schema));
    match read_json(&file, schema, VERSION) {
        Ok(read) => read,
        Err(error) => {
            wrong.push(error);
            None
        }
    }
}

/// None: there is no such file.
///
/// # Errors
/// It cannot be read, or is something else.
pub(crate) fn read_json<T: DeserializeOwned>(file: &Path, schema: &str, version: u32) -> Result<Option<T>, String> {
    let shown = file.display();
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {shown}: {error}; give this user the right to")),
    };
    let json: Value =
        serde_json::from_slice(&text).map_err(|error| format!("{shown} is no JSON ({error}); measure again"))?;
    let (is_schema, is_version) = (json.get("schema"), json.get("version"));
    if is_schema != Some(&schema.into()) || is_version != Some(&version.into()) {
        return Err(format!(
            "{shown} is not {schema} of version {version}; write it again with the command of this checkout"
        ));
    }
    serde_json::from_value(json)
        .map(Some)
        .map_err(|error| format!("{shown}: {error}; write it again with the command of this checkout"))
}
