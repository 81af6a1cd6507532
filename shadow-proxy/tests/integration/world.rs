//! A proxy between a legacy service and a candidate, as one sentence: `World::new().legacy(…).candidate(…).start()`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Ended, Process};
use crate::scripted::{Reply, Scripted, allow};
use crate::wire::{Message, Wire, within};

pub(crate) struct World {
    legacy: Legacy,
    candidate: Candidate,
    weight_ppm: u32,
    config: String,
    /// The share of calls for which legacy is asked twice, and how many are at first.
    again: (&'static str, &'static str),
    log: &'static str,
    /// Whether the disk may be full: then a file that cannot grow is an error, no signal.
    is_confinable: bool,
    data: TempDir,
}

pub(crate) enum Legacy {
    /// The real service of legacy-stub.
    Node,
    Scripted(Scripted),
    /// A port that refuses connections; the socket keeps it from being taken by anybody else.
    Absent(socket2::Socket),
    /// Something the test made itself.
    At(SocketAddr),
}

pub(crate) enum Candidate {
    /// The auth component inside the binary.
    Built,
    /// tests/guest.
    Hostile,
    Scripted(Scripted),
    Absent(socket2::Socket),
}

/// A running proxy. It, and the Node service behind it, end when it is dropped.
pub(crate) struct Proxy {
    pub(crate) process: Process,
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
    world: World,
    node: Option<Process>,
}

impl World {
    /// Legacy lets everybody in, the candidate is the auth component, nothing is configured.
    pub(crate) fn new() -> World {
        World {
            legacy: Legacy::Scripted(Scripted::start(|_| allow())),
            candidate: Candidate::Built,
            weight_ppm: 0,
            config: String::new(),
            again: ("0", "0"),
            log: "shadow_proxy=info,warn",
            is_confinable: false,
            data: tempfile::tempdir().expect("a folder"),
        }
    }

    pub(crate) fn legacy(self, legacy: Legacy) -> World {
        World { legacy, ..self }
    }

    pub(crate) fn candidate(self, candidate: Candidate) -> World {
        World { candidate, ..self }
    }

    pub(crate) fn weight(self, weight_ppm: u32) -> World {
        World { weight_ppm, ..self }
    }

    /// TOML, without addresses and the two sides.
    pub(crate) fn config(self, toml: &str) -> World {
        World { config: toml.to_owned(), ..self }
    }

    /// Without it legacy is never asked twice, so that tests can count what it was asked.
    pub(crate) fn again(self, share: &'static str, pairs: &'static str) -> World {
        World { again: (share, pairs), ..self }
    }

    pub(crate) fn log(self, filter: &'static str) -> World {
        World { log: filter, ..self }
    }

    /// For `file_bytes_max`.
    pub(crate) fn confinable(self) -> World {
        World { is_confinable: true, ..self }
    }

    pub(crate) async fn start(self) -> Proxy {
        self.try_start().await.unwrap_or_else(|ended| panic!("the proxy does not start: {ended:?}"))
    }

    pub(crate) async fn try_start(self) -> Result<Proxy, Ended> {
        let node = match self.legacy {
            Legacy::Node => Some(node().await),
            Legacy::Scripted(_) | Legacy::Absent(_) | Legacy::At(_) => None,
        };
        let proxy = self.with_node(node).await?;
        if proxy.world.weight_ppm > 0 {
            let answer = proxy.set_weight(proxy.world.weight_ppm).await;
            assert_eq!(answer.status(), 200, "{}", answer.text());
        }
        Ok(proxy)
    }

