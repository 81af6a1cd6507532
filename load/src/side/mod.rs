//! The services under load: what they are, how they are started, found ready, looked at and ended.

mod container;
pub(crate) mod host;
pub(crate) mod lineup;
mod program;
mod ready;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::Url;

use crate::contract::Case;
use crate::engine::connection::Target;
use crate::result::Side;
use crate::watch::Watched;

use self::program::Program;
pub(crate) use self::ready::Prober;

/// Which service, as it was typed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Spec {
    /// It runs already.
    Url(Url),
    /// A command for the shell.
    Process(String),
    /// An image that podman has, and arguments for it.
    Image(String),
    /// `shadow-proxy serve` with these options.
    Serve(Vec<String>),
    Native,
    Node,
    Fastapi,
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').map_or((text, None), |(kind, rest)| (kind, Some(rest)));
        let needed = rest.filter(|rest| !rest.is_empty());
        match (kind, rest) {
            ("url", _) => crate::plan::parse_target(needed.unwrap_or_default()).map(Spec::Url),
            ("process", _) => needed.map(|command| Spec::Process(command.to_owned())).ok_or_else(|| unknown(text)),
            ("image", _) => needed.map(|image| Spec::Image(image.to_owned())).ok_or_else(|| unknown(text)),
            ("serve", _) => Ok(Spec::Serve(rest.unwrap_or_default().split_whitespace().map(str::to_owned).collect())),
            ("native", None) => Ok(Spec::Native),
            ("node", None) => Ok(Spec::Node),
            ("fastapi", None) => Ok(Spec::Fastapi),
            _ => Err(unknown(text)),
        }
    }
}

fn unknown(text: &str) -> String {
    format!(
        "{text:?} is no side; write url:http://HOST:PORT, process:COMMAND, image:NAME, serve, native, node or fastapi"
    )
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spec::Url(url) => write!(f, "url:{}", url.as_str().trim_end_matches('/')),
            Spec::Process(command) => write!(f, "process:{command}"),
            Spec::Image(image) => write!(f, "image:{image}"),
            Spec::Serve(options) if options.is_empty() => write!(f, "serve"),
            Spec::Serve(options) => write!(f, "serve:{}", options.join(" ")),
            _ => write!(f, "{}", self.kind()),
        }
    }
}

impl Spec {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Spec::Url(_) => "url",
            Spec::Process(_) => "process",
            Spec::Image(_) => "image",
            Spec::Serve(_) => "serve",
            Spec::Native => "native",
            Spec::Node => "node",
            Spec::Fastapi => "fastapi",
        }
    }
}

/// A side of a comparison: a service with its name and what it should answer.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) spec: Spec,
    pub(crate) cases: Vec<Case>,
    /// Where it may run; nothing: anywhere.
    pub(crate) cpus: Option<Vec<usize>>,
    /// Of `serve`: the compiled component is kept from one start to the next.
    pub(crate) keeps_compiled: bool,
}

impl Contender {
    pub(crate) fn described(&self) -> Side {
        Side {
            name: self.name.clone(),
            spec: self.spec.to_string(),
            kind: self.spec.kind().to_owned(),
            command: program::shown(&self.spec),
            cpus: self.cpus.clone(),
        }
    }
}

impl Contender {
    /// Starts it and ends it again: pages are then in the cache and components compiled, for whoever is measured first.
    pub(crate) fn start_once(&self, prober: &Prober) -> anyhow::Result<()> {
        let started = Running::start(self, prober).and_then(Running::stop);
        started.with_context(|| format!("the side {} ({})", self.name, self.spec))
    }
}

/// A service that answers; ended when it is dropped, if it was started here.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) target: Target,
    /// From the start of the program to the end of the first correct answer.
    pub(crate) started: Option<Duration>,
    // Dropped before `watched`, whose cgroup can be removed only when nothing runs in it any more.
    program: Option<Program>,
    pub(crate) watched: Option<Arc<Watched>>,
}

impl Running {
    /// Starts it and waits for the first correct answer to `first`.
    pub(crate) fn start(contender: &Contender, prober: &Prober) -> anyhow::Result<Self> {
        let first = contender.cases.first().context("a side is asked at least one case")?;
        if let Spec::Url(url) = &contender.spec {
            let target = Target::reach(url)?;
            prober.wait(&target, first, || Ok(()))?;
            return Ok(Self { target, watched: None, started: None, program: None });
        }
        let began = Instant::now();
        let mut program = Program::start(contender)?;
        let address = program.address()?;
        let target = Target::at(address);
        prober.wait(&target, first, || program.check_running())?;
        let started = began.elapsed();
        let watched = Some(Arc::new(program.watched()?));
        Ok(Self { target, watched, started: Some(started), program: Some(program) })
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.program.as_mut().map_or(Ok(()), Program::stop)
    }
}

/// Where `cargo` put what this program belongs to.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.ancestors().nth(2).context("this program is in no target folder; start it with `cargo load`")?;
    Ok(folder.to_owned())
}

/// The release build of a program of this checkout.
fn release(name: &str) -> anyhow::Result<PathBuf> {
    let file = target_folder()?.join("release").join(name);
    anyhow::ensure!(file.is_file(), "there is no {}; `cargo load` builds it", file.display());
    Ok(file)
}

/// A folder of the checkout, below the current one.
fn checkout(folder: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(folder);
    anyhow::ensure!(path.is_dir(), "there is no folder {folder} here; start it at the top of the checkout");
    Ok(path.canonicalize()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_written_as_they_are_read() {
        for text in [
            "url:http://127.0.0.1:1",
            "process:node app.js --port {port}",
            "image:localhost/legacy:1",
            "serve",
            "serve:--instances reuse=10",
            "native",
            "node",
            "fastapi",
        ] {
            assert_eq!(text.parse::<Spec>().expect(text).to_string(), text);
        }
        for text in ["", "nodes", "process:", "image:", "url:", "native:x", "http://127.0.0.1:1"] {
            let error = text.parse::<Spec>().expect_err(text);
            assert!(error.contains("write"), "{error}");
        }
    }
}
