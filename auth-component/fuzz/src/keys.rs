//! The key file of shadow-proxy, from its source: the crate itself would bring wasmtime, built with instrumentation.

#[path = "../../../shadow-proxy/src/keys/disk.rs"]
#[allow(dead_code, reason = "only the parser is called")]
mod disk;
#[path = "../../../shadow-proxy/src/keys/file.rs"]
#[allow(dead_code, reason = "only the parser is called")]
pub mod file;
