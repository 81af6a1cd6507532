//! The configurations of auth-component/PROXIES.md, in the proxies they are for.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::process::Process;
use crate::scripted::{Reply, Scripted};
use crate::wire::{Message, Wire, within};
use crate::world::{BINARY, COMPILED, repository};

/// A proxy that asks `shadow-proxy serve` and passes on to an application.
struct Guarded {
    proxy: SocketAddr,
    auth: Process,
    application: Scripted,
    _program: Child,
    _folder: TempDir,
}

#[derive(Clone, Copy)]
enum Program {
    Nginx,
    Caddy,
}

#[tokio::test]
async fn nginx_lets_in_whom_the_service_lets_in() {
    lets_in_whom_the_service_lets_in(Program::Nginx).await;
}

#[tokio::test]
async fn caddy_lets_in_whom_the_service_lets_in() {
    lets_in_whom_the_service_lets_in(Program::Caddy).await;
}

async fn lets_in_whom_the_service_lets_in(program: Program) {
    let mut guarded = Guarded::by(program).await;
    for (credential, status, challenge) in [
        ("", 401, "Bearer realm=\"auth\""),
        ("Authorization: Bearer wrong\r\n", 401, "Bearer realm=\"auth\", error=\"invalid_token\""),
        ("Authorization: Basic a2V5XzEyMzo=\r\n", 401, "Bearer realm=\"auth\""),
    ] {
        let answer = guarded.ask("GET", credential, "").await;
        assert_eq!((answer.status(), answer.values("www-authenticate")), (status, vec![challenge]), "{credential:?}");
    }
    let twice = guarded.ask("GET", "Authorization: Bearer key_123\r\nAuthorization: Bearer key_123\r\n", "").await;
    assert!(matches!(twice.status(), 400 | 401), "{}", twice.status());
    let no_scope = format!("Authorization: Bearer {}\r\n", token("jwt-scope-absent"));
    assert_eq!(guarded.ask("GET", &no_scope, "").await.status(), 403, "the configuration asks for a scope");
    assert_eq!(guarded.application.count(), 0, "nobody was let in so far");

    let spoofed = "X-Auth-Request-User: root\r\nX-Auth-Request-Email: root@example.com\r\nx-auth-request-groups: admin\r\n\
                   X_Auth_Request_User: root\r\nX_Auth_Request_Groups: admin\r\n";
    let answer = guarded.ask("POST", &format!("Authorization: Bearer key_123\r\n{spoofed}"), "the body").await;
    assert_eq!((answer.status(), answer.text()), (200, "in".to_owned()));
    let seen = guarded.application.so_far().pop().expect("a request");
    assert!(seen.start.starts_with("POST /page?x=1 ") && seen.body == b"the body", "{seen:?}");
    assert_eq!(identity(&seen), ["user_123"], "{:?}", seen.headers);
    let person = "dev_hVQ2MGWfHnBBlZZf_BcYTYX8LCTBaFgMcyGlwWtUyYUCNVtZ7AQGQ36BZG2x_0g7tc7";
    assert_eq!(guarded.ask("GET", &format!("Authorization: Bearer {person}\r\n"), "").await.status(), 200);
    let seen = guarded.application.so_far().pop().expect("a request");
    assert_eq!(identity(&seen), ["user_person", "person@example.com", "staff,ops%2C%20europe"]);

    guarded.auth.signal(rustix::process::Signal::KILL);
    guarded.auth.ended().await;
    let answer = guarded.ask("GET", "Authorization: Bearer key_123\r\n", "").await;
    assert!(answer.status() >= 500, "{}", answer.status());
    assert_eq!(guarded.application.count(), 2, "nobody is let in while the service is away");
}

fn token(name: &str) -> String {
    let tokens = fs::read(repository("legacy-stub/contract/keys/tokens.json")).expect("a file");
    let tokens: serde_json::Value = serde_json::from_slice(&tokens).expect("tokens");
    tokens[name].as_str().expect("a token").to_owned()
}

