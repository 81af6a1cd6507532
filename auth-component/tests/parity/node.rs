//! The Express service of legacy-stub, started for the time of some questions.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use auth_component::Response;
use serde_json::Value;

use crate::case::{body, headers, latin1, repository, text};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// What the host owns.
const OF_THE_HOST: [&str; 4] = ["date", "connection", "keep-alive", "transfer-encoding"];

/// What is compared: every header but those of the host, and every byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Killed when it is dropped.
pub(crate) struct Node {
    child: Child,
    address: SocketAddr,
}

impl Node {
    /// With these variables, and otherwise as it is deployed.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Node {
        let folder = repository("legacy-stub");
        assert!(folder.join("node_modules").exists(), "legacy-stub has no packages; run `npm ci` in legacy-stub");
        let mut command = Command::new("node");
        command.arg("src/server.js").current_dir(folder).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("NODE_ENV", "production").env("PORT", "0").envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("node starts; install Node 20 or later");
        let mut ready = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut ready).expect("it prints text");
        let address = ready.trim_end().strip_prefix("ready listen=").and_then(|address| address.parse().ok());
        let address =
            address.unwrap_or_else(|| panic!("node says {ready:?}; run `npm ci && npm start` in legacy-stub"));
        Node { child, address }
    }

    /// On a connection of its own.
    pub(crate) fn ask(&self, request: &Value) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).expect("a timeout");
        let (method, path) = (text(&request["method"]), text(&request["path"]));
        let mut bytes =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address).into_bytes();
        for (name, value) in headers(request) {
            bytes.extend([name.as_bytes(), b": ", &latin1(&value), b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend(body(request));
        stream.write_all(&bytes).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers in time");
        Answer::of_bytes(&answer)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Neither can fail for a child that was not waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    pub(crate) fn of_core(response: &Response) -> Answer {
        let headers = response.headers.iter().map(|(name, value)| ((*name).to_owned(), value.trim().to_owned()));
        let answer = Answer { status: response.status, headers: headers.collect(), body: response.body.clone() };
        assert_eq!(answer.headers.len(), response.headers.len(), "a header is there twice: {:?}", response.headers);
        answer
    }

    fn of_bytes(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head in {}", bytes.escape_ascii()));
        let head: String = bytes[..end].iter().copied().map(char::from).collect();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let headers = lines.map(|line| line.split_once(':').expect("a header has a colon"));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Answer {
            status: status.expect("a status line has a status"),
            headers: headers.filter(|(name, _)| !OF_THE_HOST.contains(&name.as_str())).collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    /// One line for each difference.
    pub(crate) fn differences(&self, legacy: &Answer) -> Vec<String> {
        let mut differences = Vec::new();
        if self.status != legacy.status {
            differences.push(format!("status {}, legacy {}", self.status, legacy.status));
        }
        for name in self.headers.keys().chain(legacy.headers.keys().filter(|name| !self.headers.contains_key(*name))) {
            let (own, other) = (self.headers.get(name), legacy.headers.get(name));
            if own != other {
                differences.push(format!("{name}: {own:?}, legacy {other:?}"));
            }
        }
        if self.body != legacy.body {
            differences.push(format!("body {:?}, legacy {:?}", shown(&self.body), shown(&legacy.body)));
        }
        differences
    }
}

fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(400).collect()
}
