//! `cargo ci bench`: two programs doing the same work, in turn, and the ratio of what each pair of runs measured.
//!
//! Printed, not asserted: absolute figures are of this machine and this minute, ratios hold better.

mod credentials;
mod million;
mod nginx;
mod page;
mod pairs;
mod rates;
mod server;
mod wrk;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::workspace::{Workspace, emptied};
use crate::{child, component, interrupt, setup};

use self::pairs::{Figure, Pairs};
use self::server::Server;

#[derive(Args)]
pub(crate) struct Options {
    /// Which to run; without any: all
    which: Vec<Bench>,
    /// Pairs of runs, each A B or B A in turn
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// Seconds of each run
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Install missing packages of the system with apt-get, as root; CI=true does it too
    #[arg(long)]
    pub(crate) install: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bench {
    /// `shadow-proxy serve --instances reuse=N` against `wasmtime serve` with reuse
    ServeReuse,
    /// `shadow-proxy serve` with a fresh instance per request against `wasmtime serve` as it comes
    ServeFresh,
    /// The legacy service through `shadow-proxy run`, mirror on, against asking it directly
    RunDirect,
    /// `shadow-proxy run`, mirror off, against plain nginx, in front of a fast service
    RunNginx,
    /// `shadow-proxy run`, mirror on, against nginx with `mirror` to the component's host
    RunNginxMirror,
    /// Each kind of credential: in the component, natively, in Node, in Python
    Credentials,
    /// Whether `load attack --rate` sends at that rate, and agrees with h2load about the percentiles
    Load,
    /// CPU µs to compare an exchange with bodies of 300 bytes, and to compare and record it
    Compare,
    /// CPU ns to choose the side of a call, for each kind of id
    Choice,
    /// Time to compare two JSON documents against their size, 1 kB to 16 MB
    JsonSize,
    /// What an open page costs the proxy, with 500 findings and 1,000 requests/s
    Page,
    /// 1,000,000 exchanges compared and recorded in one run: memory and size of the database on the way
    Million,
}

impl Bench {
    /// Of those that are measured inside the crate, the test that does.
    fn test(self) -> Option<&'static str> {
        match self {
            Bench::Compare => Some("shadow::cost::compare"),
            Bench::Choice => Some("serve::cost::choice"),
            Bench::JsonSize => Some("shadow::cost::json_size"),
            _ => None,
        }
    }
}

const API_KEY: &str = "key_123";

/// What every bench needs: the programs, a folder for logs and configurations, how long.
struct Bed<'a> {
    workspace: &'a Workspace,
    proxy: PathBuf,
    folder: PathBuf,
    options: &'a Options,
}

