//! Lane `component`: the guest as WebAssembly components that import what they are allowed to, and nothing else.

mod artifact;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::component::artifact::{ARTIFACTS, Artifact, Engine};
use crate::setup::{self, WasmStd};
use crate::table::grouped;
use crate::workspace::{Workspace, write_atomically};
use crate::{child, progress};

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds each artifact for any host, and those that shadow-proxy embeds once more for its own engine: both at the same
/// time, because the last step of each keeps one core busy.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    setup::bring_wasm_std()?;
    let any_host = || {
        // For the tests of shadow-proxy alone: it may import and weigh what it likes.
        let [any_artifact, ..] = &ARTIFACTS;
        let hostile = build_core_module(workspace, "hostile-guest", any_artifact, Engine::Any)?;
        write_if_changed(&workspace.component("hostile-guest"), &encode(&hostile)?)?;
        ARTIFACTS.iter().try_for_each(|artifact| build_one(workspace, artifact, Engine::Any))
    };
    let embedded = || {
        let mut embedded = ARTIFACTS.iter().filter(|artifact| artifact.is_embedded);
        embedded.try_for_each(|artifact| build_one(workspace, artifact, Engine::Wide))
    };
    thread::scope(|scope| {
        let any_host = scope.spawn(any_host);
        let embedded = embedded();
        any_host.join().expect("a builder hands over its errors").and(embedded)
    })
}

/// Builds the one artifact that the demo runs: shadow-proxy has it inside when no keys are configured.
pub(crate) fn build_for_demo(workspace: &Workspace) -> Result<()> {
    setup::bring_wasm_std()?;
    let [_, without_store, ..] = &ARTIFACTS;
    build_one(workspace, without_store, Engine::Wide)
}

fn build_one(workspace: &Workspace, artifact: &Artifact, engine: Engine) -> Result<()> {
    let component = encode(&build_core_module(workspace, artifact.package, artifact, engine)?)?;
    let imports = imports(&component)?;
    check(artifact, component.len(), &imports)?;
    check_secrets(artifact, &component, &workspace.legacy_stub())?;
    let name = artifact.name;
    let file = match engine {
        Engine::Any => workspace.component(name),
        Engine::Wide => workspace.embedded_component(name),
    };
    write_if_changed(&file, &component)?;
    let (file, bytes) = (workspace.shown(&file), grouped(component.len() as u64));
    println!("  {file}  {bytes} bytes, imports {}", imports.join(", "));
    Ok(())
}

fn build_core_module(workspace: &Workspace, package: &str, artifact: &Artifact, engine: Engine) -> Result<PathBuf> {
    let mut cargo = match WasmStd::present()? {
        WasmStd::Toolchain => workspace.cargo("rustc"),
        WasmStd::Debian => debian_cargo(workspace)?,
    };
    // One folder for all that is compiled with the same flags: the artifacts share their dependencies.
    let (folder, what) = match engine {
        Engine::Any => (workspace.target.join("guest/any"), package.to_owned()),
        Engine::Wide => (workspace.target.join("guest/wide"), format!("{package}, as shadow-proxy embeds it")),
    };
    cargo.args(["--package", package, "--lib", "--profile", "component", "--target", TARGET]);
    cargo.arg("--target-dir").arg(&folder).arg("--").args(artifact.link_flags());
    // With `--target` they are for the guest alone, and nothing of the host is compiled again.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rustc_flags(workspace, engine)?.join("\x1f"));
    progress::beside_others(&what, &mut cargo)?;
    Ok(folder.join(TARGET).join("component").join(format!("{}.wasm", package.replace('-', "_"))))
}

/// Debian's compiler builds the std from its source; it has no linker for wasm, so the toolchain's own serves.
fn debian_cargo(workspace: &Workspace) -> Result<Command> {
    let libdir = child::output(Command::new("rustc").args(["--print", "target-libdir"]).current_dir(&workspace.root))?;
    let linker = Path::new(libdir.trim()).with_file_name("bin").join("rust-lld");
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.arg("rustc").args(["-Z", "build-std=std,panic_abort"]).current_dir(&workspace.root);
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").env_remove("CARGO");
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    Ok(cargo)
}

/// The flags, and how the paths in panic messages read: the same on every machine, so that the same source gives the
/// same bytes.
fn rustc_flags(workspace: &Workspace, engine: Engine) -> Result<Vec<String>> {
    let cargo_home =
        std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let cargo_home = cargo_home.context("neither CARGO_HOME nor HOME is set; set one")?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    Ok(vec![engine.target_features().to_owned(), remap(&cargo_home, "cargo"), remap(&workspace.root, ".")])
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

fn check(artifact: &Artifact, component_bytes: usize, imports: &[String]) -> Result<()> {
    let Artifact { name, bytes_max, .. } = artifact;
    if let Some(import) = imports.iter().find(|import| !artifact.may_import(import)) {
        bail!(
            "{name} imports {import}, which not every host has; leave out what needs it, or grant it in \
             ci/src/component/artifact.rs and say why in migration-guide/decisions/"
        );
    }
    if component_bytes > *bytes_max {
        let (bytes, most) = (grouped(component_bytes as u64), grouped(*bytes_max as u64));
        bail!("{name} has {bytes} bytes, more than {most}; find what grew it with `twiggy top` or `cargo tree`");
    }
    Ok(())
}

/// No API key is in any artifact, for only hashes are built in, and no secret for tokens where a store has them.
fn check_secrets(artifact: &Artifact, component: &[u8], legacy_stub: &Path) -> Result<()> {
    let read = |file: &str| -> Result<Value> {
        let file = legacy_stub.join(file);
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", file.display()))
    };
    let (keys, set) = (read("keys.json")?, read("contract/keys/verification.json")?);
    let texts = |list: &Value, member: &str| -> Vec<String> {
        let members = list.as_array().into_iter().flatten().map(|entry| entry[member].as_str());
        members.flatten().map(str::to_owned).collect()
    };
    let mut secrets = texts(&keys, "key");
    if artifact.has_store() {
        secrets.extend(texts(&set["keys"], "k"));
    }
    // What is shorter stands in every program by chance.
    let is_in =
        |secret: &&String| secret.len() > 6 && component.windows(secret.len()).any(|part| part == secret.as_bytes());
    match secrets.iter().find(is_in) {
        None => Ok(()),
        Some(secret) => bail!("{} has the key {secret:.8}… in it; leave it out, whatever it is for", artifact.name),
    }
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
    fn what_weighs_or_imports_too_much_is_refused() {
        let [keys, ..] = &ARTIFACTS;
        check(keys, 150_000, &[]).unwrap();
        assert!(check(keys, 150_001, &[]).unwrap_err().to_string().contains("150,001 bytes, more than 150,000"));
        let error = check(keys, 1, &["wasi:sockets/tcp@0.2.4".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("wasi:sockets/tcp@0.2.4") && error.contains("artifact.rs"), "{error}");
    }

    #[test]
    fn what_has_a_key_in_it_is_refused() {
        let [keys, _, store, _] = &ARTIFACTS;
        let legacy_stub = Path::new(env!("CARGO_MANIFEST_DIR")).join("../legacy-stub");
        let check = |artifact, text: &str| check_secrets(artifact, text.as_bytes(), &legacy_stub);
        check(store, "a component").unwrap();
        let hs256 = "...S2oLoq5x6dIO5YGdhvenQriSqWQmnn6ImV4k6rSaHLM...";
        check(keys, hs256).unwrap();
        assert!(check(store, hs256).unwrap_err().to_string().contains("S2oLoq5x… in it"));
        assert!(check(keys, "...key_123...").is_err());
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
