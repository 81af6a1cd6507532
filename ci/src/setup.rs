//! Lane `setup`: brings what is missing and says so; with nothing to do it only looks.
//!
//! Packages of npm, Python and crates.io go into this checkout. Those of the system are installed only where somebody
//! allowed it, by `--install` or by CI=true; else the command that does is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::child;
use crate::workspace::{Workspace, write_atomically};

const NODE_MAJOR_MIN: u32 = 20;
/// Asked of Python itself, which says nothing when it is new enough.
const IS_NEW_ENOUGH: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
const MDBOOK_VERSION: &str = "0.5.4";
const DEBIAN_WASM_PACKAGES: [&str; 3] = ["cargo-web", "rustc-web", "rust-web-src"];
const DEBIAN_STD_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// A program of the system, with what needs it.
struct Tool {
    program: &'static str,
    /// Debian's package.
    package: &'static str,
    used_by: &'static str,
}

const TOOLS: [Tool; 10] = [
    Tool { program: "podman", package: "podman", used_by: "lane image, and the demo's container" },
    Tool { program: "runc", package: "runc", used_by: "lane image, and the demo's container" },
    Tool { program: "c++", package: "g++", used_by: "lane fuzz" },
    Tool { program: "nginx", package: "nginx", used_by: "lane test" },
    Tool { program: "caddy", package: "caddy", used_by: "lane test" },
    Tool { program: "curl", package: "curl", used_by: "lane guide" },
    Tool { program: "shellcheck", package: "shellcheck", used_by: "lane templates" },
    Tool { program: "promtool", package: "prometheus", used_by: "lane templates" },
    Tool { program: "systemd-analyze", package: "systemd", used_by: "lane templates" },
    Tool { program: "chromium", package: "chromium", used_by: "lane page, and pictures of lane report" },
];

static MAY_INSTALL: AtomicBool = AtomicBool::new(false);

/// From now on packages of the system are installed when something needs them.
pub(crate) fn allow_installing() {
    MAY_INSTALL.store(true, Ordering::Relaxed);
}

/// Brings what all lanes need. A missing program of the system is named with what needs it, and fails only that.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    bring_services(workspace)?;
    bring_npm_packages(workspace, &workspace.page_tests())?;
    bring_python_packages(workspace)?;
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| tool.is_missing()).collect();
    if let Err(error) = install_tools(&missing) {
        for Tool { program, used_by, .. } in &missing {
            println!("  {program} is missing: {used_by}");
        }
        println!("  {}", reason(&error));
    }
    Ok(())
}

/// What the component and the Express service need: all that the demo does.
pub(crate) fn bring_services(workspace: &Workspace) -> Result<()> {
    bring_wasm_std()?;
    bring_node()?;
    bring_npm_packages(workspace, &workspace.legacy_stub())
}

/// What the demo runs the Express service in. Without it the demo runs a process.
pub(crate) fn bring_container_tools() {
    if let Err(error) = need_container_tools() {
        println!("  {}; until then the demo runs the legacy stub as a process", reason(&error));
    }
}

/// Where the std of the guest comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WasmStd {
    /// The toolchain has it: `rustup target add`.
    Toolchain,
    /// Debian's second compiler builds it from source.
    Debian,
}

impl WasmStd {
    /// The one to build with; CI_WASM_STD=rustup or =debian leaves only that way.
    pub(crate) fn present() -> Result<WasmStd> {
        let ways = ways(std::env::var("CI_WASM_STD").ok().as_deref())?;
        match ways.into_iter().find(|way| way.is_present()) {
            Some(way) => Ok(way),
            None => bail!("the wasm std is missing; run `cargo ci setup`"),
        }
    }

    fn is_present(self) -> bool {
        match self {
            WasmStd::Toolchain => {
                let rustc = &mut Command::new("rustc");
                let libdir =
                    child::output(rustc.args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]));
                libdir.is_ok_and(|libdir| Path::new(libdir.trim()).is_dir())
            }
            WasmStd::Debian => {
                ["/usr/bin/cargo", "/usr/bin/rustc", DEBIAN_STD_SOURCE].iter().all(|file| Path::new(file).exists())
            }
        }
    }

    fn bring(self) -> Result<()> {
        match self {
            WasmStd::Toolchain => {
                println!("  wasm std: rustup target add wasm32-unknown-unknown");
                child::quiet(Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]))
            }
            WasmStd::Debian => apt_install("wasm std", &DEBIAN_WASM_PACKAGES),
        }
    }
}

