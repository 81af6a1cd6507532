//! What is asked of the machine: threads, sockets, descriptors, directories, signals, the log.

use std::fs::{DirBuilder, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;

use crate::serve::accept::ConnectionLimits;
use crate::shadow::record;

/// Connections that the kernel keeps for us while all threads are busy.
const BACKLOG: i32 = 4_096;
/// Descriptors for everything that is not a client's connection.
const OTHER_DESCRIPTORS: u64 = 1_024;

pub fn thread(
    name: &str,
    work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Err(error) = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(work)) {
            tracing::error!(%error, "a thread ended early");
        }
    })?;
    Ok(thread)
}

/// A socket for all threads, so that whichever is free accepts. Not `SO_REUSEPORT`: a second proxy on the same port
/// has to be an error.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    // Connections of the process before this one may still be closing.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into()).with_context(|| {
        format!("{address} cannot be listened on; choose another address, or port 0 for a free one")
    })?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The directory for this process alone.
pub fn open_data(data: &Path) -> anyhow::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(data).with_context(|| unusable(data))?;
    record::lock(data)
}

pub fn unusable(data: &Path) -> String {
    format!("{} cannot be used for data; check its permissions, or give another directory with --data", data.display())
}

/// As many connections as asked for, or as the system has descriptors: each needs one for its client, one for legacy.
pub fn connection_limits(connections_max: usize, idle: Duration, drain: Duration) -> ConnectionLimits {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = connections_max as u64 * 2 + OTHER_DESCRIPTORS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let reachable = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current.is_some_and(|current| current < reachable) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), maximum });
    }
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(wanted);
    // An idle client needs no connection to legacy, so only a few of them count double.
    let possible = (descriptors.saturating_sub(OTHER_DESCRIPTORS.min(descriptors / 4)) as usize).max(1);
    if possible < connections_max {
        tracing::warn!(possible, connections_max, "too few file descriptors for connections_max; raise `ulimit -n`");
    }
    ConnectionLimits { connections: Arc::new(Semaphore::new(possible.min(connections_max))), idle, drain }
}

/// SIGTERM and SIGINT, heard from before the ready line on: whoever reads it may send one at once.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub fn listen() -> anyhow::Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub async fn any(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Where `serve` keeps compiled components: it has no data directory.
pub fn cache_home() -> Option<PathBuf> {
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))?;
    home.is_absolute().then(|| home.join("shadow-proxy"))
}

/// `default` is the filter where RUST_LOG has none.
pub fn log_to_stderr(default: &str) {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| default.into());
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_env_filter(filter)
        .with_target(false);
    // Whatever RUST_LOG says: wasmtime traces what a component is given, path and query among it.
    let is_without_content = |about: &tracing::Metadata| {
        *about.level() <= tracing::Level::INFO || about.target().starts_with("shadow_proxy")
    };
    // A second call in one process keeps the first.
    let _ = log.finish().with(tracing_subscriber::filter::filter_fn(is_without_content)).try_init();
}