    async fn with_node(self, node: Option<Process>) -> Result<Proxy, Ended> {
        let legacy = match (&self.legacy, &node) {
            (Legacy::Node, node) => node.as_ref().expect("it was started").address("listen"),
            (Legacy::Scripted(scripted), _) => scripted.address,
            (Legacy::Absent(socket), _) => address(socket),
            (Legacy::At(address), _) => *address,
        };
        let config = self.data.path().join("config.toml");
        std::fs::write(&config, &self.config).expect("a file");
        let mut command = if self.is_confinable { confinable() } else { Command::new(BINARY) };
        command.args(["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).arg("--config").arg(config);
        command.args(["--legacy", &format!("http://{legacy}")]).arg("--data").arg(self.data_folder());
        command.args(["--compiled", COMPILED, "--aa-share", self.again.0, "--aa-pairs", self.again.1]);
        match &self.candidate {
            Candidate::Built => {}
            Candidate::Hostile => drop(command.arg("--component").arg(hostile_guest())),
            Candidate::Scripted(scripted) => drop(command.args(["--candidate-url", &url(scripted.address)])),
            Candidate::Absent(socket) => drop(command.args(["--candidate-url", &url(address(socket))])),
        }
        command.env("RUST_LOG", self.log);
        let process = Process::start(command).await?;
        let (listen, admin) = (process.address("listen"), process.address("admin"));
        Ok(Proxy { process, listen, admin, world: self, node })
    }

    pub(crate) fn data_folder(&self) -> PathBuf {
        self.data.path().join("data")
    }
}

impl Legacy {
    pub(crate) fn node() -> Legacy {
        Legacy::Node
    }

    /// The same bytes for every request.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Legacy {
        let reply = Reply::bytes(answer);
        Legacy::scripted(move |_| reply.clone())
    }

    pub(crate) fn scripted(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Legacy {
        Legacy::Scripted(Scripted::start(script))
    }

    pub(crate) fn absent() -> Legacy {
        Legacy::Absent(closed_port())
    }
}

impl Candidate {
    pub(crate) fn built() -> Candidate {
        Candidate::Built
    }

    pub(crate) fn hostile() -> Candidate {
        Candidate::Hostile
    }

    pub(crate) fn scripted(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Candidate {
        Candidate::Scripted(Scripted::start(script))
    }

    pub(crate) fn absent() -> Candidate {
        Candidate::Absent(closed_port())
    }
}

impl Proxy {
    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.listen).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        self.connect().await.ask(request).await
    }

    /// The scripted legacy service.
    pub(crate) fn legacy(&self) -> &Scripted {
        match &self.world.legacy {
            Legacy::Scripted(scripted) => scripted,
            Legacy::Node | Legacy::Absent(_) | Legacy::At(_) => panic!("legacy is not scripted"),
        }
    }

    /// The scripted candidate.
    pub(crate) fn candidate(&self) -> &Scripted {
        match &self.world.candidate {
            Candidate::Scripted(scripted) => scripted,
            Candidate::Built | Candidate::Hostile | Candidate::Absent(_) => panic!("the candidate is not scripted"),
        }
    }

    /// Where the Node service itself listens.
    pub(crate) fn node(&self) -> SocketAddr {
        self.node.as_ref().expect("legacy is the Node service").address("listen")
    }

    pub(crate) async fn admin_get(&self, path: &str) -> Message {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin);
        Wire::connect(self.admin).await.ask(request).await
    }

    pub(crate) async fn admin_post(&self, path: &str, body: &Value) -> Message {
        Wire::connect(self.admin).await.ask(self.admin_request(path, "", &body.to_string())).await
    }

