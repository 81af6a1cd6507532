//! An image in a container: podman with runc, in the network of the machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

#[derive(Debug)]
pub(super) struct Handle {
    name: String,
    pid_file: PathBuf,
}

impl Handle {
    pub(super) fn new(name: &str, folder: &Path) -> Self {
        let pid_file = folder.join(format!("{name}.pid"));
        Self { name: name.to_owned(), pid_file }
    }

    /// crun, podman's default, fails on machines with both kinds of cgroups. The limits are podman's own wish to raise
    /// them, which an unprivileged machine refuses.
    pub(super) fn command(&self, image: &str, port: SocketAddr, cpus: Option<&[usize]>) -> Command {
        let mut podman = Command::new("podman");
        podman.args(["--runtime", "runc", "run", "--rm", "--name", &self.name, "--network", "host", "--read-only"]);
        podman.args(["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--pull", "never"]);
        podman.arg("--pidfile").arg(&self.pid_file);
        if let Some(cpus) = cpus {
            let list: Vec<String> = cpus.iter().map(usize::to_string).collect();
            podman.args(["--cpuset-cpus", &list.join(",")]);
        }
        podman.args(["--env", "HOST=127.0.0.1", "--env", "NODE_ENV=production"]);
        podman.arg("--env").arg(format!("PORT={}", port.port()));
        // Podman keeps its own environment, which is not that of the container: it finds its folders by it.
        podman.args(image.split_whitespace().map(|word| word.replace("{port}", &port.port().to_string())));
        podman
    }

    /// Of the program in it.
    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        let text = std::fs::read_to_string(&self.pid_file)
            .with_context(|| format!("podman wrote no {}; is it older than 3?", self.pid_file.display()))?;
        text.trim().parse().with_context(|| format!("{} holds no process id", self.pid_file.display()))
    }

    /// Podman does this itself when it ends well.
    pub(super) fn remove(&self) {
        let mut remove = Command::new("podman");
        remove
            .args(["rm", "--force", "--ignore", "--time", "0", &self.name])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let _ = remove.status();
        let _ = std::fs::remove_file(&self.pid_file);
    }
}
