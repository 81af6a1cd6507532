//! A program that says `ready` and then runs until it is told to end.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;

use crate::wire::within;

/// Killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    /// The line it printed when it was ready.
    ready: String,
    said: Arc<Mutex<Vec<u8>>>,
    listening: Option<JoinHandle<()>>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    /// Waits for its `ready` line.
    ///
    /// # Errors
    /// It ended before.
    pub(crate) async fn start(mut command: Command) -> Result<Process, Ended> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program can be started");
        let said = Arc::new(Mutex::new(Vec::new()));
        let listening = tokio::spawn(listen(child.stderr.take().expect("it is piped"), said.clone()));
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut ready = String::new();
        within("the ready line", stdout.read_line(&mut ready)).await.expect("it prints text");
        let mut process = Process { child, ready, said, listening: Some(listening) };
        if process.ready.starts_with("ready ") {
            return Ok(process);
        }
        let status = process.ended().await;
        Err(Ended { code: status.code(), stdout: process.ready.clone(), stderr: process.said() })
    }

    /// What the ready line says after `name=`.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let words = self.ready.split_whitespace();
        let address = words.filter_map(|word| word.split_once('=')).find(|(key, _)| *key == name);
        address.expect("the ready line names it").1.parse().expect("it is an address")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it still runs");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().expect("it still runs") as i32).expect("a process has a number")
    }

    /// Waits for its end, and for all it said before.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let status = within("the program to end", self.child.wait()).await.expect("it is our child");
        if let Some(listening) = self.listening.take() {
            within("the end of stderr", listening).await.expect("reading does not panic");
        }
        status
    }

    /// Its stderr so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().expect("nothing panics while it holds it")).into_owned()
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().expect("it still runs")))
            .expect("it still runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes << 10
    }
}

/// Runs a program to its end.
pub(crate) async fn finished(mut command: Command) -> Ended {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = within("the program to end", output).await.expect("the program can be started");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

async fn listen(mut stderr: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
        said.lock().expect("nothing panics while it holds it").extend_from_slice(&buffer[..length]);
    }
}