    /// A `POST` to the admin port; `headers` are whole lines.
    pub(crate) fn admin_request(&self, path: &str, headers: &str, body: &str) -> String {
        format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.admin,
            body.len()
        )
    }

    pub(crate) async fn set_weight(&self, ppm: u32) -> Message {
        self.admin_post("/api/weight", &json!({"ppm": ppm, "who": "a test", "why": "it needs that"})).await
    }

    pub(crate) async fn status(&self) -> Value {
        self.admin_get("/api/status").await.json()
    }

    /// The status, once it is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let reached = async {
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(what, reached).await
    }

    /// The status, once no client waits and nothing is being compared: every request is then accounted for.
    pub(crate) async fn settled(&self) -> Value {
        let at_rest = |status: &Value| status["requests"]["serving"] == 0 && status["requests"]["in_flight"] == 0;
        let status = self.until("the proxy to settle", at_rest).await;
        let requests = &status["requests"];
        let (received, mirrored) = (count(&requests["received"]), count(&requests["mirrored"]));
        assert_eq!(received, mirrored + count(&requests["skipped"]) + count(&requests["dropped"]), "{requests:#}");
        assert_eq!(mirrored, count(&requests["compared"]) + count(&requests["not_comparable"]), "{requests:#}");
        assert_eq!(count(&requests["compared"]), count(&status["verdicts"]), "{status:#}");
        assert_eq!(count(&requests["compared"]), count(&status["decisions"]), "{status:#}");
        status
    }

    pub(crate) fn data_folder(&self) -> PathBuf {
        self.world.data_folder()
    }

    /// A number that the store holds.
    pub(crate) fn stored(&self, sql: &str) -> u64 {
        let store = self.data_folder().join("shadow.db");
        let store = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("there is a store");
        store.query_row(sql, [], |row| row.get(0)).expect("a number")
    }

    /// Ends it in order, and starts it again on what it left, with another candidate. Ports change.
    pub(crate) async fn restarted_with(self, candidate: Candidate) -> Proxy {
        self.restarted(|world| World { candidate, ..world }).await
    }

    /// The same with other TOML.
    pub(crate) async fn restarted_with_config(self, toml: &str) -> Proxy {
        self.restarted(|world| world.config(toml)).await
    }

    async fn restarted(mut self, changed: impl FnOnce(World) -> World) -> Proxy {
        self.ended().await;
        let Proxy { world, node, .. } = self;
        let started = changed(world).with_node(node).await;
        started.unwrap_or_else(|ended| panic!("the proxy does not start again: {ended:?}"))
    }

    /// Starts it on what it left, after it ended. Ports change.
    pub(crate) async fn started_again(self) -> Proxy {
        let Proxy { world, node, .. } = self;
        world.with_node(node).await.unwrap_or_else(|ended| panic!("the proxy does not start again: {ended:?}"))
    }

    /// Ends it in order: all that it keeps is written then.
    pub(crate) async fn ended(&mut self) {
        self.process.signal(rustix::process::Signal::TERM);
        assert_eq!(self.process.ended().await.code(), Some(0), "{}", self.process.said());
    }

    /// The largest file it may write from now on: a disk that is full, or that has room again.
    pub(crate) fn file_bytes_max(&self, current: Option<u64>) {
        use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
        let maximum = getrlimit(Resource::Fsize).maximum;
        prlimit(Some(self.process.pid()), Resource::Fsize, Rlimit { current, maximum }).expect("it is ours");
    }

    /// Runs a command of the binary against it.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(BINARY);
        command.args(arguments).args(["--admin", &self.admin.to_string()]);
        crate::process::finished(command).await
    }

    /// Runs a command of the binary on what it left.
    pub(crate) async fn command_on_data(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(BINARY);
        command.args(arguments).arg("--data").arg(self.data_folder());
        crate::process::finished(command).await
    }

    /// Ends it without a word to it, and starts it again on what it left. Ports change.
    pub(crate) async fn killed_and_restarted(mut self) -> Proxy {
        self.process.signal(rustix::process::Signal::KILL);
        self.process.ended().await;
        let Proxy { world, node, .. } = self;
        world.with_node(node).await.unwrap_or_else(|ended| panic!("the proxy does not start again: {ended:?}"))
    }
}

/// A number, or the sum of all numbers in an object.
pub(crate) fn count(value: &Value) -> u64 {
    match value {
        Value::Object(counts) => counts.values().map(count).sum(),
        number => number.as_u64().expect("a count"),
    }
}

/// Compiled once for all tests.
pub(crate) const COMPILED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/compiled");
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_shadow-proxy");

pub(crate) fn hostile_guest() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("tmp lies in the target folder");
    let guest = target.join("component/hostile-guest.wasm");
    assert!(guest.exists(), "{} is missing; run `cargo ci component`", guest.display());
    guest
}

/// The path of something in the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

pub(crate) async fn node() -> Process {
    let folder = repository("legacy-stub");
    assert!(folder.join("node_modules").exists(), "legacy-stub has no packages; run `npm ci` in legacy-stub");
    let mut command = Command::new("node");
    command.arg("src/server.js").current_dir(folder).env("PORT", "0");
    let started = Process::start(command).await;
    started.unwrap_or_else(|ended| panic!("the Node service does not start: {ended:?}"))
}

/// A file that grows beyond the limit gives an error, as on a full disk, instead of a signal.
fn confinable() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", BINARY]);
    command
}

pub(crate) fn closed_port() -> socket2::Socket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&any.into()).expect("a free port");
    socket
}

pub(crate) fn address(socket: &socket2::Socket) -> SocketAddr {
    socket.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound")
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
