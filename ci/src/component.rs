//! Lane `component`: the guest as a WebAssembly component that imports what it is allowed to, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::child;
use crate::setup::WasmStd;
use crate::table::grouped;
use crate::workspace::{Workspace, write_atomically};

const TARGET: &str = "wasm32-unknown-unknown";

/// Interfaces every host of wasi:http 0.2 has. Any 0.2.x will do: they are compatible.
const ALLOWED_IMPORTS: [&str; 7] = [
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/streams",
    "wasi:io/poll",
    "wasi:clocks/wall-clock",
    "wasi:clocks/monotonic-clock",
    "wasi:random/random",
];

const COMPONENT_BYTES_MAX: usize = 150_000;

/// The smallest stack and the memory the guest starts with: a fresh instance pays for each page, and one that never
/// grows its memory is reset without `mprotect`.
const RUSTC_FLAGS: [&str; 3] =
    ["-Clink-arg=-zstack-size=32768", "-Clink-arg=--initial-memory=131072", "-Ctarget-feature=+bulk-memory,+simd128"];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let built = build(workspace)?;
    println!("  {} bytes, imports:", grouped(built.bytes as u64));
    for import in &built.imports {
        println!("    {import}");
    }
    Ok(())
}

pub(crate) struct Built {
    bytes: usize,
    imports: Vec<String>,
}

/// Builds the component, checks it, and puts it where shadow-proxy embeds it from.
pub(crate) fn build(workspace: &Workspace) -> Result<Built> {
    let core_modules = build_core_modules(workspace)?;
    let component = encode(&core_modules.join("auth_component.wasm"))?;
    let built = Built { bytes: component.len(), imports: imports(&component)? };
    check(built.bytes, &built.imports)?;
    write_if_changed(&workspace.component(), &component)?;
    // For the tests of shadow-proxy alone: it may import and weigh what it likes.
    let hostile = encode(&core_modules.join("hostile_guest.wasm"))?;
    write_if_changed(&workspace.component().with_file_name("hostile-guest.wasm"), &hostile)?;
    Ok(built)
}

/// Where the modules are: `auth_component.wasm` and `hostile_guest.wasm`.
fn build_core_modules(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = match WasmStd::present()? {
        WasmStd::Toolchain => workspace.cargo("build"),
        WasmStd::Debian => debian_cargo(workspace)?,
    };
    cargo.args(["--package", "auth-component", "--package", "hostile-guest", "--lib"]);
    cargo.args(["--profile", "component", "--target", TARGET]);
    // With `--target` they are for the guest alone, and nothing of the host is compiled again.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rustc_flags(workspace)?.join("\x1f"));
    child::live(&mut cargo)?;
    Ok(workspace.target.join(TARGET).join("component"))
}

/// Debian's compiler builds the std from its source; it has no linker for wasm, so the toolchain's own serves.
fn debian_cargo(workspace: &Workspace) -> Result<Command> {
    let libdir = child::output(Command::new("rustc").args(["--print", "target-libdir"]).current_dir(&workspace.root))?;
    let linker = Path::new(libdir.trim()).with_file_name("bin").join("rust-lld");
    let mut cargo = workspace.with_verb(Command::new("/usr/bin/cargo"), "build");
    cargo.args(["-Z", "build-std=std,panic_abort"]);
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").env_remove("CARGO");
    cargo.env("CARGO_TARGET_DIR", &workspace.target);
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    Ok(cargo)
}

/// The flags, and how the paths in panic messages read: the same on every machine, so that the same source gives the
/// same bytes.
fn rustc_flags(workspace: &Workspace) -> Result<Vec<String>> {
    let cargo_home =
        std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let cargo_home = cargo_home.context("neither CARGO_HOME nor HOME is set; set one")?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags = RUSTC_FLAGS.iter().map(ToString::to_string);
    Ok(flags.chain([remap(&cargo_home, "cargo"), remap(&workspace.root, ".")]).collect())
}

fn encode(core_module: &Path) -> Result<Vec<u8>> {
    let module = fs::read(core_module).with_context(|| format!("cannot read {}", core_module.display()))?;
    let mut encoder = ComponentEncoder::default().validate(true).module(&module)?;
    encoder
        .encode()
        .context("the core module cannot become a component; does auth-component/src/guest.rs export its handler?")
}

/// The names of all imports, with their versions.
fn imports(component: &[u8]) -> Result<Vec<String>> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("the encoder made a WIT package instead of a component; that is a defect in ci/src/component.rs");
    };
    Ok(resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key)).collect())
}

fn check(component_bytes: usize, imports: &[String]) -> Result<()> {
    if let Some(import) = imports.iter().find(|import| !is_allowed(import)) {
        bail!(
            "the component imports {import}, which not every host has; leave out what needs it, or add it to \
             ALLOWED_IMPORTS in ci/src/component.rs and say why in migration-guide/decisions/"
        );
    }
    if component_bytes > COMPONENT_BYTES_MAX {
        let (bytes, most) = (grouped(component_bytes as u64), grouped(COMPONENT_BYTES_MAX as u64));
        bail!("the component has {bytes} bytes, more than {most}; find what grew it with `twiggy top` or `cargo tree`");
    }
    Ok(())
}

fn is_allowed(import: &str) -> bool {
    let Some((interface, version)) = import.split_once('@') else { return false };
    version.starts_with("0.2.") && ALLOWED_IMPORTS.contains(&interface)
}

/// The proxy embeds the file: a new time stamp alone would compile the proxy again.
fn write_if_changed(path: &Path, component: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|present| present == component) {
        return Ok(());
    }
    write_atomically(path, component)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty core module: the encoder makes an empty component of it.
    const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn only_the_listed_interfaces_of_wasi_0_2_may_be_imported() {
        for good in ["wasi:http/types@0.2.4", "wasi:io/poll@0.2.0", "wasi:clocks/wall-clock@0.2.10"] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in
            ["wasi:http/types@0.3.0", "wasi:http/types", "wasi:filesystem/types@0.2.4", "wasi:cli/environment@0.2.4"]
        {
            assert!(!is_allowed(bad), "{bad}");
            let error = check(1, &[bad.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("ALLOWED_IMPORTS"), "{error}");
        }
    }

    #[test]
    fn a_component_over_150_kb_is_refused() {
        check(150_000, &[]).unwrap();
        assert!(check(150_001, &[]).unwrap_err().to_string().contains("150,001 bytes, more than 150,000"));
    }

    #[test]
    fn a_module_becomes_a_component_whose_imports_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("empty.wasm");
        fs::write(&module, EMPTY_MODULE).unwrap();
        let component = encode(&module).unwrap();
        assert!(imports(&component).unwrap().is_empty());
    }

    #[test]
    fn an_equal_component_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("component/auth.wasm");
        write_if_changed(&path, b"one").unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        write_if_changed(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        write_if_changed(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }
}
