//! Puts the auth component into the binary, when `cargo ci component` has built it: with the keys for development,
//! with keys from a store, and with those and an issuer that it asks. The demo builds the first alone; a configuration
//! that needs another form then gets an error when shadow-proxy starts.

use std::path::{Path, PathBuf};
use std::{env, fs};

const BASE: &str = "auth-component.wasm";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let built = target(&out).join("component/embedded");
    println!("cargo::rerun-if-changed={}", built.display());
    for name in [BASE, "auth-component-store.wasm", "auth-component-introspection.wasm"] {
        let bytes = fs::read(built.join(name)).unwrap_or_else(|_| {
            if name == BASE {
                println!("cargo::warning=no {name} yet: run `cargo ci component`, then build again to have it inside");
            }
            Vec::new()
        });
        fs::write(out.join(name), bytes).expect("cargo's OUT_DIR can be written");
    }
}

/// cargo does not tell a build script its target folder: it is the one that holds `CACHEDIR.TAG`.
fn target(out: &Path) -> PathBuf {
    let found = out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    found.map_or_else(|| out.to_owned(), Path::to_owned)
}
