//! `cargo demo`: a real Node service, the real component, real requests, and what the comparison says.

mod stub;
mod summary;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::admin::{self, Status};
use crate::interrupt::{self, Interrupted, LOOK_EVERY};
use crate::service::Service;
use crate::table::grouped;
use crate::workspace::{Workspace, write_atomically};
use crate::{component, setup};
use stub::Stub;
use summary::Summary;

const PROXY_READY_WITHIN: Duration = Duration::from_secs(30);
const DRAINED_WITHIN: Duration = Duration::from_secs(20);
const LANE_REQUESTS: u64 = 1_500;

/// Starts a legacy service and shadow-proxy with the component, sends requests through them, and says what differs.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// How many requests to send
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    requests: u64,
    /// Leave everything running until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Run the legacy stub as a process even where containers work
    #[arg(long)]
    process: bool,
    /// Install missing packages of the system with apt-get, as root; CI=true does it too
    #[arg(long)]
    pub(crate) install: bool,
}

struct Demo<'a> {
    workspace: &'a Workspace,
    options: &'a Options,
    /// Everything the demo writes.
    folder: PathBuf,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    setup::bring_services(workspace)?;
    if !options.process {
        setup::bring_container_tools();
    }
    component::build_for_demo(workspace)?;
    workspace.build()?;
    interrupt::listen()?;
    let demo = Demo { workspace, options, folder: workspace.target.join("demo") };
    match demo.play() {
        Ok(summary) => {
            println!("cargo demo: {}", summary.verdict());
            Ok(if summary.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("\ncargo demo: {error}");
            Ok(ExitCode::from(130))
        }
        Err(error) => Err(error.context("cargo demo: BROKEN")),
    }
}

/// A short demo, and another look at the summary it leaves: it is an interface.
pub(crate) fn lane(workspace: &Workspace) -> Result<()> {
    let options = Options { requests: LANE_REQUESTS, ..Options::default() };
    if run(workspace, &options)? != ExitCode::SUCCESS {
        bail!("the demo is broken, see above");
    }
    let path = workspace.target.join("demo/summary.json");
    let summary: Summary = serde_json::from_slice(&fs::read(&path)?).context("target/demo/summary.json")?;
    let problems = check(&summary.status, LANE_REQUESTS);
    if !problems.is_empty() {
        bail!("target/demo/summary.json: {}", problems.join("; "));
    }
    Ok(())
}

