//! Lane `report`: a little of everything is measured, and a report comes of it that one can look at.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::child;
use crate::setup;
use crate::workspace::Workspace;

const HTML_BYTES_MAX: usize = 1_000_000;
const CLAIMS: usize = 11;

/// The candidate is the build that the other lanes use: what is quick to measure is no claim, and says so.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    workspace.build()?;
    setup::bring_schemas(workspace)?;
    let out = workspace.target.join("report/lane");
    let proxy = workspace.binary("shadow-proxy");
    let candidate = format!("process:{} serve --listen 127.0.0.1:{{port}}", proxy.display());
    let mut all = Command::new(workspace.binary("load"));
    all.args(["all", "--quick", "--again", "--allow-old-prices", "--beside", "none", "--candidate", &candidate]);
    child::quiet(all.arg("--out").arg(&out).current_dir(&workspace.root))?;
    check(&out)?;
    keeps_its_schema(workspace, &out)?;
    pictures(&out)
}

/// A report does, and one that was tampered with does not.
fn keeps_its_schema(workspace: &Workspace, out: &Path) -> Result<()> {
    let validate = |file: &Path| {
        let mut validate = Command::new(workspace.linters_python());
        validate.args(["-m", "check_jsonschema", "--schemafile"]).arg(workspace.root.join("load/report.schema.json"));
        child::quiet(validate.arg(file))
    };
    validate(&out.join("report.json")).context("report.json does not keep load/report.schema.json")?;
    let mut broken: Value = serde_json::from_str(&fs::read_to_string(out.join("report.json"))?)?;
    broken["ratios"] = "fast".into();
    let file = out.join("broken.json");
    fs::write(&file, broken.to_string())?;
    ensure!(validate(&file).is_err(), "load/report.schema.json takes anything");
    Ok(())
}

fn check(out: &Path) -> Result<()> {
    let read = |name: &str| fs::read_to_string(out.join(name)).with_context(|| format!("`load all` left no {name}"));
    let (html, markdown) = (read("report.html")?, read("report.md")?);
    ensure!(html.len() < HTML_BYTES_MAX, "report.html has {} bytes, more than {HTML_BYTES_MAX}", html.len());
    ensure!(!html.contains("<script") && !html.contains("src="), "report.html loads something, or has a script");
    for page in [&html, &markdown] {
        ensure!(page.contains("Good for a look, not for a claim"), "a report of short runs does not say so");
    }
    let report: Value = serde_json::from_str(&read("report.json")?).context("report.json is no JSON")?;
    ensure!(report["standing"]["quotable"] == false, "a report of short runs may be quoted");
    ensure!(report["sentences"] == Value::Array(Vec::new()), "a report of short runs has a headline");
    ensure!(report["claims"].as_array().map(Vec::len) == Some(CLAIMS), "not all claims are in the ledger");
    for part in ["search", "cold", "memory", "cost", "environment"] {
        ensure!(report[part].is_object(), "{part} is not in report.json");
    }
    Ok(())
}

/// For people to look at; not where there is no Chromium.
fn pictures(out: &Path) -> Result<()> {
    let Some(chromium) = child::on_path("chromium") else {
        println!("  no chromium on PATH: the page was checked, but not drawn");
        return Ok(());
    };
    let page = format!("file://{}", out.join("report.html").display());
    let draw = |options: &[&str], file: &str| {
        // It has hung at its end; two minutes are plenty.
        let mut draw = Command::new("timeout");
        draw.arg("120").arg(&chromium).args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-pdf-header-footer",
        ]);
        child::quiet(draw.args(options).arg(&page))?;
        ensure!(fs::metadata(out.join(file)).is_ok_and(|file| file.len() > 0), "chromium drew no {file}");
        Ok(())
    };
    let to = |option: &str, file: &str| format!("{option}={}", out.join(file).display());
    draw(&[&to("--screenshot", "light.png"), "--window-size=1100,12000"], "light.png")?;
    let dark = "--blink-settings=preferredColorScheme=0";
    draw(&[&to("--screenshot", "dark.png"), "--window-size=1100,12000", dark], "dark.png")?;
    draw(&[&to("--screenshot", "narrow.png"), "--window-size=420,16000"], "narrow.png")?;
    draw(&[&to("--print-to-pdf", "print.pdf")], "print.pdf")?;
    println!("  looked at: {}/light.png, dark.png, narrow.png, print.pdf", out.display());
    Ok(())
}
