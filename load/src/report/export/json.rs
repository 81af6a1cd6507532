//! The report as data; `load/report.schema.json` says what it looks like.

use super::Exporter;
use crate::report::contents::Report;

pub(super) struct Json;

impl Exporter for Json {
    fn extension(&self) -> &'static str {
        "json"
    }

    fn export(&self, report: &Report) -> String {
        let mut json = serde_json::to_string(report).expect("its keys are strings and its numbers finite or null");
        json.push('\n');
        json
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use schemars::schema_for;
    use serde_json::Value;

    use super::*;

    /// That reports keep it is lane `report`'s to check. With `UPDATE_SCHEMA=1` it writes the file instead.
    #[test]
    fn the_schema_is_that_of_the_types() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("report.schema.json");
        let schema = serde_json::to_value(schema_for!(Report)).expect("JSON");
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&file, format!("{schema:#}\n")).expect("written");
        }
        let committed: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("there")).expect("JSON");
        assert!(
            committed == schema,
            "run `UPDATE_SCHEMA=1 cargo test --workspace --bin load -- schema` and look at the change"
        );
    }
}
