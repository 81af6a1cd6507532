//! All there is, as `GET /api/diffs?samples=all` and `GET /api/endpoints` have it.

use serde_json::json;

use super::{Export, Report};

pub struct Json;

impl Export for Json {
    fn export(&self, report: &Report) -> anyhow::Result<String> {
        let Report { endpoints, findings } = report;
        Ok(format!("{:#}\n", json!({"endpoints": endpoints, "findings": findings})))
    }
}