/// What an application takes for the client's identity, whichever way it spells the names.
fn identity(seen: &Message) -> Vec<&str> {
    let of = |name: &str| {
        let named = seen.headers.iter().filter(|(sent, _)| sent.to_ascii_lowercase().replace('_', "-") == name);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()).collect::<Vec<_>>()
    };
    ["x-auth-request-user", "x-auth-request-email", "x-auth-request-groups"].into_iter().flat_map(of).collect()
}

impl Guarded {
    async fn by(program: Program) -> Guarded {
        let folder = tempfile::tempdir().expect("a folder");
        let mut serve = Command::new(BINARY);
        serve.args(["serve", "--listen", "127.0.0.1:0"]).args(["--compiled", COMPILED]);
        let auth = Process::start(serve).await.unwrap_or_else(|ended| panic!("serve does not start: {ended:?}"));
        let application = Scripted::start(|_| Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nin"));
        let places = [(":8080", auth.address("listen")), (":3000", application.address)];
        // A port that was free a moment ago may be taken by now, for these programs cannot choose one themselves.
        for _ in 0..5 {
            let proxy = free_address();
            let mut config = program.block();
            for (port, address) in places.iter().chain(&[(":8000", proxy)]) {
                config = config.replace(&format!("127.0.0.1{port}"), &address.to_string());
                config = config.replace(port, &format!(":{}", address.port()));
            }
            let mut child = program.start(&config, &folder);
            if is_listening(proxy, &mut child).await {
                return Guarded { proxy, auth, application, _program: child, _folder: folder };
            }
        }
        let said = fs::read_to_string(folder.path().join("said")).unwrap_or_default();
        panic!("{} does not start: {said}", program.name());
    }

    async fn ask(&self, method: &str, headers: &str, body: &str) -> Message {
        let length = body.len();
        let request = format!(
            "{method} /page?x=1 HTTP/1.1\r\nHost: app.example\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        Wire::connect(self.proxy).await.ask(request).await
    }
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Program::Nginx => "nginx",
            Program::Caddy => "caddy",
        }
    }

    /// Its block of the page.
    fn block(self) -> String {
        let page = fs::read_to_string(repository("auth-component/PROXIES.md")).expect("the page is there");
        let language = if let Program::Caddy = self { "caddyfile" } else { "nginx" };
        let block = page.split_once(&format!("```{language}\n")).and_then(|(_, rest)| rest.split_once("```"));
        block.expect("the page has one").0.to_owned()
    }

    fn start(self, block: &str, folder: &TempDir) -> Child {
        let folder = folder.path();
        let at = folder.display();
        let mut command = Command::new(self.name());
        let config = match self {
            Program::Nginx => {
                command.args(["-e", "stderr", "-p"]).arg(folder).arg("-c").arg(folder.join("config"));
                let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
                let temporary = temporary.map(|name| format!("{name}_temp_path {at}/{name};\n")).concat();
                format!(
                    "daemon off; master_process off; pid {at}/pid; error_log stderr;\n\
                     events {{}}\nhttp {{\naccess_log off;\n{temporary}{block}}}\n"
                )
            }
            Program::Caddy => {
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(folder.join("config"));
                command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
                format!("{{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}}\n{block}")
            }
        };
        fs::write(folder.join("config"), config).expect("a file");
        let said = fs::File::create(folder.join("said")).expect("a file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).kill_on_drop(true);
        command.spawn().unwrap_or_else(|error| {
            panic!("{} cannot be started ({error}); run `cargo ci test`, which installs it", self.name())
        })
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// Or has ended.
async fn is_listening(address: SocketAddr, child: &mut Child) -> bool {
    let listening = async {
        while TcpStream::connect(address).await.is_err() {
            if child.try_wait().expect("it is our child").is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    };
    within("the proxy to listen", listening).await
}
