//! Is it there? It is when it gives the first correct answer; that its port accepts is not enough.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use crate::check;
use crate::contract::Case;
use crate::engine::connection::{Connection, Target};
use crate::interrupt;

/// A service that needs longer is given up; one that compiles takes some seconds.
const READY_WITHIN: Duration = Duration::from_secs(90);
const TRY_EVERY: Duration = Duration::from_micros(500);

/// Asks single questions; made before anything is timed.
#[derive(Debug)]
pub(crate) struct Prober {
    runtime: Runtime,
}

impl Prober {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self { runtime: runtime.context("cannot start the event loop; allow this process more open files")? })
    }

    /// Asks again and again until the answer is right; `alive` tells when there is nobody to wait for.
    pub(crate) fn wait(
        &self,
        target: &Target,
        case: &Case,
        mut alive: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let problem = match self.times(target, case, 1) {
                Ok(_) => return Ok(()),
                Err(problem) => problem,
            };
            alive()?;
            if interrupt::requested() {
                bail!("interrupted");
            }
            if Instant::now() > deadline {
                bail!(
                    "{} gave no correct answer within {} s: {problem}; is it the service that the contract describes?",
                    target.address,
                    READY_WITHIN.as_secs()
                );
            }
            std::thread::sleep(TRY_EVERY);
        }
    }

    /// The service times of so many requests one after another over a new connection; what is wrong with an answer
    /// otherwise.
    pub(crate) fn times(&self, target: &Target, case: &Case, requests: usize) -> Result<Vec<Duration>, String> {
        let prepared = target.prepare(case).map_err(|error| format!("{error:#}"))?;
        let asking = async {
            let mut connection = Connection::open(target).await.map_err(|failure| failure.reason().to_owned())?;
            let mut times = Vec::with_capacity(requests);
            for _ in 0..requests {
                let sent = Instant::now();
                let answer = connection.ask(&prepared).await.map_err(|failure| failure.reason().to_owned())?;
                times.push(sent.elapsed());
                if let Some(difference) = check::differences(&case.accepted, &answer).first() {
                    return Err(format!("{}: {} is {}", case.name, difference.what, difference.got));
                }
                if !connection.is_ready().await {
                    connection = Connection::open(target).await.map_err(|failure| failure.reason().to_owned())?;
                }
            }
            Ok(times)
        };
        LocalSet::new().block_on(&self.runtime, asking)
    }
}
