//! The candidate that a configuration names: a component made ready, or a service elsewhere.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::config::{CandidateConfig, Config};
use crate::keys::Sources;
use crate::side::Candidate;
use crate::side::candidate::{self, Embedded, Grants};
use crate::side::legacy::LegacyLimits;
use crate::side::remote::Remote;

/// Knows the keys for development, which are public.
static BUILT_COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/auth-component.wasm"));
/// Asks the store.
static BUILT_STORE_COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/auth-component-store.wasm"));
/// Asks the store, and an issuer.
static BUILT_INTROSPECTION_COMPONENT: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/auth-component-introspection.wasm"));

/// `cache` is where compiled components are kept.
pub fn candidate(config: &Config, grants: Grants, cache: Option<&Path>) -> anyhow::Result<Candidate> {
    let limits = &config.candidate_limits;
    let embedded = |file| Ok(Candidate::Embedded(Arc::new(load(file, config, grants, cache)?)));
    match &config.candidate {
        CandidateConfig::Url(url) => {
            let limits = LegacyLimits {
                connect: config.candidate_connect,
                deadline: limits.deadline,
                idle: Duration::from_secs(4),
                body_bytes_max: limits.body_bytes_max,
            };
            Ok(Candidate::Remote(Remote::new(url, limits)?))
        }
        CandidateConfig::File(file) => embedded(Some(file.as_path())),
        CandidateConfig::Built => embedded(None),
    }
}

pub fn load(file: Option<&Path>, config: &Config, grants: Grants, cache: Option<&Path>) -> anyhow::Result<Embedded> {
    let limits = config.candidate_limits.clone();
    let Some(file) = file else {
        return Embedded::load(built_component(config)?, limits, grants, cache).map_err(said);
    };
    let embedded = Embedded::load(&component(file)?, limits, grants, cache).map_err(said);
    embedded.with_context(|| format!("--component {}", file.display()))
}

/// The component inside this binary that a configuration asks for.
pub fn built(config: &Config) -> &'static [u8] {
    match &config.auth {
        None => BUILT_COMPONENT,
        Some(Sources { introspection: None, .. }) => BUILT_STORE_COMPONENT,
        Some(Sources { introspection: Some(_), .. }) => BUILT_INTROSPECTION_COMPONENT,
    }
}

/// The same, where this binary was built with it.
pub fn built_component(config: &Config) -> anyhow::Result<&'static [u8]> {
    let built = built(config);
    ensure!(
        !built.is_empty(),
        "this shadow-proxy was built without the auth component: run `cargo ci component` and build again, or pass --component FILE"
    );
    Ok(built)
}

/// The bytes of a component; `-` is stdin.
pub fn component(file: &Path) -> anyhow::Result<Vec<u8>> {
    let read = if file == "-" { read_stdin() } else { std::fs::read(file) };
    let bytes = read.with_context(|| format!("--component {} cannot be read; check the path", file.display()))?;
    ensure!(
        bytes.starts_with(b"\0asm"),
        "--component {} is not WebAssembly; give a component built for wasi:http/proxy 0.2",
        file.display()
    );
    Ok(bytes)
}

/// `shadow-proxy compile`: the component of a file, or those inside this binary, into a directory; gives their files.
pub fn compile(file: Option<&Path>, directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = file.map(component).transpose()?;
    let built = [BUILT_COMPONENT, BUILT_STORE_COMPONENT, BUILT_INTROSPECTION_COMPONENT];
    let all: &[&[u8]] = match &read {
        Some(bytes) => &[bytes],
        None => &built,
    };
    let found = all.iter().filter(|bytes| !bytes.is_empty());
    found.map(|bytes| candidate::compile_into(bytes, directory).map_err(said)).collect()
}

/// The compiled code of a component; `-` is stdin. A start has it made by another process of this program.
pub fn code(file: &Path) -> anyhow::Result<Vec<u8>> {
    candidate::compile(&component(file)?).map_err(said)
}

fn read_stdin() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// wasmtime's errors are a type of their own.
pub fn said(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
