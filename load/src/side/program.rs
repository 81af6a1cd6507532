//! A program that is started, with a CPU set and a cgroup of its own, and ended whatever happens.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::watch::Watched;
use crate::watch::cgroup::Cgroup;

use super::{Contender, Spec, checkout, container, release, target_folder};

const READY_WITHIN: Duration = Duration::from_secs(90);
const STOP_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOG_LINES_SHOWN: usize = 5;

static STARTED: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    place: Place,
    /// Dropped after the child has ended, so that it is empty then.
    cgroup: Option<Cgroup>,
    container: Option<container::Handle>,
    log: PathBuf,
    /// Somebody was told where it is, so that it stays.
    log_is_named: Cell<bool>,
    stopped: bool,
}

/// How it is found.
#[derive(Debug)]
enum Place {
    /// It prints `ready listen=HOST:PORT`.
    Said(Receiver<SocketAddr>),
    Chosen(SocketAddr),
}

impl Program {
    pub(super) fn start(contender: &Contender) -> anyhow::Result<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("load-{}-{number}", std::process::id());
        let folder = target_folder()?.join("load");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let log = folder.join(format!("{name}.log"));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let container = match &contender.spec {
            Spec::Image(_) => Some(container::Handle::new(&name, &folder)),
            _ => None,
        };
        // A container has a cgroup of its own already.
        let cgroup = if container.is_some() { None } else { Cgroup::create(&name) };
        let mut command = command(contender, port, container.as_ref())?;
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file.try_clone()?).process_group(0);
        confine(&mut command, contender.cpus.as_deref(), cgroup.as_ref())?;
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}: {}", contender.name, shown_command(&command)))?;
        let stdout = child.stdout.take().context("stdout was asked for as a pipe")?;
        let said = listen(stdout, file);
        let place = match &contender.spec {
            Spec::Process(_) | Spec::Image(_) => Place::Chosen(port),
            _ => Place::Said(said),
        };
        Ok(Self { child, place, cgroup, container, log, log_is_named: Cell::new(false), stopped: false })
    }

    pub(super) fn address(&mut self) -> anyhow::Result<SocketAddr> {
        let said = match &self.place {
            Place::Chosen(address) => return Ok(*address),
            Place::Said(said) => said,
        };
        match said.recv_timeout(READY_WITHIN) {
            Ok(address) => Ok(address),
            Err(error) => bail!("it printed no line `ready listen=HOST:PORT` ({error}){}", self.last_words()),
        }
    }

    pub(super) fn check_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("it ended before it was ready: {status}{}", self.last_words()),
            None => Ok(()),
        }
    }

    /// To be asked once it answers.
    pub(super) fn watched(&mut self) -> anyhow::Result<Watched> {
        match &self.container {
            Some(container) => {
                let pid = container.pid()?;
                Ok(Watched { pid, cgroup: Cgroup::of(pid) })
            }
            None => Ok(Watched { pid: self.child.id(), cgroup: self.cgroup.take() }),
        }
    }

    /// SIGTERM, and SIGKILL to whatever of it is there 15 seconds later.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        if self.stopped {
            return Ok(());
        }
        self.stopped = true;
        if self.child.try_wait()?.is_none() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let deadline = Instant::now() + STOP_WITHIN;
            while self.child.try_wait()?.is_none() && Instant::now() < deadline {
                std::thread::sleep(LOOK_EVERY);
            }
        }
        // Whoever of its process group is left, such as a worker of a shell that went first.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        if let Some(container) = &self.container {
            container.remove();
        }
        self.child.wait()?;
        if !self.log_is_named.get() {
            let _ = std::fs::remove_file(&self.log);
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        self.log_is_named.set(true);
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
        let last: String = last.iter().map(|line| format!("\n  {line}")).collect();
        format!("{last}\n  the whole log: {}", self.log.display())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error:#}");
        }
    }
}

