//! Puts the auth component into the binary, when `cargo ci component` has built it.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let component = target(&out).join("component/embedded/auth-component.wasm");
    println!("cargo::rerun-if-changed={}", component.display());
    let bytes = fs::read(&component).unwrap_or_else(|_| {
        println!("cargo::warning=no auth component yet: run `cargo ci component`, then build again to have it inside");
        Vec::new()
    });
    fs::write(out.join("auth-component.wasm"), bytes).expect("cargo's OUT_DIR can be written");
}

/// cargo does not tell a build script its target folder: it is the one that holds `CACHEDIR.TAG`.
fn target(out: &Path) -> PathBuf {
    let found = out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    found.map_or_else(|| out.to_owned(), Path::to_owned)
}
