//! Where things are, and the one way the workspace is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{child, progress};

#[derive(Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// What CARGO_TARGET_DIR or the configuration of cargo say, else `target`.
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    #[serde(skip)]
    is_linted: bool,
}

/// Of the Express service, however it is run.
pub(crate) const EXPRESS_ENVIRONMENT: [(&str, &str); 3] =
    [("NODE_ENV", "production"), ("HOST", "127.0.0.1"), ("PORT", "0")];

/// A folder that is there and has nothing in it.
pub(crate) fn emptied(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

impl Workspace {
    pub(crate) fn find() -> Result<Workspace> {
        let mut metadata = cargo();
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
        let json = child::output(&mut metadata)?;
        serde_json::from_str(&json).context("cargo metadata printed something that is not its JSON")
    }

    /// The same, but its crates are compiled by Clippy's driver: one compilation gives programs, tests and lints, and
    /// `cargo clippy` would read every dependency a second time.
    pub(crate) fn linted(self) -> Workspace {
        Workspace { is_linted: true, ..self }
    }

    /// A cargo command in the workspace.
    pub(crate) fn cargo(&self, verb: &str) -> Command {
        let mut cargo = cargo();
        cargo.arg(verb).current_dir(&self.root);
        cargo
    }

    /// A cargo command for the programs and tests of the lanes.
    pub(crate) fn development_cargo(&self, verb: &str) -> Command {
        let mut cargo = self.cargo(verb);
        if self.is_linted {
            cargo.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
        }
        cargo
    }

    /// Builds all programs. Always the whole workspace: another selection has other features, and wasmtime and goose
    /// would be compiled again for it.
    pub(crate) fn build(&self) -> Result<()> {
        progress::cargo("all programs", self.development_cargo("build").arg("--workspace"))
    }

    /// What users run, what measures it and the yardstick beside it, in the release profile. All at once: apart they
    /// would be built with other features of the same crates, each time what the other had built.
    pub(crate) fn build_release(&self) -> Result<()> {
        let mut build = self.cargo("build");
        build.args(["--release", "--package", "shadow-proxy", "--package", "load", "--package", "auth-component"]);
        progress::cargo(
            "the programs that users run",
            build.args(["--bin", "shadow-proxy", "--bin", "load", "--example", "native"]),
        )
    }

    /// The Express service as a process, on a port of the kernel's choice.
    pub(crate) fn express(&self) -> Command {
        let mut node = Command::new("node");
        node.arg("src/server.js").current_dir(self.legacy_stub()).envs(EXPRESS_ENVIRONMENT);
        node
    }

    /// The Python service, the legacy twin of `legacy_stub`.
    pub(crate) fn fastapi(&self) -> PathBuf {
        self.legacy_stub().join("fastapi")
    }

    /// Python with the packages of that service.
    pub(crate) fn python(&self) -> Command {
        Command::new(self.target.join("python/bin/python"))
    }

    /// Python with what lane `templates` checks with.
    pub(crate) fn linters_python(&self) -> PathBuf {
        self.target.join("linters/bin/python")
    }

    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    pub(crate) fn released(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// An artifact for any host.
    pub(crate) fn component(&self, name: &str) -> PathBuf {
        self.target.join("component").join(name).with_extension("wasm")
    }

    /// The same as shadow-proxy has it inside, for an engine with wide arithmetic.
    pub(crate) fn embedded_component(&self, name: &str) -> PathBuf {
        self.target.join("component/embedded").join(name).with_extension("wasm")
    }

    /// Tests of the page, for Node and a browser.
    pub(crate) fn page_tests(&self) -> PathBuf {
        self.root.join("shadow-proxy/tests/page")
    }

    pub(crate) fn legacy_stub(&self) -> PathBuf {
        self.root.join("legacy-stub")
    }

    /// The path as a person in the workspace would type it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// Writes the whole file or leaves the old one: whoever reads at the same time sees one of the two.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file to write needs a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    fs::write(&draft, content)
        .and_then(|()| fs::rename(&draft, path))
        .with_context(|| format!("cannot write {}; is the disk full?", path.display()))
}

/// The cargo that runs us, without what it tells only the program it runs: a nested cargo that sees other variables
/// would compile again what it has.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") || told.starts_with("CARGO_BIN_") {
            command.env_remove(&name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_the_file_and_leaves_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/summary.json");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