impl Demo<'_> {
    fn play(&self) -> Result<Summary> {
        let _only = self.only()?;
        self.clear()?;
        let start = Instant::now();
        println!(
            "\ncargo demo: {} requests, answered by legacy and mirrored to the component\n",
            grouped(self.options.requests)
        );
        let mut stub = stub::start(self)?;
        println!("  legacy stub   http://{}  {}", stub.address, stub.how);
        let mut proxy = self.start_proxy(&stub)?;
        println!("  shadow-proxy  http://{}  admin http://{}", proxy.listen, proxy.admin);
        let wrong_answers = self.send(&mut stub, &mut proxy)?;
        let status = self.drained(&mut proxy)?;
        let (findings, findings_total) = Summary::most_frequent(admin::findings(&proxy.admin)?);
        let mut problems = check(&status, self.options.requests);
        problems.extend(wrong_answers);
        let mut summary = Summary {
            problems,
            requests_sent: self.options.requests,
            seconds: start.elapsed().as_secs_f64(),
            legacy_stub: stub.how.clone(),
            status,
            findings,
            findings_total,
        };
        self.report(&summary)?;
        if self.options.keep {
            self.keep(&mut stub, &mut proxy)?;
        }
        // The proxy first: it says goodbye to the legacy service.
        for service in [&mut proxy.service, &mut stub.service] {
            summary.problems.extend(service.stop_cleanly());
        }
        Ok(summary)
    }

    /// Another demo would write into the same files.
    fn only(&self) -> Result<File> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot create {}", self.folder.display()))?;
        let lock = File::create(self.folder.join("lock"))?;
        if lock.try_lock().is_err() {
            bail!(
                "another demo runs here, perhaps with --keep; end it first, or give this one its own CARGO_TARGET_DIR"
            );
        }
        Ok(lock)
    }

    /// What an earlier demo left would be read as this one's.
    fn clear(&self) -> Result<()> {
        let data = self.folder.join("data");
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
        }
        Ok(())
    }

    fn start_proxy(&self, stub: &Stub) -> Result<Proxy> {
        let mut command = Command::new(self.workspace.binary("shadow-proxy"));
        command.current_dir(&self.workspace.root).args(["run", "--config", "migration-guide/samples/demo.toml"]);
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.args(["--legacy", &format!("http://{}", stub.address)]).arg("--data").arg(self.folder.join("data"));
        let mut service = Service::start("shadow-proxy", &mut command, self.folder.join("shadow-proxy.log"))?;
        let ready = service.ready(PROXY_READY_WITHIN)?;
        let address =
            |name| ready.get(name).cloned().with_context(|| format!("shadow-proxy's ready line names no `{name}=`"));
        Ok(Proxy { listen: address("listen")?, admin: address("admin")?, service })
    }

    /// Runs the load to its end; a problem when it got an answer that the contract does not expect.
    fn send(&self, stub: &mut Stub, proxy: &mut Proxy) -> Result<Option<String>> {
        let requests = self.options.requests;
        println!("  load          {} requests of the contract's mix, every answer checked\n", grouped(requests));
        let mut command = Command::new(self.workspace.binary("load"));
        command.current_dir(&self.workspace.root).args(["attack", "--target", &format!("http://{}", proxy.listen)]);
        command
            .args(["--requests", &requests.to_string(), "--expect", "legacy", "--out"])
            .arg(self.folder.join("load.json"));
        let mut load = Service::start_shown("load", &mut command, self.folder.join("load.log"))?;
        let deadline = Instant::now() + Duration::from_secs(90 + requests / 100);
        let status = loop {
            if let Some(status) = load.has_ended()? {
                break status;
            }
            stub.service.check_running()?;
            proxy.service.check_running()?;
            interrupt::check()?;
            if Instant::now() > deadline {
                bail!("load is not done after {} s; try fewer --requests", 90 + requests / 100);
            }
            std::thread::sleep(LOOK_EVERY);
        };
        Ok((!status.success()).then(|| format!("load got wrong answers ({status}){}", load.last_words())))
    }

    /// Waits until every mirrored call has come to an end.
    fn drained(&self, proxy: &mut Proxy) -> Result<Status> {
        let deadline = Instant::now() + DRAINED_WITHIN;
        loop {
            proxy.service.check_running()?;
            let status = admin::status(&proxy.admin)?;
            if status.requests.is_drained() || Instant::now() > deadline {
                return Ok(status);
            }
            interrupt::check()?;
            std::thread::sleep(LOOK_EVERY * 2);
        }
    }

    fn report(&self, summary: &Summary) -> Result<()> {
        let (json, markdown) = (self.folder.join("summary.json"), self.folder.join("summary.md"));
        write_atomically(&json, &serde_json::to_vec_pretty(summary)?)?;
        write_atomically(&markdown, summary.markdown().as_bytes())?;
        println!("\n{}", summary.text());
        println!("Files");
        println!("  summary   {}, {}", self.workspace.shown(&markdown), self.workspace.shown(&json));
        println!("  database  {}", self.workspace.shown(&self.database()));
        println!("  logs      {}/*.log\n", self.workspace.shown(&self.folder));
        Ok(())
    }

    /// The records in the data folder, or the folder.
    fn database(&self) -> PathBuf {
        let data = self.folder.join("data");
        let entries = fs::read_dir(&data).into_iter().flatten().flatten();
        let is_database = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "db" || ending == "sqlite");
        entries.map(|entry| entry.path()).find(is_database).unwrap_or(data)
    }

    fn keep(&self, stub: &mut Stub, proxy: &mut Proxy) -> Result<()> {
        println!("Everything runs until Ctrl-C. The page: http://{}/\n", proxy.admin);
        while !interrupt::requested() {
            stub.service.check_running()?;
            proxy.service.check_running()?;
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

struct Proxy {
    service: Service,
    /// `HOST:PORT`
    listen: String,
    /// `HOST:PORT`
    admin: String,
}

/// What is broken about a run of so many requests, as sentences.
fn check(status: &Status, requests_sent: u64) -> Vec<String> {
    let requests = &status.requests;
    let mut problems = requests.problems();
    if requests.received < requests_sent {
        problems.push(format!("{requests_sent} requests were sent but {} received", requests.received));
    }
    if !requests.is_drained() {
        problems.push(format!(
            "{} calls were still on their way after {} s",
            requests.in_flight,
            DRAINED_WITHIN.as_secs()
        ));
    }
    if requests.compared == 0 {
        problems.push("no pair was compared; see the accounting".to_owned());
    }
    match status.decisions.deny_allow {
        0 => {}
        breaches => problems.push(format!("{breaches} times the candidate let in whom legacy denies (breach)")),
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_run_has_no_problem() {
        assert_eq!(check(&admin::tests::sample(), 5_000), Vec::<String>::new());
    }

    #[test]
    fn everything_that_is_broken_is_said() {
        let mut status = admin::tests::sample();
        status.requests.compared = 0;
        status.requests.in_flight = 4_990;
        status.decisions.deny_allow = 2;
        assert_eq!(
            check(&status, 6_000),
            [
                "6000 requests were sent but 5012 received",
                "4990 calls were still on their way after 20 s",
                "no pair was compared; see the accounting",
                "2 times the candidate let in whom legacy denies (breach)",
            ]
        );
    }
}
