//! Compiled components, kept so that the next start takes milliseconds.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wasmtime::error::Context as _;
use wasmtime::{Engine, Result, ensure};

const DIGEST_BYTES: usize = 32;

/// The compiled form of a component, from the directory when it is there, else compiled and put there.
///
/// A cache that cannot be read or written costs time, never the start.
pub fn compiled(engine: &Engine, bytes: &[u8], directory: Option<&Path>) -> Result<Component> {
    let file = directory.map(|directory| directory.join(file_name(engine, bytes)));
    if let Some(component) = file.as_deref().and_then(|file| read(engine, file).ok()) {
        return Ok(component);
    }
    tracing::info!("compiling the component, which takes some seconds at the first start");
    let code = match code_by_child(bytes) {
        Some(code) => code,
        None => code(engine, bytes)?,
    };
    if let Some(file) = &file
        && let Err(error) = write(file, &code)
    {
        tracing::warn!(%error, file = %file.display(), "the compiled component is not kept, the next start compiles again");
    }
    // SAFETY: the bytes come from this very program, a moment ago.
    Ok(unsafe { Component::deserialize(engine, &code)? })
}

/// Puts the compiled form of a component into a directory, if it is not there yet; gives its file.
pub fn keep(engine: &Engine, bytes: &[u8], directory: &Path) -> Result<PathBuf> {
    let file = directory.join(file_name(engine, bytes));
    if read(engine, &file).is_err() {
        write(&file, &code(engine, bytes)?)
            .with_context(|| format!("{} cannot be written; name another directory with --out", file.display()))?;
    }
    Ok(file)
}

/// Compiles.
pub fn code(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>> {
    engine
        .precompile_component(bytes)
        .context("not a WebAssembly component; build one for the world wasi:http/proxy 0.2")
}

/// Compiles in a process of its own: it takes hundreds of megabytes, which an allocator does not give back to the system
/// for as long as the process lives. None where that is not possible, whatever the reason.
fn code_by_child(bytes: &[u8]) -> Option<Vec<u8>> {
    // Not by its path: another release may have been put there.
    let mut child = Command::new("/proc/self/exe")
        .args(["compile", "--component", "-", "--out", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // It reads all before it writes, so neither waits for the other.
    let sent = child.stdin.take().is_some_and(|mut stdin| stdin.write_all(bytes).is_ok());
    let mut code = Vec::new();
    let received = child.stdout.take().is_some_and(|mut stdout| stdout.read_to_end(&mut code).is_ok());
    let ended_well = child.wait().is_ok_and(|status| status.success());
    (sent && received && ended_well).then_some(code)
}

/// Names the component, and the engine's version and settings: another of either is another file.
fn file_name(engine: &Engine, bytes: &[u8]) -> PathBuf {
    struct Sha(Sha256);
    impl std::hash::Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut sha = Sha(Sha256::new_with_prefix(bytes));
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut sha);
    let digest: String = sha.0.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    PathBuf::from(format!("{digest}.cwasm"))
}

/// Native code is loaded only from a file that nobody else could have written and that is whole.
fn read(engine: &Engine, file: &Path) -> Result<Component> {
    let metadata = fs::symlink_metadata(file)?;
    // Root, who makes images, needs no file to do what it likes.
    let is_trusted = [0, rustix::process::geteuid().as_raw()].contains(&metadata.uid()) && metadata.mode() & 0o022 == 0;
    ensure!(metadata.is_file() && is_trusted, "{} could have been written by somebody else", file.display());
    let content = fs::read(file)?;
    let (code, digest) = content.split_last_chunk::<DIGEST_BYTES>().context("cut short")?;
    ensure!(Sha256::digest(code).as_slice() == digest, "{} is damaged", file.display());
    // SAFETY: `write` below made this file, nobody but this user and root may write to it, and it is whole.
    Ok(unsafe { Component::deserialize(engine, code)? })
}

fn write(file: &Path, code: &[u8]) -> Result<()> {
    let directory = file.parent().expect("the file was joined to a directory");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let unfinished = file.with_extension(format!("{}.tmp", std::process::id()));
    let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    out.write_all(code)?;
    out.write_all(&Sha256::digest(code))?;
    out.sync_all()?;
    fs::rename(&unfinished, file)?;
    Ok(())
}