/// Keeps what it prints, and passes on the address of its ready line.
fn listen(stdout: std::process::ChildStdout, mut log: File) -> Receiver<SocketAddr> {
    let (sender, said) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let listen = line.strip_prefix("ready ").and_then(|rest| {
                rest.split_whitespace().find_map(|word| word.strip_prefix("listen=")?.parse::<SocketAddr>().ok())
            });
            if let Some(address) = listen {
                let _ = sender.send(address);
            }
            // A log that cannot be written must not stop the reading: the program would block.
            let _ = writeln!(log, "{line}");
        }
    });
    said
}

/// The program of a side, told to listen on a port of its own choice or on `port`.
fn command(contender: &Contender, port: SocketAddr, container: Option<&container::Handle>) -> anyhow::Result<Command> {
    let mut command = match &contender.spec {
        Spec::Serve(options) => {
            let mut command = Command::new(release("shadow-proxy")?);
            command.args(["serve", "--listen", "127.0.0.1:0"]).args(options);
            command
        }
        Spec::Native => Command::new(release("examples/native")?),
        Spec::Node => {
            let mut command = Command::new("node");
            command.arg("src/server.js").current_dir(checkout("legacy-stub")?);
            command
        }
        Spec::Fastapi => {
            let mut command = Command::new(target_folder()?.join("python/bin/python"));
            command.args(["-m", "auth_service"]).current_dir(checkout("legacy-stub/fastapi")?);
            command
        }
        Spec::Process(line) => {
            let mut command = Command::new("sh");
            command.arg("-c").arg(format!("exec {}", line.replace("{port}", &port.port().to_string())));
            command
        }
        Spec::Image(image) => {
            let container = container.context("an image is run in a container")?;
            return Ok(container.command(image, port, contender.cpus.as_deref()));
        }
        Spec::Url(_) => bail!("what runs already is not started"),
    };
    set_environment(&mut command, &contender.spec, port)?;
    if !contender.keeps_compiled {
        // What is no absolute path is no place to keep anything.
        command.env("XDG_CACHE_HOME", "none");
    }
    Ok(command)
}

/// Both sides get the same few variables: NODE_EXTRA_CA_CERTS alone makes Node start in twice the time.
fn set_environment(command: &mut Command, spec: &Spec, port: SocketAddr) -> anyhow::Result<()> {
    command.env_clear();
    for name in ["PATH", "HOME", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let port = if matches!(spec, Spec::Process(_)) { port.port() } else { 0 };
    command.envs([("NODE_ENV", "production"), ("HOST", "127.0.0.1"), ("PORT", &port.to_string())]);
    // The compiled component is kept there, away from what the person's own shadow-proxy keeps.
    command.env("XDG_CACHE_HOME", target_folder()?.join("load/cache"));
    Ok(())
}

/// Before it becomes the program, the child takes its CPUs, enters its cgroup, and asks to be told to end when we do.
pub(super) fn confine(command: &mut Command, cpus: Option<&[usize]>, cgroup: Option<&Cgroup>) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    cpus.unwrap_or_default().iter().for_each(|&cpu| set.set(cpu));
    let doors = cgroup.map(Cgroup::doors).transpose().context("cannot enter the cgroup that was just made")?;
    let pinned = cpus.is_some();
    let prepare = move || {
        set_parent_process_death_signal(Some(Signal::TERM))?;
        if pinned {
            sched_setaffinity(None, &set)?;
        }
        for mut door in doors.iter().flatten() {
            door.write_all(b"0")?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec it only makes system calls on what was allocated and opened before.
    unsafe { command.pre_exec(prepare) };
    Ok(())
}

/// The command of a side as one would type it; nothing for what runs already.
pub(super) fn shown(spec: &Spec) -> Option<String> {
    match spec {
        Spec::Url(_) => None,
        Spec::Serve(options) => Some(["shadow-proxy serve", &options.join(" ")].join(" ").trim_end().to_owned()),
        Spec::Native => Some("target/release/examples/native".to_owned()),
        Spec::Node => Some("node src/server.js".to_owned()),
        Spec::Fastapi => Some("python -m auth_service".to_owned()),
        Spec::Process(line) => Some(line.clone()),
        Spec::Image(image) => Some(format!("podman --runtime runc run {image}")),
    }
}

fn shown_command(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
