//! A contract in a folder of its own, and the binary started with it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const ISSUER: &str = "issuer.pem";

pub(crate) struct World {
    contract: TempDir,
    results: TempDir,
}

pub(crate) struct Running<'world> {
    child: Child,
    world: &'world World,
}

#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The JSON as it was written; empty where none was.
    pub(crate) text: String,
    /// The files beside it.
    pub(crate) files: Vec<String>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { contract: tempfile::tempdir().expect("a folder"), results: tempfile::tempdir().expect("a folder") }
    }

    /// Cases are read in the order in which they were added.
    pub(crate) fn case(self, case: Value) -> Self {
        let number = fs::read_dir(self.contract.path()).expect("a folder").count();
        let file = format!("{number}-{}.json", case["name"].as_str().expect("a name"));
        fs::write(self.contract.path().join(file), case.to_string()).expect("a file");
        self
    }

    /// A certificate, as PEM, that the system then has for an issuer's.
    pub(crate) fn trusting(self, certificate: &str) -> Self {
        fs::write(self.contract.path().join(ISSUER), certificate).expect("a file");
        self
    }

    pub(crate) fn attack(&self, target: &str, arguments: &str) -> Done {
        self.start(target, arguments).finish()
    }

    pub(crate) fn start(&self, target: &str, arguments: &str) -> Running<'_> {
        self.run(&["attack", "--target", target], arguments)
    }

    /// Any command; what may hold spaces is given apart.
    pub(crate) fn run(&self, first: &[&str], arguments: &str) -> Running<'_> {
        let child = Command::new(env!("CARGO_BIN_EXE_load"))
            .args(first)
            .arg("--contract")
            .arg(self.contract.path())
            .arg("--out")
            .arg(self.results.path().join("out.json"))
            .args(arguments.split_whitespace())
            .envs(self.issuer().map(|file| ("SSL_CERT_FILE", file)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        Running { child, world: self }
    }

    fn issuer(&self) -> Option<PathBuf> {
        Some(self.contract.path().join(ISSUER)).filter(|file| file.exists())
    }
}

impl Running<'_> {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
    }

    pub(crate) fn finish(self) -> Done {
        let output = self.child.wait_with_output().expect("it ends");
        let results = self.world.results.path();
        let files = fs::read_dir(results).expect("a folder").map(|file| file.expect("a file").file_name());
        Done {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
            text: fs::read_to_string(results.join("out.json")).unwrap_or_default(),
            files: files.map(|name| name.into_string().expect("text")).collect(),
        }
    }
}

impl Done {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON was written")
    }
}