/// A million exchanges in one run: what stays in memory and on the disk.
pub(crate) fn soak(workspace: &Workspace) -> Result<()> {
    let options = Options { which: vec![Bench::Million], pairs: 1, seconds: 1, install: false };
    run(workspace, &options).map(drop)
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    interrupt::listen()?;
    component::build(workspace)?;
    let all = Bench::value_variants();
    let wanted = if options.which.is_empty() { all } else { &options.which };
    for test in wanted.iter().filter_map(|bench| bench.test()) {
        in_crate(workspace, test)?;
    }
    let wanted: Vec<Bench> = wanted.iter().copied().filter(|bench| bench.test().is_none()).collect();
    if wanted.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    setup::bring_bench_tools()?;
    workspace.build_release()?;
    let folder = workspace.target.join("bench");
    emptied(&folder)?;
    let bed = Bed { workspace, proxy: workspace.released("shadow-proxy"), folder, options };
    for bench in wanted {
        let pairs = match bench {
            Bench::Credentials => {
                println!("\n{}", bed.credentials()?.text());
                continue;
            }
            Bench::Page => {
                println!("\n{}", bed.page()?.text());
                continue;
            }
            Bench::Load => {
                workspace.build()?;
                setup::bring_h2load()?;
                println!("\n{}", bed.rates()?.text());
                continue;
            }
            Bench::Million => {
                println!("\n{}", bed.million()?.text());
                continue;
            }
            Bench::Compare | Bench::Choice | Bench::JsonSize => continue,
            Bench::ServeReuse => bed.serve("reuse=1000000", &["--max-instance-reuse-count", "1000000"])?,
            Bench::ServeFresh => bed.serve("fresh", &[])?,
            Bench::RunDirect => Some(bed.run_direct()?),
            Bench::RunNginx => Some(bed.run_nginx()?),
            Bench::RunNginxMirror => Some(bed.run_nginx_mirror()?),
        };
        match pairs {
            Some(pairs) => println!("\n{}{}", pairs.table().text(), pairs.note().unwrap_or_default()),
            None => {
                println!("\n{bench:?}: left out, no `wasmtime` on PATH; `cargo install wasmtime-cli --version 48.0.8`")
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As users run it: the release profile, and one test at a time, because CPU time is that of the process.
fn in_crate(workspace: &Workspace, test: &str) -> Result<()> {
    let mut cargo = workspace.cargo("test");
    cargo.args(["--release", "--package", "shadow-proxy", "--bin", "shadow-proxy", "--"]);
    child::live(cargo.args(["--ignored", "--nocapture", "--exact", test]))
}

impl Bed<'_> {
    fn serve(&self, instances: &str, wasmtime_options: &[&str]) -> Result<Option<Pairs>> {
        if child::on_path("wasmtime").is_none() {
            return Ok(None);
        }
        let component = self.workspace.component("auth-component-keys");
        let ours = || {
            let mut command = Command::new(&self.proxy);
            command.args(["serve", "--listen", "127.0.0.1:0", "--instances", instances, "--component"]).arg(&component);
            Server::with_ready_line("shadow-proxy", &mut command, &self.folder)
        };
        let theirs = || {
            let address = server::free_address()?;
            let mut command = Command::new("wasmtime");
            command.args(["serve", "--addr", &address]).args(wasmtime_options).arg(&component);
            Server::at("wasmtime", &mut command, address, &self.folder)
        };
        let title =
            format!("shadow-proxy serve --instances {instances}  /  wasmtime serve {}", wasmtime_options.join(" "));
        let figures = [Figure::RequestsPerSecond, Figure::P99, Figure::CpuPerRequest];
        Ok(Some(self.alternate(title, &figures, 50, || Ok(vec![ours()?]), || Ok(vec![theirs()?]))?))
    }

    fn run_direct(&self) -> Result<Pairs> {
        let through = || {
            let legacy = self.legacy()?;
            Ok(vec![self.proxy_run(&legacy, &self.agreed()?)?, legacy])
        };
        let figures = [Figure::P50, Figure::P99, Figure::CpuPerRequest, Figure::RequestsPerSecond];
        let title = "through shadow-proxy run, mirror on  /  the legacy service directly (4 connections)".to_owned();
        self.alternate(title, &figures, 4, through, || Ok(vec![self.legacy()?]))
    }

    fn legacy(&self) -> Result<Server> {
        Server::with_ready_line("legacy", &mut self.workspace.express(), &self.folder)
    }

    fn run_nginx(&self) -> Result<Pairs> {
        let ours = || {
            let fast = nginx::fast_service(&self.folder)?;
            Ok(vec![self.proxy_run(&fast, "[mirror]\nenabled = false\n")?, fast])
        };
        let theirs = || {
            let fast = nginx::fast_service(&self.folder)?;
            Ok(vec![nginx::proxy(&fast, None, &self.folder)?, fast])
        };
        let title = "shadow-proxy run, mirror off  /  nginx".to_owned();
        self.alternate(title, &[Figure::RequestsPerSecond, Figure::P99, Figure::CpuPerRequest], 50, ours, theirs)
    }

    fn run_nginx_mirror(&self) -> Result<Pairs> {
        let ours = || {
            let fast = nginx::fast_service(&self.folder)?;
            Ok(vec![self.proxy_run(&fast, &self.agreed()?)?, fast])
        };
        let theirs = || {
            let fast = nginx::fast_service(&self.folder)?;
            let mut command = Command::new(&self.proxy);
            command.args(["serve", "--listen", "127.0.0.1:0"]);
            let component = Server::with_ready_line("component", &mut command, &self.folder)?;
            Ok(vec![nginx::proxy(&fast, Some(&component), &self.folder)?, fast, component])
        };
        let title =
            "shadow-proxy run, mirrored and compared  /  nginx, mirrored to the component, not compared".to_owned();
        self.alternate(title, &[Figure::RequestsPerSecond, Figure::P99], 50, ours, theirs)
    }

    fn python(&self) -> Command {
        let mut command = self.workspace.python();
        command.args(["-m", "auth_service"]).current_dir(self.workspace.fastapi());
        command.envs([("HOST", "127.0.0.1"), ("PORT", "0")]);
        command
    }

    /// With the rules of the demo: what is agreed is counted, and only what is not is kept whole.
    fn agreed(&self) -> Result<String> {
        Ok(fs::read_to_string(self.workspace.root.join("migration-guide/samples/demo.toml"))?)
    }

    fn proxy_run(&self, legacy: &Server, configuration: &str) -> Result<Server> {
        let data = self.folder.join("data");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let config = self.folder.join("bench.toml");
        fs::write(&config, configuration)?;
        let mut command = Command::new(&self.proxy);
        command.args(["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--legacy"]);
        command.arg(format!("http://{}", legacy.address)).arg("--config").arg(&config).arg("--data").arg(&data);
        Server::with_ready_line("shadow-proxy", &mut command, &self.folder)
    }

    /// A B, B A, A B …, each run with servers of its own: the first is put under load, the others stand behind it.
    fn alternate(
        &self,
        title: String,
        figures: &[Figure],
        connections: u32,
        a: impl Fn() -> Result<Vec<Server>>,
        b: impl Fn() -> Result<Vec<Server>>,
    ) -> Result<Pairs> {
        let mut pairs = Pairs::new(title, figures);
        let measure = |servers: Vec<Server>| self.measure(servers, API_KEY, connections);
        for pair in 0..self.options.pairs {
            interrupt::check()?;
            eprint!("\r{}: pair {} of {} ", pairs.title(), pair + 1, self.options.pairs);
            // Whoever goes second meets a warmer machine: each is second in turn.
            let (of_a, of_b) = if pair % 2 == 0 {
                let of_a = measure(a()?)?;
                (of_a, measure(b()?)?)
            } else {
                let of_b = measure(b()?)?;
                (measure(a()?)?, of_b)
            };
            pairs.add(of_a, of_b);
        }
        eprint!("\r");
        Ok(pairs)
    }

    fn measure(&self, servers: Vec<Server>, credential: &str, connections: u32) -> Result<pairs::Run> {
        let first = servers.first().context("a bench puts a server under load")?;
        let script = wrk::always(credential);
        let load = |seconds| wrk::run(&first.address, &script, connections, Duration::from_secs(seconds), &self.folder);
        load(1)?;
        let cpu_before = first.cpu()?;
        let load = load(self.options.seconds)?;
        let cpu = first.cpu()?.saturating_sub(cpu_before);
        let per_request = cpu.as_secs_f64() * 1e6 / load.requests as f64;
        let compared_share = first.compared_share()?;
        for mut server in servers {
            server.stop()?;
        }
        Ok(pairs::Run { load, cpu_us_per_request: per_request, compared_share })
    }
}

/// Where a bench keeps the log of a server.
fn log(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}