/// What the component is built with.
pub(crate) fn bring_wasm_std() -> Result<()> {
    if WasmStd::present().is_ok() {
        return Ok(());
    }
    for way in ways(std::env::var("CI_WASM_STD").ok().as_deref())? {
        match way.bring() {
            Ok(()) if way.is_present() => return Ok(()),
            Ok(()) => println!("  wasm std: still missing after that"),
            Err(error) => println!("  {}", reason(&error)),
        }
    }
    bail!(
        "the wasm std cannot be had; run `rustup target add wasm32-unknown-unknown`, or as root `apt-get install {}`",
        DEBIAN_WASM_PACKAGES.join(" ")
    )
}

fn ways(forced: Option<&str>) -> Result<Vec<WasmStd>> {
    match forced {
        None | Some("") => Ok(vec![WasmStd::Toolchain, WasmStd::Debian]),
        Some("rustup") => Ok(vec![WasmStd::Toolchain]),
        Some("debian") => Ok(vec![WasmStd::Debian]),
        Some(other) => bail!("CI_WASM_STD={other} is neither `rustup` nor `debian`; set one of them, or unset it"),
    }
}

fn bring_node() -> Result<()> {
    if child::on_path("node").is_none() || child::on_path("npm").is_none() {
        apt_install("node and npm", &["nodejs", "npm"])?;
    }
    let version = child::output(Command::new("node").arg("--version"))?;
    if major(&version) < Some(NODE_MAJOR_MIN) {
        bail!("node {} is older than {NODE_MAJOR_MIN}; install a newer one from nodejs.org", version.trim());
    }
    Ok(())
}

/// `v20.20.2` as 20.
fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

fn bring_npm_packages(workspace: &Workspace, package: &Path) -> Result<()> {
    let lock = package.join("package-lock.json");
    unless_stamped(&lock, &package.join("node_modules/.ci-stamp"), || {
        println!("  {}: npm ci", workspace.shown(package));
        child::quiet(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(package))
    })
}

fn bring_python_packages(workspace: &Workspace) -> Result<()> {
    let lock = workspace.fastapi().join("requirements-test.lock");
    bring_environment("legacy-stub/fastapi", &lock, &workspace.target.join("python"))
}

/// An environment of its own in the target folder.
fn bring_environment(purpose: &str, lock: &Path, environment: &Path) -> Result<()> {
    unless_stamped(lock, &environment.join(".ci-stamp"), || {
        bring_python()?;
        println!("  {purpose}: pip install --require-hashes");
        child::quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))?;
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]);
        child::quiet(pip.arg(lock))
    })
}

fn bring_python() -> Result<()> {
    let is_there = || Command::new("python3").args(["-c", IS_NEW_ENOUGH]).stderr(Stdio::null()).status();
    if !is_there().is_ok_and(|status| status.success()) {
        apt_install("python with venv", &["python3", "python3-venv"])?;
    }
    if !is_there().is_ok_and(|status| status.success()) {
        bail!("python3 is older than 3.11, or without venv; put a newer one first in PATH");
    }
    Ok(())
}

/// Installs, but when the stamp says that this was done with the very same lock file.
fn unless_stamped(lock: &Path, stamp: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let wanted: String = Sha256::digest(fs::read(lock)?).iter().map(|byte| format!("{byte:02x}")).collect();
    if fs::read_to_string(stamp).is_ok_and(|stamp| stamp == wanted) {
        return Ok(());
    }
    install()?;
    write_atomically(stamp, wanted.as_bytes())
}

/// For what cannot do without.
pub(crate) fn need_container_tools() -> Result<()> {
    need(&["podman", "runc"])
}

/// What lane `page` looks with.
pub(crate) fn bring_browser() -> Result<PathBuf> {
    need(&["chromium"])?;
    child::on_path("chromium").context("chromium is installed and not on PATH; put it there")
}

/// What lane `templates` checks with.
pub(crate) fn bring_linters(workspace: &Workspace) -> Result<()> {
    need(&["shellcheck", "promtool", "systemd-analyze"])?;
    bring_schemas(workspace)
}

/// What checks files against their schemas.
pub(crate) fn bring_schemas(workspace: &Workspace) -> Result<()> {
    let linters = workspace.root.join("ci/linters");
    bring_npm_packages(workspace, &linters)?;
    bring_environment("ci/linters", &linters.join("requirements.lock"), &workspace.target.join("linters"))
}

/// What lane `book` builds with.
pub(crate) fn bring_mdbook(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.target.join("mdbook");
    let stamp = root.join(MDBOOK_VERSION);
    if !stamp.exists() {
        println!("  book: cargo install mdbook {MDBOOK_VERSION}");
        let mut install = Command::new("cargo");
        install.args(["install", "mdbook", "--version", MDBOOK_VERSION, "--locked", "--force", "--quiet"]);
        // Built once and run for a second: what makes it slow to build is left out.
        install.args(["--debug", "--no-default-features", "--features", "search", "--root"]).arg(&root);
        child::quiet(install.arg("--target-dir").arg(root.join("build")))?;
        fs::remove_dir_all(root.join("build"))?;
        write_atomically(&stamp, b"")?;
    }
    Ok(root.join("bin/mdbook"))
}

/// What `cargo ci bench` measures with and against.
pub(crate) fn bring_bench_tools() -> Result<()> {
    bring_packages("bench", &[("wrk", "wrk"), ("nginx", "nginx")])
}

/// What `load` is held against.
pub(crate) fn bring_h2load() -> Result<()> {
    bring_packages("bench load", &[("h2load", "nghttp2-client")])
}

/// What lane `test` puts in front of the component.
pub(crate) fn bring_proxies() -> Result<()> {
    need(&["nginx", "caddy"])
}

/// What the worked example is typed with.
pub(crate) fn bring_curl() -> Result<()> {
    need(&["curl"])
}

/// What lane `fuzz` compiles libFuzzer with.
pub(crate) fn bring_cxx_compiler() -> Result<()> {
    need(&["c++"])
}

/// Programs of `TOOLS`.
fn need(programs: &[&str]) -> Result<()> {
    let is_missing = |tool: &&Tool| programs.contains(&tool.program) && tool.is_missing();
    install_tools(&TOOLS.iter().filter(is_missing).collect::<Vec<_>>())
}

fn install_tools(missing: &[&Tool]) -> Result<()> {
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    let programs: Vec<&str> = missing.iter().map(|tool| tool.program).collect();
    if missing.is_empty() { Ok(()) } else { apt_install(&programs.join(", "), &packages) }
}

/// Programs, each with Debian's package of it.
fn bring_packages(purpose: &str, programs: &[(&str, &str)]) -> Result<()> {
    let missing = programs.iter().filter(|(program, _)| child::on_path(program).is_none());
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if missing.is_empty() { Ok(()) } else { apt_install(purpose, &missing) }
}

impl Tool {
    fn is_missing(&self) -> bool {
        let is_replaced = self.program == "c++" && std::env::var_os("CXX").is_some();
        !is_replaced && child::on_path(self.program).is_none()
    }
}

fn apt_install(purpose: &str, packages: &[&str]) -> Result<()> {
    let command = format!("apt-get install {}", packages.join(" "));
    if child::on_path("apt-get").is_none() {
        bail!(
            "{purpose}: there is no apt-get here; install what Debian calls {} with your package manager",
            packages.join(" ")
        );
    }
    if !MAY_INSTALL.load(Ordering::Relaxed) {
        bail!("{purpose}: run `{command}` as root, or `cargo ci setup --install`");
    }
    if !rustix::process::geteuid().is_root() {
        bail!("{purpose}: installing needs root; run `{command}` as root");
    }
    println!("  {purpose}: {command}");
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        // Packages of servers start none in this one.
        apt.env("RUNLEVEL", "1");
        child::quiet(&mut apt)
    };
    apt(&["update", "--quiet"])?;
    apt(&[&["install", "--yes", "--quiet", "--no-install-recommends"], packages].concat())
}

/// What matters of a long error: a program says last why it gave up, and below that stands the command.
fn reason(error: &anyhow::Error) -> String {
    let text = error.to_string();
    text.lines().rev().take(2).last().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_can_leave_one_way_to_the_wasm_std() {
        assert_eq!(ways(None).unwrap(), [WasmStd::Toolchain, WasmStd::Debian]);
        assert_eq!(ways(Some("rustup")).unwrap(), [WasmStd::Toolchain]);
        assert_eq!(ways(Some("debian")).unwrap(), [WasmStd::Debian]);
        assert!(ways(Some("suse")).unwrap_err().to_string().contains("neither `rustup` nor `debian`"));
    }

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("what"), None);
    }
}
